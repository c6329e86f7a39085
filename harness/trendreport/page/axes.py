"""Values to pixels, and round numbers along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values to pixels: `low` lies at `near`, `high` at `far`."""

    low: float
    high: float
    near: int
    far: int

    def at(self, value: float) -> int:
        """The pixel of a value."""
        return round(self.near + (self.far - self.near) * (value - self.low) / (self.high - self.low))

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers within the axis."""
        return round_numbers(self.low, self.high, most)


def axis_of(values: Sequence[float], near: int, far: int, *, from_zero: bool = False) -> Axis:
    """With a tenth of room on either side of the values; from_zero: it begins at 0, or at what is below."""
    low, high = min(*values, 0.0) if from_zero else min(values), max(values)
    room = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
    return Axis(low=low if from_zero else low - room, high=high + room, near=near, far=far)


def round_numbers(low: float, high: float, most: int = 6) -> list[float]:
    """At most `most` multiples of 1, 2 or 5 times a power of ten from `low` to `high`."""
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
