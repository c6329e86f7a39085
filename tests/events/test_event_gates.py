"""The limits of a card's [events]: an interval decides, and what was not seen is never green."""

from __future__ import annotations

import pytest

from harness.events import Alarm
from harness.events.scoring import Demand, EventScore
from harness.eventscores.gates import gates_of
from harness.eventtables import EventLimits

HOUR_S = 3600.0


def score(found: int, missed: int, false: int, seconds: float = HOUR_S) -> EventScore:
    due = tuple(Demand(kind="sleep", due_s=float(number), end_s=number + 1.0) for number in range(found + missed))
    alarms = tuple(Alarm(kind="phone", start_s=float(number)) for number in range(false))
    return EventScore(
        demands=due, delays_s=(0.1,) * found + (None,) * missed, false_alarms=alarms, unjudged=0, seconds=seconds
    )


@pytest.mark.parametrize(
    ("found", "missed", "outcome"),
    [(100, 0, "PASS"), (20, 0, "INCONCLUSIVE"), (10, 2, "INCONCLUSIVE"), (5, 5, "FAIL"), (0, 0, "INCONCLUSIVE")],
)
def test_missed_events_are_judged_by_their_interval(found: int, missed: int, outcome: str) -> None:
    (gate,) = gates_of(score(found, missed, 0), EventLimits(missed_percent=5.0))
    assert gate.outcome == outcome
    assert gate.sentence.startswith(f"{outcome}: missed_percent: ")


@pytest.mark.parametrize(("false", "outcome"), [(0, "PASS"), (2, "INCONCLUSIVE"), (9, "INCONCLUSIVE"), (30, "FAIL")])
def test_false_alarms_are_judged_by_the_limits_of_their_rate(false: int, outcome: str) -> None:
    (gate,) = gates_of(score(3, 0, false), EventLimits(false_alarms_per_hour=5.0))
    assert gate.outcome == outcome


def test_a_short_quiet_clip_proves_nothing() -> None:
    (gate,) = gates_of(score(0, 0, 0, seconds=60.0), EventLimits(false_alarms_per_hour=5.0))
    assert gate.outcome == "INCONCLUSIVE"
    assert "0 /h (0 to 179.7) is neither proven to be within nor over 5; more clips decide" in gate.sentence


def test_what_the_card_does_not_limit_is_no_gate() -> None:
    assert gates_of(score(0, 9, 9), EventLimits()) == ()
