"""Ranges from histograms: what is kept, what is clipped, and that no method is another one in disguise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.variants.quantise.histogram_cache import cached, without_values
from harness.variants.quantise.histograms import Histogram, chosen_range, empty, entropy_range, percentile_range

VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60)


def counted(values: np.ndarray, bins: int = 2048) -> Histogram:
    return empty(values.min(), values.max(), bins).adding(values)


def heavy_tails(count: int = 40_000) -> np.ndarray:
    """Student's t with 2 degrees of freedom."""
    return np.random.default_rng(3).standard_t(2, count).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_every_value_is_counted_once(values):
    found = counted(np.array(values, np.float32))
    assert (found.total, found.zeros) == (len(values), values.count(0.0))
    assert found.counts.min() >= 0


@settings(max_examples=50, deadline=None)
@given(VALUES, st.integers(1, 59))
def test_frames_may_come_in_any_portions(values, at):
    whole = np.array(values, np.float32)
    start = empty(whole.min(), whole.max())
    parts = start.adding(whole[:at]).adding(whole[at:])
    assert np.array_equal(parts.counts, start.adding(whole).counts)


@settings(max_examples=20, deadline=None)
@given(VALUES, st.sampled_from([("minmax", 100.0), ("percentile", 99.9), ("percentile", 100.0), ("entropy", 99.99)]))
def test_a_range_holds_zero_and_nothing_that_was_never_seen(values, method):
    found = counted(np.array(values, np.float32))
    low, high = chosen_range(found, *method)
    assert found.low <= low <= 0 <= high <= found.high


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_the_widest_range_is_that_of_the_values(values):
    whole = np.array(values, np.float32)
    found = counted(whole)
    (low, high), width = chosen_range(found, "minmax"), found.width
    assert low <= min(whole.min(), 0) + 1e-6 * abs(low)
    assert high >= max(whole.max(), 0) - 1e-6 * abs(high)
    assert low >= min(whole.min(), 0) - width
    assert high <= max(whole.max(), 0) + width


@settings(max_examples=30, deadline=None)
@given(st.floats(90, 100), st.floats(90, 100))
def test_a_higher_percentile_keeps_no_less(one, other):
    found, (lower, higher) = counted(heavy_tails(4000)), sorted((one, other))
    (low, high), (lowest, highest) = percentile_range(found, lower), percentile_range(found, higher)
    assert lowest <= low
    assert high <= highest


@pytest.mark.parametrize("percentile", [99.0, 99.9, 99.99])
def test_a_percentile_keeps_that_share_of_the_values(percentile):
    values = np.random.default_rng(1).normal(size=200_000).astype(np.float32)
    low, high = percentile_range(counted(values, 8192), percentile)
    kept = 100 * np.mean((values >= low) & (values <= high))
    assert kept == pytest.approx(percentile, abs=0.03)
    assert abs(low + high) < 0.35


def test_the_zeros_of_a_relu_are_values_for_percentiles():
    rest = np.linspace(0.001, 1, 100).astype(np.float32)
    alone, among = counted(rest), counted(np.concatenate([rest, np.zeros(9900, np.float32)]))
    assert percentile_range(alone, 90)[1] == pytest.approx(0.95, abs=0.02)
    assert percentile_range(among, 99.9)[1] == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("zeros", [0, 100_000])
def test_entropy_clips_heavy_tails_that_the_widest_range_keeps(zeros):
    values = np.concatenate([np.abs(heavy_tails()), np.zeros(zeros, np.float32)])
    found = counted(values)
    low, high = chosen_range(found, "entropy")
    assert low == 0
    assert high < 0.5 * chosen_range(found, "minmax")[1]
    # Not into the bulk either: it would be clipped at 1/8 of the range at the earliest.
    assert high > np.quantile(values[values > 0], 0.99)


def test_zeros_alone_do_not_move_the_range_that_entropy_takes():
    tails = np.abs(heavy_tails())
    with_zeros = np.concatenate([tails, np.zeros(100_000, np.float32)])
    assert entropy_range(counted(tails)) == entropy_range(counted(with_zeros))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (-1, 0)])
def test_entropy_keeps_all_of_evenly_spread_values(low, high):
    values = np.random.default_rng(2).uniform(low, high, 400_000).astype(np.float32)
    found = entropy_range(counted(values))
    assert found == pytest.approx((low, high), abs=0.01)


def test_entropy_rounds_normal_values_better_than_the_widest_range_with_one_outlier():
    values = np.append(np.random.default_rng(4).normal(size=100_000), 60.0).astype(np.float32)
    errors = {}
    for method in ("minmax", "entropy"):
        low, high = chosen_range(counted(values), method)
        step = (high - low) / 255
        rounded = np.clip(np.rint(values / step), np.rint(low / step), np.rint(high / step)) * step
        errors[method] = np.median(np.abs(rounded - values))
    assert errors["entropy"] < 0.5 * errors["minmax"]


def test_a_tensor_of_one_value_has_a_range():
    low, high = chosen_range(counted(np.zeros(10, np.float32)), "entropy")
    assert high > low


@pytest.mark.parametrize(
    ("method", "percentile", "sentence"),
    [("entropi", 99.9, "did you mean 'entropy'"), ("percentile", 9.99, "no share"), ("percentile", 100.1, "no share")],
)
def test_a_method_or_percentile_that_cannot_be_is_refused(method, percentile, sentence):
    with pytest.raises(ConfigError, match=sentence):
        chosen_range(counted(np.ones(3, np.float32)), method, percentile)


def test_no_more_bins_than_integers_are_refused_since_entropy_would_be_the_widest_range_in_disguise():
    with pytest.raises(ConfigError, match="bins = 256 leave nothing to choose"):
        chosen_range(counted(heavy_tails(), bins=256), "entropy")
    assert chosen_range(counted(heavy_tails(), bins=256), "minmax")[1] > 10


def test_histograms_are_made_once_and_come_back_as_they_were(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"a;b/c": counted(heavy_tails(100)), "d": counted(np.zeros(5, np.float32))}

    first, second = (cached(tmp_path, "kind", ["model", "frames"], make) for _ in range(2))
    assert len(made) == 1
    assert first.keys() == second.keys()
    for name, one in first.items():
        other = second[name]
        assert (one.low, one.high, one.zeros) == (other.low, other.high, other.zeros)
        assert np.array_equal(one.counts, other.counts)


def test_another_model_or_other_frames_are_counted_anew(tmp_path):
    for value, decides in enumerate((["model", "frames"], ["model", "others"], ["other", "frames"]), 1):
        found = cached(tmp_path, "kind", decides, lambda value=value: without_values({"a": (0.0, value)}))
        assert found["a"].high == value


@pytest.mark.parametrize("damage", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    cached(tmp_path, "kind", ["model"], lambda: without_values({"a": (0.0, 1.0)}))
    next((tmp_path / "histograms").iterdir()).write_bytes(damage)
    found = cached(tmp_path, "kind", ["model"], lambda: without_values({"a": (0.0, 2.0)}))
    assert found["a"].high == 2
    again = cached(tmp_path, "kind", ["model"], lambda: without_values({"a": (0.0, 3.0)}))
    assert again["a"].high == 2
