"""Whole clusters resampled: agreement with scipy where it has an answer, and the rate of wrong answers elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.clusters import judge_cluster_sums
from harness.stats.proportions import judge_noninferiority

sizes = st.sampled_from([6, 12, 13, 19, 20, 45])
seeds = st.integers(0, 10_000)


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def f1(sums):
    """Of true positives, false positives and misses."""
    return 2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2])


def one_value_each(values):
    return np.column_stack([values, np.ones(len(values))])


def errors(random, clusters, worse_by=0.0):
    """(sum of errors, frames) of both models; subjects differ in size, in difficulty and in the loss."""
    frames = np.maximum(5, random.lognormal(math.log(60), 0.5, clusters).round())
    difficulty, loss = random.lognormal(math.log(4), 0.3, clusters), random.normal(worse_by, 0.3, clusters)
    return np.column_stack([frames * difficulty, frames]), np.column_stack([frames * (difficulty + loss), frames])


def hits(random, clusters, lost=0.03):
    """(true positives, false positives, misses) of both models; a few subjects lose most."""
    positives = random.binomial(60, 0.3, clusters)
    right, false = random.binomial(positives, 0.9), random.binomial(60 - positives, 0.03)
    gone = random.binomial(right, np.minimum(random.exponential(lost, clusters), 1))
    counts = np.column_stack([right, false, positives - right])
    return counts, counts + np.column_stack([-gone, np.zeros(clusters, int), gone])


def loss_of_f1(reference, candidate):
    return float(f1(reference.sum(axis=0)) - f1(candidate.sum(axis=0)))


TRUE_LOSS_OF_F1 = loss_of_f1(*hits(np.random.default_rng(0), 400_000))


@pytest.mark.parametrize("seed", range(3))
def test_with_many_clusters_of_one_size_the_interval_is_that_of_the_t_test(seed):
    random = np.random.default_rng(seed)
    reference, candidate = random.normal(10, 3, 300), random.normal(10.2, 3, 300)
    verdict = judge_cluster_sums(
        one_value_each(reference), one_value_each(candidate), mean, better="less", margin=1.0, seed=seed
    )
    expected = stats.ttest_rel(candidate, reference).confidence_interval(0.9)
    assert verdict.loss == pytest.approx((candidate - reference).mean())
    assert (verdict.low, verdict.high) == pytest.approx((expected.low, expected.high), abs=0.06)


def test_scipys_bootstrap_of_the_same_score_gives_about_the_same_interval():
    reference, candidate = hits(np.random.default_rng(1), 150)
    verdict = judge_cluster_sums(reference, candidate, f1, better="more", margin=0.1)
    rows = np.arange(150)

    def loss(drawn, axis=-1):
        return f1(reference[drawn].sum(axis=axis - 1)) - f1(candidate[drawn].sum(axis=axis - 1))

    expected = stats.bootstrap((rows,), lambda drawn, axis: loss(drawn), confidence_level=0.9, rng=2, vectorized=True)
    assert verdict.low == pytest.approx(expected.confidence_interval.low, rel=0.1)
    assert verdict.high == pytest.approx(expected.confidence_interval.high, rel=0.1)


@settings(max_examples=20, deadline=None)
@given(sizes, seeds)
def test_the_models_exchanged_the_verdict_is_mirrored(clusters, seed):
    reference, candidate = hits(np.random.default_rng(seed), clusters)
    there = judge_cluster_sums(reference, candidate, f1, better="more", margin=0.01, resamples=300)
    back = judge_cluster_sums(candidate, reference, f1, better="more", margin=0.01, resamples=300)
    assert (back.loss, back.low, back.high) == pytest.approx((-there.loss, -there.high, -there.low), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(sizes, seeds)
def test_the_limits_are_ordered_and_a_stricter_alpha_widens_them(clusters, seed):
    reference, candidate = errors(np.random.default_rng(seed), clusters)
    loose, strict = (
        judge_cluster_sums(reference, candidate, mean, better="less", margin=0.1, alpha=alpha, resamples=400)
        for alpha in (0.1, 0.03)
    )
    assert strict.low <= loose.low <= loose.loss <= loose.high <= strict.high


@pytest.mark.parametrize(("better", "decision"), [("less", "pass"), ("more", "fail")])
def test_the_same_difference_is_a_gain_or_a_loss_as_the_score_has_it(better, decision):
    reference, candidate = errors(np.random.default_rng(3), 40, worse_by=-1.0)
    verdict = judge_cluster_sums(reference, candidate, mean, better=better, margin=0.1)
    assert verdict.decision == decision
    assert math.copysign(1, verdict.loss) == (-1 if better == "less" else 1)


@pytest.mark.parametrize(("margin", "decision"), [(0.12, "fail"), (0.125, "unknown"), (0.13, "pass")])
def test_a_loss_that_is_exactly_the_margin_is_neither_shown_nor_refuted(margin, decision):
    reference, candidate = (np.column_stack([np.full(30, errors), np.full(30, 16.0)]) for errors in (8.0, 10.0))
    verdict = judge_cluster_sums(reference, candidate, mean, better="less", margin=margin)
    assert (verdict.decision, verdict.low, verdict.high) == (decision, 0.125, 0.125)


def test_the_verdict_is_the_same_each_time():
    reference, candidate = hits(np.random.default_rng(5), 25)
    first, again, other = (
        judge_cluster_sums(reference, candidate, f1, better="more", margin=0.01, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first.high == pytest.approx(other.high, rel=0.1)


@pytest.mark.parametrize("clusters", [500, 2000])
def test_many_clusters_are_resampled_in_parts_with_the_same_result(clusters):
    reference, candidate = errors(np.random.default_rng(6), clusters, worse_by=0.2)
    verdict = judge_cluster_sums(reference, candidate, mean, better="less", margin=0.25, resamples=600)
    losses = candidate[:, 0] - reference[:, 0] - verdict.loss * reference[:, 1]
    half = 1.645 * losses.std() * math.sqrt(clusters) / reference[:, 1].sum()
    assert (verdict.low, verdict.high) == pytest.approx((verdict.loss - half, verdict.loss + half), abs=0.25 * half)


@pytest.mark.parametrize("clusters", [1, 2, 3, 4])
def test_fewer_than_five_clusters_decide_nothing(clusters):
    reference, candidate = errors(np.random.default_rng(7), clusters, worse_by=-5.0)
    verdict = judge_cluster_sums(reference, candidate, mean, better="less", margin=1.0)
    assert (verdict.decision, verdict.low, verdict.high) == ("unknown", -math.inf, math.inf)
    assert verdict.clusters == clusters


def test_no_cluster_at_all_decides_nothing():
    verdict = judge_cluster_sums(np.empty((0, 2)), np.empty((0, 2)), mean, better="less", margin=1.0)
    assert (verdict.decision, verdict.clusters) == ("unknown", 0)


@settings(max_examples=15, deadline=None)
@given(st.integers(5, 12), seeds)
def test_with_few_clusters_whatever_is_decided_the_sign_flip_test_confirms(clusters, seed):
    random = np.random.default_rng(seed)
    reference = random.normal(0, 1, clusters)
    candidate = reference + random.normal(0.3, 0.5, clusters)
    for margin, alternative in ((0.9, "less"), (-0.1, "greater")):
        verdict = judge_cluster_sums(
            one_value_each(reference), one_value_each(candidate), mean, better="less", margin=margin, resamples=300
        )
        if verdict.decision == {"less": "pass", "greater": "fail"}[alternative]:
            test = stats.permutation_test(
                (candidate - reference - margin,), np.mean, permutation_type="samples", alternative=alternative
            )
            assert test.pvalue <= 0.05 + 1e-9


@pytest.mark.parametrize(("clusters", "method"), [(19, "percentile-t and sign-flip"), (20, "percentile-t")])
def test_the_verdict_names_its_method(clusters, method):
    reference, candidate = errors(np.random.default_rng(8), clusters)
    assert judge_cluster_sums(reference, candidate, mean, better="less", margin=1.0).method == method


@pytest.mark.parametrize(("with_events", "decision"), [(0, "unknown"), (1, "unknown"), (2, "unknown"), (30, "pass")])
def test_a_score_that_resamples_may_lack_is_not_taken_as_shown(with_events, decision):
    counts = np.zeros((30, 3))
    counts[:with_events] = [9, 1, 0]
    verdict = judge_cluster_sums(counts, counts, f1, better="more", margin=0.01)
    assert verdict.decision == decision
    assert math.isnan(verdict.loss) == (with_events == 0)


@pytest.mark.parametrize("clusters", [5, 19, 20])
def test_a_candidate_without_any_difference_passes(clusters):
    counts, _ = hits(np.random.default_rng(9), clusters)
    verdict = judge_cluster_sums(counts, counts, f1, better="more", margin=0.001)
    assert (verdict.decision, verdict.low, verdict.high) == ("pass", 0.0, 0.0)


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [(np.ones(5), np.ones(5)), (np.ones((5, 2)), np.ones((4, 2))), (np.ones((5, 2)), np.ones((5, 3)))],
)
def test_sums_of_another_shape_are_refused(reference, candidate):
    with pytest.raises(ValueError, match="clusters, columns"):
        judge_cluster_sums(reference, candidate, mean, better="more", margin=0.1)


@pytest.mark.parametrize("clusters", [8, 19, 30])
def test_a_loss_of_exactly_the_margin_seldom_passes_or_fails(clusters):
    random = np.random.default_rng(clusters)
    decisions = [
        judge_cluster_sums(*errors(random, clusters, 0.2), mean, better="less", margin=0.2, resamples=200).decision
        for _ in range(300)
    ]
    assert decisions.count("pass") <= 0.1 * 300
    assert decisions.count("fail") <= 0.1 * 300


@pytest.mark.parametrize("clusters", [12, 30])
def test_a_loss_that_a_few_subjects_bear_seldom_passes_at_the_margin(clusters):
    random = np.random.default_rng(clusters)
    margin = TRUE_LOSS_OF_F1
    decisions = [
        judge_cluster_sums(*hits(random, clusters), f1, better="more", margin=margin, resamples=200).decision
        for _ in range(300)
    ]
    assert decisions.count("pass") <= 0.13 * 300
    assert decisions.count("fail") <= 0.1 * 300


def test_frames_taken_as_independent_would_pass_far_too_often():
    random = np.random.default_rng(12)
    of_frames = of_clusters = 0
    for _ in range(200):
        lost = random.binomial(100, np.minimum(random.exponential(0.01, 25), 1))
        right = np.column_stack([np.full(25, 90), np.full(25, 100)])
        verdict = judge_cluster_sums(
            right, right - np.column_stack([lost, np.zeros(25, int)]), mean, better="more", margin=0.01, resamples=200
        )
        of_clusters += verdict.decision == "pass"
        of_frames += judge_noninferiority(int(lost.sum()), 0, 2500, margin=0.01).decision == "pass"
    assert of_clusters <= 0.13 * 200
    assert of_frames > 1.4 * of_clusters
