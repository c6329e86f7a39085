"""One line that says what is being measured and how long it will take."""

from __future__ import annotations

import time
from typing import TextIO

from harness.case import Case

CLEAR = "\r\x1b[2K"


class ProgressLine:
    """Rewrites one line on a terminal; on anything else it writes one line per case."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._live = bool(stream and stream.isatty())
        self._seen: list[Case] = []
        self._expected = 0
        self._start_s = time.monotonic()

    def expect(self, cases: int) -> None:
        """How many cases will be measured."""
        self._expected = cases
        self._start_s = time.monotonic()

    def __call__(self, case: Case, phase: str, done: int, total: int) -> None:
        new = case not in self._seen
        if new:
            self._seen.append(case)
        if self._live:
            self._write(f"{CLEAR}{self._line(case, phase, done, total)}")
        elif new:
            self._write(f"\n{self._line(case, phase, done, total)}")

    def clear(self) -> None:
        """Leave no trace of the line."""
        if self._live:
            self._write(CLEAR)

    def _line(self, case: Case, phase: str, done: int, total: int) -> str:
        number, total_cases = len(self._seen), max(self._expected, len(self._seen))
        return f"[{number}/{total_cases}] {case.key}: {phase} {done}/{total}{self._left(number, total_cases)}"

    def _left(self, number: int, total: int) -> str:
        if number < 2:
            return ""
        left_s = (time.monotonic() - self._start_s) / (number - 1) * (total - number + 1)
        return f", about {left_s / 60:.0f} min left" if left_s >= 90 else f", about {left_s:.0f} s left"

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()
