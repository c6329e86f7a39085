"""The ratio of P99 beside a load comes from paired windows, with its interval."""

from __future__ import annotations

import math
import os
import shutil
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.interference.loads import NONE
from harness.interference.matrix import Block, degradation, lines, windows


def block(random, slower, drift=1.0, frames=300):
    def window(factor):
        return 5e6 * drift * factor * np.exp(0.05 * random.standard_normal(frames))

    return Block(frames={NONE: window(1.0), "cpu": window(slower)})


def blocks(slower, seed=0, count=10, drift=0.05, **more):
    random = np.random.default_rng(seed)
    return [block(random, slower, 1 + drift * index, **more) for index in range(count)]


@given(slower=st.floats(1.2, 5), seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_degradation_is_found_while_the_machine_drifts(slower, seed):
    found = degradation("cpu", "eyes", blocks(slower, seed))
    assert found.ratio == pytest.approx(slower, rel=0.05)
    assert found.low <= found.ratio <= found.high
    assert found.proven


def test_a_load_without_effect_is_rarely_said_to_have_one():
    said = sum(degradation("cpu", "eyes", blocks(1.0, seed)).proven for seed in range(200))
    assert said <= 12


@pytest.mark.parametrize("count", [1, 4])
def test_too_few_blocks_have_no_interval(count):
    found = degradation("cpu", "eyes", blocks(2.0, count=count))
    assert (found.low, found.high) == (0.0, math.inf)
    assert not found.proven
    assert "no interval" in lines([[found]])[1]


@pytest.mark.parametrize("measured", [[], blocks(2.0, frames=50)])
def test_too_little_is_not_measured(measured):
    found = degradation("cpu", "eyes", measured)
    assert found.ratio is None
    assert "needs 100" in found.fault
    assert "not measured" in lines([[found]])[1]


def test_the_matrix_has_a_row_for_each_load_and_a_column_for_each_case():
    measured = {"eyes": blocks(2.0), "gaze": blocks(1.0)}
    rows = [[degradation(load, case, told) for case, told in measured.items()] for load in ("cpu", "io")]
    head, eyes, gaze = lines(rows)
    assert head.split() == ["P99", "alone,", "ms", "cpu", "io"]
    assert eyes.startswith("eyes ")
    assert gaze.endswith("not measured")
    assert lines([]) == []


@pytest.mark.skipif(not shutil.which("stress-ng"), reason="stress-ng is not installed")
def test_a_real_load_runs_beside_its_windows_and_not_beside_the_others():
    def window(load):
        """A second of frames."""
        taken, until = [], time.perf_counter_ns() + 300_000_000
        while time.perf_counter_ns() < until or len(taken) < 100:
            begin = time.perf_counter_ns()
            sum(range(20_000))
            taken.append(time.perf_counter_ns() - begin)
        return np.array(taken)

    core = max(os.sched_getaffinity(0))
    measured = windows(window, ["cpu"], blocks=2, cores=[core])
    assert len(measured) == 2
    assert all(set(one.frames) == {NONE, "cpu"} for one in measured)
    assert all(one.cpu_s["cpu"] > 0 and one.cpu_s[NONE] == 0 for one in measured)
    assert degradation("cpu", "this process", measured).ratio > 0
