"""Numbers, dates and counts as the cells of a table."""

from __future__ import annotations

import math

MISSING = "-"
SIMULATED = "SIMULATED"
SMALLEST, LARGEST = 1e-6, 1e9


def number(value: float | None, unit: str = "") -> str:
    """Four digits that count, and the unit; "-" where there is no number. Powers of ten only far away from 1."""
    if value is None or not math.isfinite(value):
        return MISSING
    plain = not value or SMALLEST <= abs(value) < LARGEST
    shown = _plain(value) if plain else f"{value:.4g}"
    return f"{shown} {unit}" if unit else shown


def _plain(value: float) -> str:
    digits = 3 - math.floor(math.log10(abs(value))) if value else 0
    shown = f"{value:.{max(digits, 0)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def ratio(before: float | None, now: float | None) -> str:
    """How many times smaller `now` is than `before`: "2.31x"; "-" where one of them is not known."""
    return f"{before / now:.2f}x" if before is not None and now else MISSING


def percent(share: float) -> str:
    """A share in per cent, with two digits that count."""
    return number(float(f"{100 * share:.2g}"))


def plural(count: int, word: str) -> str:
    """The count and the word: "1 case", "2 cases"."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def some(words: list[str], most: int = 3) -> str:
    """The first few, and how many more there are."""
    more = [f"and {len(words) - most} more"] if len(words) > most else []
    return ", ".join([*words[:most], *more])
