"""Which processes a group or a session has, as the kernel tells (man 5 proc)."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Iterator, List, Tuple


def group_members(group: int) -> List[int]:
    """The ids of the processes of a group that have not ended."""
    return [pid for pid, own, _ in _processes() if own == group]


def session_members(session: int) -> List[int]:
    """The ids of the processes of a session, of all its groups, that have not ended."""
    return [pid for pid, _, own in _processes() if own == session]


def _processes() -> Iterator[Tuple[int, int, int]]:
    """Id, group and session of each process that has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # The name, which may hold anything, is in brackets; then state, parent, group and session.
            state, _, group, session = path.read_bytes().rpartition(b")")[2].split()[:4]
            if state not in (b"Z", b"X"):
                yield int(path.parent.name), int(group), int(session)
