"""Holm, Benjamini-Hochberg and the one-sidedness test: worked cases, statsmodels and scipy as oracles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from harness.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_hochberg_adjusted,
    holm,
    holm_adjusted,
    holm_levels,
    one_sidedness_p,
)

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(lambda found: dict(enumerate(found)))
levels = st.sampled_from([0.01, 0.05, 0.2])


@pytest.mark.parametrize(
    ("found", "rejected"),
    [
        ({}, set()),
        ({"p50": 0.01}, {"p50"}),
        ({"p50": 0.0101}, set()),
        ({"p50": 0.004, "p99": 0.006}, {"p50", "p99"}),
        ({"p50": 0.006, "p99": 0.006}, set()),
        ({"p50": 0.002, "p99": 0.005, "fps": 0.004, "rss": 0.9}, {"p50"}),
        ({"p50": 0.003, "p99": 0.001, "fps": 0.001, "rss": 0.001}, {"p50", "p99", "fps", "rss"}),
    ],
)
def test_holm_rejects_from_the_smallest_and_stops_at_the_first_that_fails(found, rejected):
    assert holm(found, 0.01) == rejected


@pytest.mark.parametrize(
    ("found", "rejected"),
    [
        ({}, set()),
        ({1: 0.05}, {1}),
        ({1: 0.03, 2: 0.05}, {1, 2}),
        ({1: 0.03, 2: 0.06}, set()),
        ({1: 0.01, 2: 0.03, 3: 0.035, 4: 0.9}, {1, 2, 3}),
    ],
)
def test_benjamini_hochberg_rejects_all_up_to_the_largest_that_holds(found, rejected):
    assert benjamini_hochberg(found, 0.05) == rejected


@pytest.mark.parametrize(
    ("reject", "adjust", "method"),
    [(holm, holm_adjusted, "holm"), (benjamini_hochberg, benjamini_hochberg_adjusted, "fdr_bh")],
)
@settings(max_examples=10, deadline=None)  # statsmodels collects garbage in every call
@given(found=p_values, level=levels)
def test_statsmodels_says_the_same(reject, adjust, method, found, level):
    _, adjusted, _, _ = multipletests(list(found.values()), level, method=method)
    mine = adjust(found)
    assert [mine[key] for key in found] == pytest.approx(list(adjusted), rel=1e-12, abs=1e-300)
    clear = {key for key, oracle in zip(found, adjusted) if not math.isclose(oracle, level)}
    assert reject(found, level) & clear == {key for key, oracle in zip(found, adjusted) if oracle <= level} & clear


@given(p_values, levels)
def test_a_metric_is_rejected_where_its_p_value_is_within_its_level(found, alpha):
    given_levels = holm_levels(found, alpha)
    assert {key for key, p_value in found.items() if p_value <= given_levels[key]} == step_down(found, alpha)
    assert all(alpha / len(found) <= level <= alpha for level in given_levels.values())


@given(p_values, levels)
def test_holm_steps_down_through_the_sorted_p_values(found, alpha):
    assume(not any(math.isclose(one, alpha) for one in holm_adjusted(found).values()))
    assert holm(found, alpha) == step_down(found, alpha)


def step_down(found, alpha):
    """The definition, one step after the other."""
    rejected = set()
    for left, (p_value, key) in zip(range(len(found), 0, -1), sorted((p_value, key) for key, p_value in found.items())):
        if p_value > alpha / left:
            break
        rejected.add(key)
    return rejected


@given(p_values, levels)
def test_holm_rejects_no_more_than_benjamini_hochberg(found, level):
    bonferroni = {key for key, p_value in found.items() if p_value < level / len(found) * (1 - 1e-12)}
    assert bonferroni <= holm(found, level) <= benjamini_hochberg(found, level * (1 + 1e-12))


@pytest.mark.parametrize("adjust", [holm_adjusted, benjamini_hochberg_adjusted])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused_by_name(adjust, wrong):
    with pytest.raises(ValueError, match="fps"):
        adjust({"p50": 0.5, "fps": wrong})


def test_holm_errs_in_at_most_one_run_in_a_hundred_however_the_metrics_hang_together():
    random = np.random.default_rng(0)
    for shared in (0.0, 0.5, 0.95):
        noise = math.sqrt(1 - shared) * random.standard_normal((4000, 4))
        found = stats.norm.sf(noise + math.sqrt(shared) * random.standard_normal((4000, 1)))
        wrong = sum(bool(holm(dict(enumerate(row)), 0.01)) for row in found)
        assert wrong / 4000 <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 4000)


@pytest.mark.parametrize(
    ("regressions", "improvements", "p_value"),
    [(0, 0, 1.0), (1, 0, 1.0), (3, 3, 1.0), (5, 0, 0.0625), (17, 0, 2 / 2**17), (0, 17, 2 / 2**17), (6, 4, 0.75390625)],
)
def test_findings_that_all_point_one_way_are_no_accident(regressions, improvements, p_value):
    assert one_sidedness_p(regressions, improvements) == pytest.approx(p_value)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_one_sidedness_is_scipys_binomial_test(regressions, improvements):
    total = regressions + improvements
    oracle = stats.binomtest(regressions, total).pvalue if total else 1.0
    assert one_sidedness_p(regressions, improvements) == pytest.approx(oracle, rel=1e-9)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="-1"):
        one_sidedness_p(3, -1)
