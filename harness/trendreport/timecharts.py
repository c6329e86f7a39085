"""Charts of one session over its time: panels, one below the other on one axis. Pure data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.case import Array

MOST_POINTS = 240


@dataclass(frozen=True, kw_only=True)
class TimeLine:
    """at: ascending, in the chart's unit of time. value: of one length with `at`; None breaks the line."""

    name: str
    at: tuple[float, ...]
    value: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        """The values that somebody told."""
        return [one for one in self.value if one is not None]


@dataclass(frozen=True, kw_only=True)
class TimePanel:
    """One quantity in one unit. from_zero: whether its axis begins at 0."""

    quantity: str
    unit: str
    lines: tuple[TimeLine, ...]
    from_zero: bool = True


@dataclass(frozen=True, kw_only=True)
class TimeChart:
    """x_name: with its unit. end: of the axis, which begins at 0."""

    title: str
    x_name: str
    end: float
    panels: tuple[TimePanel, ...]


def thinned(values: Array, most: int = MOST_POINTS) -> Array:
    """Positions, ascending, of at most `most` values: of every stretch the smallest and the largest."""
    if len(values) <= most:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), most // 2)
    return np.unique([one[pick(values[one])] for one in stretches for pick in (np.argmin, np.argmax)])


def told(lines: Sequence[TimeLine]) -> tuple[TimeLine, ...]:
    """The lines that tell anything."""
    return tuple(one for one in lines if one.known)
