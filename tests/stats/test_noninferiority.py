"""Clustered losses: equal models pass, one bad cluster does not, and the error rate that the intervals promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.noninferiority import judge_clustered_loss, judge_resampled_loss, sign_flip_p
from harness.stats.proportions import tango_interval

MARGIN = 0.01


def judged(worse, better, frames, margin=MARGIN):
    """Frames by cluster: that only the reference got right, only the candidate, and all."""
    worse, better, frames = (np.asarray(one) for one in (worse, better, frames))
    counts = int(worse.sum()), int(better.sum())
    return judge_clustered_loss(
        (worse - better).tolist(), frames.tolist(), int(frames.sum()), margin, discordant=counts
    )


def spread(counts, clusters):
    return np.bincount(np.arange(counts) % clusters, minlength=clusters)


# clusters, frames of each, worse and better frames and over how many clusters they are spread, decision
DECISIONS = {
    "no frame differs": (20, 100, (0, 1), (0, 1), "pass"),
    "no frame differs, but there are few": (10, 25, (0, 1), (0, 1), "unknown"),
    "no frame differs, but there are four clusters": (4, 1000, (0, 1), (0, 1), "unknown"),
    "one frame differs": (14, 143, (1, 1), (0, 1), "pass"),
    "one frame differs for the better": (28, 71, (0, 1), (1, 1), "pass"),
    "a few frames everywhere": (20, 100, (20, 20), (18, 18), "pass"),
    "all that differ in one cluster": (20, 100, (12, 1), (0, 1), "unknown"),
    "all that differ in every cluster": (20, 100, (10, 10), (0, 1), "pass"),
    "worse everywhere": (20, 100, (60, 20), (0, 1), "fail"),
    "worse in half of the clusters": (20, 100, (30, 10), (0, 1), "unknown"),
    "better everywhere": (20, 100, (0, 1), (60, 20), "pass"),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_clusters_decide_as_the_spread_of_what_differs_says(name):
    clusters, frames, (worse, over), (better, better_over), decision = DECISIONS[name]
    worse_by_cluster = np.pad(spread(worse, over), (0, clusters - over))
    better_by_cluster = np.pad(spread(better, better_over), (0, clusters - better_over))
    found = judged(worse_by_cluster, better_by_cluster, np.full(clusters, frames))
    assert found.decision == decision
    assert found.loss == pytest.approx((worse - better) / (clusters * frames))


@st.composite
def tables(draw):
    clusters = draw(st.integers(5, 24))
    frames = draw(st.lists(st.integers(4, 40), min_size=clusters, max_size=clusters))
    worse, better = ([draw(st.integers(0, 2)) for _ in frames] for _ in range(2))
    return worse, better, frames


@settings(max_examples=40, deadline=None)
@given(tables())
def test_no_interval_is_narrower_than_that_of_independent_frames(table):
    found = judged(*table)
    low, high = tango_interval(sum(table[0]), sum(table[1]), sum(table[2]))
    assert found.low <= low <= found.loss + 1e-12
    assert found.loss - 1e-12 <= high <= found.high


@settings(max_examples=40, deadline=None)
@given(tables())
def test_what_is_undecided_needs_more_frames_than_there_are(table):
    found = judged(*table, margin=0.05)
    if found.decision == "unknown" and found.loss < 0.05 and math.isfinite(found.high):
        assert found.frames_needed > sum(table[2])
    assert (found.frames_needed is None) == (found.loss >= 0.05 or math.isinf(found.high))


def test_more_clusters_of_the_same_kind_need_as_many_frames():
    small, large = (judged(spread(times, 10 * times), spread(0, 10 * times), [100] * 10 * times) for times in (4, 8))
    assert small.frames_needed == pytest.approx(large.frames_needed, rel=0.25)


def test_the_same_counts_give_the_same_interval_again():
    table = spread(9, 14), spread(5, 14), np.full(14, 143)
    assert judged(*table) == judged(*table)


@pytest.mark.parametrize(
    "wrong", [{"losses": [1.0]}, {"margin": 0.0}, {"margin": 1.0}, {"discordant": (150, 60)}, {"discordant": (-1, 0)}]
)
def test_numbers_that_do_not_fit_together_are_refused(wrong):
    good = {"losses": [1.0, 0.0], "weights": [100, 100], "frames": 200, "margin": 0.01, "discordant": (1, 0)}
    with pytest.raises(ValueError, match=r"."):
        judge_clustered_loss(**{**good, **wrong})


def false_passes(random, clusters, frames, uneven, trials):
    """How often a true loss of just the margin passes; `uneven`: how much the clusters differ, 0 not at all."""
    passes = 0
    for _ in range(trials):
        rates = 0.015 * (random.gamma(1 / uneven**2, uneven**2, clusters) if uneven else np.ones(clusters))
        worse, better = random.binomial(frames, rates.clip(0, 1)), random.binomial(frames, 0.005, clusters)
        passes += judged(worse, better.clip(0, frames - worse), np.full(clusters, frames)).decision == "pass"
    return passes / trials


@pytest.mark.parametrize(("clusters", "frames", "uneven"), [(28, 71, 0.0), (28, 71, 1.0), (14, 143, 0.0)])
def test_a_loss_of_just_the_margin_seldom_passes(clusters, frames, uneven):
    trials = 80
    rate = false_passes(np.random.default_rng(4), clusters, frames, uneven, trials)
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_frames_taken_as_independent_would_pass_it_far_too_often():
    random, passes = np.random.default_rng(4), 0
    for _ in range(300):
        worse = random.binomial(143, (0.015 * random.gamma(0.25, 4, 14)).clip(0, 1)).sum()
        passes += tango_interval(int(worse), int(random.binomial(2002, 0.005)), 2002)[1] < MARGIN
    assert passes / 300 > 0.15


@pytest.mark.parametrize("clusters", [5, 14, 28, 200])
def test_percentiles_of_resamples_are_expanded_as_students_interval_is(clusters):
    losses = np.sort(np.random.default_rng(0).normal(0.0, 0.01, 9_999))
    found = judge_resampled_loss(0.0, losses.tolist(), 9_999, clusters, 5_000, 0.5)
    factor = math.sqrt(clusters / (clusters - 1)) * stats.t.ppf(0.95, clusters - 1)
    assert found.high == pytest.approx(0.01 * factor, rel=0.05)
    assert found.low == pytest.approx(-0.01 * factor, rel=0.05)


@pytest.mark.parametrize(
    ("losses", "resamples", "clusters", "frames", "decision"),
    [
        ([0.0] * 1000, 1000, 20, 2000, "pass"),
        ([0.0] * 1000, 1000, 20, 200, "unknown"),
        ([0.0] * 1000, 1000, 4, 2000, "unknown"),
        ([0.001] * 990, 1000, 50, 2000, "pass"),
        ([0.001] * 900, 1000, 50, 2000, "unknown"),
        ([], 1000, 50, 2000, "unknown"),
        ([0.02] * 1000, 1000, 20, 2000, "fail"),
        ([0.005] * 900 + [0.02] * 100, 1000, 50, 2000, "unknown"),
    ],
)
def test_resamples_decide_and_missing_ones_count_as_the_worst(losses, resamples, clusters, frames, decision):
    loss = losses[0] if losses else 0.0
    assert judge_resampled_loss(loss, losses, resamples, clusters, frames, MARGIN).decision == decision


@pytest.mark.parametrize(
    ("worse", "better", "two_sided"), [(30, 20, 0.202639), (40, 20, 0.013489), (5, 0, 0.0625), (0, 0, 2.0)]
)
def test_signs_of_equal_size_are_mcnemars_exact_test(worse, better, two_sided):
    assert 2 * sign_flip_p([1] * worse + [-1] * better + [0] * 50) == pytest.approx(two_sided, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=3, max_size=8))
def test_random_signs_come_near_all_signs(losses):
    every = [np.dot(signs, losses) >= sum(losses) for signs in itertools.product((-1, 1), repeat=len(losses))]
    assert sign_flip_p(losses) == pytest.approx(np.mean(every), abs=0.025)


def test_losses_and_gains_that_are_alike_seldom_look_worse():
    random = np.random.default_rng(6)
    found = [sign_flip_p(random.normal(0, 1, 12)) <= 0.05 for _ in range(200)]
    assert np.mean(found) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)
