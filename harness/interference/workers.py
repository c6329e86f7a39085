"""The harness's own load, where stress-ng is not installed: `python -m harness.interference.workers NAME COUNT FOLDER`.

It needs nothing but Python. It ends with whoever started it, its workers with it, and leaves no file behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.processes import end_with_parent

BUFFER_BYTES, PIECE_BYTES, FILE_BYTES = 64 * 2**20, 2**20, 64 * 2**20


def main(arguments: Sequence[str]) -> int:
    """Until a SIGTERM; 1 where a worker ended before."""
    name, count, folder = arguments[0], int(arguments[1]), Path(arguments[2])
    workers = [_started(name, folder) for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *said: sys.exit(0))
    try:
        os.wait()  # a worker that ends, as where the disk is full, ends the load
        return 1
    finally:
        for pid in workers:
            _end(pid)


def _started(name: str, folder: Path) -> int:
    pid = os.fork()
    if pid == 0:
        end_with_parent()
        while True:
            WORK[name](folder)
    return pid


def _end(pid: int) -> None:
    """Waits for it, too: a process gives its memory back after it was killed."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _arithmetic(folder: Path) -> None:
    value = 0.5
    for _ in range(1_000_000):
        value = 3.7 * value * (1 - value)


def _copies(folder: Path) -> None:
    """Between two buffers far beyond the caches, at the speed of the memory."""
    source, target = bytearray(os.urandom(PIECE_BYTES)) * (BUFFER_BYTES // PIECE_BYTES), bytearray(BUFFER_BYTES)
    while True:
        target[:] = source
        source[:] = target


def _files(folder: Path) -> None:
    """A file without a name, so that nothing stays behind a kill -9."""
    piece = os.urandom(PIECE_BYTES)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(FILE_BYTES // PIECE_BYTES):
            file.write(piece)
        os.fsync(file.fileno())
        file.seek(0)
        while file.read(PIECE_BYTES):
            pass


WORK: Mapping[str, Callable[[Path], None]] = {"cpu": _arithmetic, "memory": _copies, "io": _files}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
