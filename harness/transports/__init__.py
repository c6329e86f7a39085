"""Transports: bytes and commands to a device, nothing else.

A transport runs one worker there, and ends it when it shows no progress for too long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.members import member

TRANSPORTS = {"local": "harness.transports.local:Local"}


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a command ended: its status (negative = the signal that killed it), or without progress past its deadline."""

    status: int
    timed_out: bool


class Transport(Protocol):
    """One device within reach."""

    def run(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        deadline_s: float,
        on_line: Callable[[str], bool],
    ) -> Exit:
        """Run `command`, hand on its lines as they come and write its output to `log` (bounded).

        `on_line` says whether a line shows progress. After `deadline_s` without progress the command
        and all its children are ended.
        """
        ...


def open_transport(name: str) -> Transport:
    """The transport `name`; ConfigError for an unknown one."""
    transport: Transport = member("transport", name, TRANSPORTS)()
    return transport
