"""Alarms beside events: what is detected, how late, what is false, and what cannot be judged."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.camera import Arrivals, due_ns
from harness.camera.policies import simulate
from harness.errors import ConfigError
from harness.events import CLOSED, NO, OFF_ROAD, PHONE, YES, Alarm, Answers, Event
from harness.events.alarms import DEBOUNCE_S, RULES, paced, without
from harness.events.filters import StateFilter
from harness.events.losses import compare_events
from harness.events.scoring import EventScore, Scoring, demands, judge, score, together
from harness.events.timeline import DRAWN, GLANCES, Timeline, draw
from harness.stats.rates import poisson_rate_bounds

FPS = 30.0
DIRECT = StateFilter(window_s=1 / FPS, on_share=1.0, off_share=0.0)
USUAL = StateFilter()
SLEEP = Timeline(duration_s=20.0, events=(Event(kind="sleep", onset_s=5.0, end_s=9.0),))


def alarm(kind: str, start_s: float) -> Alarm:
    return Alarm(kind=kind, start_s=start_s)


@pytest.mark.parametrize(
    ("start_s", "delay_s", "false"),
    [(7.8, None, 1), (7.9, -0.1, 0), (8.0, 0.0, 0), (8.4, 0.4, 0), (10.0, 2.0, 0), (10.1, None, 1)],
)
def test_an_alarm_counts_from_when_it_is_due_to_the_tolerance_after_the_end(
    start_s: float, delay_s: float | None, false: int
) -> None:
    found = score([alarm("sleep", start_s)], SLEEP, FPS)
    assert found.delays_s == (pytest.approx(delay_s),) if delay_s is not None else (None,)
    assert len(found.false_alarms) == false


def test_the_microsleep_before_a_sleep_is_not_false_and_one_elsewhere_is() -> None:
    found = score([alarm("microsleep", 6.1), alarm("sleep", 8.1), alarm("microsleep", 15.0)], SLEEP, FPS)
    assert [one.start_s for one in found.false_alarms] == [15.0]
    assert found.detection is not None
    assert found.detection.value == 1.0


def test_a_sleep_alarm_on_a_microsleep_is_false() -> None:
    short = Timeline(duration_s=20.0, events=(Event(kind="microsleep", onset_s=5.0, end_s=7.5),))
    assert len(score([alarm("sleep", 8.1)], short, FPS).false_alarms) == 1


def test_the_gaze_of_a_driver_with_a_phone_is_not_judged() -> None:
    phone = Event(kind="phone", onset_s=5.0, end_s=9.0, may_show=(OFF_ROAD,))
    found = score([alarm("long_distraction", 8.5)], Timeline(duration_s=20.0, events=(phone,)), FPS)
    assert (found.unjudged, found.false_alarms) == (1, ())
    assert "1 alarm not judged: an event was there that may cause it" in found.sentences()


def test_misses_and_false_alarms_are_named() -> None:
    said = score([alarm("phone", 2.0)], SLEEP, FPS, clip="eval-00003").sentences()
    assert "missed: sleep due at 8.0 s in eval-00003" in said
    assert "false: phone at 2.0 s in eval-00003" in said
    assert said[0] == "0 of 1 events detected, 0 % (0 to 95 %)"


def test_a_clip_without_events_is_scored_by_false_alarms_alone() -> None:
    found = score([alarm("sleep", 3.0)], Timeline(duration_s=36.0), FPS)
    assert found.detection is None
    assert found.false_per_hour.value == pytest.approx(100.0)
    assert found.sentences()[0] == "no event calls for an alarm: detection cannot be judged, only false alarms"


def test_no_alarm_in_half_an_hour_still_leaves_six_an_hour_possible() -> None:
    rate = score([], Timeline(duration_s=1800.0), 1.0).false_per_hour
    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(-math.log(0.05) * 2)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 2.996), (1, 0.0513, 4.744), (10, 5.425, 16.962)])
def test_poisson_limits_are_those_of_the_table(count: int, low: float, high: float) -> None:
    assert poisson_rate_bounds(count, 1.0) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


@pytest.mark.parametrize(("count", "exposure"), [(-1, 1.0), (1, 0.0), (1, float("nan"))])
def test_a_rate_without_exposure_is_refused(count: int, exposure: float) -> None:
    with pytest.raises(ValueError, match="have no rate"):
        poisson_rate_bounds(count, exposure)


def test_glances_that_add_up_demand_an_alarm_that_no_single_one_does() -> None:
    glances = tuple(Event(kind="glance", onset_s=2.0 + 3 * n, end_s=4.0 + 3 * n) for n in range(7))
    (demand,) = demands(Timeline(duration_s=30.0, events=glances), 10.0)
    assert (demand.kind, demand.due_s, demand.end_s) == ("cumulative_distraction", 15.9, 23.9)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(6.0, 60.0), st.sampled_from([10.0, 30.0, 60.0]))
def test_a_perfect_detector_finds_everything_and_raises_no_false_alarm(seed: int, span_s: float, fps: float) -> None:
    timeline = draw(seed, round(span_s, 1), kinds=(*DRAWN, GLANCES))
    direct = StateFilter(window_s=1 / fps, on_share=1.0, off_share=0.0)
    found = judge(timeline.truth(fps), timeline, direct)
    assert found.missed == ()
    assert found.false_alarms == ()
    assert all(-1e-6 <= one <= 2 / fps for one in found.found)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.data())
def test_dropped_frames_never_detect_more_or_sooner(seed: int, data: st.DataObject) -> None:
    timeline = draw(seed, 20.0)
    truth = timeline.truth(10.0)
    start = data.draw(st.integers(0, truth.frames - 1))
    lost = range(start, min(start + data.draw(st.integers(0, 60)), truth.frames))
    whole, fewer = judge(truth, timeline, USUAL), judge(without(truth, lost), timeline, USUAL)
    for before, after in zip(whole.delays_s, fewer.delays_s, strict=True):
        assert after is None or (before is not None and after >= before)


@pytest.mark.parametrize(("policy", "delay_s"), [("queue", 0.9), ("drop-stale", 0.9)])
def test_a_stall_of_one_second_at_the_camera_s_pace_delays_the_alarm(policy: str, delay_s: float) -> None:
    truth = SLEEP.truth(FPS)
    service = np.full(truth.frames, 5_000_000)
    service[237] = 1_000_000_000
    run = simulate(due_ns(Arrivals(fps=FPS, policy=policy), truth.frames), service, policy)
    skipping = StateFilter(missing="skipped")
    (at_once,), (later,) = judge(truth, SLEEP, skipping).delays_s, judge(paced(truth, run), SLEEP, skipping).delays_s
    assert at_once == pytest.approx(0.0)
    assert later == pytest.approx(delay_s, abs=0.02)


def test_an_event_too_short_for_its_own_alarm_is_refused() -> None:
    short = Timeline(duration_s=20.0, events=(Event(kind="sleep", onset_s=5.0, end_s=7.0),))
    with pytest.raises(ConfigError, match=r"sleep at 5\.0 s lasts 2 s, and its alarm is due after 3 s"):
        demands(short, FPS)


def test_answers_of_another_length_than_the_clip_are_refused() -> None:
    with pytest.raises(ConfigError, match="answers for 10 s and events for 20 s"):
        judge(Answers(fps=FPS, evidence={CLOSED: np.zeros(300, np.int8)}), SLEEP, USUAL)


def test_a_filter_longer_than_the_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"window of 30 s is longer than the 20 s"):
        judge(SLEEP.truth(FPS), SLEEP, StateFilter(window_s=30.0))


@pytest.mark.parametrize("name", ["tolerance_s", "early_s", "debounce_s"])
def test_times_of_the_scoring_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} = -1 is no time"):
        Scoring(**{name: -1.0})


def test_several_clips_are_scored_as_one() -> None:
    both = together([score([alarm("sleep", 8.1)], SLEEP, FPS), score([alarm("phone", 1.0)], SLEEP, FPS)])
    assert (len(both.demands), len(both.found), len(both.false_alarms), both.seconds) == (2, 1, 1, 40.0)
    with pytest.raises(ConfigError, match="no clip"):
        together([])


def of(*detected: float | None, false: int = 0) -> EventScore:
    wanted = demands(SLEEP, FPS) * len(detected)
    return EventScore(
        demands=wanted, delays_s=detected, false_alarms=(alarm("phone", 1.0),) * false, unjudged=0, seconds=60.0,
    )  # fmt: skip


def test_two_models_are_compared_event_by_event() -> None:
    loss = compare_events(of(0.1, 0.1, 0.2, None, 0.1), of(0.4, None, None, 0.3, 0.2, false=3))
    assert (len(loss.only_reference), len(loss.only_candidate)) == (2, 1)
    assert loss.loss == pytest.approx(0.2)
    assert loss.p_value == 1.0
    assert loss.later_s == pytest.approx(0.1)
    assert loss.false_p_value == pytest.approx(0.25)
    said = loss.sentences("fp32", "int8")
    assert said[0].startswith("int8 loses 20.0 points of detection against fp32 in 5 events (")
    assert "only fp32 detects sleep due at 8.0 s" in said


def test_equal_models_lose_nothing_with_an_interval_around_it() -> None:
    loss = compare_events(of(*[0.1] * 40), of(*[0.1] * 40))
    assert loss.loss == 0.0
    assert loss.high == pytest.approx(2.7055 / (40 + 2.7055), abs=1e-4)


def test_clips_without_events_cannot_be_compared_in_detection() -> None:
    quiet = score([], Timeline(duration_s=30.0), FPS)
    assert compare_events(quiet, quiet).sentences("a", "b")[0] == (
        "no event calls for an alarm: detection cannot be compared"
    )


def test_different_clips_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="not scored on the same events"):
        compare_events(of(0.1), of(0.1, 0.1))


def test_the_debounce_is_one_second_and_the_kinds_have_their_rules() -> None:
    assert DEBOUNCE_S == 1.0
    assert {rule.evidence for rule in RULES.values()} == {CLOSED, OFF_ROAD, PHONE}
    assert (YES, NO) == (1, 0)
