"""Events are drawn from a seed, lie inside their clip and never overlap in one channel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.events import CLOSED, OFF_ROAD, PHONE, YES, Answers, Event
from harness.events.scoring import demands
from harness.events.timeline import DRAWN, LENGTHS_S, Timeline, draw


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 90.0))
def test_drawn_events_lie_inside_the_clip_with_lengths_of_their_kind(seed: int, duration_s: float) -> None:
    timeline = draw(seed, duration_s)
    for event in timeline.events:
        low, high = LENGTHS_S[event.kind]
        assert low - 2e-3 <= event.end_s - event.onset_s <= high + 2e-3
        assert event.end_s <= duration_s + 1e-3
    for channel in ("lids", "attention"):
        mine = [one for one in timeline.events if one.channel == channel]
        assert all(first.end_s < second.onset_s for first, second in itertools.pairwise(mine))


def test_the_same_seed_draws_the_same_events_and_another_seed_others() -> None:
    assert draw(3, 40.0) == draw(3, 40.0)
    assert draw(3, 40.0) != draw(4, 40.0)


def test_every_kind_is_drawn_in_a_long_clip() -> None:
    assert {one.kind for one in draw(1, 120.0).events} == {*DRAWN, "blink"}


def test_a_clip_without_events_has_blinks_only() -> None:
    assert {one.kind for one in draw(1, 30.0, kinds=()).events} == {"blink"}


@pytest.mark.parametrize("seed", range(5))
def test_drawn_glances_add_up_to_a_cumulative_distraction(seed: int) -> None:
    timeline = draw(seed, 30.0, kinds=("glances",))
    assert [one.kind for one in demands(timeline, 30.0)] == ["cumulative_distraction"]


def test_a_kind_that_cannot_be_drawn_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean 'sleep'"):
        draw(1, 30.0, kinds=("sleeep",))


def test_the_truth_holds_from_onset_to_end() -> None:
    events = (Event(kind="sleep", onset_s=1.0, end_s=2.0), Event(kind="phone", onset_s=1.5, end_s=3.0))
    truth = Timeline(duration_s=4.0, events=events).truth(10.0)
    assert np.flatnonzero(truth.evidence[CLOSED] == YES).tolist() == list(range(10, 20))
    assert np.flatnonzero(truth.evidence[PHONE] == YES).tolist() == list(range(15, 30))
    assert not (truth.evidence[OFF_ROAD] == YES).any()


def test_events_of_one_channel_that_overlap_are_refused() -> None:
    events = (Event(kind="phone", onset_s=1.0, end_s=5.0), Event(kind="glance", onset_s=4.0, end_s=4.5))
    with pytest.raises(ConfigError, match=r"glance at 4\.0 s begins before the phone at 1\.0 s ends at 5 s"):
        Timeline(duration_s=9.0, events=events)


def test_an_event_beyond_the_end_of_the_clip_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sleep at 8\.0 s ends at 12 s, after the clip's end at 10 s"):
        Timeline(duration_s=10.0, events=(Event(kind="sleep", onset_s=8.0, end_s=12.0),))


@pytest.mark.parametrize(("onset_s", "end_s"), [(2.0, 2.0), (3.0, 2.0), (-1.0, 2.0), (float("nan"), 2.0)])
def test_an_event_without_a_span_is_refused(onset_s: float, end_s: float) -> None:
    with pytest.raises(ConfigError, match="is no span of time"):
        Event(kind="blink", onset_s=onset_s, end_s=end_s)


@pytest.mark.parametrize("duration_s", [0.0, -3.0, float("nan"), float("inf")])
def test_a_clip_without_length_is_refused(duration_s: float) -> None:
    with pytest.raises(ConfigError, match="shows nothing"):
        Timeline(duration_s=duration_s)


@pytest.mark.parametrize("duration_s", [0.0, -3.0, float("nan"), float("inf")])
def test_nothing_is_drawn_for_a_clip_without_length_or_end(duration_s: float) -> None:
    with pytest.raises(ConfigError, match="shows nothing"):
        draw(1, duration_s)


def test_a_seed_below_0_is_refused() -> None:
    with pytest.raises(ConfigError, match="a seed of -1 cannot be drawn from"):
        draw(-1, 30.0)


@pytest.mark.parametrize("fps", [0.0, -30.0, float("nan"), float("inf")])
def test_no_frame_rate_is_refused(fps: float) -> None:
    with pytest.raises(ConfigError, match="is no frame rate"):
        Timeline(duration_s=1.0).truth(fps)


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        ({CLOSED: np.zeros(3, np.int8), PHONE: np.zeros(4, np.int8)}, "do not make one clip"),
        ({CLOSED: np.zeros(0, np.int8)}, "do not make one clip"),
        ({"yawn": np.zeros(3, np.int8)}, "no evidence called 'yawn'"),
    ],
)
def test_answers_that_do_not_fit_together_are_refused(evidence: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Answers(fps=30.0, evidence=evidence)
