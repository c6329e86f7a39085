"""This machine as a device: the same calls without a wire, by the operating system itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from harness.errors import ConfigError
from harness.processes import end_session, ends_within
from harness.transports import Answer, Poll, Reach
from harness.transports.copies import arriving, opened, spooled
from harness.transports.shell import GRACE_S, POLL_LIMIT_BYTES, absolute, launch
from harness.transports.talking import talk

LOOK_S = 0.05
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Local:
    """Only `spawn` needs a shell: something has to watch over the command when this process is gone."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is held."""

    def put(self, source: Path, target: str, *, deadline_s: float) -> None:
        _copy(source, Path(absolute(target)))

    def get(self, source: str, target: Path, *, deadline_s: float) -> None:
        _copy(Path(absolute(source)), target)

    def run(self, command: Sequence[str], *, deadline_s: float, text: bytes = b"") -> Answer:
        with spooled(text) as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    command, stdin=source or subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                )  # fmt: skip
            except (OSError, ValueError) as error:
                return _not_started(error)
            try:
                in_time = ends_within(process.pid, deadline_s)
            finally:
                status = end_session(process)
            out.seek(0)
            err.seek(0)
            return Answer(status=_as_shells_do(status), out=out.read(), err=err.read(), timed_out=not in_time)

    def spawn(self, command: Sequence[str], folder: str, *, environment: Mapping[str, str], deadline_s: float) -> None:
        said = talk(launch(command, folder, environment, deadline_s), deadline_s=GRACE_S)
        if said.status:
            raise ConfigError(f"cannot be started: {said.words}", where=folder)

    def poll(self, folder: str, offset: int, *, wait_s: float) -> Poll:
        path, until = Path(absolute(folder)), time.monotonic() + wait_s
        with contextlib.suppress(OSError):
            (path / "polled").write_text(str(os.getpid()))
        while (status := _status(path)) is None and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, LOOK_S))
        return Poll(boot_id=BOOT_ID.read_text().strip(), status=status, journal=_part(path / "journal", offset))


def _copy(source: Path, target: Path) -> None:
    with opened(source) as read, arriving(target) as part, part.open("wb") as written:
        shutil.copyfileobj(read, written)


def _not_started(error: Exception) -> Answer:
    """As a shell says it; ConfigError for what no program can be given."""
    if isinstance(error, ValueError):
        raise ConfigError(f"no command: {error}") from error
    return Answer(status=127 if isinstance(error, FileNotFoundError) else 126, err=str(error).encode())


def _as_shells_do(status: int | None) -> int:
    """128 + the signal that ended it."""
    status = -signal.SIGKILL if status is None else status
    return 128 - status if status < 0 else status


def _status(folder: Path) -> int | None:
    """That of the spawned command; 137 where what watched over it is gone without a word."""
    state, pid = _look(folder)
    if state is None and pid and not _alive(pid):
        state = _look(folder)[0]
        return 128 + signal.SIGKILL if state is None else state
    return state


def _look(folder: Path) -> tuple[int | None, int]:
    try:
        words = (folder / "status").read_text().split()
    except OSError:
        return None, 0
    if not words or words[0] == "-":
        return None, int(words[1]) if len(words) > 1 else 0
    return int(words[0]), 0


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


def _part(journal: Path, offset: int) -> bytes:
    try:
        with journal.open("rb") as file:
            file.seek(offset)
            return file.read(POLL_LIMIT_BYTES)
    except FileNotFoundError:
        return b""
