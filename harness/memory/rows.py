"""Row: what each fresh process told of one setting, and which difference between two rows is one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from statistics import median
from typing import Any

FEWEST_PROCESSES = 4


@dataclass(frozen=True, kw_only=True)
class Row:
    """A setting, a way or a batch on one runtime entry.

    figures: name with its unit -> one value per process. reason: why there are none. does: what the setting is.
    """

    runtime: str
    name: str
    does: str = ""
    figures: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def middle(self, figure: str) -> float | None:
        """The median over the processes; None where a figure is not known."""
        values = self.figures.get(figure)
        return median(values) if values else None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far the medians of two rows lie apart, where no process of one row lies among those of the other."""

    figure: str
    change: float
    percent: float | None


def differences(default: Row, own: Row, figures: Sequence[str]) -> list[Difference] | None:
    """The figures in which the rows do not overlap; None where there are too few processes to tell."""
    both = [one for one in figures if default.figures.get(one) and own.figures.get(one)]
    if not both or any(_fewest(default, own, one) < FEWEST_PROCESSES for one in both):
        return None
    return [_difference(default, own, one) for one in both if apart(default.figures[one], own.figures[one])]


def apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether all values of one lie below all of the other."""
    return max(one) < min(other) or max(other) < min(one)


def chance(one: int, other: int) -> float:
    """The probability that so many processes of the same setting lie apart by luck alone (rank test, two-sided)."""
    return 2 / comb(one + other, one)


def compared(default: Row, own: Row, figures: Sequence[str]) -> list[float]:
    """The chance of each comparison that `differences` makes."""
    if differences(default, own, figures) is None:
        return []
    sizes = [(len(default.figures.get(one, ())), len(own.figures.get(one, ()))) for one in figures]
    return [chance(*pair) for pair in sizes if all(pair)]


def _fewest(default: Row, own: Row, figure: str) -> int:
    return min(len(default.figures[figure]), len(own.figures[figure]))


def _difference(default: Row, own: Row, figure: str) -> Difference:
    before, now = median(default.figures[figure]), median(own.figures[figure])
    return Difference(
        figure=figure, change=now - before, percent=100 * (now / before - 1) if before > 0 else None
    )  # fmt: skip
