"""Quantiles and the shift function: exact where they are arithmetic, and sure enough where they are statistics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Array
from harness.stats.bounds import nearest_rank
from harness.trendreport.detail.quantiles import EVERY_PERCENT, SHIFT_PERCENT, quantiles, shift_of

TIMES = st.lists(st.integers(1, 10**9), min_size=1, max_size=300)


def session(rng: np.random.Generator, processes: int = 3, frames: int = 300, spread: float = 0.01) -> list[Array]:
    """Processes of one session, whose level is drawn once; frames resemble their neighbours."""
    level = 5e6 * math.exp(spread * rng.standard_normal())
    white = rng.standard_normal((processes, frames + 4))
    alike = sum(white[:, lag : lag + frames] for lag in range(5)) / math.sqrt(5)
    return list(level * (1 + 0.02 * alike))


@given(TIMES)
def test_quantiles_are_the_nearest_ranks_of_every_per_cent(values):
    ordered = np.sort(np.array(values))
    found = quantiles(ordered)
    assert len(found) == 101
    assert (found[0], found[100]) == (min(values), max(values))
    assert all(found[share] in values for share in EVERY_PERCENT)
    assert np.all(np.diff(found) >= 0)
    # Not at 7 %: 0.07 * 100 is more than 7 in binary numbers, and nearest_rank rounds it up.
    assert [found[share] for share in (25, 50, 75)] == [nearest_rank(ordered, share / 100) for share in (25, 50, 75)]


def test_one_frame_has_quantiles_and_no_shift():
    assert set(quantiles(np.array([7.0]))) == {7.0}
    assert shift_of([np.array([7.0])], [[np.array([5.0])]] * 5) is None


@pytest.mark.parametrize(("own", "baseline"), [([], [[np.ones(300)]]), ([np.ones(300)], []), ([np.ones(300)], [[]])])
def test_nothing_on_one_side_is_no_shift(own, baseline):
    assert shift_of(own, baseline) is None


def test_a_session_that_is_slower_everywhere_shows_it_in_every_quantile():
    rng = np.random.default_rng(1)
    baseline = [session(rng) for _ in range(12)]
    found = shift_of([1.1 * one for one in session(rng, spread=0.0)], baseline)
    assert found is not None
    assert found.percent.tolist() == SHIFT_PERCENT.tolist()
    assert np.all(abs(found.ratio - 0.1) < 0.02)
    assert np.all((found.low < found.ratio) & (found.ratio < found.high))
    assert np.all(found.low > 0.05)
    assert "12 baseline sessions" in found.basis


def test_a_longer_tail_shows_only_in_the_upper_quantiles():
    rng = np.random.default_rng(2)
    baseline = [session(rng, spread=0.001) for _ in range(12)]
    now = session(rng, spread=0.001)
    for frames in now:
        frames[::8] *= 1.5
    found = shift_of(now, baseline)
    assert found is not None
    assert found.high[0] < 0.02
    assert found.low[-1] > 0.3


@pytest.mark.parametrize("sessions", [1, 2])
def test_without_enough_sessions_the_bounds_say_what_they_rest_on(sessions):
    rng = np.random.default_rng(3)
    found = shift_of(session(rng), [session(rng) for _ in range(sessions)])
    assert found is not None
    assert "these frames alone" in found.basis
    assert np.all((found.low <= found.ratio) & (found.ratio <= found.high))


def test_few_frames_bound_the_middle_and_leave_the_ends_out():
    rng = np.random.default_rng(4)
    found = shift_of([rng.lognormal(0, 0.1, 30)], [[rng.lognormal(0, 0.1, 30)]])
    assert found is not None
    assert 5 not in found.percent
    assert 50 in found.percent


def test_equal_frames_differ_by_no_more_than_the_floor_of_every_comparison():
    found = shift_of([np.full(300, 5e6)], [[np.full(300, 5e6)]] * 12)
    assert found is not None
    assert np.all(found.ratio == 0)
    assert np.all((found.high > 0) & (found.high < 0.01))


def test_the_bounds_hold_the_truth_for_a_build_against_itself():
    """Pointwise 95 %; frames alone would hold it in fewer than half of the sessions."""
    rng = np.random.default_rng(5)
    inside = [_holds(shift_of(session(rng), [session(rng) for _ in range(6)])) for _ in range(250)]
    assert 0.92 <= np.mean(inside) <= 0.985
    alone = [_holds(shift_of(session(rng), [session(rng)])) for _ in range(100)]
    assert np.mean(alone) < 0.6


def test_frames_of_one_process_in_turns_are_bounded_by_themselves():
    """No spread between sessions: then the frames' own bounds are sure, and more than sure."""
    rng = np.random.default_rng(6)
    pairs = ((session(rng, 1, spread=0.0), session(rng, 1, spread=0.0)) for _ in range(150))
    found = [shift_of(now, [then], beside=True) for now, then in pairs]
    assert np.mean([_holds(one) for one in found]) >= 0.95
    assert all("rounds" in one.basis for one in found)


def _holds(found) -> bool:
    middle = list(found.percent).index(50)
    return bool(found.low[middle] <= 0 <= found.high[middle])
