"""What paired rounds prove: typical time and tail, on the wall clock and on the CPU clock."""

from __future__ import annotations

import numpy as np
import pytest

from harness.case import Case
from harness.paired import PairedRun
from harness.pairing import ROUNDS, decided, judge_pair
from harness.rules import Outcome, decide

CASE = Case("host", "eyes", "int8", "onnxruntime")
FRAMES = 80


def rounds(
    count: int,
    slower: float = 0.0,
    null: float = 0.0,
    tail: float = 0.0,
    spread: float = 0.003,
    cpu: bool = True,
    seed: int = 1,
) -> PairedRun:
    """Frames of 1 ms; the candidate's are slower by `slower`, its slowest tenth by `tail` more."""
    chance = np.random.default_rng(seed)
    factor = np.exp(spread * chance.standard_normal((count, 3, 1)) + np.array([0.0, null, slower])[None, :, None])
    frame = 1e6 * factor * np.exp(0.01 * chance.standard_normal((count, 3, FRAMES)))
    frame[:, 2, : FRAMES // 10] *= 1 + tail
    ns = frame.astype(np.int64)
    return PairedRun(frame_ns=ns, cpu_ns=ns if cpu else ns[:, :, :0], load_ns=np.ones((count, 3), np.int64), facts={})


def by_metric(run: PairedRun, **changes) -> dict:
    return {one.metric: one for one in judge_pair(CASE, [run], "HEAD~1", **changes)}


def test_the_same_build_passes_on_both_clocks():
    found = by_metric(rounds(20))
    assert {one.outcome for one in found.values() if one.gate} == {Outcome.PASS}
    assert set(found) == {"frame_p25_ms", "frame_p95_ms", "frame_cpu_p25_ms", "frame_cpu_p95_ms"}


def test_two_per_cent_slower_fails_and_says_which_clock_decided():
    found = by_metric(rounds(20, slower=0.02))
    assert found["frame_p25_ms"].outcome is Outcome.FAIL
    assert "proven slower: +" in found["frame_p25_ms"].sentence
    assert "clock: wall time" in found["frame_p25_ms"].sentence
    assert "clock: the thread's CPU time" in found["frame_cpu_p25_ms"].sentence
    change = found["frame_p25_ms"].change
    assert change.low_percent > 0
    assert change.percent == pytest.approx(2.0, abs=0.4)
    assert change.against == "HEAD~1"


def test_a_slow_tail_alone_fails():
    found = by_metric(rounds(20, tail=0.5))
    assert found["frame_cpu_p95_ms"].outcome is Outcome.FAIL
    assert found["frame_cpu_p25_ms"].outcome is Outcome.PASS


def test_the_tail_of_wall_time_is_advice_beside_a_cpu_clock_and_a_gate_without():
    assert by_metric(rounds(20))["frame_p95_ms"].gate is False
    found = by_metric(rounds(20, cpu=False))
    assert set(found) == {"frame_p25_ms", "frame_p95_ms"}
    assert found["frame_p95_ms"].gate


def test_a_reference_that_differs_from_itself_voids_the_verdict():
    found = by_metric(rounds(20, slower=0.05, null=0.02))
    assert found["frame_p25_ms"].outcome is Outcome.INVALID
    assert "(null arm)" in found["frame_p25_ms"].sentence


def test_noise_leaves_it_open_and_more_rounds_decide():
    noisy = by_metric(rounds(20, spread=0.06))
    assert noisy["frame_p25_ms"].outcome is Outcome.INCONCLUSIVE
    assert not decided(list(noisy.values()))
    runs = [rounds(count, spread=0.01, seed=count) for count in ROUNDS]
    assert decided(judge_pair(CASE, runs, "itself"))


@pytest.mark.parametrize(("slower", "stops"), [(0.05, True), (0.0, True)])
def test_a_clear_answer_needs_no_second_look(slower, stops):
    assert decided(list(by_metric(rounds(20, slower=slower)).values())) is stops


def test_every_verdict_can_be_decided_again_from_its_inputs():
    for slower in (0.0, 0.02):
        for one in by_metric(rounds(20, slower=slower)).values():
            assert decide(one.rule, one.inputs).outcome is one.outcome


def test_a_faster_build_passes_and_is_shown_as_faster():
    found = by_metric(rounds(20, slower=-0.10))
    assert found["frame_p25_ms"].outcome is Outcome.PASS
    assert found["frame_p25_ms"].change.percent < -8
