"""Quantiles of latencies: the log that comparisons work on, and a smooth estimate to look at."""

from __future__ import annotations

import math

import numpy as np

from harness.case import Array
from harness.stats.bounds import nearest_rank


def quantile_log(values_ns: Array, share: float) -> float:
    """Natural log of the nearest-rank quantile in ns; differences of it are log ratios of latencies.

    `share` 0.25 is the lower quartile: above the noise of the minimum, below what neighbours add.
    ValueError for no values or a quantile that is not positive.
    """
    quantile = nearest_rank(_some(values_ns), share)
    if not quantile > 0:
        raise ValueError(f"the {share:g} quantile of latencies must be positive, got {quantile} ns")
    return math.log(quantile)


def harrell_davis(values: Array, share: float) -> float:
    """The quantile as a beta-weighted mean of all order statistics (Harrell and Davis, Biometrika 69, 1982).

    0 < share < 1. For display only: it is smoother than an order statistic but has no exact bound.
    ValueError for no values.
    """
    from scipy.special import betainc

    size = len(_some(values))
    edges = betainc((size + 1) * share, (size + 1) * (1 - share), np.arange(size + 1) / size)
    return float(np.diff(edges) @ np.sort(values))


def _some(values: Array) -> Array:
    if not len(values):
        raise ValueError("no values: there is no quantile")
    return values
