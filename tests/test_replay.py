"""The replay timer gives pytest-benchmark the measured durations, to the nanosecond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.replay import ReplayTimer

DURATIONS = np.array([8_400_123, 8_600_001, 1, 3_500_999, 70_000_000_000], np.int64)
replay = ReplayTimer()


@pytest.mark.benchmark(timer=replay)
def test_pytest_benchmark_records_every_duration_in_order(benchmark):
    replay.play(DURATIONS)
    benchmark.pedantic(replay.next_frame, rounds=len(DURATIONS), iterations=1)
    if benchmark.stats is not None:
        assert benchmark.stats.stats.data == [one / 1e9 for one in DURATIONS.tolist()]


@given(st.lists(st.integers(0, 2**40), max_size=20))
def test_a_round_takes_exactly_its_duration(durations):
    timer = ReplayTimer()
    timer.play(np.array(durations, np.int64))
    for duration in durations:
        start = timer()
        timer.next_frame()
        assert timer() - start == duration / 1e9


def test_a_round_after_the_last_duration_takes_no_time():
    timer = ReplayTimer()
    timer.play(np.array([5]))
    for expected in (5e-9, 0.0, 0.0):
        start = timer()
        timer.next_frame()
        assert timer() - start == expected


def test_before_anything_is_played_it_is_a_real_clock():
    timer = ReplayTimer()
    first = timer()
    assert timer() > first > 0


def test_what_is_played_later_replaces_what_is_left():
    timer = ReplayTimer()
    timer.play(np.array([1, 2, 3]))
    timer.next_frame()
    timer.play(np.array([7]))
    start = timer()
    timer.next_frame()
    assert timer() - start == 7e-9


def test_it_has_the_name_that_pytest_benchmark_prints():
    assert replay.__name__ == "replay of measured frames"
