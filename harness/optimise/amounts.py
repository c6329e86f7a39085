"""Amounts that people write on the command line: an accuracy loss in points, a time in milliseconds."""

from __future__ import annotations

import re

from harness.errors import ConfigError

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([^\d\s.]*)", re.ASCII)
POINTS = {"": 1.0, "%": 1.0, "point": 1.0, "points": 1.0}
MILLISECONDS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3}
MOST_POINTS = 100.0


def points_of(text: str) -> float:
    """Percentage points of the score: "1%", "0.5 points" or "1"; ConfigError for anything else, 0 or 100 and more."""
    points = _amount(text, POINTS, "--accuracy-loss", "write it like 1% or 0.5 points: percentage points of the score")
    if not 0 < points < MOST_POINTS:
        raise ConfigError(f"{text!r}: a loss lies between 0 and 100 points", where="--accuracy-loss")
    return points


def milliseconds_of(text: str) -> float:
    """Milliseconds: "20ms", "0.02 s", "800us" or "20"; ConfigError for anything else, and for 0."""
    found = _amount(text, MILLISECONDS, "--latency-budget", "write it like 20ms, 0.02s or 800us")
    if not found > 0:
        raise ConfigError(f"{text!r}: no frame takes no time", where="--latency-budget")
    return found


def _amount(text: str, units: dict[str, float], option: str, remedy: str) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2] not in units:
        raise ConfigError(f"{text!r} is no amount", where=option, remedy=remedy)
    return float(found[1]) * units[found[2]]
