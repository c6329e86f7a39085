"""Long series made short: what stands out stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.trendreport.gather.decimate import MOST_OPEN, MOST_POINTS, NEWEST, kept_points
from harness.trendreport.model import NOT_JUDGED, OUTCOMES

PASS = OUTCOMES.index("PASS")


@st.composite
def series(draw):
    """Values, outcomes and validity of a few or of thousands of points, with planted oddities."""
    count = draw(st.integers(1, 9000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    outcome = np.where(rng.random(count) < draw(st.sampled_from([0.0, 0.01, 0.5])), 0, PASS)
    outcome = np.where(rng.random(count) < 0.3, NOT_JUDGED, outcome)
    valid = rng.random(count) >= draw(st.sampled_from([0.0, 0.02, 1.0]))
    return rng.normal(5.0, 1.0, count).round(draw(st.integers(0, 6))), outcome.astype(np.int8), valid


@given(series())
def test_the_order_is_kept_and_no_more_than_the_promised_points(made):
    kept = kept_points(*made)
    assert (np.diff(kept) > 0).all()
    assert len(kept) <= MOST_POINTS
    assert (kept >= 0).all()
    assert (kept < len(made[0])).all()


@given(series())
def test_the_extremes_of_what_is_valid_and_the_newest_survive(made):
    value, _, valid = made
    kept = kept_points(*made)
    if valid.any():
        assert value[kept][valid[kept]].min() == value[valid].min()
        assert value[kept][valid[kept]].max() == value[valid].max()
        assert np.flatnonzero(valid)[-1] in kept
    assert set(range(max(len(value) - NEWEST, 0), len(value))) <= set(kept.tolist())


@given(series())
def test_what_did_not_pass_stays_where_it_is_rare_and_is_never_wholly_lost(made):
    _, outcome, valid = made
    kept = kept_points(*made)
    opened = np.flatnonzero((outcome < PASS) | ~valid)
    if len(opened) <= MOST_OPEN:
        assert set(opened.tolist()) <= set(kept.tolist())
    assert outcome[kept].min() == outcome.min()
    assert valid[kept].all() == valid.all()


@given(series())
def test_a_series_that_can_be_drawn_is_left_alone(made):
    value = made[0][:MOST_POINTS]
    assert kept_points(value, made[1][:MOST_POINTS], made[2][:MOST_POINTS]).tolist() == list(range(len(value)))


def test_every_stretch_keeps_its_spike_in_both_directions():
    value = np.full(96_000, 5.0)
    value[150::200], value[50::200] = 9.0, 1.0
    kept = kept_points(value, np.full(len(value), PASS), np.ones(len(value), bool))
    assert np.count_nonzero(value[kept] == 9.0) == 480
    assert np.count_nonzero(value[kept] == 1.0) == 480


def test_the_newest_valid_point_stays_although_the_newest_are_not_valid():
    valid = np.arange(50_000) < 49_000
    kept = kept_points(np.full(50_000, 5.0), np.full(50_000, PASS), valid)
    assert 48_999 in kept


@pytest.mark.parametrize("count", [2001, 96_001, 1_000_000])
def test_a_million_failures_are_drawn_by_the_worst_of_each_stretch(count):
    outcome = np.full(count, OUTCOMES.index("NO_BASELINE"), np.int8)
    outcome[count // 2] = OUTCOMES.index("FAIL")
    kept = kept_points(np.full(count, 5.0), outcome, np.ones(count, bool))
    assert len(kept) <= MOST_POINTS
    assert count // 2 in kept
