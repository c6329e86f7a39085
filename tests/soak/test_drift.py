"""A level that lasts is a step, a slope a drift, a burst that passes neither."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.soak import Soak
from harness.soak.drift import MEDIAN, P99, blocks, drift_of, trend_of
from harness.soak.simulated import Planted, simulated_soak

FPS = 30


def soak_with(factor, seed=0, minutes=10):
    due_s = np.arange(minutes * 60 * FPS) / FPS
    noise = np.exp(0.02 * np.random.default_rng(seed).standard_normal(len(due_s)))
    return Soak(
        due_ns=np.round(due_s * 1e9).astype(np.int64), latency_ns=np.round(2e7 * noise * factor(due_s)).astype(np.int64)
    )


@pytest.mark.parametrize(
    ("factor", "kind"),
    [
        (lambda at_s: 1.0, "none"),
        (lambda at_s: 1 + 0.3 * (at_s > 300), "step"),
        (lambda at_s: 1 + 0.3 * ((at_s > 300) & (at_s < 345)), "none"),
        (lambda at_s: 1 + 0.3 * (at_s > 540), "none"),
        (lambda at_s: 1 + 0.1 * at_s / 600, "drift"),
        (lambda at_s: 1 + 0.02 * (at_s > 300), "none"),
    ],
    ids=["still", "step", "burst", "last minute", "slope", "too small"],
)
def test_what_moves_for_good(factor, kind):
    assert drift_of(soak_with(factor)).kind == kind


@given(at_s=st.floats(150, 450), slower=st.floats(0.08, 1.0))
@settings(max_examples=30, deadline=None)
def test_a_step_is_told_with_its_time_and_size(at_s, slower):
    found = drift_of(soak_with(lambda due_s: 1 + slower * (due_s > at_s)))
    assert found.kind == "step"
    assert found.at_s == pytest.approx(at_s, abs=MEDIAN.block_s)
    assert found.change == pytest.approx(slower, abs=0.01)


def test_a_tail_alone_can_step():
    planted = soak_with(lambda at_s: np.where((at_s > 300) & (np.arange(len(at_s)) % 40 == 0), 2.0, 1.0))
    assert drift_of(planted, MEDIAN).kind == "none"
    found = drift_of(planted, P99)
    assert (found.kind, found.minute) == ("step", 6)


def test_two_minutes_are_too_short():
    assert drift_of(soak_with(lambda at_s: 1.0, minutes=1)).kind == "too short"


def test_blocks_with_too_few_frames_are_left_out():
    soak = simulated_soak(1, Planted(stall_ms=25_000, stalls_at_s=(100.0,)))
    times, values = blocks(soak, MEDIAN)
    assert len(times) == len(values) < 60
    assert np.isfinite(values).all()


@given(slope=st.floats(-5, 5), offset=st.floats(-100, 100), size=st.integers(8, 60))
@settings(deadline=None)
def test_a_straight_line_has_its_own_slope(slope, offset, size):
    times = np.arange(size, dtype=float)
    found = trend_of(times, slope * times + offset)
    assert found.slope == pytest.approx(slope, abs=1e-9)
    assert found.low <= found.slope + 1e-9
    assert found.high >= found.slope - 1e-9


@pytest.mark.parametrize("latency_ns", [0, 10**7])
def test_a_day_of_frames_that_all_take_the_same_does_not_move(latency_ns):
    due_ns = np.arange(0, 86_400 * 10**9, 10**9 // 3)
    soak = Soak(due_ns=due_ns, latency_ns=np.full(len(due_ns), latency_ns))
    assert [drift_of(soak, one).kind for one in (MEDIAN, P99)] == ["none", "none"]
