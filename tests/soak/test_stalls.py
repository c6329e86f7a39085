"""Stalls at a beat are found with their period, also with some missing; random times have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.soak import Soak
from harness.soak.simulated import Planted, simulated_soak
from harness.soak.stalls import beat, stalls_of


@given(period=st.floats(5, 60), phase=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_period_of_regular_times_is_found(period, phase):
    found, p_value = beat(np.arange(phase * period, 600, period), 600.0)
    assert found == pytest.approx(period, rel=1e-3)
    assert p_value < 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_a_period_is_found_with_stalls_missing_and_others_between(seed):
    random = np.random.default_rng(seed)
    regular = np.arange(7.0, 600, 20.0)
    kept = regular[random.random(len(regular)) > 0.15]
    kept = kept + random.normal(0, 0.2, len(kept))
    times = np.sort(np.concatenate([kept, random.uniform(0, 600, 5)]))
    assert beat(times, 600.0)[0] == pytest.approx(20.0, rel=0.01)


def test_random_times_have_a_period_in_less_than_one_run_of_two_hundred():
    random = np.random.default_rng(7)
    found = [beat(np.sort(random.uniform(0, 600, random.integers(3, 60))), 600.0)[0] for _ in range(400)]
    assert sum(one is not None for one in found) <= 2


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_few_stalls_make_no_beat(count):
    assert beat(np.arange(count) * 20.0, 600.0) == (None, 1.0)


def test_a_stall_of_a_queue_is_one_stall():
    due_s = np.arange(3000) / 30
    service_s = np.where(np.arange(3000) == 1000, 1.0, 0.0052)
    ends = np.zeros(3000)
    for index in range(3000):
        ends[index] = max(due_s[index], ends[index - 1]) + service_s[index]
    soak = Soak(
        due_ns=np.round(due_s * 1e9).astype(np.int64), latency_ns=np.round((ends - due_s) * 1e9).astype(np.int64)
    )
    found = stalls_of(soak)
    assert (found.kind, len(found.at_s)) == ("single", 1)
    assert found.longest_ms == pytest.approx(1000)


def test_frames_without_a_stall_have_none():
    found = stalls_of(Soak(due_ns=np.arange(5000) * 33_000_000, latency_ns=np.full(5000, 20_000_000)))
    assert (found.kind, found.longest_ms) == ("none", 0.0)


def test_too_few_frames_are_not_judged():
    assert stalls_of(simulated_soak(1, minutes=1)).kind == "too short"


def test_a_stall_that_all_frames_share_is_not_single():
    planted = Planted(stall_ms=500, stall_every_s=7.0)
    found = stalls_of(simulated_soak(3, planted))
    assert found.kind == "periodic"
    assert found.period_s == pytest.approx(7.0, rel=1e-3)


def test_a_soak_that_stalls_all_the_time_is_still_judged():
    latency_ns = np.where(np.arange(60_000) % 30 < 2, 200_000_000, 20_000_000)
    due_ns = np.cumsum(latency_ns)
    found = stalls_of(Soak(due_ns=due_ns - latency_ns, latency_ns=latency_ns))
    assert (found.kind, len(found.at_s)) == ("periodic", 2000)
    assert found.period_s == pytest.approx(0.96)


@pytest.mark.parametrize("latency_ns", [0, 1, 10**9])
def test_frames_that_all_take_the_same_have_no_stall(latency_ns):
    due_ns = np.arange(20_000) * 10**8
    assert stalls_of(Soak(due_ns=due_ns, latency_ns=np.full(20_000, latency_ns))).kind == "none"


@pytest.mark.parametrize("seed", range(5))
def test_a_beat_is_found_among_shorter_stalls_at_random(seed):
    random = np.random.default_rng(seed)
    due_s = np.arange(9600) / 30
    latency_ms = random.normal(4, 0.3, len(due_s))
    latency_ms[random.integers(0, len(due_s), 6)] = random.uniform(55, 75, 6)
    latency_ms[510::600] = random.uniform(102, 113, len(latency_ms[510::600]))
    due_ns, latency_ns = (np.round(one).astype(np.int64) for one in (due_s * 1e9, latency_ms * 1e6))
    found = stalls_of(Soak(due_ns=due_ns, latency_ns=latency_ns))
    assert (found.kind, len(found.at_s)) == ("periodic", 16)
    assert found.period_s == pytest.approx(20.0)
