"""The search for one shift of level in every seeded interval of a series, and how large chance alone makes it.

Intervals: Kovacs, Buehlmann, Li and Munk, Biometrika 110, 2023. Statistic: the standardised sum of normal
scores (van der Waerden, 1952) of the ranks inside the interval; plain ranks cannot tell five values far
above thirty others from five just above them. Where nothing changes, every order of the values is as
likely as every other, whatever their distribution: the largest statistic of the whole search has one
distribution for each length of series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness.case import Array

SHORTEST_SEGMENT = 3
SHORTEST_SERIES = 2 * SHORTEST_SEGMENT
SHORTEST_INTERVAL = 8
DECAY = math.sqrt(0.5)
GOLDEN_RATIO = (1 + math.sqrt(5)) / 2

# The sizes of shift that the whole search reaches or exceeds in a share LEVELS of random orders, by length
# of series: 100,000 orders up to 400 values, 40,000 up to 800, 20,000 beyond, where the
# two rarest are uncertain by 0.05 to 0.1. `python benchmarks/verdict/change_points.py --calibrate` writes the rows.
LEVELS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
CRITICAL_SHIFTS = {
    20: (2.186, 2.436, 2.631, 2.747, 2.895, 3.010, 3.099, 3.179, 3.272),
    30: (2.277, 2.627, 2.788, 2.948, 3.121, 3.231, 3.352, 3.480, 3.568),
    40: (2.436, 2.729, 2.912, 3.073, 3.253, 3.377, 3.499, 3.635, 3.754),
    60: (2.578, 2.898, 3.070, 3.230, 3.426, 3.563, 3.688, 3.848, 3.976),
    80: (2.677, 2.995, 3.174, 3.343, 3.542, 3.678, 3.809, 3.973, 4.099),
    100: (2.771, 3.068, 3.257, 3.420, 3.621, 3.760, 3.883, 4.041, 4.164),
    140: (2.882, 3.183, 3.365, 3.537, 3.741, 3.882, 4.017, 4.194, 4.323),
    200: (3.003, 3.302, 3.487, 3.653, 3.864, 4.003, 4.153, 4.335, 4.456),
    300: (3.134, 3.428, 3.609, 3.776, 3.985, 4.119, 4.248, 4.428, 4.551),
    400: (3.221, 3.515, 3.695, 3.860, 4.059, 4.214, 4.354, 4.535, 4.663),
    600: (3.342, 3.627, 3.803, 3.966, 4.169, 4.311, 4.446, 4.645, 4.752),
    800: (3.425, 3.709, 3.883, 4.049, 4.249, 4.385, 4.509, 4.674, 4.795),
    1200: (3.541, 3.823, 3.986, 4.147, 4.346, 4.480, 4.626, 4.830, 4.978),
    1600: (3.619, 3.895, 4.062, 4.219, 4.404, 4.530, 4.654, 4.825, 4.923),
    2000: (3.679, 3.950, 4.122, 4.275, 4.471, 4.611, 4.754, 4.956, 5.053),
}  # fmt: skip
LENGTHS = tuple(CRITICAL_SHIFTS)


@dataclass(frozen=True)
class Split:
    """The best split of the interval `[start, stop)`; index: the first value of the new level."""

    start: int
    stop: int
    index: int
    shift: float


@lru_cache(maxsize=256)
def seeded_intervals(size: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Layers of intervals: (length, starts), each layer shorter by `DECAY` than the one before."""
    layers: list[tuple[int, tuple[int, ...]]] = [(size, (0,))]
    scale = DECAY
    while (length := math.ceil(size * scale)) >= SHORTEST_INTERVAL:
        starts = np.linspace(0, size - length, 2 * math.ceil(1 / scale) - 1).round()
        layers.append((length, tuple(int(start) for start in starts)))
        scale *= DECAY
    return tuple(layers)


