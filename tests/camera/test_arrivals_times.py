"""Figures of frames at the camera's pace: percentiles with bounds, misses, gaps, age, backlog, the generator's own."""

from __future__ import annotations

import numpy as np
import pytest

from harness.camera import BLOCK, DROP_STALE, QUEUE, Arrivals, Paced, due_ns
from harness.camera.policies import simulate
from harness.cameratimes import (
    age_at_output,
    age_of_result,
    backlog_at_end,
    camera_times,
    censored_response_ns,
    generator_fault,
    longest_gap_ms,
    missed,
    misses,
    response_ns,
    tail,
)

MS = 1_000_000
FOUR = simulate(np.array([0, 100, 200, 300]) * MS, np.array([10, 250, 20, 10]) * MS, DROP_STALE)


def at_pace(service_ms, policy=DROP_STALE, frames=3000, fps=30.0):
    service = np.broadcast_to(np.asarray(service_ms) * MS, frames).astype(np.int64)
    return simulate(due_ns(Arrivals(fps), frames), service, policy)


def test_four_frames_by_hand():
    # Frame 1 lasts until 350 ms: frame 2 is displaced by frame 3, which answers at 360 ms.
    assert FOUR.index.tolist() == [0, 1, 3]
    assert FOUR.dropped.tolist() == [2]
    assert response_ns(FOUR).tolist() == [10 * MS, 250 * MS, 60 * MS]
    assert censored_response_ns(FOUR).tolist() == [10 * MS, 250 * MS, np.inf, 60 * MS]
    assert missed(FOUR, 100).tolist() == [False, True, True, False]
    assert longest_gap_ms(FOUR) == 340
    assert age_at_output(FOUR).max_ms == 250
    assert age_at_output(FOUR).mean_ms == pytest.approx((340 * 10 + 10 * 250) / 350)
    assert age_of_result(FOUR).max_ms == 350
    assert age_of_result(FOUR).mean_ms == pytest.approx((340 * (10 + 350) / 2 + 10 * (250 + 260) / 2) / 350)


def test_a_machine_that_keeps_up():
    found = camera_times(at_pace(5.2), Arrivals(30.0))
    assert (found.response.p99_ms, found.service.p99_ms) == (5.2, 5.2)
    assert found.misses.missed == found.dropped_per_10000 == found.backlog == 0
    assert found.utilisation == pytest.approx(5.2 * 30 / 1000)
    assert found.longest_gap_periods == pytest.approx(1, abs=1e-6)
    assert found.age_at_output.mean_ms == pytest.approx(5.2)
    assert found.age_of_result.mean_ms == pytest.approx(5.2 + 1000 / 60)
    assert (found.lateness_p99_ms, found.generator_fault) == (0, "")


@pytest.mark.parametrize(("policy", "dropped_per_10000", "backlog"), [(QUEUE, 0, 1500), (DROP_STALE, 4990, 1)])
def test_an_overloaded_machine_has_a_backlog_or_drops(policy, dropped_per_10000, backlog):
    # 66.6 ms a frame at 33.3 ms: half of what came is not done in time, one way or the other.
    found = camera_times(at_pace(66.6, policy), Arrivals(30.0))
    assert found.utilisation == pytest.approx(1.998)
    assert found.dropped_per_10000 == pytest.approx(dropped_per_10000, abs=20)
    assert found.backlog == pytest.approx(backlog, abs=5)
    assert found.misses.missed == 3000


def test_a_camera_that_waits_has_no_backlog_but_fewer_results():
    paced = at_pace(66.6, BLOCK)
    assert backlog_at_end(paced) == 0
    assert longest_gap_ms(paced) == pytest.approx(66.6)


@pytest.mark.parametrize(
    ("frames", "p99_bounded", "p999_bounded"),
    [(1, False, False), (298, False, False), (299, True, False), (2994, True, False), (2995, True, True)],
)
def test_a_percentile_has_an_upper_bound_only_with_enough_frames(frames, p99_bounded, p999_bounded):
    found = tail(np.arange(1, frames + 1) * MS)
    assert (found.p99_upper_ms is not None, found.p999_upper_ms is not None) == (p99_bounded, p999_bounded)
    assert found.max_ms == frames
    assert found.p99_ms == np.ceil(0.99 * frames)


def test_the_p99_bound_of_3000_frames_is_the_2980th():
    assert tail(np.arange(1, 3001) * MS).p99_upper_ms == 2980


@pytest.mark.parametrize(("late", "upper"), [(0, 0.000998), (20, 0.009673), (21, 0.010065)])
def test_the_share_of_misses_has_exact_bounds(late, upper):
    frame = np.arange(3000)
    found = misses(at_pace(np.where((frame % 100 == 0) & (frame < 100 * late), 51.0, 5.0), QUEUE))
    assert (found.late, found.dropped, found.frames) == (late, 0, 3000)
    assert found.upper == pytest.approx(upper, abs=1e-6)


@pytest.mark.parametrize(("late_ms", "share", "fault"), [(0.3, 0.02, True), (0.3, 0.005, False), (0.19, 1.0, False),
                                                        (0.2, 1.0, True)])  # fmt: skip
def test_a_generator_that_is_late_at_p99_makes_the_run_invalid(late_ms, share, fault):
    lateness = np.where(np.arange(1000) < share * 1000, round(late_ms * MS), 40)
    sentence = generator_fault(with_lateness(lateness))
    assert bool(sentence) == fault
    assert not fault or f"{late_ms:.2f} ms late at P99, and 0.2 ms is the limit" in sentence


def test_a_consumer_that_never_waited_says_nothing_about_the_generator():
    assert generator_fault(with_lateness(np.zeros(0, np.int64))) == ""


def test_nothing_completed_has_no_figures():
    assert camera_times(simulate(np.zeros(0), np.zeros(0), QUEUE), Arrivals()) is None


def test_one_frame_has_neither_gap_nor_age_over_time():
    found = camera_times(at_pace(5.0, frames=1), Arrivals())
    assert (found.longest_gap_ms, found.longest_gap_periods, found.age_of_result) == (None, None, None)
    assert found.age_at_output.mean_ms == 5


def with_lateness(lateness_ns):
    return Paced(FOUR.due_ns, FOUR.start_ns, FOUR.end_ns, FOUR.index, FOUR.dropped, lateness_ns)
