"""Change points in the history of a metric: advice for the report and for the hygiene of baselines, never a gate.

Narrowest over threshold (Baranowski, Chen and Fryzlewicz, JRSS B 81, 2019) over the search of `intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from harness.case import Array
from harness.stats.intervals import (
    SHORTEST_SEGMENT,
    SHORTEST_SERIES,
    Split,
    best_split,
    best_splits,
    distinct_ranks,
    search_p_values,
)
from harness.stats.multiplicity import benjamini_hochberg

ALPHA = 0.01
MAGNITUDE = 0.02
FALSE_SHARE = 0.05
MAX_CORRELATION = 0.9
CAP_MADS = 4.45  # three standard deviations of normal noise

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """One change of level. index: the first session of the new level, which has at least three.

    before, after: medians of the logs from the change before to this one, and on to the next; change: their difference.
    p_value: how often a series without any change shows evidence as strong, anywhere in its whole search.
    """

    index: int
    change: float
    p_value: float
    before: float
    after: float


def change_points(
    values: Sequence[float] | Array, *, marks: Sequence[int] = (), alpha: float = ALPHA, magnitude: float = MAGNITUDE
) -> list[ChangePoint]:
    """The changes of level in `values`: logs of a metric, one per session, in order.

    marks: first sessions of levels that people expected; nothing is searched or compared across them.
    alpha: how often a series of independent sessions without a change shows one. magnitude: the
    smallest relative change that is told; take max(0.02, twice the minimum detectable effect).
    ValueError for a value that is not finite and for a mark that is no index of `values`.
    """
    series = np.asarray(values, dtype=np.float64)
    pieces = {start: series[start:stop] for start, stop in _stretches(series, marks)}
    searches = {start: _search(piece, len(pieces), alpha) for start, piece in pieces.items()}
    # What a first search leaves over, as if sessions were independent, says how far they are from it.
    levels = [level for start, piece in pieces.items() for level in np.split(piece, list(searches[start].changes(1.0)))]
    inflation = _variance_inflation(levels)
    return [
        point
        for start, piece in pieces.items()
        for point in _told(piece, searches[start].changes(inflation), start, math.log1p(magnitude))
    ]


def significant_series(
    found: Mapping[Key, Sequence[ChangePoint]], q: float = FALSE_SHARE
) -> dict[Key, Sequence[ChangePoint]]:
    """The series of a report that have changed, an expected share of at most `q` of them falsely.

    found: the change points of every series that was searched, also of those without any.
    """
    p_values = {key: min((point.p_value for point in points), default=1.0) for key, points in found.items()}
    kept = benjamini_hochberg(p_values, q)
    return {key: points for key, points in found.items() if key in kept and points}


@dataclass(frozen=True)
class _Search:
    """Of one stretch without marks. stretches: so many of them share the series' error rate."""

    values: Array
    ranks: Array
    splits: Sequence[Split]
    stretches: int
    alpha: float

    def changes(self, inflation: float) -> dict[int, float]:
        """Index and p-value of each change, in order, if noise has `inflation` times the variance of independent."""
        found = self._narrowest(inflation)
        while new := self._inside(sorted(found), inflation):
            found |= new
        indexes = sorted(found)
        return dict(zip(self._relocated(indexes), (found[index] for index in indexes)))

    def _narrowest(self, inflation: float) -> dict[int, float]:
        """The shortest significant interval shows one change; intervals across it can show no other."""
        left = self._significant(self.splits, inflation)
        left.sort(key=lambda one: (one[0].stop - one[0].start, -one[0].shift, one[0].start))
        found = {}
        while left:
            index = left[0][0].index
            across = [p_value for split, p_value in left if split.start < index < split.stop]
            left = [(split, p_value) for split, p_value in left if not split.start < index < split.stop]
            found[index] = min(across)
        return found

    def _inside(self, indexes: Sequence[int], inflation: float) -> dict[int, float]:
        """Changes inside the segments so far: the way back of a short excursion is in no seeded interval alone."""
        segments = [
            best_split(self.ranks, start, stop)
            for start, stop in pairwise([0, *indexes, len(self.ranks)])
            if stop - start >= SHORTEST_SERIES
        ]
        return {split.index: p_value for split, p_value in self._significant(segments, inflation)}

    def _relocated(self, indexes: Sequence[int]) -> list[int]:
        """Each change once more, with all that lies between its two neighbours."""
        edges = [0, *indexes, len(self.values)]
        for place in range(1, len(edges) - 1):
            start, stop = edges[place - 1], edges[place + 1]
            edges[place] = _nearest_levels(self.values, start, best_split(self.ranks, start, stop).index, stop)
        return edges[1:-1]

    def _significant(self, splits: Sequence[Split], inflation: float) -> list[tuple[Split, float]]:
        shifts = np.array([split.shift for split in splits]) / math.sqrt(inflation)
        p_values = np.minimum(self.stretches * search_p_values(shifts, len(self.ranks)), 1)
        return [(split, float(p)) for split, p in zip(splits, p_values) if p <= self.alpha]


