"""The lines that a program prints, each stamped when it arrives: for tools that print a sample per line."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import time
from collections import deque
from threading import Thread
from typing import Deque, List, Sequence, Tuple

CHUNK = 65536
LONGEST = 65536
SLICE_S = 0.1
STALLED_NS = 500_000_000
END_S = 1.0


class LineStream:
    """A running program and a thread that reads it; OSError where it cannot be started.

    Its errors are read among its lines. A line that this process, stopped for a while, may have left waiting is
    dropped and counted in `late`: nobody knows when it came. So is a last line without an end, which may be cut.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.late = 0
        self.ended = ""
        self._closing = False
        self._lines: Deque[Tuple[int, str]] = deque()
        self._process = subprocess.Popen(
            [*line_buffer(), *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._thread = Thread(target=self._listen, name="lines", daemon=True)
        self._thread.start()

    def take(self) -> List[Tuple[int, str]]:
        """The lines since the last call: (monotonic ns, text)."""
        return [self._lines.popleft() for _ in range(len(self._lines))]

    def close(self) -> None:
        """End the program, by force where it does not go by itself."""
        self._closing = True
        self._process.terminate()
        if not self._gone():
            self._process.kill()
            self._gone()
        self._thread.join(END_S)

    def _gone(self) -> bool:
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            self._follow(output.fileno())
        self._gone()
        status = self._process.returncode
        self.ended = "the program closed its output" if status is None else f"the program ended with status {status}"

    def _follow(self, descriptor: int) -> None:
        rest, fresh_from_ns = b"", 0
        while not self._closing:
            asked_ns = time.monotonic_ns()
            ready = select.select([descriptor], [], [], SLICE_S)[0]
            now_ns = time.monotonic_ns()
            if now_ns - asked_ns > STALLED_NS:
                fresh_from_ns = now_ns + round(SLICE_S * 1e9)
            data = os.read(descriptor, CHUNK) if ready else b""
            if ready and not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[:LONGEST]
            if now_ns < fresh_from_ns:
                self.late += len(lines)
                continue
            self._lines.extend((now_ns, line.decode("ascii", "replace")) for line in lines)


def line_buffer() -> List[str]:
    """What to put before a command, so that its C library writes whole lines into a pipe and not blocks of 4 KiB."""
    found = shutil.which("stdbuf")
    return [found, "-oL"] if found else []
