"""What paired rounds prove: typical time and tail, on the wall clock and on the CPU clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from traces import BEGIN_S, END_S, nanoseconds, trace

from harness.case import Case
from harness.paired import PairedRun
from harness.pairing import ROUNDS, decided, judge_pair
from harness.profile import Conditions
from harness.rules import Outcome, decide
from harness.telemetry import Channel, empty_trace

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
    frames: int = FRAMES,
) -> PairedRun:
    """Frames of 1 ms; the candidate's are slower by `slower`, its slowest tenth by `tail` more."""
    chance = np.random.default_rng(seed)
    factor = np.exp(spread * chance.standard_normal((count, 3, 1)) + np.array([0.0, null, slower])[None, :, None])
    frame = 1e6 * factor * np.exp(0.01 * chance.standard_normal((count, 3, frames)))
    frame[:, 2, : frames // 10] *= 1 + tail
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


@pytest.mark.parametrize("sizes", [(80, 50), (50, 200, 80)])
def test_processes_that_chose_different_counts_of_frames_are_judged_together(sizes):
    runs = [rounds(12, frames=frames, seed=frames) for frames in sizes]
    for one in judge_pair(CASE, runs, "HEAD~1"):
        assert one.outcome is Outcome.PASS
        assert one.change.count == 12 * len(sizes)
        share = 0.25 if "p25" in one.metric else 0.95
        candidate = np.concatenate([run.frame_ns[:, 2].ravel() for run in runs])
        assert one.value == pytest.approx(np.quantile(candidate, share) / 1e6)
        assert decide(one.rule, one.inputs).outcome is one.outcome


def test_one_process_without_a_cpu_clock_leaves_the_wall_clock_to_all():
    runs = [rounds(12), rounds(12, cpu=False, frames=50)]
    assert {one.metric for one in judge_pair(CASE, runs, "HEAD~1")} == {"frame_p25_ms", "frame_p95_ms"}


PHASES = {"phases": {"frames": nanoseconds([BEGIN_S, END_S]).tolist()}}
OC1, OC3, LOWEST = Channel("oc1", "events"), Channel("oc3", "events"), Channel("cpu0.min", "kHz")
RISING = {OC1: lambda at_s: at_s > 15.0}
DISTURBED = [
    (trace(RISING), "throttled: oc1 rose by 1 while frames ran"),
    (trace({LOWEST: lambda at_s: np.where(at_s > 15, 7e5, 2e6)}),
     "clocks: cpu0.min went from 2000000 to 700000 kHz while frames ran"),
    (trace({OC1: 0.0}, silent=lambda at_s: (at_s > 14.99) & (at_s < 16.01)),
     "sensors: board told nothing for 1.10 s while frames ran"),
    (empty_trace("board", "the sampler died at its start", ended="the sampler died at its start"),
     "sensors: the sampler died at its start"),
]  # fmt: skip


def watched(run: PairedRun, *traces) -> PairedRun:
    return replace(run, traces=traces, facts=PHASES)


@pytest.mark.parametrize(("told", "said"), DISTURBED)
def test_rounds_in_which_the_device_was_disturbed_are_left_out(told, said):
    clean, slow = watched(rounds(12), trace({OC1: 0.0})), watched(rounds(20, slower=0.3), told)
    for runs in ([clean, slow], [slow, clean]):
        found = judge_pair(CASE, runs, "HEAD~1")
        assert {one.outcome for one in found} == {Outcome.PASS}
        assert {one.change.count for one in found} == {12}


@pytest.mark.parametrize(("told", "said"), DISTURBED)
def test_where_the_device_was_disturbed_in_all_rounds_nothing_is_judged_and_more_are_measured(told, said):
    slow = watched(rounds(20, slower=0.3), told)
    for runs in ([slow], [slow, slow]):
        (found,) = judge_pair(CASE, runs, "HEAD~1")
        assert (found.outcome, found.sentence) == (Outcome.INVALID, said)
        assert not decided([found])


@pytest.mark.parametrize(("allowed", "outcome"), [(None, Outcome.PASS), (10, Outcome.PASS), (4, Outcome.INVALID)])
def test_the_rate_of_oc3_that_the_profile_allows_holds_for_pairs_too(allowed, outcome):
    run = watched(rounds(20), trace({OC3: lambda at_s: np.where(at_s > 15, 100, 0)}))
    found = judge_pair(CASE, [run], "HEAD~1", Conditions(max_oc3_per_s=allowed))
    assert {one.outcome for one in found} == {outcome}


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
