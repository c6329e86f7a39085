"""From the values of a tensor to the range that INT8 should hold: percentiles, and the least loss of information."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, unknown

METHODS = ("minmax", "percentile", "entropy")
BINS = 2048
LEVELS = 256
_CANDIDATES = 128
# A probability that stands for "never seen": a logarithm needs one.
_NEVER = 1e-9


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How often values fell into equal bins over [low, high], which holds 0.

    zeros: values that are exactly 0. They stand in no bin: every scale represents them exactly, and the half of all
    values that a ReLU sets to 0 would hide what the other half loses.
    """

    low: float
    high: float
    counts: Array
    zeros: int = 0

    @property
    def width(self) -> float:
        """Of one bin."""
        return (self.high - self.low) / len(self.counts)

    @property
    def total(self) -> int:
        """How many values there are."""
        return int(self.counts.sum()) + self.zeros

    def adding(self, values: Array) -> Histogram:
        """The histogram with these values, too; one outside [low, high] counts as the nearest one inside."""
        flat = np.asarray(values, np.float32).ravel()
        zeros = flat.size - int(np.count_nonzero(flat))
        counts = np.bincount(self._places(flat), minlength=len(self.counts))
        counts[self._places(np.zeros(1, np.float32))] -= zeros
        return replace(self, counts=self.counts + counts, zeros=self.zeros + zeros)

    def _places(self, values: Array) -> Array:
        last = len(self.counts) - 1
        return np.clip((values - self.low) * (1 / self.width), 0, last).astype(np.int64)


def empty(low: float, high: float, bins: int = BINS) -> Histogram:
    """Without values yet, over a range that holds 0, [low, high] and more than one number."""
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    return Histogram(low=low, high=high if high - low > 1e-30 else low + 1.0, counts=np.zeros(bins, np.int64))


def check_method(method: str, percentile: float, bins: int = BINS) -> None:
    """ConfigError for a method that is none, a percentile that is no share of the values, or too few bins for it."""
    if method not in METHODS:
        raise ConfigError(unknown("calibration method", method, METHODS), where="the recipe, options.method")
    if method != "minmax" and bins <= LEVELS:
        # Without a word, entropy would take the widest range, and be called entropy all the same.
        what = f"bins = {bins} leave nothing to choose: INT8 itself has {LEVELS} steps"
        raise ConfigError(what, where="the recipe, options.bins", remedy=f"use {BINS} or more")
    if not 90 <= percentile <= 100:
        what = f"percentile = {percentile:g} is no share of the values to keep"
        raise ConfigError(what, where="the recipe, options.percentile", remedy="use 99.9 to 99.999")


def chosen_range(histogram: Histogram, method: str, percentile: float = 99.99) -> tuple[float, float]:
    """The range that `method` takes; it holds 0."""
    check_method(method, percentile, len(histogram.counts))
    if method == "entropy":
        return entropy_range(histogram)
    return percentile_range(histogram, percentile if method == "percentile" else 100.0)


def percentile_range(histogram: Histogram, percentile: float) -> tuple[float, float]:
    """The bins that hold `percentile` per cent of all values: half of the others are cut at each end."""
    counts = histogram.counts.copy()
    counts[histogram._places(np.zeros(1))] += histogram.zeros
    kept = np.cumsum(counts)
    cut = kept[-1] * (100.0 - percentile) / 200.0
    first, last = np.searchsorted(kept, cut, side="right"), np.searchsorted(kept, kept[-1] - cut, side="left")
    return _edges(histogram, int(first), int(last) + 1)


def entropy_range(histogram: Histogram, levels: int = LEVELS) -> tuple[float, float]:
    """The range around 0 that loses the least information, as the Kullback-Leibler divergence counts it.

    After Migacz, 8-bit inference with TensorRT, 2017: of the ranges that reach equally far to both sides of 0, each
    cut to what was seen, the one whose `levels` steps tell the most about the values, the clipped ones among them.
    """
    bins = len(histogram.counts)
    if not histogram.counts.any():
        return histogram.low, histogram.high
    zero = -histogram.low / histogram.width
    furthest = max(zero, bins - zero)
    reaches = np.linspace(levels * furthest / bins, furthest, _CANDIDATES)
    places = [(max(int(zero - reach), 0), min(int(np.ceil(zero + reach)), bins)) for reach in reaches]
    losses = [_divergence(histogram.counts, first, last, levels) for first, last in places]
    # Of equal ones the widest: it clips the least.
    best = len(losses) - 1 - int(np.argmin(losses[::-1]))
    return _edges(histogram, *places[best])


def _divergence(counts: Array, first: int, last: int, levels: int) -> float:
    """In nats, of the values as `levels` equal steps over bins [first, last) give them, from the values themselves."""
    kept = counts[first:last].astype(np.float64)
    clipped = kept.copy()
    clipped[0] += counts[:first].sum()
    clipped[-1] += counts[last:].sum()
    if not kept.any():
        return float("inf")
    steps = np.arange(len(kept)) * levels // len(kept)
    sums, filled = np.bincount(steps, kept), np.bincount(steps, kept > 0)
    spread = np.where(kept > 0, (sums / np.maximum(filled, 1))[steps], 0.0)
    wanted, found = clipped / clipped.sum(), np.maximum(spread / spread.sum(), _NEVER)
    seen = wanted > 0
    return float(np.sum(wanted[seen] * np.log(wanted[seen] / found[seen])))


def _edges(histogram: Histogram, first: int, last: int) -> tuple[float, float]:
    """From the lower edge of bin `first` to the upper edge of the bin before `last`, with 0 in between."""
    low = histogram.low + first * histogram.width
    high = histogram.high if last >= len(histogram.counts) else histogram.low + last * histogram.width
    return min(low, 0.0), max(high, 0.0)
