"""Exact bounds: the published vectors, scipy as oracle, and the error rate that they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.metrics import PERCENTILES
from harness.stats.bounds import (
    ALPHA,
    minimum_frames,
    nearest_rank,
    quantile_upper_bound,
    rate_bounds,
)

ANSWERS = {"pass": "PASS", "fail": "FAIL", "unknown": "inconclusive"}


def judge_exceedances(misses, frames, share=0.99, alpha=ALPHA):
    """What the exact bounds say of a fixed number of frames."""
    if frames <= 0:
        return "unknown"
    lower, upper = rate_bounds(misses, frames, alpha)
    return "pass" if upper <= 1 - share else "fail" if lower > 1 - share else "unknown"


def frames_to_pass(misses, share=0.99, alpha=ALPHA):
    """The fewest frames at which so many misses still prove the quantile."""
    frames = max(minimum_frames(share, alpha), math.floor(misses / (1 - share)))
    while rate_bounds(misses, frames, alpha)[1] > 1 - share:
        frames += 1
    return frames


counts = st.integers(1, 20_000).flatmap(lambda frames: st.tuples(st.integers(0, min(frames, 400)), st.just(frames)))


@pytest.mark.parametrize(
    ("misses", "frames", "upper", "answer"),
    [
        (0, 299, 0.009969, "PASS"),
        (0, 298, 0.010002, "inconclusive"),
        (20, 3000, 0.009673, "PASS"),
        (21, 3000, 0.010065, "inconclusive"),
        (10, 3000, 0.005648, "PASS"),
    ],
)
def test_the_upper_bound_is_the_published_one(misses, frames, upper, answer):
    assert rate_bounds(misses, frames)[1] == pytest.approx(upper, abs=5e-7)
    assert ANSWERS[judge_exceedances(misses, frames)] == answer


def test_the_lower_bound_is_the_published_one():
    assert rate_bounds(43, 3000)[0] == pytest.approx(0.010954, abs=5e-7)
    assert judge_exceedances(43, 3000) == "fail"


@pytest.mark.parametrize(
    ("frames", "passes", "fails"),
    [(299, 0, 7), (459, 0, 9), (1000, 4, 16), (2000, 12, 29), (3000, 20, 40), (6636, 52, 81), (9000, 74, 107)],
)
def test_the_counts_that_decide_are_the_published_ones(frames, passes, fails):
    answers = [judge_exceedances(misses, frames) for misses in range(fails + 2)]
    assert answers == ["pass"] * (passes + 1) + ["unknown"] * (fails - passes - 1) + ["fail"] * 2


@pytest.mark.parametrize(
    ("misses", "p99_95", "p99_99", "p999_95", "p999_99"),
    [
        (0, 299, 459, 2_995, 4_603),
        (1, 473, 662, 4_742, 6_636),
        (2, 628, 838, 6_294, 8_403),
        (5, 1_049, 1_307, 10_511, 13_105),
        (20, 2_902, 3_304, 29_058, 33_097),
    ],
)
def test_the_fewest_frames_that_can_pass_are_the_published_ones(misses, p99_95, p99_99, p999_95, p999_99):
    needed = [frames_to_pass(misses, share, alpha) for share in (0.99, 0.999) for alpha in (0.05, 0.01)]
    assert needed == [p99_95, p99_99, p999_95, p999_99]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 300))
def test_one_frame_less_than_the_fewest_does_not_pass(misses):
    frames = frames_to_pass(misses)
    assert judge_exceedances(misses, frames) == "pass"
    assert judge_exceedances(misses, frames - 1) == "unknown"


@pytest.mark.parametrize(
    ("share", "alpha", "frames"),
    [(0.5, 0.05, 5), (0.9, 0.05, 29), (0.95, 0.05, 59), (0.99, 0.05, 299), (0.99, 0.01, 459), (0.999, 0.05, 2995)],
)
def test_a_percentile_needs_frames_before_any_bound_exists(share, alpha, frames):
    assert minimum_frames(share, alpha) == frames
    assert share**frames <= alpha < share ** (frames - 1)
    assert quantile_upper_bound(np.arange(frames), share, alpha) == frames - 1
    assert quantile_upper_bound(np.arange(frames - 1), share, alpha) is None


@given(counts)
def test_scipys_exact_binomial_interval_is_the_same(case):
    misses, frames = case
    test = stats.binomtest(misses, frames)
    interval = test.proportion_ci(1 - 2 * ALPHA, method="exact")
    assert rate_bounds(misses, frames) == pytest.approx((interval.low, interval.high), abs=1e-12)


@given(counts)
def test_scipys_binomial_test_decides_the_same(case):
    misses, frames = case
    passes = stats.binomtest(misses, frames, 0.01, alternative="less").pvalue <= ALPHA
    fails = stats.binomtest(misses, frames, 0.01, alternative="greater").pvalue < ALPHA
    assert judge_exceedances(misses, frames) == ("pass" if passes else "fail" if fails else "unknown")


@pytest.mark.parametrize("seed", range(8))
def test_scipys_quantile_test_decides_the_same(seed):
    random = np.random.default_rng(seed)
    times = random.lognormal(np.log(40), 0.1, 1000)
    limit = float(np.quantile(times, random.uniform(0.975, 0.999)))
    pvalue = stats.quantile_test(times, q=limit, p=0.99, alternative="less").pvalue
    assert (judge_exceedances(int((times > limit).sum()), 1000) == "pass") == (pvalue <= ALPHA)


@pytest.mark.parametrize(("frames", "rank"), [(299, 299), (473, 472), (1000, 996), (3000, 2980)])
def test_the_order_statistic_above_the_p99_is_the_published_one(frames, rank):
    values = np.random.default_rng(0).permutation(np.arange(1, frames + 1))
    assert quantile_upper_bound(values, 0.99) == rank


@settings(deadline=None)
@given(st.integers(1, 5000), st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.sampled_from([0.05, 0.01]))
def test_the_rank_of_the_bound_is_scipys(frames, share, alpha):
    rank = int(stats.binom.ppf(1 - alpha, frames, share)) + 1
    assert quantile_upper_bound(np.arange(1, frames + 1), share, alpha) == (rank if rank <= frames else None)


@given(st.lists(st.integers(-9, 9), min_size=299, max_size=500), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_bound_is_that_rank_of_the_values_in_any_order(values, random):
    rank = int(stats.binom.ppf(0.95, len(values), 0.99)) + 1
    random.shuffle(values)
    assert quantile_upper_bound(np.array(values), 0.99) == sorted(values)[rank - 1]


@pytest.mark.parametrize(("misses", "frames"), [(0, 0), (0, -1)])
def test_nothing_is_known_of_no_frames(misses, frames):
    assert judge_exceedances(misses, frames) == "unknown"


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4000), st.integers(0, 60), st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))
def test_a_percentile_never_passes_and_fails_by_scipys_test_alike(frames, misses, share):
    misses = min(misses, frames)
    passes = stats.binomtest(misses, frames, 1 - share, alternative="less").pvalue
    fails = stats.binomtest(misses, frames, 1 - share, alternative="greater").pvalue
    if min(abs(passes - ALPHA), abs(fails - ALPHA)) > 1e-9:
        wanted = "pass" if passes <= ALPHA else "fail" if fails < ALPHA else "unknown"
        assert judge_exceedances(misses, frames, share) == wanted


def test_bounds_at_the_edges_are_zero_and_one():
    assert rate_bounds(0, 5)[0] == 0
    assert rate_bounds(5, 5)[1] == 1
    assert judge_exceedances(5, 5) == "fail"


@pytest.mark.parametrize("frames", [299, 660, 1000, 3000])
def test_a_device_just_outside_its_limit_passes_at_most_one_time_in_twenty(frames):
    passes = sum(judge_exceedances(misses, frames) == "pass" for misses in range(frames // 10))
    assert stats.binom.cdf(passes - 1, frames, 0.01) <= ALPHA
    simulated = np.random.default_rng(5).binomial(frames, 0.01, 20_000) < passes
    assert simulated.mean() <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / 20_000)


@pytest.mark.parametrize("frames", [299, 660, 1000, 3000])
def test_a_device_just_inside_its_limit_fails_at_most_one_time_in_twenty(frames):
    fails = min(misses for misses in range(frames) if judge_exceedances(misses, frames) == "fail")
    assert stats.binom.sf(fails - 1, frames, 0.01) <= ALPHA


@pytest.mark.parametrize(("rate", "passes"), [(0.001, 1.0), (0.0025, 1.0), (0.005, 0.92), (0.0075, 0.35)])
def test_three_thousand_frames_pass_a_good_device_as_often_as_published(rate, passes):
    assert stats.binom.cdf(20, 3000, rate) == pytest.approx(passes, abs=0.005)


shares = st.sampled_from([*PERCENTILES.values(), 0.01, 0.25])


@given(st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=400), shares)
def test_the_nearest_rank_is_numpys_inverted_distribution(values, share):
    array = np.array(values, np.int64)
    assert nearest_rank(array, share) == np.quantile(array, share, method="inverted_cdf")
    assert nearest_rank(array, share) in values


@pytest.mark.parametrize("share", PERCENTILES.values())
def test_the_rank_does_not_suffer_from_rounding(share):
    for size in range(1, 3001):
        assert math.ceil(share * size) == -(-round(share * 1000) * size // 1000)


@pytest.mark.parametrize(
    ("share", "value"), [(0.5, 50), (0.9, 90), (0.95, 95), (0.99, 99), (0.999, 100), (0.0001, 1), (1.0, 100)]
)
def test_the_nearest_rank_of_one_to_a_hundred(share, value):
    assert nearest_rank(np.arange(100, 0, -1), share) == value
