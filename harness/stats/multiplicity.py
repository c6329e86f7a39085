"""Several questions asked of one run: how often is any of the answers wrong?"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def holm(p_values: Mapping[Key, float], alpha: float) -> set[Key]:
    """The keys that are rejected while any false rejection among all has at most the probability `alpha`.

    Holds however the questions depend on each other. ValueError for a p-value outside 0 ... 1.
    """
    return {key for key, p_value in holm_adjusted(p_values).items() if p_value <= alpha}


def holm_adjusted(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """The smallest alpha at which Holm rejects each (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    adjusted: dict[Key, float] = {}
    largest = 0.0
    for left, key in zip(range(len(p_values), 0, -1), _ascending(p_values)):
        largest = max(largest, min(left * p_values[key], 1.0))
        adjusted[key] = largest
    return adjusted


def holm_levels(p_values: Mapping[Key, float], alpha: float) -> dict[Key, float]:
    """The level at which Holm's procedure meets each: a key is rejected iff its p is at most its level.

    alpha over what is left when it comes to a key; the keys after the first that stands share its level.
    """
    levels: dict[Key, float] = {}
    level = 0.0
    stopped = False
    for left, key in zip(range(len(p_values), 0, -1), _ascending(p_values)):
        level = level if stopped else alpha / left
        stopped = stopped or p_values[key] > level
        levels[key] = level
    return levels


def benjamini_hochberg(p_values: Mapping[Key, float], q: float) -> set[Key]:
    """The keys that are rejected while a share of at most `q` of them is expected to be false; for advice.

    Holds for independent or positively dependent questions. ValueError for a p-value outside 0 ... 1.
    """
    return {key for key, p_value in benjamini_hochberg_adjusted(p_values).items() if p_value <= q}


def benjamini_hochberg_adjusted(p_values: Mapping[Key, float]) -> dict[Key, float]:
    """The smallest q at which each is rejected (Benjamini and Hochberg, JRSS B 57, 1995)."""
    adjusted: dict[Key, float] = {}
    smallest = 1.0
    for rank, key in zip(range(len(p_values), 0, -1), reversed(_ascending(p_values))):
        smallest = min(smallest, p_values[key] * len(p_values) / rank)
        adjusted[key] = smallest
    return adjusted


def one_sidedness_p(regressions: int, improvements: int) -> float:
    """Exact two-sided binomial p of as uneven a split, if noise alone decides which way a finding points.

    ValueError for negative counts.
    """
    from scipy.special import bdtr

    if min(regressions, improvements) < 0:
        raise ValueError(f"counts are not negative: {regressions}, {improvements}")
    return min(2 * float(bdtr(min(regressions, improvements), regressions + improvements, 0.5)), 1.0)


def _ascending(p_values: Mapping[Key, float]) -> list[Key]:
    wrong = {key: p_value for key, p_value in p_values.items() if not 0 <= p_value <= 1}
    if wrong:
        raise ValueError(f"not probabilities: {wrong}")
    return sorted(p_values, key=lambda key: p_values[key])
