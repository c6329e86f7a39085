"""Who measures on a board: a lock that the kernel holds, and a lease that keeps the board between two jobs.

The lock is flock(2) on one file: it ends with its process, however that ends. The file's content is the lease, one
line of JSON: {"session", "who", "since", "boot_id", "until"}; `until` counts seconds of CLOCK_BOOTTIME, so no change of
the date moves it. A lease is void after `until`, after another start of the board, and for its own session. Whatever
else the file holds is void too. Nobody removes the file: two processes could then hold two locks of one name.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from harness.errors import BusyError, ConfigError, printable

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MODE = 0o666
LARGEST_BYTES = 4096
LONGEST_LEASE_S = 86400.0
FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True)
class Holder:
    """session: unique to one session of a host. who: user@host; since: when it began; both for people to read."""

    session: str
    who: str
    since: str


@dataclass(frozen=True)
class Lease:
    """The content of the lock's file."""

    session: str
    who: str
    since: str
    boot_id: str
    until: float

    @property
    def words(self) -> str:
        """Who, and since when."""
        return printable(f"busy: {self.who}, since {self.since}", 300)


class Lock:
    """One board, held from __init__ to `close`; BusyError where somebody else holds or leases it.

    ConfigError for a file that is no lock; OSError where it cannot be written.
    """

    def __init__(self, path: str, holder: Holder) -> None:
        self._holder, self._file = holder, _opened(path)
        try:
            lease = _taken(self._file)
            if lease is not None and lease.session != holder.session and _valid(lease):
                raise BusyError(lease.words, where=path)
        except BaseException:
            os.close(self._file)
            raise

    def lease(self, seconds: float) -> None:
        """Keep the board for this session for so long after its processes end."""
        lease = Lease(**asdict(self._holder), boot_id=boot_id(), until=_now_s() + min(seconds, LONGEST_LEASE_S))
        _write(self._file, json.dumps(asdict(lease), sort_keys=True).encode() + b"\n")

    def close(self) -> None:
        """Let others in whom the lease lets in."""
        os.close(self._file)


def release(path: str, session: str) -> None:
    """End the lease of this session; nothing where there is none, or where somebody holds the lock."""
    try:
        file = os.open(path, FLAGS)
    except FileNotFoundError:
        return
    try:
        lease = _taken(file)
        if lease is not None and lease.session == session:
            os.ftruncate(file, 0)
    except BusyError:
        return
    finally:
        os.close(file)


def boot_id() -> str:
    """Which start of this machine this is."""
    return BOOT_ID.read_text(encoding="ascii").strip()


def _now_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _valid(lease: Lease) -> bool:
    return lease.boot_id == boot_id() and 0 < lease.until - _now_s() <= LONGEST_LEASE_S


def _opened(path: str) -> int:
    """A file that is there is never opened to create it: in /tmp the kernel refuses that for another user's."""
    try:
        return _opened_once(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        remedy = "name another file with [board] lock of the device profile, or let root remove this one"
        raise ConfigError(f"the lock cannot be used: {error.strerror}", where=path, remedy=remedy) from error


def _opened_once(path: str) -> int:
    try:
        file = os.open(path, FLAGS)
    except FileNotFoundError:
        try:
            file = os.open(path, FLAGS | os.O_CREAT | os.O_EXCL, MODE)
            os.fchmod(file, MODE)  # whatever the umask is: other users must be able to lock it
        except FileExistsError:
            file = os.open(path, FLAGS)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > LARGEST_BYTES:
        os.close(file)
        raise OSError(errno.EINVAL, "it is no lock of the harness")
    return file


def _taken(file: int) -> Optional[Lease]:
    """Take the lock and read the lease, None for none; BusyError where a process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lease = _read(file)
        raise BusyError(lease.words if lease else "busy: somebody who did not say who") from None
    return _read(file)


def _read(file: int) -> Optional[Lease]:
    try:
        raw = json.loads(os.pread(file, LARGEST_BYTES, 0))
        session, who, since, boot = (str(raw[name]) for name in ("session", "who", "since", "boot_id"))
        return Lease(session, who, since, boot, float(raw["until"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _write(file: int, line: bytes) -> None:
    """In place: a file of another name would be another lock."""
    if os.pwrite(file, line, 0) < len(line):
        raise OSError(errno.ENOSPC, "no room for the lease")
    os.ftruncate(file, len(line))
