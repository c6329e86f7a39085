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
        self._start_s = self._case_start_s = time.monotonic()

    def expect(self, cases: int) -> None:
        """How many cases will be measured."""
        self._expected = cases
        self._start_s = time.monotonic()

    def __call__(self, case: Case, phase: str, done: int, total: int) -> None:
        new = case not in self._seen
        if new:
            self._seen.append(case)
            self._case_start_s = time.monotonic()
        if self._live:
            self._write(f"{CLEAR}{self._line(case, phase, done, total)}")
        elif new:
            self._write(f"{self._line(case, phase, done, total)}\n")

    def clear(self) -> None:
        """Leave no trace of the line."""
        if self._live:
            self._write(CLEAR)

    def _line(self, case: Case, phase: str, done: int, total: int) -> str:
        number, cases = len(self._seen), max(self._expected, len(self._seen))
        return f"[{number}/{cases}] {case.key}: {phase} {done}/{total}{self._left(number, cases, done, total)}"

    def _left(self, number: int, cases: int, done: int, total: int) -> str:
        """From the cases that are done; before there are any, from how far this phase of the first one is."""
        now_s = time.monotonic()
        if number > 1:
            left_s = (self._case_start_s - self._start_s) / (number - 1) * (cases - number + 1)
            left_s -= now_s - self._case_start_s
        elif 0 < done < total:
            left_s = (now_s - self._case_start_s) * ((total - done) / done + cases - number)
        else:
            return ""
        left_s = max(left_s, 0.0)
        return f", about {left_s / 60:.0f} min left" if left_s >= 90 else f", about {left_s:.0f} s left"

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()
