"""Signal to noise, cosine and largest error of a tensor beside its parent's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.variants.study.sqnr import MOST_DB, Distance, decibels, distance, total

NUMBERS = st.floats(-1e3, 1e3, width=32).filter(lambda one: one == 0 or abs(one) > 1e-3)
PAIRS = st.integers(1, 24).flatmap(
    lambda size: st.tuples(*(arrays(np.float32, size, elements=NUMBERS) for _ in range(2)))
)


@pytest.mark.parametrize(
    ("parent", "variant", "sqnr_db", "cosine", "relative_error"),
    [
        ([3, 4], [3, 3], 10 * math.log10(25), 21 / (5 * math.sqrt(18)), 1.0),
        ([3, 4], [3, 4], MOST_DB, 1.0, 0.0),
        ([3, 4], [-3, -4], -10 * math.log10(4), -1.0, 8.0),
        ([0, 0], [0, 0], MOST_DB, 1.0, None),
        ([0, 0], [1, 0], -MOST_DB, 0.0, None),
        ([1, 0], [0, 0], 0.0, 0.0, 1.0),
        ([5, 5], [5, 6], 10 * math.log10(50), 55 / math.sqrt(50 * 61), 0.2),
        ([1, 2], [math.nan, 2], -MOST_DB, 0.0, None),
        ([1, 2], [math.inf, 2], -MOST_DB, 0.0, None),
    ],
)
def test_both_ratios_and_the_largest_error_are_those_of_the_textbook(parent, variant, sqnr_db, cosine, relative_error):
    found = distance(np.array(parent), np.array(variant))
    assert found.sqnr_db == pytest.approx(sqnr_db)
    assert found.cosine == pytest.approx(cosine)
    assert found.relative_error == (None if relative_error is None else pytest.approx(relative_error))


@given(PAIRS)
def test_they_are_those_of_onnx_runtime(pair):
    library = pytest.importorskip("onnxruntime.quantization.qdq_loss_debug")
    parent, variant = (one.astype(np.float64) for one in pair)
    assume(parent.any() and (parent != variant).any())
    wanted = library.compute_signal_to_quantization_noice_ratio(parent, variant)
    assert distance(parent, variant).sqnr_db == pytest.approx(wanted, abs=1e-6)


@given(PAIRS)
def test_no_ratio_is_beyond_its_bounds(pair):
    found = distance(*pair)
    assert -MOST_DB <= found.sqnr_db <= MOST_DB
    assert -1.0 <= found.cosine <= 1.0
    assert all(value is None or math.isfinite(value) for value in found.facts().values())


@given(PAIRS, st.integers(1, 23))
def test_parts_add_up_to_the_whole(pair, cut):
    parent, variant = pair
    parts = [slice(0, cut), slice(cut, None)]
    summed = total(distance(parent[one], variant[one]) for one in parts if parent[one].size)
    whole = distance(parent, variant)
    assert summed.values == whole.values
    assert (summed.largest_error, summed.low, summed.high) == (whole.largest_error, whole.low, whole.high)
    assert summed.sqnr_db == pytest.approx(whole.sqnr_db, abs=1e-6)
    assert summed.cosine == pytest.approx(whole.cosine, abs=1e-9)


@given(PAIRS, st.sampled_from([2.0**-10, 0.5, 4.0, 2.0**10]))
def test_the_unit_of_the_values_does_not_matter(pair, factor):
    first, second = distance(*pair), distance(*(factor * one.astype(np.float64) for one in pair))
    assert second.facts() == first.facts()


def test_one_loud_channel_hides_the_others_and_the_median_channel_does_not():
    random = np.random.default_rng(1)
    parent = random.normal(0, [[100.0], [1.0], [1.0]], (3, 500))
    found = distance(parent, np.round(parent), channel_axis=0)
    assert found.sqnr_db > 45
    assert 10 < found.median_channel_db < 12
    assert distance(parent, np.round(parent)).median_channel_db is None


def test_a_silent_channel_counts_for_nothing_and_channels_add_up_too():
    parent = np.array([[[1.0, 2.0], [0.0, 0.0]]])
    one = distance(parent, parent + 0.5, channel_axis=1)
    assert one.channels == ((5.0, 0.5), (0.0, 0.5))
    assert one.median_channel_db == decibels(5.0, 0.5)
    assert total([one, one]).channels == ((10.0, 1.0), (0.0, 1.0))
    assert total([]) == Distance()


@pytest.mark.parametrize(
    ("parent", "variant", "words"),
    [
        ([1.0, 2.0], [1.0], "2 values of the parent beside 1"),
        ([], [], "0 values"),
        ([math.nan], [1.0], "not all finite"),
        ([math.inf], [1.0], "not all finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(parent, variant, words):
    with pytest.raises(ValueError, match=words):
        distance(np.array(parent), np.array(variant))
