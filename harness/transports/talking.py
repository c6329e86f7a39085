"""One local client program, `ssh` or `adb`, from start to end: a hard deadline, a bounded answer, no leftovers."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from harness.errors import ConfigError, HarnessError
from harness.processes import end_group, ends_within

ANSWER_LIMIT_BYTES = 256 * 2**20
CHUNK_BYTES = 65536
LAST_WORDS = 600


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a client program said. status: None where it had to be ended at its deadline."""

    status: int | None
    out: bytes
    err: bytes

    @property
    def words(self) -> str:
        """The last of what it said for people."""
        return self.err[-LAST_WORDS:].decode("utf-8", "replace").strip()


def talk(command: Sequence[str], *, deadline_s: float, source: IO[bytes] | int = subprocess.DEVNULL) -> Said:
    """Run `command` with `source` as its input; it ends with its group, at the deadline or before.

    Nothing of Python runs between fork and exec: gRPC, which labgrid's coordinator is asked with, aborts there.
    """
    try:
        process = subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
        )
    except OSError as error:
        remedy = f"install {command[0]} on this machine, or put it on its PATH"
        raise ConfigError(f"{command[0]} cannot be started: {error.strerror}", remedy=remedy) from error
    try:
        out, err, in_time = _heard(process, time.monotonic() + deadline_s)
    finally:
        status = end_group(process)
    return Said(status=status if in_time else None, out=out, err=err)


def _heard(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bytes, bool]:
    """Its two streams to their ends, and whether it ended in time."""
    assert process.stdout is not None
    assert process.stderr is not None
    heard: dict[int, bytearray] = {stream.fileno(): bytearray() for stream in (process.stdout, process.stderr)}
    with selectors.DefaultSelector() as selector, process.stdout, process.stderr:
        for descriptor in heard:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map() and (left_s := until - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                if chunk := os.read(key.fd, CHUNK_BYTES):
                    _keep(heard[key.fd], chunk)
                else:
                    selector.unregister(key.fd)
        in_time = not selector.get_map() and ends_within(process.pid, until - time.monotonic())
    out, err = heard.values()
    return bytes(out), bytes(err), in_time


def _keep(kept: bytearray, chunk: bytes) -> None:
    if len(kept) + len(chunk) > ANSWER_LIMIT_BYTES:
        raise HarnessError(f"an answer of more than {ANSWER_LIMIT_BYTES // 2**20} MiB", remedy="ask for less at once")
    kept += chunk
