"""Events per unit of exposure: exact limits of a Poisson rate (F. Garwood, Biometrika 28, 1936)."""

from __future__ import annotations

from harness.stats.bounds import ALPHA


def poisson_rate_bounds(count: int, exposure: float, alpha: float = ALPHA) -> tuple[float, float]:
    """One-sided lower and upper `1 - alpha` bounds of the rate after `count` events in `exposure`.

    ValueError for a negative count or no exposure.
    """
    from scipy.special import gammaincinv

    if count < 0 or not exposure > 0:
        raise ValueError(f"{count} events in an exposure of {exposure} have no rate")
    lower = float(gammaincinv(count, alpha)) if count else 0.0
    return lower / exposure, float(gammaincinv(count + 1, 1 - alpha)) / exposure
