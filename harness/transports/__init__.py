"""Transports: bytes and commands to a device, nothing else; what they carry is none of their business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.members import member

TRANSPORTS = {
    "local": "harness.transports.local:Local",
    "ssh": "harness.transports.ssh:Ssh",
    "adb": "harness.transports.adb:Adb",
    "labgrid": "harness.transports.labgrid:Labgrid",
}


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How a device is reached. address: [USER@]HOST[:PORT] of ssh, serial number of adb, empty for this machine.

    options: those of the transport, by the names of the profile's [board]. device: its name, for errors.
    known_hosts: file of the host keys that were looked at; its neighbour known_hosts.local counts as well.
    """

    device: str
    transport: str
    address: str = ""
    known_hosts: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said, and how it ended: its status, 128 + signal where one killed it.

    timed_out: it was ended there at its deadline.
    """

    status: int
    out: bytes = b""
    err: bytes = b""
    timed_out: bool = False


@dataclass(frozen=True, kw_only=True)
class Poll:
    """One look at a spawned command: the device's boot_id, its exit status (None while it runs), new journal bytes."""

    boot_id: str
    status: int | None
    journal: bytes


class Transport(Protocol):
    """One device within reach, from __enter__ to __exit__.

    Every method raises UnreachableError where the device does not answer in time, HostKeyError where it is another
    one, DiskError where there is no room, and ConfigError for what cannot be right. Nothing of `command` or of a path
    is ever read by a shell as anything but itself.
    """

    def __enter__(self) -> Transport: ...

    def __exit__(self, *exception: object) -> None: ...

    def put(self, source: Path, target: str, *, deadline_s: float) -> None:
        """Copy a file there, with its folders; a reader there sees the whole file or none."""
        ...

    def get(self, source: str, target: Path, *, deadline_s: float) -> None:
        """Copy a file here; a reader here sees the whole file or none."""
        ...

    def run(self, command: Sequence[str], *, deadline_s: float, text: bytes = b"") -> Answer:
        """Run `command` there with `text` as its input; at the deadline it and its children are ended there, too."""
        ...

    def spawn(self, command: Sequence[str], folder: str, *, environment: Mapping[str, str], deadline_s: float) -> None:
        """Start `command` in `folder` there, detached: it needs no link any more.

        Its words go to folder/worker.log, its exit status to folder/status when it ends, at the latest
        `deadline_s` from now, when it is killed with its process group.
        """
        ...

    def poll(self, folder: str, offset: int, *, wait_s: float) -> Poll:
        """Wait there until it has ended, `wait_s` at most, and say how it stands.

        journal: what `folder`/journal holds from byte `offset`, 1 MiB at most. With a status there may still be
        more of it: poll on until none comes. The file folder/polled is written anew, so that the command can know
        whether anybody still asks.
        """
        ...


@runtime_checkable
class Switched(Protocol):
    """A transport that can switch its device's power, too."""

    def power(self, action: str) -> None:
        """`on`, `off` or `cycle`; PowerError where that is not done."""
        ...


def open_transport(reach: Reach) -> Transport:
    """The transport of `reach`, not entered yet; ConfigError for an unknown one."""
    transport: Transport = member("transport", reach.transport, TRANSPORTS)(reach)
    return transport
