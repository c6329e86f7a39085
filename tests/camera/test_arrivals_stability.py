"""Frames per second in windows of one second: whole, worst, even, converged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.camera import BLOCK, DROP_STALE, QUEUE, Arrivals, due_ns
from harness.camera.policies import simulate
from harness.fpsstability import converged_s, fps_stability

MS = 1_000_000


def at_pace(service_ms, arrivals, seconds=30, policy=DROP_STALE):
    due = due_ns(arrivals, round(seconds * arrivals.fps))
    service = np.broadcast_to(np.asarray(service_ms, np.float64) * MS, len(due)).astype(np.int64)
    return fps_stability(simulate(due, service, policy), arrivals)


@pytest.mark.parametrize("fps", [30.0, 60.0, 25.0, 29.97, 59.94])
@pytest.mark.parametrize("load", [0.05, 0.5, 0.95])
def test_a_steady_stream_is_whole_in_every_window(fps, load):
    found = at_pace(load * 1000 / fps, Arrivals(fps))
    assert (found.completed == found.expected).all()
    assert len(found.completed) == 30 if fps == int(fps) else len(found.completed) in (29, 30)
    assert (found.worst_share, found.fluctuation_percent, found.converged_s) == (1, 0, 3)
    assert found.interval_cv_percent == pytest.approx(0, abs=1e-4)


@given(st.integers(0, 2**32 - 1))
def test_jitter_below_half_a_period_moves_no_frame_into_another_window(seed):
    service = np.random.default_rng(seed).uniform(10, 24, 300)
    found = at_pace(service, Arrivals(30.0), seconds=10)
    assert (found.completed == 30).all()
    assert found.interval_cv_percent > 1


def test_a_recording_is_expected_as_it_was_recorded():
    stamps = np.cumsum([0, *[33_000_000] * 90, 500_000_000, *[33_000_000] * 90])
    arrivals = Arrivals(timestamps=tuple(stamps.tolist()))
    found = fps_stability(simulate(stamps, np.full(len(stamps), 5 * MS), DROP_STALE), arrivals)
    assert found.expected.min() < 20
    assert found.worst_share == 1


def test_a_stall_of_a_second_empties_a_window_and_is_found_by_every_figure():
    service = np.full(900, 5.2)
    service[300] = 1000
    found = at_pace(service, Arrivals(30.0))
    assert found.completed.tolist() == [30] * 10 + [0, 31] + [30] * 18
    assert (found.worst_fps, found.worst_share) == (0, 0)
    assert found.mean_fps == pytest.approx((900 - 29) / 30)
    assert found.rolling_sd_max_ms > 400
    assert found.rolling_sd_mean_ms < 20
    assert found.fluctuation_percent > 15


def test_a_blocked_camera_falls_behind_its_schedule():
    found = at_pace(50.0, Arrivals(30.0), policy=BLOCK)
    assert found.mean_fps == pytest.approx(20, abs=0.2)
    assert found.worst_share == pytest.approx(2 / 3, abs=0.04)


def test_a_queue_that_catches_up_has_windows_above_one():
    service = np.full(900, 5.2)
    service[300] = 1000
    found = at_pace(service, Arrivals(30.0), policy=QUEUE)
    assert found.completed.sum() == 900
    assert found.completed.max() > 30 > found.completed.min()


@pytest.mark.parametrize(
    ("windows", "converged"),
    [([30, 30, 30], 3), ([10, 30, 30, 30], 4), ([30, 27, 33], 3), ([30, 26, 34], None), ([30, 30], None), ([], None),
     ([0, 0, 0], None), ([0, 0, 30, 30, 30], 5)],
)  # fmt: skip
def test_three_windows_within_ten_per_cent_are_convergence(windows, converged):
    assert converged_s(np.array(windows, np.int64)) == converged
