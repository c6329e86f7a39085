"""Does the median or P99 of a soak move: a step, a drift, or neither? Pure.

The run is cut into blocks of equal time, each of which gives one value, and only these are compared: neighbouring
frames resemble each other, blocks much less; what they still do widens the intervals.
Step: the place of the least sum of absolute deviations, judged by the difference of medians in standard errors (1.4826
times the median absolute deviation; n_eff by Geyer 1992). The rank tests of histories cannot tell 30 % from 1 % and are
lost among neighbours that resemble each other.
Drift: Sen's slope with the interval that inverts Kendall's test (Theil 1950; Sen, JASA 63, 1968), its variance inflated
by n / n_eff (as Hamed and Rao, Journal of Hydrology 204, 1998).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.stats.autocorrelation import independent_samples
from harness.stats.bounds import nearest_rank

FEWEST_BLOCKS, MOST_BLOCKS = 12, 720
SHORTEST_LEVEL_S, SHORTEST_LEVEL_BLOCKS = 120.0, 12
Z_TWO_SIDED = 3.2905  # 99.9 %
# Of the best of all places, under other load in bursts: benchmarks/soak_errors.py has the rate of false steps.
LEAST_Z, FAR_Z = 5.0, 8.0
LASTS_S = 240.0
MAD_TO_SIGMA, OUTLIER, SMALLEST_SPREAD = 1.4826, 3.0, 0.001


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A quantile that is followed: over blocks of so many seconds, and from which relative change on it matters.

    apart: this share of either level may reach into the other one.
    """

    name: str
    share: float
    block_s: float
    fewest_frames: int
    smallest: float
    apart: float


MEDIAN = Watched(name="median", share=0.5, block_s=10.0, fewest_frames=30, smallest=0.05, apart=0.2)
P99 = Watched(name="P99", share=0.99, block_s=20.0, fewest_frames=200, smallest=0.20, apart=0.1)


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Sen's slope per second, and its interval of 99.9 %."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What one quantile did. change: relative, last level against first; of a drift over the whole run.

    at_s: when a step came, None of a drift. low, high: bounds of a drift's change at 99.9 %. z: a
    step in its standard errors; lasts: far beyond chance,
    four minutes on both sides, and most blocks apart, so that bursts of other load hardly look like it.
    """

    quantile: str
    kind: Literal["none", "drift", "step", "too short"]
    change: float = 0.0
    at_s: float | None = None
    before_ms: float | None = None
    after_ms: float | None = None
    low: float | None = None
    high: float | None = None
    z: float | None = None
    lasts: bool = True

    @property
    def minute(self) -> int | None:
        """The minute in which a step came, from 1."""
        return None if self.at_s is None else int(self.at_s // 60) + 1


def drift_of(soak: Soak, watched: Watched = MEDIAN) -> Drift:
    """Whether a quantile moved for good; a burst that passes is none."""
    # All pairs of blocks are compared: those of a day must not be too many.
    watched = replace(watched, block_s=max(watched.block_s, soak.seconds / MOST_BLOCKS))
    times, values = blocks(soak, watched)
    if len(values) < FEWEST_BLOCKS:
        return Drift(quantile=watched.name, kind="too short")
    logs = np.log(values)
    split, trend = _split(logs, _shortest_level(watched)), trend_of(times, logs)
    span = float(times[-1] - times[0])
    drifts = trend.low * trend.high > 0 and abs(trend.slope) * span >= math.log1p(watched.smallest)
    straight = _misfit(logs - trend.slope * times)
    if split and _proven(split, watched.smallest) and not (drifts and straight < split.misfit):
        return _stepped(watched, times, logs, split)
    if not drifts:
        return Drift(quantile=watched.name, kind="none", change=math.expm1(trend.slope * span))
    middle = float(np.median(logs - trend.slope * (times - times[0])))
    return Drift(
        quantile=watched.name, kind="drift", change=math.expm1(trend.slope * span), before_ms=math.exp(middle) / 1e6,
        after_ms=math.exp(middle + trend.slope * span) / 1e6, low=math.expm1(trend.low * span),
        high=math.expm1(trend.high * span),
    )  # fmt: skip


def blocks(soak: Soak, watched: Watched) -> tuple[Array, Array]:
    """The middles in seconds and the quantile in ns of all blocks that hold enough frames."""
    place = (soak.due_s // watched.block_s).astype(int)
    edges = np.searchsorted(place, np.arange(round(soak.seconds / watched.block_s) + 1))
    full = [index for index, size in enumerate(np.diff(edges)) if size >= watched.fewest_frames]
    values = [nearest_rank(soak.latency_ns[edges[one] : edges[one + 1]], watched.share) for one in full]
    return (np.array(full) + 0.5) * watched.block_s, np.maximum(np.array(values, float), 1.0)


def trend_of(times: Array, values: Array) -> Trend:
    """Sen's slope of at least three values at distinct times."""
    first, second = np.triu_indices(len(values), 1)
    slopes = np.sort((values[second] - values[first]) / (times[second] - times[first]))
    slope, size = float(np.median(slopes)), len(values)
    rest = values - slope * times
    inflation = size / independent_samples(rest)
    spread = Z_TWO_SIDED * math.sqrt(size * (size - 1) * (2 * size + 5) / 18 * inflation)
    below, above = math.floor((len(slopes) - spread) / 2), math.ceil((len(slopes) + spread) / 2)
    return Trend(
        slope=slope,
        low=float(slopes[below]) if below >= 0 else -math.inf,
        high=float(slopes[above]) if above < len(slopes) else math.inf,
    )


