"""Memory that stays taken is a leak; what is given back, taken once, or wanders, is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.soak.leak import growth, leak_of
from harness.soak.simulated import Planted, simulated_soak

FRAMES = np.arange(0, 18_000, 15)
SHARE = FRAMES / FRAMES[-1]
MB = 1e6


def held(extra):
    return 200 * MB + extra


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        (0 * FRAMES, "none"),
        (100e3 * FRAMES, "leak"),
        (2e3 * FRAMES, "leak"),
        (50 * MB * (SHARE > 0.1), "none"),
        (50 * MB * (SHARE > 0.5), "none"),
        (100 * MB * ((7.3 * SHARE) % 1), "none"),
        (100 * MB * ((1.5 * SHARE) % 1), "unclear"),
        (100e3 * FRAMES + 100 * MB * ((7.3 * SHARE) % 1), "leak"),
        (500 * MB * (1 - np.exp(-5 * SHARE)), "settling"),
        (-10e3 * FRAMES + 180 * MB, "none"),
    ],
    ids=["flat", "leak", "small leak", "warm-up step", "late step", "sawtooth", "long teeth", "leak under a sawtooth",
         "ebbing", "given back"],
)  # fmt: skip
def test_what_is_a_leak(extra, kind):
    found = growth(FRAMES, held(extra))
    assert found.kind == kind
    assert found.low_kb <= found.slope_kb <= found.high_kb


@given(kb=st.floats(3, 1000), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_the_interval_holds_the_true_growth_under_a_wandering_heap(kb, seed):
    wandering = np.cumsum(4096 * np.random.default_rng(seed).integers(-3, 4, len(FRAMES)))
    found = growth(FRAMES, held(1e3 * kb * FRAMES + wandering))
    assert found.kind == "leak"
    assert found.slope_kb == pytest.approx(kb, rel=0.1, abs=0.5)
    assert found.low_kb <= kb * 1.01


@pytest.mark.parametrize("seed", range(20))
def test_a_heap_that_wanders_does_not_leak(seed):
    steps = np.random.default_rng(seed).integers(-20, 21, len(FRAMES))
    assert growth(FRAMES, held(np.cumsum(4096 * steps))).kind != "leak"


def test_a_leak_below_the_limit_is_none():
    assert growth(FRAMES, held(20e3 * FRAMES), limit_kb=50).kind == "none"


@pytest.mark.parametrize("count", [0, 1, 41])
def test_too_few_samples_are_said(count):
    found = growth(FRAMES[:count], held(FRAMES[:count]))
    assert (found.kind, found.slope_kb) == ("unmeasured", None)
    assert f"{count} samples" in found.reason


def test_without_samples_of_the_process_nothing_is_judged():
    found = leak_of(simulated_soak(1, Planted(sensors=False)))
    assert (found.kind, found.slope_kb) == ("unmeasured", None)
    assert "device_memory" in found.reason


@pytest.mark.parametrize("seed", range(5))
def test_warming_up_in_a_short_soak_is_no_leak(seed):
    found = leak_of(simulated_soak(seed, minutes=1))
    assert found.kind == "unmeasured"
    assert "too short to tell a leak from warming up" in found.reason
