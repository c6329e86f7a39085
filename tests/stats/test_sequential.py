"""The anytime-valid test: its vectors, the mixture integrated by scipy, and what it promises, by exact enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from harness.stats.bounds import rate_bounds
from harness.stats.sequential import (
    burst_lengths,
    design_effect,
    first_pass,
    judge_stream,
    log_e_fail,
    log_e_pass,
    mean_burst,
    stride_for,
)

CAP = 20_000
LOOK = 50
streams = st.tuples(st.integers(1, 1500), st.floats(0, 0.05), st.integers(0, 99)).map(
    lambda case: np.random.default_rng(case[2]).random(case[0]) < case[1]
)


def stream_of(misses, frames):
    exceeded = np.zeros(frames, bool)
    exceeded[:misses] = True
    return exceeded


def bursty_stream(random, rate, burst, frames=CAP):
    """A two-state Markov chain: misses at `rate` in geometric bursts of mean length `burst`."""
    leave, enter = 1 / burst, rate / (burst * (1 - rate))
    spells = np.column_stack([random.geometric(enter, 2 * frames), random.geometric(leave, 2 * frames)]).ravel()
    start = int(random.random() < rate)
    return np.searchsorted(spells[start:].cumsum(), np.arange(frames), side="right") % 2 == 1 - start


def chance_of_having_decided(log_e, rate, share=0.99, alpha=0.05):
    """Exactly, for independent misses at `rate`: by each look, the chance that the e-value reached 1 / alpha."""
    step = stats.binom.pmf(np.arange(LOOK + 1), LOOK, rate)
    undecided, decided = np.ones(1), []
    for frames in range(LOOK, CAP + 1, LOOK):
        undecided = np.convolve(undecided, step)
        now = log_e(np.arange(len(undecided)), np.full(len(undecided), frames), share) >= -math.log(alpha)
        decided.append(undecided[now].sum())
        undecided[now] = 0
        undecided = undecided[: np.flatnonzero(undecided > 1e-15).max(initial=0) + 1]
    return np.cumsum(decided)


@pytest.mark.parametrize(
    ("misses", "frames", "e_pass"),
    [(0, 450, 20.197), (0, 500, 30.181), (1, 700, 22.757), (5, 2050, 1369.5), (20, 3000, 2.4315)],
)
def test_the_evidence_for_a_pass_is_the_published_one(misses, frames, e_pass):
    assert judge_stream(stream_of(misses, frames)).e_pass == pytest.approx(e_pass, rel=4e-5)


def test_the_evidence_for_a_fail_is_the_published_one():
    assert float(log_e_fail(60, 3000, 0.99)) == pytest.approx(6.701607, abs=5e-7)
    assert judge_stream(stream_of(60, 3000)).decision == "fail"


@pytest.mark.parametrize(
    ("misses", "alpha", "frames"),
    [
        (0, 0.05, 449),
        (1, 0.05, 683),
        (2, 0.05, 882),
        (5, 0.05, 1404),
        (10, 0.05, 2174),
        (20, 0.05, 3573),
        (0, 0.01, 644),
    ],
)
def test_the_first_frame_that_passes_is_the_published_one(misses, alpha, frames):
    assert judge_stream(stream_of(misses, misses), alpha=alpha).frames_needed == frames
    assert judge_stream(stream_of(misses, frames), alpha=alpha).decision == "pass"
    assert judge_stream(stream_of(misses, frames - 1), alpha=alpha).decision != "pass"


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("misses", "frames"), [(0, 0), (0, 1), (1, 1), (0, 300), (3, 300), (9, 900), (40, 500), (7, 7)]
)
def test_the_evidence_is_the_mean_likelihood_ratio_of_the_mixture(misses, frames, share):
    limit = 1 - share

    def ratio(rate):
        return math.exp(
            stats.binom.logpmf(misses, frames, rate) - stats.binom.logpmf(misses, frames, limit) if frames else 0.0
        )

    for log_e, low, high in ((log_e_pass, 0.0, limit), (log_e_fail, limit, 1.0)):
        mean = integrate.quad(ratio, low, high, epsabs=0, epsrel=1e-10, limit=400)[0] / (high - low)
        assert float(log_e(misses, frames, share)) == pytest.approx(math.log(mean), abs=1e-8)


@pytest.mark.parametrize("share", [0.5, 0.99, 0.999])
@pytest.mark.parametrize("frames", [1, 70_000, 1_000_000])
@pytest.mark.parametrize("part", [0.0, 0.002, 0.02, 0.5, 0.9, 1.0])
def test_the_evidence_against_is_finite_and_small_however_clear_the_case(frames, part, share):
    misses = int(part * frames)
    log_e, hits = (log_e_pass, misses) if part > 1 - share else (log_e_fail, frames - misses)
    rate = 1 - share if part > 1 - share else share
    # The same integral as a hypergeometric series; its terms are positive and fall where the case is clear.
    steps = np.arange(60_000)
    series = np.exp(np.cumsum(np.log(rate * (frames + 2 + steps) / (hits + 2 + steps))))
    expected = math.log((1 - rate) * (1 + series.sum()) / (hits + 1))
    assert float(log_e(misses, frames, share)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("frames", [0, 1, 2, 17, 3000, 100_000])
def test_every_count_has_finite_evidence_that_falls_with_each_miss(frames):
    misses = np.unique(np.linspace(0, frames, 2001).astype(int))
    for_pass, for_fail = (log_e(misses, np.full(len(misses), frames), 0.99) for log_e in (log_e_pass, log_e_fail))
    assert np.isfinite(for_pass).all()
    assert np.isfinite(for_fail).all()
    assert (np.diff(for_pass) < 0).all()
    assert (np.diff(for_fail) > 0).all()


@pytest.mark.parametrize("stride", [1, 2, 3, 12])
def test_a_device_at_or_beyond_its_limit_has_evidence_of_one_at_most_on_average(stride):
    exceeded = np.array(list(itertools.product([0, 1], repeat=8)))
    verdicts = [judge_stream(one, share=0.75, stride=stride) for one in exceeded]
    misses = exceeded.sum(axis=1)
    for rate in (0.1, 0.25, 0.3, 0.6, 1.0):
        chances = rate**misses * (1 - rate) ** (8 - misses)
        if rate >= 0.25:
            assert sum(chances * [one.e_pass for one in verdicts]) <= 1 + 1e-12
        if rate <= 0.25:
            assert sum(chances * [one.e_fail for one in verdicts]) <= 1 + 1e-12


@pytest.mark.parametrize("frames", [1, 30, 450, 3000])
def test_at_the_limit_the_mean_evidence_is_exactly_one(frames):
    misses = np.arange(frames + 1)
    for log_e in (log_e_pass, log_e_fail):
        evidence = np.exp(log_e(misses, np.full(frames + 1, frames), 0.99) + stats.binom.logpmf(misses, frames, 0.01))
        assert evidence.sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("log_e", "wrong"), [(log_e_pass, 0.0377), (log_e_fail, 0.0015)])
def test_four_hundred_looks_at_a_device_on_its_limit_are_seldom_wrong(log_e, wrong):
    assert chance_of_having_decided(log_e, 0.01)[-1] == pytest.approx(wrong, abs=5e-5)


@pytest.mark.parametrize(
    ("rate", "median", "ninety_percent"), [(0.001, 450, 900), (0.0025, 700, 1600), (0.005, 2050, 4500)]
)
def test_a_good_device_passes_after_about_the_published_number_of_frames(rate, median, ninety_percent):
    passed = chance_of_having_decided(log_e_pass, rate)
    assert LOOK * (1 + np.argmax(passed >= 0.5)) == pytest.approx(median, rel=0.1)
    assert LOOK * (1 + np.argmax(passed >= 0.9)) == pytest.approx(ninety_percent, rel=0.1)


def test_simulated_streams_pass_as_often_as_the_exact_chance_says():
    random = np.random.default_rng(3)
    looks = [first_pass(random.random(4000) < 0.0025) for _ in range(200)]
    passed = chance_of_having_decided(log_e_pass, 0.0025)
    for frames in (450, 700, 1600):
        share = np.mean([look is not None and look <= frames for look in looks])
        assert share == pytest.approx(passed[frames // LOOK - 1], abs=0.12)


@pytest.mark.parametrize(("burst", "stride", "at_most"), [(1, 10, 0.03), (5, 10, 0.1), (10, 20, 0.1)])
def test_with_a_stride_a_just_failing_device_seldom_passes_though_misses_come_in_bursts(burst, stride, at_most):
    random = np.random.default_rng(7)
    passed = [first_pass(bursty_stream(random, 0.01, burst), stride=stride) is not None for _ in range(120)]
    assert np.mean(passed) <= at_most


def test_without_a_stride_bursts_pass_a_just_failing_device():
    random = np.random.default_rng(8)
    assert np.mean([first_pass(bursty_stream(random, 0.01, 5)) is not None for _ in range(60)]) > 0.5


def test_with_a_stride_of_ten_a_good_device_passes_after_about_five_thousand_frames():
    random = np.random.default_rng(9)
    looks = [first_pass(bursty_stream(random, 0.001, 5), stride=10) or CAP for _ in range(60)]
    assert np.median(looks) == pytest.approx(4750, abs=600)


@pytest.mark.parametrize(("period", "decision"), [(10, "fail"), (20, "fail"), (100, "unknown"), (200, "pass")])
@pytest.mark.parametrize("stride", [1, 10, 20])
def test_misses_in_step_with_the_stride_do_not_mislead(period, decision, stride):
    exceeded = np.arange(60_000) % period == period - 1
    assert judge_stream(exceeded, stride=stride).decision == decision


def test_a_device_that_gets_worse_after_a_good_start_does_not_pass():
    exceeded = np.r_[np.zeros(450, bool), np.arange(2000) % 50 == 0]
    assert first_pass(exceeded) == 450
    assert judge_stream(exceeded).decision == "unknown"
    assert judge_stream(np.r_[exceeded, exceeded[450:], exceeded[450:]]).decision == "fail"


@settings(max_examples=40, deadline=None)
@given(streams, st.sampled_from([1, 3, 10]), st.sampled_from([0.9, 0.99]))
def test_so_many_frames_without_a_further_miss_are_needed_and_no_fewer(exceeded, stride, share):
    needed = judge_stream(exceeded, stride=stride, share=share).frames_needed
    assert needed >= len(exceeded)
    enough = np.r_[exceeded, np.zeros(needed - len(exceeded), bool)]
    assert judge_stream(enough, stride=stride, share=share).decision == "pass"
    if needed > len(exceeded):
        assert judge_stream(enough[:-1], stride=stride, share=share).decision != "pass"


def test_beyond_a_million_frames_no_number_is_promised():
    assert judge_stream(np.ones(9_000)).frames_needed > 900_000
    assert judge_stream(np.ones(11_000)).frames_needed is None


@settings(max_examples=40, deadline=None)
@given(streams, st.sampled_from([1, 4]), st.sampled_from([30, 50, 77]))
def test_the_first_pass_is_the_first_look_at_which_the_stream_passes(exceeded, stride, every):
    looks = range(every, len(exceeded) + 1, every)
    passes = [end for end in looks if judge_stream(exceeded[:end], share=0.9, stride=stride).decision == "pass"]
    assert first_pass(exceeded, look_every=every, share=0.9, stride=stride) == (passes[0] if passes else None)


@pytest.mark.parametrize(("frames", "misses"), [(0, 0), (1, 0), (49, 0), (449, 0), (300, 1)])
def test_a_short_stream_says_nothing(frames, misses):
    verdict = judge_stream(stream_of(misses, frames), alpha=0.04)
    assert (verdict.decision, verdict.frames, verdict.misses) == ("unknown", frames, misses)
    assert first_pass(stream_of(misses, frames), alpha=0.04) is None


def test_the_evidence_of_a_very_long_stream_is_still_a_number():
    assert judge_stream(np.zeros(300_000, int)).e_pass > 1e300
    assert judge_stream(np.ones(300_000, int)).e_fail > 1e300
    assert math.isfinite(judge_stream(np.ones(300_000, int)).e_fail)


@pytest.mark.parametrize("bad", [{"stride": 0}, {"share": 0.0}, {"share": 1.0}, {"alpha": 0.0}, {"alpha": 1.0}])
@pytest.mark.parametrize("judge", [judge_stream, first_pass])
def test_a_setting_that_means_nothing_is_refused(judge, bad):
    with pytest.raises(ValueError, match="stride is 1 or more"):
        judge(np.zeros(10), **bad)


@pytest.mark.parametrize(
    ("exceeded", "lengths", "mean", "effect"),
    [
        ([], [], 0.0, 1.0),
        ([0, 0, 0], [], 0.0, 1.0),
        ([1], [1], 1.0, 1.0),
        ([1, 1, 1], [3], 3.0, 3.0),
        ([1, 0, 1, 1, 0], [1, 2], 1.5, 5 / 3),
        ([0, 1, 1, 0, 0, 1, 1], [2, 2], 2.0, 2.0),
        ([1] * 5 + [0] + [1] * 5 + [0] + [1] * 2 + [0, 1], [5, 5, 2, 1], 3.25, 4.230769),
    ],
)
def test_bursts_are_runs_of_consecutive_misses(exceeded, lengths, mean, effect):
    for kind in (bool, int):
        misses = np.array(exceeded, kind)
        assert burst_lengths(misses).tolist() == lengths
        assert mean_burst(misses) == mean
        assert design_effect(misses) == pytest.approx(effect, abs=5e-7)


@pytest.mark.parametrize(
    ("misses", "frames", "effect", "upper"),
    [(13, 3000, 55 / 13, 0.011043), (5, 3000, 5, 0.007882), (0, 3000, 10, 0.009936), (0, 3000, 10.1, 0.010035)],
)
def test_the_bound_of_fewer_effective_frames_is_the_published_one(misses, frames, effect, upper):
    assert rate_bounds(misses / effect, frames / effect)[1] == pytest.approx(upper, abs=5e-7)


@pytest.mark.parametrize("burst", [2, 5, 10])
def test_the_effect_of_geometric_bursts_is_twice_their_mean_less_one(burst):
    exceeded = bursty_stream(np.random.default_rng(1), 0.01, burst, frames=1_000_000)
    assert mean_burst(exceeded) == pytest.approx(burst, rel=0.15)
    assert design_effect(exceeded) == pytest.approx(2 * burst - 1, rel=0.2)


@pytest.mark.parametrize(("burst", "stride"), [(0.0, 10), (1.0, 10), (5.0, 10), (5.2, 11), (30.0, 60)])
def test_the_stride_is_twice_the_mean_burst_and_ten_at_least(burst, stride):
    assert stride_for(burst) == stride
    assert stride_for(0.0, minimum=3) == 3
