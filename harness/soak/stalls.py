"""Frames that take far too long: do they come at a beat, once, or at random? Pure.

A stall is a frame that takes longer than the ten seconds round it by 50 ms, and by the median of the run; frames late
because of the one before belong to it.
At a beat: the Rayleigh test for a period (Mardia and Jupp, Directional Statistics, 2000: with random times the power
n * R^2 of one period is exponential with mean 1), over all periods that the run can tell, each of which counts as a
trial; few stalls in regular intervals by the volume of their simplex (random intervals that add up to a given time are
uniform on it).
Others are raised where the tail of all frames does not explain them, alone or by their number: a generalised Pareto
tail by probability-weighted moments (Hosking and Wallis, Technometrics 29, 1987), stalls cut to the largest
frame below the threshold. No tail explains 300 ms and twelve medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.case import Array
from harness.soak import Soak

EXCESS_MS, EXCESS_SHARE = 50.0, 1.0
ALPHA = 0.001
MERGED_S, LEVEL_S, ALIKE = 0.1, 10.0, 1.3
TAIL_ALPHA = 0.00001
HARD_MS, HARD_TIMES = 300.0, 12.0  # no tail excuses this
FEWEST_BEATS = 4
SHORTEST_PERIOD_S = 2.0
OVERSAMPLED = 8
AT_ONCE = 1_000_000
SAME_POWER = 0.5
BEAT_SHARE = 0.2
TAIL_SHARE, LARGEST_TAIL = 0.01, 100
FEWEST_IN_TAIL = 30
LIGHTEST_TAIL = 0.25  # shape: machines that others use show no lighter one in the end


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """kind: "tail" are as many long frames as the tail of all others lets expect; too few frames are "too short".

    at_s: since the first frame. lengths_ms: the longest latency of each. Of the kinds "single" and "random" only those
    are listed that the tail does not explain. p_value: how often chance shows as much: of a beat over all periods
    tried, of others under the tail.
    """

    kind: Literal["none", "periodic", "single", "random", "tail", "too short"]
    at_s: tuple[float, ...] = ()
    lengths_ms: tuple[float, ...] = ()
    threshold_ms: float = 0.0
    period_s: float | None = None
    p_value: float | None = None

    def of(self, at_s: Array, lengths_ms: Array) -> Stalls:
        """The same of these stalls."""
        return replace(self, at_s=tuple(at_s.tolist()), lengths_ms=tuple(lengths_ms.tolist()))

    @property
    def longest_ms(self) -> float:
        """0 without stalls."""
        return max(self.lengths_ms, default=0.0)

    @property
    def typical_ms(self) -> float:
        """The median length; 0 without stalls."""
        return float(np.median(self.lengths_ms)) if self.lengths_ms else 0.0


def stalls_of(soak: Soak) -> Stalls:
    """The stalls of a soak and how they come."""
    if len(soak.latency_ns) < FEWEST_IN_TAIL / TAIL_SHARE:
        return Stalls(kind="too short")
    latency_ms = soak.latency_ns / 1e6
    median = float(np.median(latency_ms))
    excess, threshold = latency_ms - _level(soak.due_s, latency_ms), max(EXCESS_MS, EXCESS_SHARE * median)
    at_s, lengths, beyond = _merged(soak.due_s, latency_ms, excess, threshold)
    every = Stalls(kind="none", threshold_ms=median + threshold).of(at_s, lengths)
    if not len(at_s):
        return every
    for those in (np.ones(len(at_s), bool), _alike(lengths)):
        period, p_value = beat(at_s[those], soak.seconds, ALPHA / 2)
        if period:
            found = replace(every, kind="periodic", period_s=period, p_value=min(2 * p_value, 1.0))
            return found.of(at_s[those], lengths[those])
    alone, together = _tail_p(excess, beyond, threshold)
    raised = (lengths >= max(HARD_MS, HARD_TIMES * median)) | (alone <= TAIL_ALPHA)
    if not raised.any() and together > TAIL_ALPHA:
        return replace(every, kind="tail", p_value=together)
    # Where none stands out alone, it is their number that does.
    chosen = raised if raised.any() else np.ones(len(at_s), bool)
    kind: Literal["single", "random"] = "single" if chosen.sum() == 1 else "random"
    p_value = float(alone[chosen].max()) if raised.any() else together
    return replace(every, kind=kind, p_value=p_value).of(at_s[chosen], lengths[chosen])


def beat(at_s: Array, seconds: float, alpha: float = ALPHA) -> tuple[float | None, float]:
    """The period of ascending times in a run of so many seconds, None where chance would do, and the p-value."""
    if len(at_s) < FEWEST_BEATS:
        return None, 1.0
    found = min((_regular(at_s), _rayleigh(at_s, seconds)), key=lambda one: one[1])
    # Two looks at the same times.
    p_value = min(2 * found[1], 1.0)
    return (_refined(at_s, found[0]), p_value) if p_value <= alpha else (None, p_value)


def _alike(lengths: Array) -> NDArray[np.bool_]:
    """Which are about as long as the median one: a beat has its own length, and stalls between hide it."""
    ratio = lengths / np.median(lengths)
    alike: NDArray[np.bool_] = (ratio > 1 / ALIKE) & (ratio < ALIKE)
    return alike


def _level(due_s: Array, latency_ms: Array) -> Array:
    """The median of the ten seconds of each frame: other load and a throttle make frames slower, and stall none."""
    place = (due_s // LEVEL_S).astype(int)
    edges = np.flatnonzero(np.diff(place, prepend=-1))
    medians = np.array([np.median(part) for part in np.split(latency_ms, edges[1:])])
    level: Array = np.repeat(medians, np.diff(edges, append=len(place)))
    return level


def _merged(due_s: Array, latency_ms: Array, excess: Array, threshold: float) -> tuple[Array, Array, Array]:
    """When each stall began, its longest latency and its largest excess in ms.

    What is due before the stall before has ended, or a tenth of a second after, belongs to it.
    """
    late = np.flatnonzero(excess > threshold)
    if not len(late):
        return np.zeros(0), np.zeros(0), np.zeros(0)
    done_s = np.maximum.accumulate(due_s[late] + latency_ms[late] / 1e3)
    first = np.concatenate([[0], 1 + np.flatnonzero(due_s[late][1:] > done_s[:-1] + MERGED_S)])
    return due_s[late][first], np.maximum.reduceat(latency_ms[late], first), np.maximum.reduceat(excess[late], first)


def _regular(at_s: Array) -> tuple[float, float]:
    """(period, p) if no stall is missing and none too many: all intervals within d of their mean, by chance.

    Coordinates of n random intervals have the density (n - 1)!, and n - 1 of them lie in a band of 2 d / n.
    """
    intervals = np.diff(at_s)
    mean, count = float(intervals.mean()), len(intervals)
    spread = max(float(np.abs(intervals / mean - 1).max()), 1e-3)
    log_p = math.lgamma(count) + (count - 1) * math.log(2 * spread / count)
    return mean, math.exp(min(log_p, 0.0))


def _rayleigh(at_s: Array, seconds: float) -> tuple[float, float]:
    """(period, p) of the longest of the strongest periods from 2 s to a third of the run."""
    if seconds < 3 * SHORTEST_PERIOD_S:
        return seconds, 1.0
    rates = np.arange(3 * OVERSAMPLED, seconds / SHORTEST_PERIOD_S * OVERSAMPLED + 1) / OVERSAMPLED / seconds
    parts = np.array_split(rates, 1 + len(rates) * len(at_s) // AT_ONCE)
    sums = np.concatenate([np.exp(2j * np.pi * np.outer(part, at_s)).sum(axis=1) for part in parts])
    power = np.abs(sums) ** 2 / len(at_s)
    # Every fraction of the true period is as strong as itself, its multiples are weak.
    first = int(np.flatnonzero(power >= SAME_POWER * power.max())[0])
    best = first + int(power[first : first + OVERSAMPLED].argmax())
    return 1 / float(rates[best]), min(len(rates) * math.exp(-float(power[best])), 1.0)


def _refined(at_s: Array, period: float) -> float:
    """The least-squares slope of the times over their numbers, of those that keep the beat."""
    phases = 2 * np.pi * at_s / period
    first_s = float(np.angle(np.exp(1j * phases).sum())) / (2 * np.pi) * period
    numbers = np.round((at_s - first_s) / period)
    near = np.abs(at_s - first_s - numbers * period) < BEAT_SHARE * period
    if near.sum() < FEWEST_BEATS or np.ptp(numbers[near]) == 0:
        return period
    return float(np.polyfit(numbers[near], at_s[near], 1)[0])


def _tail_p(excess: Array, beyond: Array, threshold: float) -> tuple[Array, float]:
    """How likely the tail of all frames shows one excess as large as each of these; and as many stalls."""
    from scipy.special import gammainc

    size = min(max(int(TAIL_SHARE * len(excess)), FEWEST_IN_TAIL), LARGEST_TAIL)
    largest = np.partition(excess, len(excess) - size - 1)[-size - 1 :]
    largest = np.sort(np.minimum(largest, excess[excess <= threshold].max()))
    tail = largest[1:] - largest[0]
    alone = np.array([-math.expm1(-size * _beyond(tail, one - largest[0])) for one in beyond])
    counts = [
        float(gammainc((beyond >= one).sum(), size * _beyond(tail, one - largest[0])))
        for one in (threshold, float(np.median(beyond)))
    ]
    return alone, min(2 * min(counts), 1.0)


def _beyond(tail: Array, length: float) -> float:
    """The share of a generalised Pareto tail beyond `length`; tail: ascending excesses over its base."""
    size = len(tail)
    mean, weighted = float(tail.mean()), float((tail * (size - np.arange(1, size + 1) + 0.35)).mean()) / size
    if mean <= 0 or length <= 0:
        return float(length <= 0)
    shape = min(max(2 - mean / (mean - 2 * weighted), LIGHTEST_TAIL), 0.9) if mean > 2 * weighted else 0.9
    scale = mean * (1 - shape)
    return float((1 + shape * length / scale) ** (-1 / shape))
