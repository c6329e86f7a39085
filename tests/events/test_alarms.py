"""Answers to alarms: when each is raised, once, and never before its evidence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.camera import Paced
from harness.errors import ConfigError
from harness.events import CLOSED, EVIDENCE, NO_ANSWER, OFF_ROAD, YES, Alarm, Answers
from harness.events.alarms import RULES, Adding, Lasting, alarms, paced, without
from harness.events.filters import StateFilter

FPS = 10.0
DIRECT = StateFilter(window_s=0.1, on_share=1.0, off_share=0.0)
SMOOTH = StateFilter(window_s=0.5, on_share=0.6, off_share=0.2)


def shown(frames: int, *spans: tuple[float, float]) -> np.ndarray:
    """YES within the spans, in seconds."""
    times = np.arange(frames) / FPS
    return np.array([any(low <= one < high for low, high in spans) for one in times], np.int8)


def closed(frames: int, *spans: tuple[float, float]) -> Answers:
    return Answers(fps=FPS, evidence={CLOSED: shown(frames, *spans)})


def told(raised: tuple[Alarm, ...]) -> list[tuple[str, float]]:
    return [(one.kind, round(one.start_s, 6)) for one in raised]


def test_closed_eyes_raise_one_alarm_after_another() -> None:
    assert told(alarms(closed(120, (2.0, 9.0)), DIRECT)) == [
        ("microsleep", 3.0),
        ("sleep", 5.0),
        ("unresponsive_asleep", 8.0),
    ]


def test_a_filter_does_not_delay_an_alarm_that_its_window_fits_into() -> None:
    assert told(alarms(closed(60, (2.0, 4.0)), SMOOTH)) == [("microsleep", 3.0)]


def test_blinks_raise_no_alarm() -> None:
    assert alarms(closed(120, (1.0, 1.3), (2.0, 2.4), (4.0, 4.9)), DIRECT) == ()


@pytest.mark.parametrize(("gap_s", "expected"), [(0.5, 1), (1.5, 2)])
def test_an_alarm_that_comes_back_within_a_second_is_the_same(gap_s: float, expected: int) -> None:
    rules = {"microsleep": Lasting(CLOSED, 0.2)}
    again = 3.0 + gap_s - 0.2
    assert len(alarms(closed(80, (1.0, 3.0), (again, again + 1.0)), DIRECT, rules)) == expected


def test_glances_add_up_to_ten_seconds() -> None:
    away = [(2.0 + 3.0 * number, 4.0 + 3.0 * number) for number in range(7)]
    answers = Answers(fps=FPS, evidence={OFF_ROAD: shown(300, *away)})
    assert told(alarms(answers, DIRECT))[0] == ("cumulative_distraction", 15.9)


def test_two_seconds_on_the_road_begin_the_count_anew() -> None:
    away = [(1.0 + 4.0 * number, 3.0 + 4.0 * number) for number in range(7)]
    answers = Answers(fps=FPS, evidence={OFF_ROAD: shown(300, *away)})
    assert alarms(answers, DIRECT) == ()


def test_seconds_before_the_last_thirty_do_not_count() -> None:
    rule = {"cumulative_distraction": Adding(OFF_ROAD, 3.0, 5.0, 2.0)}
    rare = [(1.0 * number, 1.0 * number + 0.5) for number in range(20)]
    dense = [(1.0 * number, 1.0 * number + 0.7) for number in range(20)]
    assert alarms(Answers(fps=FPS, evidence={OFF_ROAD: shown(200, *rare)}), DIRECT, rule) == ()
    assert alarms(Answers(fps=FPS, evidence={OFF_ROAD: shown(200, *dense)}), DIRECT, rule) != ()


def test_dropped_frames_can_cost_an_alarm() -> None:
    answers = closed(80, (2.0, 3.5))
    assert told(alarms(answers, SMOOTH)) == [("microsleep", 3.0)]
    assert alarms(without(answers, range(24, 30)), SMOOTH) == ()


def run(index: np.ndarray, period_ns: int = 100_000_000, late_ns: int = 0) -> Paced:
    due, none = 7 + index * period_ns, np.array([], np.int64)
    return Paced(due_ns=due, start_ns=due, end_ns=due + late_ns, index=index, dropped=none, lateness_ns=none)


def test_results_of_a_paced_run_delay_the_alarm_by_their_own_time() -> None:
    slow = run(np.arange(80), late_ns=250_000_000)
    assert told(alarms(paced(closed(80, (2.0, 4.0)), slow), SMOOTH)) == [("microsleep", 3.25)]


def test_frames_that_a_paced_run_did_not_take_have_no_answer() -> None:
    found = paced(closed(8, (0.0, 0.8)), run(np.array([0, 1, 5, 6, 9])))
    assert np.flatnonzero(found.evidence[CLOSED] == NO_ANSWER).tolist() == [2, 3, 4, 7]


answered = st.builds(
    lambda runs: np.concatenate([np.full(length, value, np.int8) for value, length in runs])[:150],
    st.lists(st.tuples(st.sampled_from([1, 1, 0, -1]), st.integers(1, 45)), min_size=6, max_size=12),
).filter(lambda one: len(one) >= 10)
filters = st.builds(
    StateFilter, window_s=st.floats(0.1, 1.0), on_share=st.floats(0.5, 1.0), off_share=st.floats(0.0, 0.4)
)


@given(answered, filters, st.sampled_from(EVIDENCE))
def test_an_alarm_never_comes_before_its_evidence(answers: np.ndarray, filter: StateFilter, name: str) -> None:
    for alarm in alarms(Answers(fps=FPS, evidence={name: answers}), filter):
        rule, frame = RULES[alarm.kind], round(alarm.start_s * FPS)
        evidence = np.flatnonzero(answers[: frame + 1] == YES)
        assert rule.evidence == name
        assert len(evidence) >= filter.needed(FPS)
        assert frame - evidence[0] >= rule.after_s * FPS - 1  # type: ignore[attr-defined]


@settings(max_examples=200)
@given(answered, filters, st.sampled_from(EVIDENCE), st.data())
def test_dropping_frames_never_raises_an_alarm_sooner(
    answers: np.ndarray, filter: StateFilter, name: str, data: st.DataObject
) -> None:
    whole = Answers(fps=FPS, evidence={name: answers})
    lost = data.draw(st.sets(st.integers(0, len(answers) - 1)))
    full, fewer = alarms(whole, filter), alarms(without(whole, lost), filter)
    first = {kind: min(one.start_s for one in full if one.kind == kind) for kind in {one.kind for one in full}}
    assert all(one.kind in first and one.start_s >= first[one.kind] for one in fewer)


@pytest.mark.parametrize("lost", [[8], [-1, 3]])
def test_a_dropped_frame_outside_the_clip_is_refused(lost: list[int]) -> None:
    with pytest.raises(ConfigError, match="the clip has 8, counted from 0"):
        without(closed(8), lost)


def test_a_camera_that_waited_is_refused_because_the_driver_did_not() -> None:
    with pytest.raises(ConfigError, match=r"schedule is up to 0\.350 s away"):
        paced(closed(8), run(np.arange(8), period_ns=150_000_000))


def test_a_paced_run_without_a_result_is_refused() -> None:
    with pytest.raises(ConfigError, match="no frame has a result"):
        paced(closed(8), run(np.array([], np.int64)))


@pytest.mark.parametrize("debounce_s", [-1.0, float("nan"), float("inf")])
def test_a_debounce_that_is_no_time_is_refused(debounce_s: float) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        alarms(closed(20), DIRECT, debounce_s=debounce_s)