def _search(values: Array, stretches: int, alpha: float) -> _Search:
    ranks = distinct_ranks(values)
    return _Search(values, ranks, best_splits(ranks), stretches, alpha)


def _stretches(series: Array, marks: Sequence[int]) -> list[tuple[int, int]]:
    """(start, stop) between marks, where long enough to search."""
    if not np.isfinite(series).all():
        raise ValueError(f"not finite: session {int(np.flatnonzero(~np.isfinite(series))[0])}")
    wrong = [mark for mark in marks if not 0 <= mark < len(series)]
    if wrong:
        raise ValueError(f"marks {wrong} are outside the {len(series)} sessions")
    bounds = sorted({0, *marks, len(series)})
    return [(start, stop) for start, stop in pairwise(bounds) if stop - start >= SHORTEST_SERIES]


def _nearest_levels(values: Array, start: int, index: int, stop: int) -> int:
    """Where the values on both sides lie nearest to the medians that `index` gives them.

    The rank statistic draws the index of a large step towards the middle of its segment.
    """
    before, after = np.median(values[start:index]), np.median(values[index:stop])
    excess = np.abs(values[start:stop] - before) - np.abs(values[start:stop] - after)
    return start + SHORTEST_SEGMENT + int(excess.cumsum()[SHORTEST_SEGMENT - 1 : -SHORTEST_SEGMENT].argmin())


def _told(values: Array, changes: Mapping[int, float], start: int, floor: float) -> list[ChangePoint]:
    """The changes of at least `floor`, the smallest of the others taken out one by one."""
    indexes = list(changes)
    while True:
        medians = [float(np.median(level)) for level in np.split(values, indexes)]
        steps = [abs(after - before) for before, after in pairwise(medians)]
        if not steps or min(steps) >= floor:
            break
        del indexes[steps.index(min(steps))]
    return [
        ChangePoint(index=start + index, change=after - before, p_value=changes[index], before=before, after=after)
        for index, (before, after) in zip(indexes, pairwise(medians))
    ]


def _variance_inflation(levels: Sequence[Array]) -> float:
    """(1 + r) / (1 - r): what a lag-1 autocorrelation r does to the variance of a sum, in the long run.

    r is of what the levels leave over, outliers capped, and never negative.
    """
    rests = [level - np.median(level) for level in levels]
    cap = CAP_MADS * np.median(np.abs(np.concatenate(rests))) if rests else 0.0
    rests = [rest.clip(-cap, cap) - rest.clip(-cap, cap).mean() for rest in rests]
    squares = sum(float(rest @ rest) for rest in rests)
    products = sum(float(rest[1:] @ rest[:-1]) for rest in rests)
    correlation = min(max(products / squares, 0.0), MAX_CORRELATION) if squares else 0.0
    return (1 + correlation) / (1 - correlation)
