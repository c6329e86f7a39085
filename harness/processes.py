"""Processes that end with the one that started them and take along all that they started (man 2 prctl, man 5 proc).

Each leads a group of its own: `preexec_fn=group_leader()`, or Popen's `start_new_session` for a session besides. Its
number stays its own until it is reaped, so nothing here reaps before the group is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

PR_SET_PDEATHSIG = 1
REAP_S = 5.0
POLL_S = 0.005


def end_with_parent() -> None:
    """Let Linux kill this process when the thread that started it dies, be that by kill -9; nothing elsewhere."""
    _prctl()(PR_SET_PDEATHSIG, signal.SIGKILL)


def group_leader(ended_by: int = signal.SIGKILL) -> Callable[[], None]:
    """For Popen's preexec_fn: a group of its own, and this signal when the thread dies that starts it.

    The session stays that of the parent: what a wrapper started is ended with it, however the parent ends.
    """
    parent, prctl = os.getpid(), _prctl()

    def begin() -> None:
        os.setpgid(0, 0)
        prctl(PR_SET_PDEATHSIG, ended_by)
        if os.getppid() != parent:
            os._exit(1)

    return begin


@lru_cache
def _prctl() -> Callable[..., Any]:
    """Looked up once, and before any fork: a new process must load no library."""
    try:
        found: Callable[..., Any] = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return lambda *arguments: -1
    return found


def has_ended(pid: int) -> bool:
    """Whether this child has ended; it is not reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def ends_within(pid: int, seconds: float) -> bool:
    """Whether this child ends in time; it is not reaped."""
    until = time.monotonic() + seconds
    while not has_ended(pid):
        if time.monotonic() > until:
            return False
        time.sleep(POLL_S)
    return True


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """To all of the group that are left; nothing once the process was reaped."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def end_group(process: subprocess.Popen[bytes]) -> Optional[int]:
    """Kill what is left of its group, then reap it; its status, None where not even SIGKILL reaches it."""
    signal_group(process, signal.SIGKILL)
    return _reaped(process)


def end_session(process: subprocess.Popen[bytes]) -> Optional[int]:
    """As `end_group`, with all other groups of its session: an engine's own process is in one of them."""
    signal_group(process, signal.SIGKILL)
    until = time.monotonic() + REAP_S
    # Again, for what was started meanwhile; not for ever: a driver can hold a process where SIGKILL does not reach.
    while (left := session_members(process.pid)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
    return _reaped(process)


def _reaped(process: subprocess.Popen[bytes]) -> Optional[int]:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(REAP_S)
    return process.returncode


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
