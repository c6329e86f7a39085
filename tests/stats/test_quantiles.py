"""Quantiles for comparison and for display: worked values and scipy's Harrell-Davis as oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mstats

from harness.stats.quantiles import harrell_davis, quantile_log

latencies_ns = st.lists(st.integers(1, 10**9), min_size=1, max_size=200).map(np.array)


@pytest.mark.parametrize(
    ("count", "share", "value"),
    [(100, 0.5, 50.5), (100, 0.95, 95.499980), (100, 0.99, 99.419826), (1000, 0.99, 990.5)],
)
def test_harrell_davis_of_the_first_numbers(count, share, value):
    assert harrell_davis(np.arange(count, 0, -1), share) == pytest.approx(value, abs=6e-7)


@given(latencies_ns, st.sampled_from([0.05, 0.25, 0.5, 0.95, 0.99]))
def test_harrell_davis_is_scipys(values, share):
    if len(values) > 1:
        assert harrell_davis(values, share) == pytest.approx(float(mstats.hdquantiles(values, [share])[0]), rel=1e-9)
    assert values.min() <= harrell_davis(values, share) * (1 + 1e-12)
    assert harrell_davis(values, share) <= values.max() * (1 + 1e-12)


@pytest.mark.parametrize(("share", "value_ns"), [(0.25, 25), (0.5, 50), (0.95, 95), (0.99, 99)])
def test_the_log_is_of_the_nearest_rank(share, value_ns):
    assert quantile_log(np.arange(100, 0, -1), share) == math.log(value_ns)


@given(latencies_ns, st.integers(1, 1000), st.sampled_from([0.25, 0.5, 0.95]))
def test_a_factor_on_all_latencies_is_a_difference_of_logs(values, factor, share):
    assert quantile_log(values * factor, share) - quantile_log(values, share) == pytest.approx(math.log(factor))


@given(st.floats(1.0, 1.5))
def test_half_of_the_frames_disturbed_leave_the_lower_quartile_where_it_was(slowdown):
    quiet = np.linspace(5e6, 5.1e6, 200)
    disturbed = np.where(np.arange(200) < 100, quiet, quiet * slowdown)
    assert quantile_log(disturbed, 0.25) == quantile_log(quiet, 0.25)


@pytest.mark.parametrize("values", [[], [0, 0, 0, 5], [-1, -1, 3]])
def test_no_values_and_latencies_of_nothing_are_refused(values):
    with pytest.raises(ValueError, match=r"no values|positive"):
        quantile_log(np.array(values), 0.25)


def test_no_values_have_no_harrell_davis_either():
    with pytest.raises(ValueError, match="no values"):
        harrell_davis(np.array([]), 0.5)
