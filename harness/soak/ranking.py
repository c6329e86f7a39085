"""Is the variant that is quicker at minute 1 still so at minute 30? Pure.

A minute gives a value for each of its pieces of five seconds; the logs of their ratios, piece by piece, are judged by
the inverted signed-rank test (harness.stats.paired).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.stats.bounds import nearest_rank
from harness.stats.paired import hodges_lehmann, signed_rank_bounds

ALPHA = 0.005
PIECE_S, MINUTE_S = 5.0, 60.0
FEWEST_PIECES, FEWEST_FRAMES = 8, 20


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Latency of the second over the first in one minute, with its two-sided interval of 99 %."""

    minute: int
    ratio: float
    low: float
    high: float

    @property
    def quicker(self) -> int:
        """Which of the two is proven to be quicker, 0 or 1; -1 where neither is."""
        return 0 if self.low > 1 else 1 if self.high < 1 else -1


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Two variants early and late."""

    names: tuple[str, str]
    early: Ratio
    late: Ratio

    @property
    def reversed(self) -> bool:
        """Whether one is proven quicker early and the other late."""
        return {self.early.quicker, self.late.quicker} == {0, 1}

    @property
    def sentence(self) -> str:
        """What there is to say."""
        said = "; ".join(self._said(one) for one in (self.early, self.late))
        return f"the ranking turns round: {said}" if self.reversed else said

    def _said(self, one: Ratio) -> str:
        bounds = (
            f"{self.names[1]} takes {one.ratio:.3f} of the time of {self.names[0]} ({one.low:.3f} to {one.high:.3f})"
        )
        quicker = "neither is proven quicker" if one.quicker < 0 else f"{self.names[one.quicker]} is quicker"
        return f"in minute {one.minute} {quicker}: {bounds}"


def ranking(
    first: Soak, second: Soak, names: tuple[str, str], *, early: int = 1, late: int = 30, share: float = 0.5
) -> Ranking | str:
    """Two soaks compared in two of their minutes, counted from 1; a sentence where one of them is too short."""
    found = [_ratio(first, second, minute, share) for minute in (early, late)]
    if not (isinstance(found[0], Ratio) and isinstance(found[1], Ratio)):
        return next(one for one in found if isinstance(one, str))
    return Ranking(names=names, early=found[0], late=found[1])


def _ratio(first: Soak, second: Soak, minute: int, share: float) -> Ratio | str:
    one, other = (_pieces(soak, minute, share) for soak in (first, second))
    both = np.isfinite(one) & np.isfinite(other)
    if both.sum() < FEWEST_PIECES:
        return f"ranking: minute {minute} has {int(both.sum())} pieces in both soaks, needs {FEWEST_PIECES}"
    logs = np.log(other[both] / one[both])
    low, high = signed_rank_bounds(logs, ALPHA)
    return Ratio(minute=minute, ratio=math.exp(hodges_lehmann(logs)), low=math.exp(low), high=math.exp(high))


def _pieces(soak: Soak, minute: int, share: float) -> Array:
    """The quantile of each piece of a minute in ns; NaN where it holds too few frames."""
    edges = (minute - 1) * MINUTE_S + np.arange(0, MINUTE_S + PIECE_S, PIECE_S)
    parts = np.split(soak.latency_ns, np.searchsorted(soak.due_s, edges))[1:-1]
    return np.array([nearest_rank(one, share) if len(one) >= FEWEST_FRAMES else np.nan for one in parts])