@dataclass(frozen=True, kw_only=True)
class _Split:
    """The best single step. index: the first block after it; logs of levels; z: its size in standard errors."""

    index: int
    before: float
    after: float
    z: float
    misfit: float

    @property
    def change(self) -> float:
        return self.after - self.before


def _shortest_level(watched: Watched) -> int:
    """In blocks; bursts of other load that pass are no level."""
    return max(math.ceil(SHORTEST_LEVEL_S / watched.block_s), SHORTEST_LEVEL_BLOCKS)


def _split(logs: Array, shortest: int) -> _Split | None:
    """The step with the least sum of absolute deviations; None where none leaves enough blocks on both sides."""
    places = range(shortest, len(logs) - shortest + 1)
    index = min(places, key=lambda one: _misfit(logs[:one]) + _misfit(logs[one:]), default=None)
    if index is None:
        return None
    parts = logs[:index], logs[index:]
    before, after = (float(np.median(part)) for part in parts)
    rest = np.concatenate([part - np.median(part) for part in parts])
    spread = max(MAD_TO_SIGMA * float(np.median(np.abs(rest))), SMALLEST_SPREAD)
    independent = independent_samples(rest.clip(-OUTLIER * spread, OUTLIER * spread)) / len(rest)
    # 1.2533: the standard error of a median over that of a mean.
    error = 1.2533 * spread * math.sqrt((1 / index + 1 / (len(logs) - index)) / independent)
    return _Split(index=index, before=before, after=after, z=(after - before) / error, misfit=float(np.abs(rest).sum()))


def _misfit(values: Array) -> float:
    return float(np.abs(values - np.median(values)).sum())


def _proven(split: _Split, smallest: float) -> bool:
    """Large enough, and far beyond chance."""
    return abs(split.change) >= math.log1p(smallest) and abs(split.z) >= LEAST_Z


def _lasts(split: _Split, logs: Array, watched: Watched) -> bool:
    """Both levels are long, and most blocks of the one beyond most of the other."""
    sign = math.copysign(1.0, split.change)
    before, after = sign * logs[: split.index], sign * logs[split.index :]
    apart = np.quantile(after, watched.apart) > np.quantile(before, 1 - watched.apart)
    long = min(len(before), len(after)) * watched.block_s >= LASTS_S
    return bool(apart) and long and abs(split.z) >= FAR_Z


def _stepped(watched: Watched, times: Array, logs: Array, split: _Split) -> Drift:
    return Drift(
        quantile=watched.name, kind="step", change=math.expm1(split.change), z=split.z,
        at_s=float(times[split.index]) - watched.block_s / 2,
        before_ms=math.exp(split.before) / 1e6, after_ms=math.exp(split.after) / 1e6,
        lasts=_lasts(split, logs, watched),
    )  # fmt: skip
