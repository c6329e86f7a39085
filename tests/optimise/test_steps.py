"""One line per step, with the time left."""

from __future__ import annotations

import pytest

from harness.optimise.journal import Step
from harness.optimise.steps import Steps, duration

PLANNED = [
    Step(kind="measure", name="eyes fp32 on a"), Step(kind="make static", name="eyes int8"),
    Step(kind="measure", name="eyes int8 on a"), Step(kind="measure", name="eyes int8 on b"),
]  # fmt: skip


@pytest.fixture
def watched():
    """Steps over PLANNED with what they said, and a clock that tests set."""
    said, now = [], [0.0]
    return Steps(PLANNED, said.append, {}, clock=lambda: now[0]), said, now


def test_the_first_step_of_all_promises_nothing(watched):
    steps, said, _ = watched
    steps.begin(PLANNED[0])
    assert said == ["[1/4] eyes fp32 on a: measure; 0 s so far"]


def test_the_time_left_is_that_of_measured_steps_of_the_same_kind(watched):
    steps, said, now = watched
    steps.begin(PLANNED[0])
    steps.end(PLANNED[0], 30.0)
    now[0] = 31.0
    steps.begin(PLANNED[1])
    assert said[1] == (
        "[2/4] eyes int8: make static; 31 s so far, about 60 s left and 1 steps of kinds that were not timed yet"
    )
    steps.end(PLANNED[1], 10.0)
    steps.begin(PLANNED[2])
    assert said[2].endswith("about 60 s left")


def test_an_earlier_run_tells_the_times_and_this_one_knows_better():
    said = []
    steps = Steps(PLANNED, said.append, {"measure": 100.0, "make static": 7200.0}, clock=lambda: 0.0)
    steps.begin(PLANNED[0])
    assert said[0].endswith("about 2.1 h left")
    steps.end(PLANNED[0], 10.0)
    steps.skip(PLANNED[1], "kept from before")
    steps.begin(PLANNED[2])
    assert said[1:] == [
        "[2/4] eyes int8: make static; kept from before",
        "[3/4] eyes int8 on a: measure; 0 s so far, about 20 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (3600, "60 min"), (9000, "2.5 h")]
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
