"""Long series made short enough to draw: what stands out in each stretch stays. Pure."""

from __future__ import annotations

import numpy as np

from harness.case import Array
from harness.trendreport.model import OUTCOMES

MOST_POINTS = 2000
STRETCHES = 480
# Of points that did not pass; where there are more, the worst of each stretch stands for the others.
MOST_OPEN = 960
NEWEST = 30
_PASS = OUTCOMES.index("PASS")


def kept_points(value: Array, outcome: Array, valid: Array, most: int = MOST_POINTS) -> Array:
    """Which points of a series stay, ascending positions: all of at most `most`, otherwise no more than 2,000.

    value, outcome (as in Series), valid: one entry per point, oldest first. Of each of 480 stretches the smallest and
    the largest value of valid points stay; so do all that did not pass or are not valid, or the worst of each stretch
    where they are more than 960; the newest 30; and the newest valid one.
    """
    count = len(value)
    if count <= most:
        return np.arange(count)
    stretches = _Stretches(count)
    low = stretches.smallest(np.where(valid, value, np.inf))
    high = stretches.smallest(np.where(valid, -value, np.inf))
    badness = np.where(valid, outcome, np.minimum(outcome, 1))
    opened = np.flatnonzero((outcome < _PASS) | ~valid)
    if len(opened) > MOST_OPEN:
        opened = stretches.smallest(badness)
    newest = [*range(count - NEWEST, count), *np.flatnonzero(valid)[-1:].tolist()]
    return np.unique(np.concatenate([low, high, opened, newest]))


class _Stretches:
    """Neighbours cut into at most 480 stretches of one length, the last one may be shorter."""

    def __init__(self, count: int) -> None:
        self._length = -(-count // STRETCHES)
        self._rows = -(-count // self._length)

    def smallest(self, values: Array) -> Array:
        """The position of the first smallest value of each stretch."""
        table = np.full(self._rows * self._length, np.inf)
        table[: len(values)] = values
        found = table.reshape(self._rows, self._length).argmin(axis=1)
        return np.asarray(found + np.arange(self._rows) * self._length)
