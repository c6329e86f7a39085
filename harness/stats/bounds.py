"""Exact binomial and order-statistic bounds for percentiles (Clopper and Pearson, Biometrika 26, 1934)."""

from __future__ import annotations

import math

import numpy as np

from harness.case import Array

ALPHA = 0.05


def minimum_frames(share: float, alpha: float = ALPHA) -> int:
    """Frames needed before any upper bound of the `share` quantile exists: 299 for 0.99 at 5 %."""
    return math.ceil(math.log(alpha) / math.log(share))


def nearest_rank(values: Array, share: float) -> float:
    """The ceil(share * n)-th smallest value; values need not be sorted, n >= 1."""
    rank = max(math.ceil(share * len(values)), 1) - 1
    return float(np.partition(values, rank)[rank])


def rate_bounds(misses: int, frames: int, alpha: float = ALPHA) -> tuple[float, float]:
    """One-sided lower and upper `1 - alpha` bounds of the true miss rate, after `misses` in `frames`."""
    from scipy.special import betaincinv

    lower = float(betaincinv(misses, frames - misses + 1, alpha)) if misses else 0.0
    upper = float(betaincinv(misses + 1, frames - misses, 1 - alpha)) if misses < frames else 1.0
    return lower, upper


def quantile_upper_bound(values: Array, share: float, alpha: float = ALPHA) -> float | None:
    """The order statistic that is above the `share` quantile with probability 1 - alpha; None: too few values."""
    from scipy.special import bdtr

    size = len(values)
    rank = next(
        (k for k in range(math.floor(share * size), size + 1) if k and bdtr(k - 1, size, share) >= 1 - alpha), None
    )
    return float(np.partition(values, rank - 1)[rank - 1]) if rank else None
