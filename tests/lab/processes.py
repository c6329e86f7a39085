"""Processes of this machine and of its fake boards, as /proc shows them; signals to them; waiting for them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def alive() -> list[int]:
    """The ids of all processes that have not ended."""
    return [pid for path in Path("/proc").glob("[0-9]*") if is_alive(pid := int(path.name))]


def is_alive(pid: int) -> bool:
    """False for a zombie, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def command_line(pid: int) -> str:
    """Its words, with blanks between; empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def wait_until(holds: Callable[[], object], what: str | Callable[[], str], within_s: float = 30.0) -> None:
    """Look every 20 ms until it holds; a failed assertion that says what does not, as it is at the end."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"not within {within_s:g} s: {what() if callable(what) else what}"
        time.sleep(0.02)


def listens(pid: int) -> bool:
    """Whether anything in the network of the process listens on port 22 (0016 in the kernel's words)."""
    try:
        sockets = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return False
    return any(one.split()[1].endswith(":0016") and one.split()[3] == "0A" for one in sockets)


def pid_namespace(pid: int) -> str:
    """Which one the process is in; empty for none."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") if pid else ""
    except OSError:
        return ""


def signal_all(pids: Sequence[int], number: int) -> None:
    """To each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
