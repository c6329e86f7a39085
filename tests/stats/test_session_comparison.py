"""Sessions against a stored baseline: worked vectors, scipy's t test as oracle, and the error rates of the looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.sessions import LOOKS, SessionComparison, compare_sessions, minimum_detectable

QUIET_MS = (20.00, 20.14, 19.90, 20.22, 20.05, 19.84, 20.10, 19.96, 20.18, 20.02, 19.93, 20.08)
NOISY_MS = (20.0, 20.9, 19.4, 20.3, 19.7, 21.0, 20.5, 19.2, 20.1, 20.8, 19.9, 20.4)
MARGIN = 0.05
logs = st.floats(-0.2, 0.2).map(lambda value: round(value, 6))
baselines, candidates = st.lists(logs, min_size=2, max_size=20), st.lists(logs, min_size=1, max_size=8)


def compare_ms(baseline, candidate) -> SessionComparison:
    return compare_sessions(np.log(baseline), np.log(candidate), margin=MARGIN)


@pytest.mark.parametrize(
    ("candidate", "change", "low", "high", "decision"),
    [
        ([20.06], 0.001262, -0.017399, 0.012053, "pass"),
        ([20.30], 0.013155, -0.005505, 0.023946, "pass"),
        ([20.90], 0.042284, 0.023623, 0.053074, "fail"),
        ([20.90, 20.80], None, 0.026791, 0.047526, "fail"),
    ],
)
def test_a_quiet_device_is_decided_at_the_first_look(candidate, change, low, high, decision):
    found = compare_ms(QUIET_MS, candidate)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-7)
    assert change is None or found.change == pytest.approx(change, abs=6e-7)
    assert found.decision == decision


@pytest.mark.parametrize(
    ("sessions", "low", "high", "decision"),
    [
        (1, -0.057371, 0.088835, "unknown"),
        (2, -0.019897, 0.082465, "unknown"),
        (3, -0.007003, 0.075194, "unknown"),
        (5, 0.007344, 0.070029, "fail"),
    ],
)
def test_a_noisy_device_needs_more_sessions(sessions, low, high, decision):
    found = compare_ms(NOISY_MS, [20.9, 21.3, 21.1, 21.4, 21.0][:sessions])
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-7)
    assert found.decision == decision


@pytest.mark.parametrize(
    ("baseline", "candidate", "spread", "df"),
    [
        (QUIET_MS, [20.06], 0.005773, 11),
        (QUIET_MS, [20.90, 20.80], 0.005613, 12),
        (NOISY_MS, [20.9], 0.028658, 11),
        (NOISY_MS, [20.9, 21.3, 21.1, 21.4, 21.0], 0.025057, 15),
        ([20.0] * 5, [20.0], 0.003, 4),
    ],
)
def test_the_spread_is_pooled_and_not_below_the_floor(baseline, candidate, spread, df):
    found = compare_ms(baseline, candidate)
    assert found.spread == pytest.approx(spread, abs=6e-7)
    assert found.df == df


def test_a_luckily_quiet_baseline_does_not_bite():
    lucky = [0.0, 1e-5, -1e-5, 0.0, 1e-5]
    assert compare_sessions(lucky, [0.005], margin=MARGIN).decision == "pass"
    assert compare_sessions(lucky, [0.005], margin=MARGIN, floor=0.0).decision == "fail"


@given(baselines, st.lists(logs, min_size=2, max_size=8))
def test_without_a_floor_the_p_value_is_scipys(baseline, candidate):
    assume(min(np.ptp(baseline), np.ptp(candidate)) > 1e-5)
    found = compare_sessions(baseline, candidate, margin=MARGIN, floor=0.0)
    oracle = stats.ttest_ind(candidate, baseline, alternative="greater")
    assert found.p_value == pytest.approx(oracle.pvalue, rel=1e-6, abs=1e-12)


@given(baselines, candidates, st.sampled_from([0.0, 0.005, 0.01]), st.sampled_from([0.05, 0.005, 0.001]))
def test_the_decision_follows_from_the_interval_and_the_p_value_agrees(baseline, candidate, dont_care, alpha):
    found = compare_sessions(baseline, candidate, margin=MARGIN, dont_care=dont_care, alpha_fail=alpha)
    fails, passes = found.low > math.log1p(dont_care), found.high < math.log1p(MARGIN)
    assert found.decision == ("fail" if fails else "pass" if passes else "unknown")
    assert found.low <= found.change <= found.high
    if abs(found.p_value - alpha) > 1e-9:
        assert (found.p_value < alpha) == fails
    assert not (found.improved and fails)


@given(baselines, candidates, logs)
def test_the_unit_of_the_metric_does_not_matter(baseline, candidate, unit):
    found = compare_sessions(baseline, candidate, margin=MARGIN)
    other = compare_sessions([one + unit for one in baseline], [one + unit for one in candidate], margin=MARGIN)
    assert (other.change, other.low, other.high) == pytest.approx((found.change, found.low, found.high), abs=1e-9)


@given(baselines, candidates, st.randoms(use_true_random=False))
def test_the_order_of_the_sessions_does_not_matter(baseline, candidate, random):
    found = compare_sessions(baseline, candidate, margin=MARGIN)
    random.shuffle(baseline)
    random.shuffle(candidate)
    other = compare_sessions(baseline, candidate, margin=MARGIN)
    assert (other.low, other.high) == pytest.approx((found.low, found.high), abs=1e-9)


@given(baselines, candidates)
def test_what_improves_is_what_would_fail_with_the_signs_turned(baseline, candidate):
    found = compare_sessions(baseline, candidate, margin=MARGIN)
    turned = compare_sessions([-one for one in baseline], [-one for one in candidate], margin=MARGIN, dont_care=MARGIN)
    assert found.improved == (turned.decision == "fail")


def test_the_bounds_are_strict():
    found = compare_ms(NOISY_MS, [20.9, 21.3, 21.1, 21.4, 21.0])
    again = compare_sessions(
        np.log(NOISY_MS),
        np.log([20.9, 21.3, 21.1, 21.4, 21.0]),
        margin=math.expm1(found.high) * (1 - 1e-12),
        dont_care=math.expm1(found.low) * (1 + 1e-12),
    )
    assert again.decision == "unknown"


def test_one_session_does_not_fail_where_two_are_asked_for():
    single, double = (
        compare_sessions(np.log(QUIET_MS), np.log([25.0] * count), margin=MARGIN, fail_from=2) for count in (1, 2)
    )
    assert (single.decision, single.low, single.p_value) == ("unknown", -math.inf, 1.0)
    assert double == compare_ms(QUIET_MS, [25.0] * 2)
    assert double.decision == "fail"
    assert not compare_sessions(np.log(QUIET_MS), np.log([10.0]), margin=MARGIN, fail_from=2).improved


def test_one_session_passes_where_two_are_asked_for_to_fail():
    found = compare_sessions(np.log(QUIET_MS), np.log([20.06]), margin=MARGIN, fail_from=2)
    assert found.decision == "pass"


@pytest.mark.parametrize(
    ("baseline", "candidate", "named"),
    [
        ([0.1], [0.1], "baseline"),
        ([], [0.1], "baseline"),
        ([0.1, 0.2], [], "candidate"),
        ([0.1, math.nan], [0.1], "baseline"),
        ([0.1, 0.2], [math.inf], "candidate"),
    ],
)
def test_too_few_sessions_and_values_that_are_no_logs_are_refused(baseline, candidate, named):
    with pytest.raises(ValueError, match=named):
        compare_sessions(baseline, candidate, margin=MARGIN)


@pytest.mark.parametrize(
    ("baseline", "candidate", "percents"),
    [
        (5, 1, (3.14, 6.38, 13.16, 20.37)),
        (5, 3, (1.75, 3.53, 7.18, 10.95)),
        (5, 5, (1.40, 2.82, 5.71, 8.69)),
        (12, 1, (2.18, 4.41, 9.00, 13.80)),
        (12, 3, (1.32, 2.65, 5.36, 8.15)),
        (12, 5, (1.07, 2.14, 4.33, 6.56)),
        (20, 1, (2.02, 4.07, 8.31, 12.71)),
        (20, 3, (1.21, 2.43, 4.90, 7.44)),
        (20, 5, (0.97, 1.94, 3.92, 5.93)),
    ],
)
def test_the_minimum_detectable_change_by_sessions_and_spread(baseline, candidate, percents):
    found = [100 * minimum_detectable(spread, baseline, candidate) for spread in (0.005, 0.01, 0.02, 0.03)]
    rounded_up = [math.ceil(100 * value) / 100 for value in found]
    assert rounded_up == pytest.approx(percents, abs=0.011)


@pytest.mark.parametrize(
    ("spread", "change", "sessions"),
    [
        (0.005, 0.01, 5),
        (0.005, 0.02, 2),
        (0.005, 0.05, 1),
        (0.01, 0.01, 44),
        (0.01, 0.02, 5),
        (0.01, 0.05, 1),
        (0.02, 0.01, None),
        (0.02, 0.02, 46),
        (0.02, 0.05, 3),
        (0.03, 0.02, None),
        (0.03, 0.05, 8),
    ],
)
def test_how_many_sessions_find_a_change_beside_twenty_of_the_baseline(spread, change, sessions):
    enough = (count for count in range(1, 100) if minimum_detectable(spread, 20, count) <= change)
    assert next(enough, None) == sessions


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(1, 8), st.floats(0.003, 0.03), st.sampled_from([0.0, 0.01]))
def test_scipys_noncentral_t_finds_the_minimum_detectable_change_nine_times_in_ten(before, after, spread, dont_care):
    change = minimum_detectable(spread, before, after, dont_care=dont_care)
    df, error = before + after - 2, spread * math.sqrt(1 / before + 1 / after)
    shift = (math.log1p(change) - math.log1p(dont_care)) / error
    assert stats.nct.sf(stats.t.ppf(0.99, df), df, shift) == pytest.approx(0.9, abs=1e-6)


def test_the_comparison_says_what_it_could_have_found():
    found = compare_ms(NOISY_MS, [20.9])
    assert found.minimum_detectable == minimum_detectable(found.spread, 12, 1)


def decided(random, spread, change, heavy_tails) -> str:
    """The decision of one sequence of looks: twelve baseline sessions, up to eight of a candidate."""
    noise = random.standard_t(4, 20) / math.sqrt(2) if heavy_tails else random.standard_normal(20)
    values = spread * noise + np.where(np.arange(20) < 12, 0, math.log1p(change))
    for look in LOOKS:
        decision = compare_sessions(values[:12], values[12 : 12 + look], margin=MARGIN).decision
        if decision != "unknown":
            return decision
    return "unknown"


@pytest.mark.parametrize(
    ("spread", "change", "heavy_tails", "fails"),
    [
        (0.01, 0.0, False, 0.004),
        (0.01, 0.0, True, 0.012),
        (0.01, 0.02, False, 0.20),
        (0.01, 0.05, False, 0.98),
        (0.02, 0.05, False, 0.90),
        (0.01, 0.10, True, 0.999),
    ],
)
def test_how_often_it_fails_over_all_looks(spread, change, heavy_tails, fails):
    random, runs = np.random.default_rng(7), 1500
    count = sum(decided(random, spread, change, heavy_tails) == "fail" for _ in range(runs))
    assert count / runs == pytest.approx(fails, abs=0.004 + 3 * math.sqrt(fails * (1 - fails) / runs))
