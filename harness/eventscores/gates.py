"""The limits of a pipeline card's [events] against a score. Pure.

An interval decides: a limit is kept where all of it lies within, broken where all of it lies beyond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.events.scoring import EventScore
from harness.eventtables import EventLimits
from harness.rules import Outcome

OUTCOMES = {Outcome.PASS: "is proven to be within", Outcome.FAIL: "is proven to be over"}


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One limit; low and high bound the value, each passed by chance with a probability of 5 % at most."""

    name: str
    unit: str
    value: float | None
    low: float | None
    high: float | None
    limit: float
    outcome: Outcome

    @property
    def sentence(self) -> str:
        if self.value is None:
            return f"{self.outcome}: {self.name}: no event calls for an alarm, so nothing can be missed"
        word = OUTCOMES.get(self.outcome, "is neither proven to be within nor over")
        told = f"{self.value:.4g} {self.unit} ({self.low:.4g} to {self.high:.4g})"
        return f"{self.outcome}: {self.name}: {told} {word} {self.limit:g}" + self._remedy

    @property
    def _remedy(self) -> str:
        return "; more clips decide (--clips)" if self.outcome is Outcome.INCONCLUSIVE else ""


def gates_of(score: EventScore, limits: EventLimits) -> tuple[Gate, ...]:
    """One for each limit that the card gives."""
    return tuple(_gates(score, limits))


def _gates(score: EventScore, limits: EventLimits) -> Iterator[Gate]:
    if limits.missed_percent is not None:
        found, allowed = score.detection, limits.missed_percent
        if found is None:
            yield _gate("missed_percent", "%", None, None, None, allowed)
        else:
            missed, low, high = (100 * (1 - one) for one in (found.value, found.high, found.low))
            yield _gate("missed_percent", "%", missed, low, high, allowed)
    if limits.false_alarms_per_hour is not None:
        rate = score.false_per_hour
        yield _gate("false_alarms_per_hour", "/h", rate.value, rate.low, rate.high, limits.false_alarms_per_hour)


def _gate(
    name: str, unit: str, value: float | None, low: float | None, high: float | None, limit: float
) -> Gate:  # fmt: skip
    if low is None or high is None:
        outcome = Outcome.INCONCLUSIVE
    elif high <= limit:
        outcome = Outcome.PASS
    else:
        outcome = Outcome.FAIL if low > limit else Outcome.INCONCLUSIVE
    return Gate(name=name, unit=unit, value=value, low=low, high=high, limit=limit, outcome=outcome)
