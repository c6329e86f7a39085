"""A child process on this machine, followed line by line, in a session of its own: it ends with all its children."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.processes import end_session, ends_within

LOG_LIMIT_BYTES = 4_000_000
CHUNK_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a command ended: its status (negative = the signal that killed it), or without progress past its deadline."""

    status: int
    timed_out: bool


def follow(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    deadline_s: float,
    on_line: Callable[[str], bool],
) -> Exit:
    """Run `command` in the log's folder, hand on its lines as they come and write its output to `log` (bounded).

    `on_line` says whether a line shows progress. After `deadline_s` without progress the command and all its children
    are ended. No stray module can be imported from that folder; this process blocks in select and never spins beside
    a measurement.
    """
    process = subprocess.Popen(
        command, cwd=log.parent, env={**os.environ, **environment}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        with open(log, "wb", buffering=0) as file:
            in_time = _relay(process, _Log(file), deadline_s, on_line)
        # Not reaped yet: its number stays its own, so that its session can still be ended.
        in_time = in_time and ends_within(process.pid, deadline_s)
    finally:
        status = end_session(process)
        process.stdout.close()
    return Exit(status=-signal.SIGKILL if status is None else status, timed_out=not in_time)


class _Log:
    """Keeps the first megabytes of a flood, and its last words."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size, self._last = file, 0, b""

    def write(self, chunk: bytes) -> None:
        if self._size < LOG_LIMIT_BYTES:
            self._size += len(chunk)
            with contextlib.suppress(OSError):  # a full disk costs the log, not the measurement
                self._file.write(chunk)
        else:
            self._last = (self._last + chunk)[-CHUNK_BYTES:]

    def end(self) -> None:
        if self._last:
            with contextlib.suppress(OSError):
                self._file.write(b"\n... the middle is cut out ...\n" + self._last)


def _relay(process: subprocess.Popen[bytes], log: _Log, deadline_s: float, on_line: Callable[[str], bool]) -> bool:
    """Hand on lines until the stream or the process ends (True), or no progress is seen in time (False)."""
    assert process.stdout is not None
    source, rest, until = process.stdout.fileno(), b"", time.monotonic() + deadline_s
    with selectors.DefaultSelector() as selector, _end_signal(process.pid) as ended:
        selector.register(source, selectors.EVENT_READ)
        if ended is not None:
            selector.register(ended, selectors.EVENT_READ)
        while True:
            left_s = until - time.monotonic()
            ready = [key.fd for key, _ in selector.select(left_s)] if left_s > 0 else []
            # Children that outlive the process may hold its output open: its own end counts.
            chunk = os.read(source, CHUNK_BYTES) if source in ready else b""
            if not chunk:
                log.end()
                return bool(ready)
            log.write(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            rest = rest[-CHUNK_BYTES:]
            for line in lines:
                if on_line(line.decode("utf-8", "replace")):
                    until = time.monotonic() + deadline_s


@contextlib.contextmanager
def _end_signal(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the process ends; None where the kernel has none (Linux 5.3)."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
