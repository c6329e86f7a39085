"""How many independent values a series is worth: against the known factor of an AR(1), and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from harness.stats.autocorrelation import independent_samples


def ar1(resemblance: float, count: int, seed: int) -> np.ndarray:
    return lfilter([1], [1, -resemblance], np.random.default_rng(seed).standard_normal(count + 1000))[1000:]


@pytest.mark.parametrize("resemblance", [0.0, 0.3, 0.6, 0.8, 0.9])
def test_an_ar1_series_is_worth_its_known_share(resemblance):
    shares = [independent_samples(ar1(resemblance, 20_000, seed)) / 20_000 for seed in range(8)]
    assert np.mean(shares) == pytest.approx((1 - resemblance) / (1 + resemblance), rel=0.1)


@pytest.mark.parametrize("resemblance", [0.5, 0.9])
def test_the_spread_of_means_is_what_the_independent_samples_predict(resemblance):
    many = [ar1(resemblance, 2000, seed) for seed in range(300)]
    predicted = [one.std(ddof=1) / np.sqrt(independent_samples(one)) for one in many]
    assert np.mean(predicted) == pytest.approx(np.std([one.mean() for one in many]), rel=0.15)


def test_neighbours_that_differ_more_than_chance_are_not_worth_more_than_they_are():
    assert independent_samples(ar1(-0.5, 5000, 1)) <= 5000
    assert independent_samples(np.tile([1.0, -1.0], 50)) == 100


@pytest.mark.parametrize("values", [[5.0], [5.0] * 7, [1.0, 2.0]])
def test_constant_and_very_short_series_count_one_by_one(values):
    assert independent_samples(np.array(values)) == len(values)


@pytest.mark.parametrize("theta", [0.5, 0.9])
def test_a_moving_average_is_worth_its_known_share(theta):
    whites = (np.random.default_rng(seed).standard_normal(20_001) for seed in range(8))
    shares = [independent_samples(white[1:] + theta * white[:-1]) / 20_000 for white in whites]
    assert np.mean(shares) == pytest.approx((1 + theta**2) / (1 + theta) ** 2, rel=0.1)


@pytest.mark.parametrize(("near", "far"), [(1.2, -0.5), (1.0, -0.5), (1.5, -0.8), (0.5, -0.8)])
def test_a_series_that_swings_back_is_not_worth_more_than_its_known_share(near, far):
    white = (np.random.default_rng(seed).standard_normal(6000) for seed in range(8))
    series = [lfilter([1], [1, -near, -far], one)[1000:] for one in white]
    variance = (1 - far) / ((1 + far) * ((1 - far) ** 2 - near**2))
    known = min(variance * (1 - near - far) ** 2, 1)
    assert np.mean([independent_samples(one) / 5000 for one in series]) <= 1.05 * known


@pytest.mark.parametrize(
    ("values", "worth"), [([0, 0, 1, 1], 8 / 3), ([0, 1, 1, 0], 4), ([0, 0, 0, 1, 1, 1], 3), ([0, 1, 0, 1], 4)]
)
def test_the_first_neighbour_counts_although_the_second_says_the_opposite(values, worth):
    assert independent_samples(np.array(values, float)) == pytest.approx(worth)


def test_a_drift_is_worth_little():
    assert independent_samples(np.linspace(0, 1, 400)) < 10


SERIES = st.lists(st.integers(-1000, 1000), min_size=2, max_size=60).map(lambda values: np.array(values, float))


@given(SERIES)
def test_a_series_is_worth_between_one_and_all_of_its_values(values):
    assert 1 <= independent_samples(values) <= len(values)


# Powers of two keep every ratio exact, and thereby the place where the sum ends.
@given(SERIES, st.sampled_from([-8.0, 0.25, 1024.0]))
def test_the_unit_does_not_matter(values, factor):
    assert independent_samples(factor * values) == independent_samples(values)
