"""A simulated board that is reached by the shipped local transport, with folder, lock and health file of its own."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.board.link import Links, links
from harness.profile import Board, DeviceProfile
from harness.transports import Reach, Transport, open_transport
from tests.simulated import simulated_device


def board(folder: Path, python: str = sys.executable, **asked: Any) -> DeviceProfile:
    """The simulated device as if it were another machine; `asked` goes into its [board]."""
    own = {"folder": str(folder / "board"), "lock": str(folder / "lock"), "min_free_mib": 0, "lost_s": 5, **asked}
    changes = {"transport": "ssh", "address": "board", "python": python, "board": Board(**own)}
    return simulated_device().model_copy(update=changes)


def through(folder: Path, **changes: Any) -> AbstractContextManager[Links]:
    """Links of a session whose every device is this machine. changes: fields of Links."""
    return links(Links(**{"state": folder / "state", "opened": opened_here, **changes}))


@dataclass
class Counted:
    """A transport, and what it was asked, in order."""

    transport: Transport
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> Counted:
        self.transport.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.transport.__exit__(*exception)

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.transport, name)


def opened_here(reach: Reach) -> Transport:
    return open_transport(replace(reach, transport="local", address=""))