def distinct_ranks(values: Array) -> Array:
    """0 ... n - 1 in ascending order of n values; equal values are spread evenly over their ranks.

    Even, not random: a clock's resolution must not look like a change of level. Multiples of the golden
    ratio, modulo 1, give every stretch of equal values its share of high and low ranks.
    """
    spread = np.arange(len(values)) * GOLDEN_RATIO % 1
    return np.lexsort((spread, values)).argsort()


@lru_cache(maxsize=256)
def normal_scores(length: int) -> Array:
    """The normal quantiles of rank / (length + 1), to the last bit as far below zero as above it."""
    from scipy.special import ndtri

    quantiles = ndtri(np.arange(1, length + 1) / (length + 1))
    scores: Array = (quantiles - quantiles[::-1]) / 2
    return scores


def standardised_shifts(windows: Array) -> Array:
    """|sum of the first k scores| over its standard deviation in random order, for (..., length) distinct values.

    Shape (..., length - 5), for k from 3 to length - 3; length >= 6.
    """
    length = windows.shape[-1]
    scores = normal_scores(length)
    first = np.arange(SHORTEST_SEGMENT, length - SHORTEST_SEGMENT + 1)
    variance = (scores**2).mean() * first * (length - first) / (length - 1)
    sums = scores[windows.argsort(axis=-1).argsort(axis=-1)].cumsum(axis=-1)[..., first - 1]
    shifts: Array = np.abs(sums) / np.sqrt(variance)
    return shifts


def best_split(ranks: Array, start: int, stop: int) -> Split:
    """Where `ranks[start:stop]`, at least six of them and distinct, shift most."""
    shifts = standardised_shifts(ranks[start:stop])
    best = int(shifts.argmax())
    return Split(start, stop, start + SHORTEST_SEGMENT + best, float(shifts[best]))


def best_splits(ranks: Array) -> list[Split]:
    """The best split of every seeded interval of one series of at least six distinct values."""
    found = []
    for length, starts, shifts in _layers(ranks):
        for row, (start, best) in enumerate(zip(starts, shifts.argmax(axis=-1))):
            found.append(Split(start, start + length, start + SHORTEST_SEGMENT + int(best), float(shifts[row, best])))
    return found


def largest_shift(values: Array) -> Array:
    """The largest statistic of the whole search: shape (...) for series of distinct values, shape (..., size)."""
    largest: Array = np.maximum.reduce([shifts.max(axis=(-1, -2)) for _, _, shifts in _layers(values)])
    return largest


def search_p_values(shifts: Array, size: int) -> Array:
    """How often the whole search of `size` values in random order meets a shift as large as each of these.

    Interpolated in the log of the share; beyond the last level along the tail of the normal density,
    which is heavier than that of the permutations.
    """
    critical = critical_shifts(size)
    inside = np.interp(shifts, critical, np.log(LEVELS))
    beyond = np.minimum(critical[-1] ** 2 - shifts**2, 0) / 2
    return np.exp(inside + beyond)


@lru_cache(maxsize=256)
def critical_shifts(size: int) -> tuple[float, ...]:
    """The shifts of all LEVELS: the table's rows interpolated in the log of the length.

    Lengths outside the table continue its outermost two rows: too high there, so no more false alarms.
    """
    right = int(np.clip(np.searchsorted(LENGTHS, size), 1, len(LENGTHS) - 1))
    short, long = LENGTHS[right - 1], LENGTHS[right]
    share = math.log(size / short) / math.log(long / short)
    below, above = CRITICAL_SHIFTS[short], CRITICAL_SHIFTS[long]
    return 0.0, *(low + share * (high - low) for low, high in zip(below, above))


def _layers(values: Array) -> Iterator[tuple[int, tuple[int, ...], Array]]:
    for length, starts in seeded_intervals(values.shape[-1]):
        windows = np.lib.stride_tricks.sliding_window_view(values, length, axis=-1)[..., list(starts), :]
        yield length, starts, standardised_shifts(windows)
