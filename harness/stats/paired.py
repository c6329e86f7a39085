"""A candidate against a reference that is measured beside it, block by block: exact signed-rank inference.

A block loads the reference twice and the candidate once, anew and in random order, and gives the log
of a quantile for each; the two loads of the reference show what the method itself makes up.
The p-value is the signed-rank test's because that is what the interval inverts: the two cannot
disagree, ties and zeros only make both cautious, and no random signs have to be drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from harness.case import Array

LOOKS = (20, 30, 40, 50, 60)


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """What the blocks show. Logs are natural logs of ratios candidate / reference; above 0 is worse.

    change: Hodges-Lehmann estimate. low, high: one-sided bounds of it, at FAIL's and at PASS's error rate
    of one look; infinite where the blocks are too few. null_*: the reference against itself, two-sided.
    p_value: one-sided, of this look. improved: better by more than the margin, at FAIL's error rate.
    """

    decision: Literal["pass", "fail", "unknown", "invalid"]
    change: float
    low: float
    high: float
    null_change: float
    null_low: float
    null_high: float
    blocks: int
    p_value: float
    improved: bool


def compare_paired(
    differences: Array,
    null_differences: Array,
    *,
    margin: float,
    dont_care: float = 0.0,
    alpha_fail: float = 0.01,
    alpha_pass: float = 0.05,
    alpha_null: float = 0.01,
    looks: int = len(LOOKS),
) -> PairedComparison:
    """Judge log(candidate / reference) and log(reference / reference), one of each per block.

    "invalid" where the interval of the reference against itself excludes 0; "fail" is proven to be worse
    by more than the fraction `dont_care`, "pass" by less than the fraction `margin`, tested in this order.
    `alpha_fail` and `alpha_pass` hold over all `looks`, of which each takes its equal share; `alpha_null`
    is that of every look, so that a bias is never harder to see than a regression of the same size.
    ValueError for no blocks, arms of different lengths, or values that are not finite.
    """
    worse, null = _checked(differences), _checked(null_differences)
    if len(worse) != len(null):
        raise ValueError(f"each block gives one difference of each arm, got {len(worse)} and {len(null)}")
    low, fail_high = signed_rank_bounds(worse, alpha_fail / looks)
    high = signed_rank_bounds(worse, alpha_pass / looks)[1]
    null_low, null_high = signed_rank_bounds(null, alpha_null / 2)
    tolerated, allowed = math.log1p(dont_care), math.log1p(margin)
    unbiased = null_low <= 0 <= null_high
    judged: Literal["pass", "fail", "unknown"] = "fail" if low > tolerated else "pass" if high < allowed else "unknown"
    return PairedComparison(
        decision=judged if unbiased else "invalid",
        change=hodges_lehmann(worse),
        low=low,
        high=high,
        null_change=hodges_lehmann(null),
        null_low=null_low,
        null_high=null_high,
        blocks=len(worse),
        p_value=signed_rank_p(worse, tolerated),
        improved=unbiased and fail_high < -allowed,
    )


def walsh_averages(values: Array) -> Array:
    """The means of all n(n+1)/2 pairs, each value with itself included."""
    first, second = np.triu_indices(len(values))
    return np.asarray((values[first] + values[second]) / 2)


def hodges_lehmann(values: Array) -> float:
    """The median of the Walsh averages (Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963)."""
    return float(np.median(walsh_averages(values)))


def signed_rank_bounds(values: Array, alpha: float) -> tuple[float, float]:
    """One-sided lower and upper `1 - alpha` bounds of the centre of a symmetric distribution, alpha < 0.5.

    The Walsh averages that Wilcoxon's test (Biometrics Bulletin 1, 1945) just cannot reject; exact, and
    cautious with ties. Infinite where 2**-n is above `alpha`: below 7 values at 1 %.
    """
    averages = np.sort(walsh_averages(values))
    rank = int(np.searchsorted(_cumulative(len(values)), alpha, side="right"))
    return (float(averages[rank - 1]), float(averages[-rank])) if rank else (-math.inf, math.inf)


def signed_rank_p(values: Array, centre: float = 0.0) -> float:
    """One-sided p of Wilcoxon's exact test for a true centre above `centre`: at most alpha iff the bound is above."""
    not_above = int(np.count_nonzero(walsh_averages(values) <= centre))
    return float(_cumulative(len(values))[not_above])


@lru_cache
def _cumulative(size: int) -> Array:
    """P(W <= w) for w = 0 ... size(size+1)/2: each rank joins the signed-rank sum with probability 1/2."""
    shares = np.ones(1)
    for rank in range(1, size + 1):
        shares = (np.pad(shares, (0, rank)) + np.pad(shares, (rank, 0))) / 2
    return np.minimum(np.cumsum(shares), 1.0)


def _checked(values: Array) -> Array:
    array = np.asarray(values, np.float64)
    if not len(array) or not np.isfinite(array).all():
        raise ValueError(f"at least one block and only finite values are needed, got {array.tolist()}")
    return array
