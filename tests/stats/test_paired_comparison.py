"""Paired blocks: the published ranks, scipy's signed-rank test and plain enumeration as oracles, error rates."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.paired import (
    LOOKS,
    compare_paired,
    hodges_lehmann,
    signed_rank_bounds,
    signed_rank_p,
    walsh_averages,
)

TEN_BLOCKS = np.array([0.012, 0.018, 0.021, 0.009, 0.025, 0.016, 0.020, 0.014, 0.031, 0.017])
MARGIN = 0.02
blocks = st.lists(st.integers(-40, 40), min_size=1, max_size=40).map(lambda values: np.array(values) / 1000)


def distinct(random, size, centre=0.0, spread=0.01):
    """Blocks without ties."""
    return random.normal(centre, spread, size)


def balanced(size):
    """A reference that differs from itself by nothing but noise."""
    return np.where(np.arange(size) % 2, 1e-4, -1e-4) * np.arange(1, size + 1)


@pytest.mark.parametrize(
    ("size", "rank"),
    [(7, 1), (8, 2), (10, 6), (12, 10), (16, 24), (20, 44), (30, 121), (40, 239), (60, 601)],
)
def test_the_ranks_of_the_bounds_are_the_published_ones(size, rank):
    values = distinct(np.random.default_rng(size), size)
    averages = np.sort(walsh_averages(values))
    assert signed_rank_bounds(values, 0.01) == (averages[rank - 1], averages[-rank])


@pytest.mark.parametrize(("alpha", "fewest"), [(0.05, 5), (0.01, 7), (0.005, 8), (0.002, 9), (0.001, 10)])
def test_a_bound_needs_blocks_before_it_exists(alpha, fewest):
    values = np.arange(fewest) / 100
    assert signed_rank_bounds(values, alpha) == (values.min(), values.max())
    assert signed_rank_bounds(values[1:], alpha) == (-math.inf, math.inf)


def test_ten_worked_blocks():
    assert hodges_lehmann(TEN_BLOCKS) == pytest.approx(0.018)
    assert len(walsh_averages(TEN_BLOCKS)) == 55
    averages = np.sort(walsh_averages(TEN_BLOCKS))
    assert (averages[4], averages[-5]) == pytest.approx((0.0125, 0.025))
    assert signed_rank_bounds(TEN_BLOCKS, 0.01) == (averages[5], averages[-6])


@given(blocks)
def test_the_estimate_is_the_median_of_all_pairwise_means(values):
    pairs = itertools.combinations_with_replacement(values, 2)
    assert hodges_lehmann(values) == pytest.approx(np.median([(one + other) / 2 for one, other in pairs]), abs=1e-15)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 50), st.floats(-0.01, 0.01))
def test_without_ties_the_p_value_is_scipys(seed, size, centre):
    values = distinct(np.random.default_rng(seed), size, centre)
    oracle = stats.wilcoxon(values, alternative="greater", method="exact")
    assert signed_rank_p(values) == pytest.approx(oracle.pvalue, rel=1e-9)


@pytest.mark.parametrize("size", range(1, 11))
def test_the_p_value_is_the_share_of_sign_changes_that_are_as_extreme(size):
    values = distinct(np.random.default_rng(size), size, 0.005)
    ranks = stats.rankdata(np.abs(values))
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=size)]
    assert signed_rank_p(values) == pytest.approx(np.mean(np.array(sums) >= ranks[values > 0].sum()))


@pytest.mark.parametrize("size", [7, 8, 9, 10])
@pytest.mark.parametrize("tied", [False, True])
def test_over_all_sign_changes_the_bound_errs_at_most_as_often_as_promised(size, tied):
    magnitudes = np.repeat(np.arange(size // 2 + 1), 2)[:size] if tied else np.arange(1, size + 1) ** 1.5
    wrong = [
        signed_rank_bounds(magnitudes * np.array(signs), 0.05)[0] > 0
        for signs in itertools.product([-1, 1], repeat=size)
    ]
    assert 0 < np.mean(wrong) <= 0.05


@settings(deadline=None)
@given(blocks, st.sampled_from([0.0, 0.005, 0.01]), st.sampled_from([0.05, 0.01, 0.002]))
def test_the_p_value_and_the_bound_never_disagree(values, centre, alpha):
    assert (signed_rank_p(values, centre) <= alpha) == (signed_rank_bounds(values, alpha)[0] > centre)


@settings(deadline=None)
@given(blocks, st.sampled_from([0.05, 0.01]))
def test_the_bounds_enclose_the_estimate_and_mirror(values, alpha):
    low, high = signed_rank_bounds(values, alpha)
    assert low <= hodges_lehmann(values) <= high
    assert signed_rank_bounds(-values, alpha) == (-high, -low)


def test_two_hundred_blocks_are_no_trouble():
    low, high = signed_rank_bounds(distinct(np.random.default_rng(3), 200, 0.01), 0.0001)
    assert 0.005 < low < 0.01 < high < 0.015


@pytest.mark.parametrize(
    ("centre", "size", "decision", "improved"),
    [
        (0.0, 20, "pass", False),
        (0.05, 20, "fail", False),
        (0.012, 20, "fail", False),
        (-0.05, 20, "pass", True),
        (0.0, 6, "unknown", False),
        (0.05, 8, "unknown", False),
        (0.05, 9, "fail", False),
    ],
)
def test_the_decision_by_size_of_the_change_and_number_of_blocks(centre, size, decision, improved):
    found = compare_paired(balanced(size) + centre, balanced(size), margin=MARGIN)
    assert (found.decision, found.improved, found.blocks) == (decision, improved, size)


def test_a_change_nobody_cares_about_does_not_fail():
    noise = balanced(30) / 10
    assert compare_paired(noise + 0.004, noise, margin=MARGIN).decision == "fail"
    assert compare_paired(noise + 0.004, noise, margin=MARGIN, dont_care=0.005).decision == "pass"


@pytest.mark.parametrize("bias", [-0.01, 0.01])
@pytest.mark.parametrize("centre", [-0.05, 0.0, 0.05])
def test_nothing_is_decided_while_the_reference_differs_from_itself(bias, centre):
    found = compare_paired(balanced(20) + centre, balanced(20) + bias, margin=MARGIN)
    assert found.decision == "invalid"
    assert not found.improved
    assert not found.null_low <= 0 <= found.null_high
    assert found.null_change == pytest.approx(bias, abs=1e-3)


@settings(deadline=None, max_examples=60)
@given(blocks, st.integers(1, 5), st.sampled_from([0.0, 0.005]))
def test_the_decision_follows_from_the_intervals(values, looks, dont_care):
    found = compare_paired(values, values[::-1], margin=MARGIN, dont_care=dont_care, looks=looks)
    fails, passes = found.low > math.log1p(dont_care), found.high < math.log1p(MARGIN)
    valid = found.null_low <= 0 <= found.null_high
    assert found.decision == ("fail" if fails else "pass" if passes else "unknown") if valid else "invalid"
    assert fails == (found.p_value <= 0.01 / looks)


@pytest.mark.parametrize(
    ("differences", "null_differences", "named"),
    [
        ([], [], "at least one"),
        ([0.1, 0.2], [0.1], "2 and 1"),
        ([0.1, math.nan], [0.1, 0.2], "finite"),
        ([0.1, 0.2], [0.1, -math.inf], "finite"),
    ],
)
def test_arms_that_do_not_match_and_values_that_are_no_logs_are_refused(differences, null_differences, named):
    with pytest.raises(ValueError, match=named):
        compare_paired(np.array(differences), np.array(null_differences), margin=MARGIN)


def decided(random, change, spread) -> str:
    """The decision of one sequence of looks at blocks of three arms."""
    arms = random.normal(0, spread / math.sqrt(2), (LOOKS[-1], 3))
    null, worse = arms[:, 1] - arms[:, 0], arms[:, 2] - arms[:, 0] + math.log1p(change)
    for look in LOOKS:
        decision = compare_paired(worse[:look], null[:look], margin=MARGIN).decision
        if decision != "unknown":
            return decision
    return "unknown"


@pytest.mark.parametrize(
    ("change", "decision", "least", "most"),
    [(0.0, "fail", 0, 0.01), (0.02, "pass", 0, 0.05), (0.0, "pass", 0.95, 1), (0.05, "fail", 0.95, 1)],
)
def test_how_often_it_decides_over_all_looks(change, decision, least, most):
    random, runs = np.random.default_rng(11), 400
    share = sum(decided(random, change, 0.01) == decision for _ in range(runs)) / runs
    slack = 3 * math.sqrt(0.05 * 0.95 / runs)
    assert least - slack <= share <= most + slack
