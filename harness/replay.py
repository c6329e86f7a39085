"""A timer that replays measured frames, for pytest-benchmark's `timer` marker."""

from __future__ import annotations

import time

from harness.case import Array


class ReplayTimer:
    """Seconds like time.perf_counter, until `play` gives it durations: then each round takes one of them.

    pytest-benchmark reads the timer before and after each call of `next_frame`.
    """

    def __init__(self) -> None:
        self.__name__ = "replay of measured frames"
        self._durations_ns: list[int] = []
        self._now_s = 0.0
        self._playing = False

    def __call__(self) -> float:
        if not self._playing:
            return time.perf_counter()
        # Each reading starts the next frame at zero, which keeps every bit of its duration.
        now_s, self._now_s = self._now_s, 0.0
        return now_s

    def play(self, durations_ns: Array) -> None:
        """Use these durations, in order, from now on."""
        self._durations_ns = [int(one) for one in reversed(durations_ns)]
        self._now_s = 0.0
        self._playing = True

    def next_frame(self) -> None:
        """One frame passes."""
        self._now_s = self._durations_ns.pop() / 1e9 if self._durations_ns else 0.0
