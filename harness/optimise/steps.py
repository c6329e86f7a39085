"""One line per step: its number, the time so far, and the time left as far as steps of the same kind tell it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import mean

from harness.optimise.journal import Step

Say = Callable[[str], None]
MINUTE_S, HOUR_S = 60, 3600


class Steps:
    """All steps of a run. known_s: kind -> seconds, from runs before."""

    def __init__(
        self, planned: Iterable[Step], say: Say, known_s: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._left = list(planned)
        self._total, self._done = len(self._left), 0
        self._say, self._clock, self._start_s = say, clock, clock()
        self._known_s = dict(known_s or {})
        self._measured_s: dict[str, list[float]] = {}

    def begin(self, step: Step) -> None:
        """Say that it begins."""
        self._count(step)
        left = self._left_text(step)
        self._line(step, f"{duration(self._clock() - self._start_s)} so far{left}")

    def end(self, step: Step, seconds: float) -> None:
        """It took so long."""
        self._measured_s.setdefault(step.kind, []).append(seconds)

    def skip(self, step: Step, why: str) -> None:
        """Say why there is nothing to do."""
        self._count(step)
        self._line(step, why)

    def _count(self, step: Step) -> None:
        self._done += 1
        if step in self._left:
            self._left.remove(step)
        else:
            self._total += 1

    def _line(self, step: Step, text: str) -> None:
        self._say(f"[{self._done}/{self._total}] {step.name}: {step.kind}; {text}")

    def _left_text(self, step: Step) -> str:
        times = [self._seconds(one.kind) for one in (step, *self._left)]
        known = [one for one in times if one is not None]
        if not known:
            return ""
        unknown = len(times) - len(known)
        more = f" and {unknown} steps of kinds that were not timed yet" if unknown else ""
        return f", about {duration(sum(known))} left{more}"

    def _seconds(self, kind: str) -> float | None:
        measured = self._measured_s.get(kind)
        return mean(measured) if measured else self._known_s.get(kind)


def duration(seconds: float) -> str:
    """For people: "40 s", "12 min", "3.5 h"."""
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE_S:.0f} min" if seconds < 2 * HOUR_S else f"{seconds / HOUR_S:.1f} h"
