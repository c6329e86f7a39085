"""What becomes of a camera's frames: the stall table, and what holds for every schedule and every service time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.camera import BLOCK, DROP_STALE, QUEUE, Arrivals, due_ns
from harness.camera.policies import POLICIES, simulate
from harness.cameratimes import misses, response_ns, service_ns, tail
from harness.errors import ConfigError
from tests.camera.stalls import FRAMES, PERIOD_MS, SERVICE_MS, STALLED, TABLE


def simulated(policy, stall_ms, frames=FRAMES):
    service = np.full(frames, round(SERVICE_MS * 1e6))
    service[STALLED] = stall_ms * 1_000_000
    return simulate(due_ns(Arrivals(30.0), frames), service, policy)


@pytest.mark.parametrize(("stall_ms", "policy"), TABLE)
def test_the_simulation_gives_the_stall_table_to_the_printed_digit(stall_ms, policy):
    paced = simulated(policy, stall_ms)
    found = tail(response_ns(paced))
    printed = tuple(f"{one:.1f}" for one in (found.p99_ms, found.p999_ms, found.max_ms))
    over = tuple(misses(paced, budget_ms).late for budget_ms in (50.0, PERIOD_MS))
    assert (found.frames, len(paced.dropped), *printed, *over) == TABLE[stall_ms, policy]


def test_blocking_sees_of_a_stall_what_a_closed_loop_sees():
    paced = simulated(BLOCK, 1000)
    assert tail(response_ns(paced)) == tail(service_ns(paced))


def test_the_frame_due_at_the_very_end_of_a_stall_is_not_dropped():
    paced = simulated(DROP_STALE, 1000)
    assert paced.dropped.tolist() == list(range(1001, 1030))
    assert paced.index[1001] == 1030
    assert paced.start_ns[1001] == paced.due_ns[1001]


def test_a_dropped_frame_counts_as_a_miss_in_the_gate_and_not_in_the_percentiles():
    found = misses(simulated(DROP_STALE, 1000))
    assert (found.late, found.dropped, found.missed, found.frames) == (1, 29, 30, 3000)
    assert found.lower < 0.01 < found.upper


def test_a_blocked_camera_goes_on_at_its_own_pace_after_a_stall():
    paced = simulate(np.arange(5) * 100, np.array([10, 250, 10, 10, 10]), BLOCK)
    assert paced.due_ns.tolist() == [0, 100, 350, 450, 550]


@pytest.mark.parametrize("policy", ["drop_stale", "", "newest"])
def test_an_unknown_policy_is_refused_with_the_known_ones(policy):
    with pytest.raises(ConfigError, match=r"no policy called .* known: block, drop-stale, queue"):
        simulate(np.arange(3), np.ones(3), policy)


schedules = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 200)), max_size=60).map(
    lambda pairs: (
        np.cumsum([interval for interval, _ in pairs], dtype=np.int64),
        np.array([service for _, service in pairs], np.int64),
    )
)
policies = st.sampled_from(sorted(POLICIES))


@given(schedules, policies)
def test_every_frame_is_completed_or_dropped_and_none_twice(drawn, policy):
    due, service = drawn
    paced = simulate(due, service, policy)
    assert sorted([*paced.index, *paced.dropped]) == list(range(len(due)))


@given(schedules, policies)
def test_frames_keep_their_order_and_never_overlap(drawn, policy):
    paced = simulate(*drawn, policy)
    assert (np.diff(paced.index) > 0).all()
    assert (paced.start_ns[1:] >= paced.end_ns[:-1]).all()
    assert (paced.start_ns >= paced.due_ns).all()


@given(schedules, policies)
def test_no_response_is_shorter_than_the_service(drawn, policy):
    due, service = drawn
    paced = simulate(due, service, policy)
    assert (service_ns(paced) == service[paced.index]).all()
    assert (response_ns(paced) >= service_ns(paced)).all()


@given(schedules, st.sampled_from([QUEUE, BLOCK]))
def test_only_drop_stale_drops(drawn, policy):
    assert len(simulate(*drawn, policy).dropped) == 0


@given(schedules)
def test_a_queue_starts_each_frame_when_it_is_due_and_the_one_before_is_done(drawn):
    paced = simulate(*drawn, QUEUE)
    assert (paced.start_ns[1:] == np.maximum(paced.due_ns[1:], paced.end_ns[:-1])).all()


@given(schedules)
def test_drop_stale_never_starts_a_frame_that_a_newer_one_had_displaced(drawn):
    due, service = drawn
    paced = simulate(due, service, DROP_STALE)
    for start, index in zip(paced.start_ns, paced.index, strict=True):
        assert not (due[index + 1 :] <= start).any()


@given(schedules)
def test_drop_stale_drops_only_what_came_while_the_consumer_was_busy(drawn):
    due, service = drawn
    paced = simulate(due, service, DROP_STALE)
    busy = [(paced.start_ns <= due[one]) & (due[one] <= paced.end_ns) for one in paced.dropped]
    assert all(one.any() for one in busy)


@given(schedules)
def test_a_blocked_camera_answers_within_the_service_time(drawn):
    paced = simulate(*drawn, BLOCK)
    assert (response_ns(paced) == service_ns(paced)).all()


@given(schedules, policies, st.integers(-(10**15), 10**15))
def test_a_shifted_schedule_shifts_everything(drawn, policy, shift):
    due, service = drawn
    here, there = simulate(due, service, policy), simulate(due + shift, service, policy)
    for name in ("due_ns", "start_ns", "end_ns"):
        assert (getattr(there, name) - getattr(here, name) == shift).all()
    assert (here.index == there.index).all()
    assert (here.dropped == there.dropped).all()
