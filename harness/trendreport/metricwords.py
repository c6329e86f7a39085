"""What a metric's name says: unit, good direction, place in a list. Names outlive the tables that know them."""

from __future__ import annotations

from harness.budgets import DERIVED, Limit
from harness.metrics import METRICS, Metric
from harness.trendreport.model import Better

_KNOWN: dict[str, Metric | Limit] = {**METRICS, **DERIVED}
_PLACES = {name: place for place, name in enumerate(_KNOWN)}


def unit_of(metric: str) -> str:
    """The unit of its values; "" where this version does not know the metric."""
    return _KNOWN[metric].unit if metric in _KNOWN else ""


def better_of(metric: str) -> Better:
    """Which direction is good; a metric that this version does not know counts as a cost."""
    return _KNOWN[metric].better if metric in _KNOWN else "less"


def is_known(metric: str) -> bool:
    """True for a metric of this version."""
    return metric in _KNOWN


def place_of(metric: str) -> tuple[int, str]:
    """Sorts metrics: as the tables list them, then those that no table knows, by name."""
    return _PLACES.get(metric, len(_PLACES)), metric
