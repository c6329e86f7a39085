"""Frame times and a filter to the margin: the published example, the worst moment, the words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.camera import Arrivals, Paced, due_ns
from harness.camera.policies import simulate
from harness.errors import ConfigError
from harness.events.filters import StateFilter
from harness.events.scenarios import (
    FRAME_BUDGET_WORDING,
    NOT_A_RATING,
    SCENARIOS,
    FrameTimes,
    Margin,
    margins,
    own_delay,
)

FPS, SERVICE_NS = 30.0, 5_200_000
BY_NAME = {one.name: one for one in SCENARIOS}
RING = StateFilter(window_s=1.0, on_share=1.0, off_share=0.3, missing="skipped")
STRICT = StateFilter(window_s=1.0, on_share=1.0, off_share=0.3)


def stalled(policy: str, stall_ns: int = 1_000_000_000, frames: int = 300, at: int = 100) -> FrameTimes:
    """A camera at 30 fps whose frame `at` takes `stall_ns`."""
    arrivals, service = Arrivals(fps=FPS, policy=policy), np.full(frames, SERVICE_NS)
    if at < frames:
        service[at] = stall_ns
    return FrameTimes.of(simulate(due_ns(arrivals, frames), service, policy), arrivals)


def margin(times: FrameTimes, filter: StateFilter, name: str = "long_distraction", hmi_s: float = 0.3) -> Margin:
    (found,) = margins(times, filter, hmi_s, [BY_NAME[name]])
    return found


@pytest.mark.parametrize("policy", ["queue", "drop-stale"])
def test_a_stall_of_one_second_takes_59_percent_of_the_slack_of_a_long_distraction(policy: str) -> None:
    found = margin(stalled(policy), RING)
    assert found.slack_s == pytest.approx(1.7)
    assert found.own.worst_s == pytest.approx(1.0)
    assert found.worst_share is not None
    assert round(100 * found.worst_share) == 59
    assert found.left_s == pytest.approx(0.7)
    assert found.own.median_s == pytest.approx(0.0052)


def test_a_burst_of_drops_costs_an_unbroken_window_nearly_twice_its_length() -> None:
    times = stalled("drop-stale")
    assert times.frames - len(times.index) == 29
    found = margin(times, STRICT)
    # 29 frames seen, 29 lost, 30 seen again, and the last one's 5.2 ms.
    assert found.own.worst_s == pytest.approx((29 + 29 + 30 - 30) / 30 + 0.0052, abs=1e-6)
    assert found.left_s < 0
    assert "0.24 s too late" in found.sentence


def test_every_onset_that_can_be_followed_is_looked_at() -> None:
    assert own_delay(stalled("queue"), STRICT).onsets == 300 - 29
    assert own_delay(stalled("queue", at=500), STRICT).worst_s == pytest.approx(0.0052)


def test_a_filter_that_is_longer_than_the_scenario_leaves_no_slack() -> None:
    found = margin(stalled("queue"), STRICT, "microsleep")
    assert found.worst_share is None
    assert "leaves no slack: no system keeps this time with this filter" in found.sentence


def test_a_gap_as_long_as_the_reset_of_the_count_is_told() -> None:
    said = "s without a result may reset the count (2 s)"
    assert said in margin(stalled("drop-stale", stall_ns=2_500_000_000), RING, "cumulative_distraction").sentence
    assert said not in margin(stalled("drop-stale"), RING, "cumulative_distraction").sentence


@pytest.mark.parametrize(
    ("name", "limit_s", "certainty"),
    [
        ("long_distraction", 3.0, "secondary"), ("cumulative_distraction", 10.0, "secondary"),
        ("microsleep", 1.0, "not verified"), ("sleep", 3.0, "secondary"), ("unresponsive", 6.0, "secondary"),
        ("unresponsive_after_warning", 3.0, "secondary"), ("addw_20_to_50", 6.0, "secondary"),
        ("addw_above_50", 3.5, "secondary"),
    ],
)  # fmt: skip
def test_each_scenario_says_how_certain_its_time_is(name: str, limit_s: float, certainty: str) -> None:
    assert (BY_NAME[name].limit_s, BY_NAME[name].certainty) == (limit_s, certainty)
    assert f", {certainty}, no rating" in margin(stalled("queue"), RING, name).sentence
    assert certainty in BY_NAME[name].origin
    assert "not in" in BY_NAME[name].origin or "not found" in BY_NAME[name].origin


def test_the_words_claim_no_rule_that_was_not_read() -> None:
    assert "no per-frame latency that we know of" in FRAME_BUDGET_WORDING
    assert "this project's engineering budget" in FRAME_BUDGET_WORDING
    assert "no statement on any rating" in NOT_A_RATING


@pytest.mark.parametrize("filter", [RING, STRICT, StateFilter()])
def test_a_margin_is_one_sentence_of_at_most_250_characters(filter: StateFilter) -> None:
    for found in margins(stalled("drop-stale", stall_ns=2_500_000_000), filter, 0.3):
        assert len(found.sentence) <= 250, found.sentence


def simulated_worst_s(times: FrameTimes, filter: StateFilter) -> float:
    """The same by running the filter itself on every onset; minus infinity where it never decides."""
    worst, known = -np.inf, False
    due = np.rint(np.arange(times.frames) * 1e9 / FPS)
    for onset in range(times.frames):
        answers = np.full(times.frames, -1, np.int8)
        answers[times.index] = times.index >= onset
        held = np.flatnonzero(filter.states(answers, FPS)[0])
        known = known or len(held) > 0
        # What the run ends before has waited until then at least.
        until = times.end_ns[np.searchsorted(times.index, held[0])] if len(held) else times.end_ns[-1]
        before = due[onset - 1] if onset else due[0] - 1e9 / FPS
        worst = max(worst, (until - before) / 1e9 - filter.delay_s(FPS))
    return float(worst) if known else -np.inf


@settings(max_examples=25)
@given(
    st.sets(st.integers(1, 39)), st.lists(st.integers(0, 90_000_000), min_size=40, max_size=40),
    st.integers(1, 8), st.floats(0.5, 1.0), st.sampled_from(["absent", "skipped"]),
)  # fmt: skip
def test_the_own_delay_is_that_of_the_filter_itself(
    lost: set[int], late_ns: list[int], window: int, on: float, missing: str
) -> None:
    filter = StateFilter(window_s=window / FPS, on_share=on, off_share=0.0, missing=missing)  # type: ignore[arg-type]
    index = np.array([one for one in range(40) if one not in lost])
    due = np.rint(np.arange(40) * 1e9 / FPS).astype(np.int64)[index]
    ends = np.maximum.accumulate(due + np.array(late_ns)[index])
    times = FrameTimes(fps=FPS, index=index, due_ns=due, end_ns=ends)
    if times.frames < window:
        return
    expected = simulated_worst_s(times, filter)
    if np.isinf(expected):
        with pytest.raises(ConfigError, match="the filter never decides"):
            own_delay(times, filter)
    else:
        assert own_delay(times, filter).worst_s == pytest.approx(expected, abs=2e-9 * 40)


def test_a_run_that_loses_every_third_frame_never_lets_a_filter_of_70_percent_decide() -> None:
    index = np.array([one for one in range(300) if one % 3])
    due = np.rint(index * 1e9 / FPS).astype(np.int64)
    times = FrameTimes(fps=FPS, index=index, due_ns=due, end_ns=due + SERVICE_NS)
    with pytest.raises(ConfigError, match="a window of 15 frames has to hold 11 results, and 200 of 300 frames have"):
        own_delay(times, StateFilter())


def test_a_run_that_begins_to_lose_frames_half_way_is_not_told_by_its_first_half() -> None:
    index = np.array([one for one in range(600) if one < 300 or one % 3])
    due = np.rint(index * 1e9 / FPS).astype(np.int64)
    times = FrameTimes(fps=FPS, index=index, due_ns=due, end_ns=due + SERVICE_NS)
    found = margin(times, StateFilter(), "microsleep")
    assert found.own.median_s == pytest.approx(SERVICE_NS / 1e9, abs=1e-6)
    assert found.own.worst_s > 9
    assert found.left_s < 0


def test_the_times_of_a_paced_run_are_taken_as_they_are() -> None:
    due, none = np.array([0, 33_333_333, 100_000_000]), np.array([], np.int64)
    run = Paced(
        due_ns=due, start_ns=due, end_ns=due + 5, index=np.array([0, 1, 3]), dropped=np.array([2]), lateness_ns=none
    )
    times = FrameTimes.of(run, Arrivals(fps=30.0))
    assert (times.fps, times.frames, times.index.tolist()) == (pytest.approx(30.0), 4, [0, 1, 3])


def test_a_filter_longer_than_the_run_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"window of 20 s is longer than the 10 s"):
        margins(stalled("queue"), StateFilter(window_s=20.0), 0.3)


@pytest.mark.parametrize("hmi_s", [-0.1, float("nan"), float("inf")])
def test_an_hmi_delay_that_is_no_time_is_refused(hmi_s: float) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        margins(stalled("queue"), RING, hmi_s)


@pytest.mark.parametrize(
    ("index", "due_ns", "end_ns", "sentence"),
    [
        ([], [], [], "no frame has a result"),
        ([0, 1], [0, 5], [6], "not of the same frames"),
        ([1, 1], [0, 5], [6, 7], "numbers of the frames go backwards"),
        ([0, 1], [5, 0], [6, 7], "due times of the frames go backwards"),
        ([0, 1], [0, 5], [7, 6], "ends of the frames go backwards"),
        ([0, 1], [0, 5], [1, 4], "a result was there before its frame"),
    ],
)
def test_frame_times_that_cannot_be_are_refused(
    index: list[int], due_ns: list[int], end_ns: list[int], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        FrameTimes(fps=FPS, index=np.array(index, int), due_ns=np.array(due_ns), end_ns=np.array(end_ns))


@pytest.mark.parametrize("fps", [0.0, -30.0, float("nan")])
def test_frame_times_without_a_frame_rate_are_refused(fps: float) -> None:
    with pytest.raises(ConfigError, match="is no frame rate"):
        FrameTimes(fps=fps, index=np.array([0]), due_ns=np.array([0]), end_ns=np.array([1]))
