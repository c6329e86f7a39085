"""Non-inferiority of a score by resampling whole clusters: the frames of one subject or clip are not independent.

The interval of the loss is a percentile-t one (P. Hall, Annals of Statistics 16, 1988) over clusters (C. A. Field and
A. H. Welsh, Journal of the Royal Statistical Society B 69, 2007). At alpha 5 % and with 8 to 60 clusters it passes a
loss of exactly the margin 4 to 8 % of the time, and up to 11 % where a few clusters bear most of the loss (simulated).
It tells only of losses that the clusters at hand show: what strikes one subject in ten is not seen at all in 12 % of
all sets of twenty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.case import Array
from harness.stats.bounds import ALPHA

RESAMPLES = 5_000
FEW_CLUSTERS = 20
ENUMERATED_CLUSTERS = 12
ELEMENTS_AT_ONCE = 2_000_000

Score = Callable[[Array], Array]


@dataclass(frozen=True, kw_only=True)
class ClusterVerdict:
    """loss: in the score's unit, positive where the candidate is worse, with its 1 - 2 alpha interval."""

    decision: Literal["pass", "fail", "unknown"]
    loss: float
    low: float
    high: float
    clusters: int
    method: str


def judge_cluster_sums(
    reference: Array,
    candidate: Array,
    score: Score,
    *,
    better: Literal["more", "less"],
    margin: float,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ClusterVerdict:
    """Does the candidate lose less than `margin`, where the score is a function of sums over clusters?

    reference, candidate: (clusters, columns), what each cluster adds, such as true positives, false positives and
    misses. score: (..., columns) sums to (...) scores, such as F1. A resample without a score counts as the worst,
    on either side. With fewer than 20 clusters the interval covers that of the sign-flip test as well; with fewer
    than 5 it is infinite at 5 %. ValueError unless both arrays have one shape of two dimensions.
    """
    if reference.ndim != 2 or reference.shape != candidate.shape:
        raise ValueError(f"sums are (clusters, columns) for both models, not {reference.shape} and {candidate.shape}")
    columns = reference.shape[1]
    sign = 1 if better == "more" else -1

    def loss_of(sums: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            return sign * (score(sums[..., :columns]) - score(sums[..., columns:]))

    sums = np.hstack([reference, candidate]).astype(float)
    interval = _interval(sums, loss_of, alpha, resamples, seed)
    return _verdict(float(loss_of(sums.sum(axis=0))), interval, margin, len(sums))


def _verdict(loss: float, interval: tuple[float, float], margin: float, clusters: int) -> ClusterVerdict:
    low, high = interval
    return ClusterVerdict(
        decision="pass" if high < margin else "fail" if low > margin else "unknown",
        loss=loss,
        low=low,
        high=high,
        clusters=clusters,
        method="percentile-t and sign-flip" if clusters < FEW_CLUSTERS else "percentile-t",
    )


def _interval(sums: Array, loss_of: Score, alpha: float, resamples: int, seed: int) -> tuple[float, float]:
    """The interval of `loss_of` the summed rows of `sums` (clusters, columns)."""
    clusters, total = len(sums), sums.sum(axis=0)
    random = np.random.default_rng(seed)
    loss, others = float(loss_of(total)), loss_of(total - sums)
    if clusters < 2 or not np.isfinite(others).all():
        return -math.inf, math.inf
    weights = random.multinomial(clusters, np.full(clusters, 1 / clusters), resamples)
    deviation = float(_jackknife_deviation(others, np.ones(clusters)))
    low, high = _percentile_t(loss, deviation, _studentised(sums, loss_of, weights), alpha)
    if clusters >= FEW_CLUSTERS:
        return low, high
    # Alone the sign-flip test, which takes losses as symmetric, would pass a model that is much worse for a few.
    flip_low, flip_high = _sign_flip_interval(clusters * loss - (clusters - 1) * others, alpha, resamples, random)
    return min(low, flip_low), max(high, flip_high)


def _studentised(sums: Array, loss_of: Score, weights: Array) -> Array:
    """(resamples,): the loss of each resample less that of the sample, in the resample's own standard deviations."""
    loss = loss_of(sums.sum(axis=0))
    at_once = max(1, ELEMENTS_AT_ONCE // sums.size)
    parts = []
    for start in range(0, len(weights), at_once):
        drawn = weights[start : start + at_once]
        totals = drawn @ sums
        deviation = _jackknife_deviation(loss_of(totals[:, None] - sums), drawn)
        difference = loss_of(totals) - loss
        with np.errstate(divide="ignore", invalid="ignore"):
            parts.append(np.where(difference == 0, 0.0, difference / deviation))
    return np.concatenate(parts)


def _jackknife_deviation(others: Array, weights: Array) -> Array:
    """The standard deviation of a loss, from the losses `others` (..., clusters) without one cluster each."""
    clusters = others.shape[-1]
    others = np.where(weights > 0, others, 0.0)
    centre = (weights * others).sum(axis=-1, keepdims=True) / clusters
    deviation: Array = np.sqrt((clusters - 1) / clusters * (weights * (others - centre) ** 2).sum(axis=-1))
    return deviation


def _percentile_t(loss: float, deviation: float, ratios: Array, alpha: float) -> tuple[float, float]:
    rank = max(1, math.floor(alpha * (len(ratios) + 1)))
    largest = float(np.sort(np.where(np.isnan(ratios), np.inf, ratios))[-rank])
    smallest = float(np.sort(np.where(np.isnan(ratios), -np.inf, ratios))[rank - 1])
    low = loss - largest * deviation if math.isfinite(largest) else -math.inf
    return low, loss - smallest * deviation if math.isfinite(smallest) else math.inf


def _sign_flip_interval(
    values: Array, alpha: float, resamples: int, random: np.random.Generator
) -> tuple[float, float]:
    """The centres that a sign-flip test does not reject: order statistics of the means of all or of random subsets.

    J. A. Hartigan, Journal of the American Statistical Association 64, 1969.
    """
    if len(values) <= ENUMERATED_CLUSTERS:
        subsets = np.arange(1, 2 ** len(values))[:, None] >> np.arange(len(values)) & 1
    else:
        subsets = random.integers(0, 2, (resamples, len(values)))
        subsets = subsets[subsets.any(axis=1)]
    means = np.sort(subsets @ values / subsets.sum(axis=1))
    rank = math.floor(alpha * (len(means) + 1))
    return (float(means[rank - 1]), float(means[-rank])) if rank else (-math.inf, math.inf)
