"""Paired proportions: the published intervals, the likelihood maximised numerically, and the rate of wrong answers."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from harness.stats.proportions import (
    frames_needed,
    judge_agreement,
    judge_noninferiority,
    mcnemar_p,
    newcombe_interval,
    tango_interval,
)

tables = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 3000), st.sampled_from([0.025, 0.05, 0.2]))
tables = tables.filter(lambda one: sum(one[:3]) > 0).map(lambda one: (one[0], one[1], sum(one[:3]), one[3]))


def likeliest_share(b, c, frames, difference):
    """The share of c that makes the counts likeliest, where that of b is larger by `difference`."""
    low, high = max(0.0, -difference), (1 - difference) / 2

    def surprise(share):
        shares = np.clip([share + difference, share, 1 - 2 * share - difference], 1e-300, 1)
        return -float(np.dot([b, c, frames - b - c], np.log(shares)))

    return optimize.minimize_scalar(surprise, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x


def score(b, c, frames, difference):
    share = likeliest_share(b, c, frames, difference)
    return (b - c - frames * difference) / math.sqrt(frames * (2 * share + difference * (1 - difference)))


@pytest.mark.parametrize(
    ("b", "c", "frames", "alpha", "interval"),
    [
        (40, 20, 160, 0.025, (0.030865, 0.218064)),
        (5, 0, 41, 0.025, (0.025836, 0.255442)),
        (0, 0, 2000, 0.05, (-0.001351, 0.001351)),
        (20, 20, 2000, 0.05, (-0.005367, 0.005367)),
        (25, 20, 2000, 0.05, (-0.003105, 0.008237)),
        (30, 20, 2000, 0.05, (-0.000837, 0.011074)),
        (40, 20, 2000, 0.05, (0.003714, 0.016680)),
        (12, 4, 1713, 0.05, (0.000908, 0.009106)),
        (10, 0, 1000, 0.05, (0.005987, 0.016657)),
    ],
)
def test_the_score_interval_is_the_published_one(b, c, frames, alpha, interval):
    assert tango_interval(b, c, frames, alpha) == pytest.approx(interval, abs=6e-7)


@pytest.mark.parametrize(
    ("b", "c", "decision"), [(0, 0, "pass"), (20, 20, "pass"), (25, 20, "pass"), (30, 20, "unknown"), (60, 20, "fail")]
)
def test_two_thousand_frames_decide_as_published(b, c, decision):
    verdict = judge_noninferiority(b, c, 2000, margin=0.01)
    assert (verdict.decision, verdict.loss, verdict.discordant) == (decision, (b - c) / 2000, b + c)
    assert (verdict.low, verdict.high) == tango_interval(b, c, 2000)


@pytest.mark.parametrize(
    ("b", "c", "frames"), [(40, 20, 160), (3, 9, 60), (12, 4, 1713), (5, 5, 10), (1, 30, 31), (200, 150, 3000)]
)
def test_the_limits_are_where_the_numerically_maximised_likelihood_puts_them(b, c, frames):
    estimate, z = (b - c) / frames, stats.norm.ppf(0.95)
    low = optimize.brentq(lambda one: score(b, c, frames, one) - z, -1 + 1e-9, estimate)
    high = optimize.brentq(lambda one: score(b, c, frames, one) + z, estimate, 1 - 1e-9)
    assert tango_interval(b, c, frames) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize("frames", [1, 10, 267, 2000, 10**9])
def test_without_a_discordant_frame_the_interval_still_has_its_width(frames):
    z = stats.norm.ppf(0.95)
    width = z**2 / (frames + z**2)
    assert tango_interval(0, 0, frames) == pytest.approx((-width, width), rel=1e-3)


@pytest.mark.parametrize(
    ("b", "c", "frames", "low", "high"),
    [(0, 0, 0, -1, 1), (5, 0, 5, 0.297767, 1), (0, 5, 5, -1, -0.297767), (1, 0, 1, -0.460268, 1)],
)
def test_the_interval_ends_at_one(b, c, frames, low, high):
    assert tango_interval(b, c, frames) == pytest.approx((low, high), abs=1e-6)


@settings(deadline=None)
@given(tables)
def test_the_estimate_lies_inside_its_interval(table):
    b, c, frames, alpha = table
    low, high = tango_interval(b, c, frames, alpha)
    assert -1 <= low <= (b - c) / frames <= high <= 1
    assert low < high


@settings(deadline=None)
@given(tables)
def test_the_models_exchanged_the_interval_is_mirrored(table):
    b, c, frames, alpha = table
    low, high = tango_interval(b, c, frames, alpha)
    assert tango_interval(c, b, frames, alpha) == (-high, -low)


@settings(deadline=None)
@given(tables)
def test_a_frame_more_that_only_the_reference_gets_right_raises_both_limits(table):
    b, c, frames, alpha = table
    assume(b + c < frames)
    before, after = tango_interval(b, c, frames, alpha), tango_interval(b + 1, c, frames, alpha)
    assert after[0] >= before[0] - 1e-12
    assert after[1] >= before[1] - 1e-12


@settings(deadline=None)
@given(tables)
def test_more_confidence_is_a_wider_interval(table):
    b, c, frames, _ = table
    narrow, wide = tango_interval(b, c, frames, 0.1), tango_interval(b, c, frames, 0.01)
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@pytest.mark.parametrize(
    ("table", "alpha", "interval"),
    [((14, 5, 0, 22), 0.025, (0.011483, 0.226493)), ((1860, 30, 20, 90), 0.05, (-0.000928, 0.011046))],
)
def test_newcombes_interval_is_the_published_one(table, alpha, interval):
    assert newcombe_interval(*table, alpha=alpha) == pytest.approx(interval, abs=6e-7)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 500)] * 4).filter(any), st.sampled_from([0.025, 0.05]))
def test_newcombes_interval_holds_the_estimate_and_is_mirrored_too(table, alpha):
    a, b, c, d = table
    low, high = newcombe_interval(a, b, c, d, alpha)
    assert low <= (b - c) / sum(table) + 1e-12
    assert high >= (b - c) / sum(table) - 1e-12
    assert newcombe_interval(a, c, b, d, alpha) == pytest.approx((-high, -low), abs=1e-12)


@settings(deadline=None)
@given(st.integers(100, 400), st.integers(100, 400), st.integers(5000, 9000))
def test_with_many_frames_both_intervals_agree(b, c, both_right):
    frames = both_right + b + c + 3000
    newcombe = newcombe_interval(both_right, b, c, 3000)
    assert tango_interval(b, c, frames) == pytest.approx(newcombe, abs=1e-4)


@pytest.mark.parametrize(
    ("b", "c", "p"), [(30, 20, 0.202639), (40, 20, 0.013489), (5, 0, 0.0625), (0, 0, 1), (4, 4, 1)]
)
def test_mcnemars_p_value_is_the_published_one(b, c, p):
    assert mcnemar_p(b, c) == pytest.approx(p, abs=6e-7)


@given(st.integers(0, 200), st.integers(0, 200))
def test_mcnemars_p_value_is_that_of_statsmodels(b, c):
    assert mcnemar_p(b, c) == pytest.approx(mcnemar([[10, b], [c, 10]], exact=True).pvalue, abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "frames"),
    [
        (0.0, (857, 1_713, 4_282, 8_564)),
        (0.0025, (1_522, 3_044, 7_612, 15_224)),
        (0.005, (3_417, 6_843, 17_120, 34_247)),
    ],
)
def test_the_frames_needed_are_the_published_ones(loss, frames):
    assert tuple(frames_needed(one, 0.01, loss) for one in (0.01, 0.02, 0.05, 0.1)) == frames


@pytest.mark.parametrize(("discordance", "loss"), [(0.02, 0.0), (0.05, 0.0025)])
def test_so_many_frames_pass_nine_times_in_ten(discordance, loss):
    frames = frames_needed(discordance, 0.01, loss)
    shares = [(discordance + loss) / 2, (discordance - loss) / 2, 1 - discordance]
    drawn = np.random.default_rng(4).multinomial(frames, shares, size=600)
    passed = [judge_noninferiority(b, c, frames, margin=0.01).decision == "pass" for b, c, _ in drawn.tolist()]
    assert np.mean(passed) == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(
    ("discordance", "loss"), [(0.01, 0.01), (0.02, 0.012), (0.001, 0.002), (0.001, -0.002), (1.1, 0.0)]
)
def test_no_number_of_frames_shows_what_is_not_so(discordance, loss):
    with pytest.raises(ValueError, match="no number of frames"):
        frames_needed(discordance, 0.01, loss)


@pytest.mark.parametrize(
    ("b", "c", "frames", "needed"),
    [
        (0, 0, 50, 268),
        (0, 0, 0, 268),
        (20, 20, 2000, 1713),
        (0, 40, 2000, 1713),
        (25, 20, 2000, 3425),
        (40, 20, 2000, None),
    ],
)
def test_the_verdict_says_how_many_frames_would_do(b, c, frames, needed):
    assert judge_noninferiority(b, c, frames, margin=0.01).needed == needed


@pytest.mark.parametrize(("frames", "decision"), [(0, "unknown"), (267, "unknown"), (268, "pass")])
def test_models_that_never_differ_pass_from_the_fewest_frames_on(frames, decision):
    assert judge_noninferiority(0, 0, frames, margin=0.01).decision == decision


def first_b(decisions, c, frames):
    """The fewest frames that only the reference gets right for one of these decisions."""
    rising = range(frames - c + 1)
    return bisect_left(rising, True, key=lambda b: judge_noninferiority(b, c, frames, 0.01).decision in decisions)


@pytest.mark.parametrize("frames", [1000, 3000])
@pytest.mark.parametrize("discordance", [0.011, 0.03, 0.08])
def test_a_loss_of_exactly_the_margin_passes_or_fails_about_one_time_in_twenty(discordance, frames):
    share_b, share_c = (discordance + 0.01) / 2, (discordance - 0.01) / 2
    passed = failed = 0.0
    for c in range(int(stats.binom.ppf(1 - 1e-7, frames, share_c)) + 1):
        chance = stats.binom.pmf(c, frames, share_c)
        rest = stats.binom(frames - c, share_b / (1 - share_c))
        passed += chance * rest.cdf(first_b({"unknown", "fail"}, c, frames) - 1)
        failed += chance * rest.sf(first_b({"fail"}, c, frames) - 1)
    assert passed <= 0.0505
    assert failed <= 0.058


@pytest.mark.parametrize(("b", "c", "frames"), [(-1, 0, 5), (0, -1, 5), (3, 3, 5), (1, 0, 0)])
def test_counts_that_do_not_fit_are_refused(b, c, frames):
    with pytest.raises(ValueError, match="do not fit"):
        judge_noninferiority(b, c, frames, margin=0.01)


@pytest.mark.parametrize("margin", [0.0, -0.01, 1.0, math.nan])
def test_a_margin_that_is_no_share_is_refused(margin):
    with pytest.raises(ValueError, match="margin"):
        judge_noninferiority(1, 1, 100, margin=margin)


@pytest.mark.parametrize(
    ("flips", "frames", "allowed", "decision"),
    [
        (0, 298, 0.01, "unknown"),
        (0, 299, 0.01, "pass"),
        (20, 3000, 0.01, "pass"),
        (21, 3000, 0.01, "unknown"),
        (43, 3000, 0.01, "fail"),
        (5, 5, 0.5, "fail"),
        (0, 0, 0.5, "unknown"),
        (0, 40, 0.0, "unknown"),
        (1, 40, 0.0, "fail"),
    ],
)
def test_agreement_is_judged_by_the_exact_bounds_of_the_flips(flips, frames, allowed, decision):
    assert judge_agreement(flips, frames, allowed).decision == decision


@given(st.integers(1, 5000).flatmap(lambda frames: st.tuples(st.integers(0, frames), st.just(frames))))
def test_the_bounds_of_the_flips_are_those_of_statsmodels(case):
    flips, frames = case
    verdict = judge_agreement(flips, frames, 0.02)
    assert (verdict.low, verdict.high) == pytest.approx(proportion_confint(flips, frames, 0.1, "beta"), abs=1e-12)
    assert verdict.share == flips / frames


@pytest.mark.parametrize(("flips", "frames"), [(-1, 5), (6, 5), (1, 0)])
def test_flips_that_do_not_fit_are_refused(flips, frames):
    with pytest.raises(ValueError, match="do not fit"):
        judge_agreement(flips, frames, 0.01)
