"""Amounts on the command line."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.optimise.amounts import milliseconds_of, points_of


@pytest.mark.parametrize(
    ("text", "points"), [("1", 1.0), ("1%", 1.0), ("0.5 points", 0.5), (" 2 % ", 2.0), ("1point", 1.0), (".25", 0.25)]
)
def test_a_loss_is_in_points_of_the_score(text, points):
    assert points_of(text) == points


@pytest.mark.parametrize(
    "text", ["", "%", "-1%", "one", "1 percent", "nan", "inf", "1e2", "1,5%", "0", "0%", "100%", "250", "1%%", "1 2"]
)
def test_nonsense_is_no_loss(text):
    with pytest.raises(ConfigError, match="--accuracy-loss"):
        points_of(text)


@pytest.mark.parametrize(
    ("text", "ms"), [("20ms", 20.0), ("20", 20.0), ("0.02s", 20.0), ("0.02 s", 20.0), ("800us", 0.8), ("1.5 ms", 1.5)]
)
def test_a_latency_has_a_unit_or_is_in_milliseconds(text, ms):
    assert milliseconds_of(text) == pytest.approx(ms)


@pytest.mark.parametrize("text", ["", "ms", "0ms", "0", "-20ms", "20 min", "20Ms", "1e3ms", "20 ms 5", "fast", "²ms"])
def test_nonsense_is_no_latency(text):
    with pytest.raises(ConfigError, match="--latency-budget"):
        milliseconds_of(text)


@given(st.text(max_size=12))
def test_any_text_is_an_amount_in_its_range_or_a_wrong_configuration(text):
    for read, most in ((points_of, 100.0), (milliseconds_of, float("inf"))):
        with suppress(ConfigError):
            assert 0 < read(text) < most
