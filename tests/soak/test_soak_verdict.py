"""Clean soaks raise nothing, planted faults are named; benchmarks/soak_errors.py has the rates over many more."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from harness.camera import Paced
from harness.soak import Soak, soak_of, soak_of_paced
from harness.soak.simulated import Planted, simulated_soak
from harness.soak.verdict import judge
from harness.telemetry import Channel

NOTHING = Soak(due_ns=np.zeros(0, np.int64), latency_ns=np.zeros(0, np.int64))


def kinds(soak):
    return [one.kind for one in judge(soak).findings]


@pytest.mark.parametrize("seed", range(20))
def test_a_clean_soak_raises_nothing(seed):
    verdict = judge(simulated_soak(seed))
    assert verdict.clean
    assert verdict.findings == ()
    assert verdict.sentences[0].startswith("clean: nothing raised over ")


@pytest.mark.parametrize(
    ("planted", "kind", "words"),
    [
        (Planted(leak_kb=100), "leak", "leak: memory grows by "),
        (Planted(slower=0.1), "throttle", "throttle in minute "),
        (Planted(slower=0.3), "throttle", "throttle in minute 6: median goes from "),
        (Planted(slower=0.3, sensors=False), "step", "but no sensor told clocks"),
        (Planted(drift=0.15), "drift", "median drifts from "),
        (Planted(stall_ms=100), "periodic stall", "periodic stall every 20.00 s: 30 of 100 ms"),
        (Planted(stall_ms=1000), "periodic stall", "periodic stall every 20.00 s: 30 of 100"),
        (Planted(stall_ms=1000, stalls_at_s=(222.0,)), "single stall", "single stall of 1000 ms at 222.0 s"),
        (Planted(stall_ms=300, stalls_at_s=(22, 67, 190, 199, 410, 555)), "random stalls", "6 stalls at random times"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_fault_is_found_and_named(seed, planted, kind, words):
    verdict = judge(simulated_soak(seed, planted))
    assert [one.kind for one in verdict.findings] == [kind]
    assert words in verdict.findings[0].sentence
    assert not verdict.clean


def test_faults_at_once_are_each_named():
    planted = Planted(leak_kb=100, slower=0.3, stall_ms=1000)
    assert kinds(simulated_soak(4, planted)) == ["throttle", "leak", "periodic stall"]


def test_the_evidence_of_a_finding_is_plain_data():
    verdict = judge(simulated_soak(4, Planted(leak_kb=100, slower=0.3, stall_ms=1000)))
    assert all(json.loads(json.dumps(one.evidence)) for one in verdict.findings)


def test_a_step_while_clocks_stay_is_no_throttle():
    slow, cool = simulated_soak(5, Planted(slower=0.3)), simulated_soak(5)
    (found,) = judge(replace(slow, traces=cool.traces)).findings
    assert found.kind == "step"
    assert "no throttle by the sensors, so look for other load" in found.sentence


def test_a_core_that_the_frames_have_left_is_no_throttle():
    slow = simulated_soak(5, Planted(slower=0.3))
    clocks = next(one for one in simulated_soak(5).traces if one.probe == "clocks")
    left = np.where(np.arange(len(clocks.values)) < 600, 1.0, 0.5)[:, None]
    both = np.concatenate([clocks.values * left, clocks.values * (1.5 - left)], axis=1)
    moved = replace(clocks, channels=(Channel("cpu0.cur", "kHz"), Channel("cpu1.cur", "kHz")), values=both)
    (found,) = judge(replace(slow, traces=(moved,))).findings
    assert found.kind == "step"
    assert "clocks/cpu0.cur 1199 MHz before and 1199 MHz after" in found.sentence


def test_a_run_that_becomes_quicker_is_told_and_not_raised():
    verdict = judge(simulated_soak(6, Planted(slower=-0.2)))
    assert verdict.clean
    assert any("median fell from" in one for one in verdict.notes)


def test_nothing_measured_is_never_clean():
    verdict = judge(NOTHING)
    assert not verdict.clean
    assert verdict.sentences[0] == "no frame was measured"


def test_a_short_run_says_what_it_cannot_judge():
    notes = judge(simulated_soak(1, minutes=0.5)).notes
    assert [one.split(":")[0] for one in notes] == ["drift", "memory", "stalls"]


def test_frames_that_go_back_in_time_are_refused():
    with pytest.raises(ValueError, match="order of time"):
        Soak(due_ns=np.array([2, 1]), latency_ns=np.array([1, 1]))


def test_a_run_without_a_camera_is_a_soak_of_its_frames(make_run):
    soak = soak_of(make_run(np.full(100, 5_000_000)))
    assert (len(soak.due_ns), soak.seconds, soak.dropped_ns) == (100, 0.5, None)


def test_a_dropped_frame_was_due_between_its_neighbours():
    paced = Paced(
        due_ns=np.array([0, 100, 400]), start_ns=np.array([0, 100, 400]), end_ns=np.array([50, 350, 450]),
        index=np.array([0, 1, 4]), dropped=np.array([2, 3]), lateness_ns=np.zeros(0, np.int64),
    )  # fmt: skip
    soak = soak_of_paced(paced)
    assert soak.latency_ns.tolist() == [50, 250, 50]
    assert soak.dropped_ns.tolist() == [200, 300]
