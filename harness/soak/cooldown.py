"""How long a device takes to be as cool as before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.soak.sensors import hottest

TOLERANCE_C = 1.0
IN_A_ROW = 3


@dataclass(frozen=True, kw_only=True)
class CoolDown:
    """seconds: until within the tolerance of the start, None where that did not come in the time watched."""

    seconds: float | None
    watched_s: float
    start_c: float
    hottest_c: float
    last_c: float
    tolerance_c: float = TOLERANCE_C

    @property
    def sentence(self) -> str:
        """What there is to say."""
        near = f"within {self.tolerance_c:g} C of its start at {self.start_c:.1f} C"
        if self.seconds is None:
            return f"did not cool down {near} in {self.watched_s:.0f} s: still {self.last_c:.1f} C"
        if self.hottest_c <= self.start_c + self.tolerance_c:
            return f"had nothing to cool down: it ended {near}"
        return f"cooled from {self.hottest_c:.1f} C to {near} in {self.seconds:.0f} s"


def cool_down(
    time_ns: Array, celsius: Array, *, start_c: float, from_ns: float, tolerance_c: float = TOLERANCE_C
) -> CoolDown | str:
    """From the end of the load on; the first of three samples in a row that are cool counts. A sentence: why not."""
    chosen = np.isfinite(celsius) & (time_ns >= from_ns)
    if chosen.sum() < IN_A_ROW:
        return f"cool-down: {int(chosen.sum())} temperatures after the load, needs {IN_A_ROW}"
    after_s, after_c = (time_ns[chosen] - from_ns) / 1e9, celsius[chosen]
    cool = after_c <= start_c + tolerance_c
    rows = np.flatnonzero(np.convolve(cool, np.ones(IN_A_ROW), "valid") == IN_A_ROW)
    return CoolDown(
        seconds=float(after_s[rows[0]]) if len(rows) else None, watched_s=float(after_s[-1]), start_c=start_c,
        hottest_c=float(after_c.max()), last_c=float(after_c[-1]), tolerance_c=tolerance_c,
    )  # fmt: skip


def cool_down_of(soak: Soak, tolerance_c: float = TOLERANCE_C) -> CoolDown | str:
    """By the thermometer that became hottest; its first reading is the start. A sentence: why not."""
    hot = hottest(soak)
    if hot is None:
        return "cool-down: nobody told a temperature"
    start_c = float(hot.values[0])
    return cool_down(hot.time_ns, hot.values, start_c=start_c, from_ns=soak.end_ns, tolerance_c=tolerance_c)
