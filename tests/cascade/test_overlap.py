"""Overlapped executions of a cascade against the serial one: measured in turns, compared, and told in a table."""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import pytest

from harness.cascade import Execution
from harness.cascade.overlap import NULL, OverlapJob, OverlapRun, measure_overlap
from harness.dispatch import run_overlap
from harness.errors import ConfigError, EngineError
from harness.overlapcommand import add_overlap_command, arms_of, table
from harness.profile import read_profile
from tests.cascade.conftest import quiet
from tests.simulated import CHECKOUT, simulated_device

EXECUTIONS = (Execution("stages"), Execution("streams", 2))
ARMS = ("serial", NULL, "stages", "2 streams")


def made(wall_ms, differences=None) -> OverlapRun:
    """Of rounds of 2 x 10 frames: the wall milliseconds of each arm in each."""
    wall_ns = np.array(wall_ms, np.int64) * 1_000_000
    frames = {name: np.full(20 * len(wall_ns), 5_000_000) for name in ARMS}
    return OverlapRun(ARMS, wall_ns, wall_ns // 2, frames, differences or {}, {})


def test_an_arm_twice_as_quick_in_every_round_is_twice_as_quick_for_sure():
    arms = {one.name: one for one in arms_of(made([[200, 200, 100, 300]] * 8))}
    assert (arms["stages"].times, arms["stages"].low, arms["stages"].high) == pytest.approx((2, 2, 2))
    assert arms["2 streams"].times == pytest.approx(2 / 3)
    assert arms["stages"].frames_per_s == pytest.approx(200)
    assert (arms["serial"].cores, arms["serial"].cpu_ms) == pytest.approx((0.5, 5.0))


def test_an_arm_that_is_now_quicker_now_slower_has_one_in_its_interval():
    arms = {one.name: one for one in arms_of(made([[200, 210, 100 if odd else 400, 200] for odd in (0, 1) * 5]))}
    assert arms["stages"].low < 1 < arms["stages"].high


def test_the_table_names_an_answer_that_differs():
    lines = table("host/cabin", arms_of(made([[200, 200, 100, 300]] * 6, {"stages": "frame 3: the answers of eyes"})))
    assert lines[1].split()[:2] == ["execution", "times"]
    assert [line.split()[-1] for line in lines[2:6]] == ["equal", "equal", "DIFFER", "equal"]
    assert lines[6] == "stages: frame 3: the answers of eyes"


def test_a_worker_measures_all_executions_in_turns_with_equal_answers(cabin_job, tmp_path):
    block = replace(cabin_job, plan=replace(cabin_job.plan, frames=6, deadline_s=60))
    said = []
    found = measure_overlap(OverlapJob(block, EXECUTIONS, 2), lambda *words: said.append(words))
    assert found.arms == ARMS
    assert found.differences == {}
    assert found.wall_ns.shape == (2, 4)
    assert (found.wall_ns > 0).all()
    assert {len(one) for one in found.end_to_end_ns.values()} == {2 * 2 * 6}
    assert said[-1] == ("block", 15, 16)
    found.save(tmp_path)
    again = OverlapRun.load(tmp_path)
    assert np.array_equal(again.wall_ns, found.wall_ns)
    assert (again.arms, again.facts) == (found.arms, found.facts)


def test_the_same_through_a_worker_of_its_own(cabin_job, tmp_path):
    block = replace(cabin_job, plan=replace(cabin_job.plan, frames=4, deadline_s=60))
    job = OverlapJob(block, EXECUTIONS[:1], 1)
    assert OverlapJob.from_json(job.to_json()).to_json() == job.to_json()
    found = run_overlap(job, read_profile("host", CHECKOUT / "devices"), tmp_path / "out")
    assert found.differences == {}
    with pytest.raises(ConfigError, match="does not travel over a wire yet"):
        run_overlap(job, simulated_device().model_copy(update={"transport": "ssh"}), tmp_path / "far")


def test_simulated_engines_overlap_on_paper_only(simulated_cascade):
    with pytest.raises(EngineError, match="take no time in which others could work"):
        measure_overlap(OverlapJob(simulated_cascade({"face": {}}), EXECUTIONS, 1), quiet)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pair", "--rounds=5"], "allowed: 6 rounds or more"),
        (["pear"], "no model called 'pear'"),
        (["eye_state", "--runtimes=onnxruntime"], "eye_state is a model and no pipeline"),
        (["cabin", "--runtimes=tensorrt"], r"no runtime of \['tensorrt'\] takes it"),
    ],
)
def test_what_cannot_be_overlapped_is_answered_with_a_sentence(monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(CHECKOUT)
    parser = argparse.ArgumentParser()
    add_overlap_command(parser.add_subparsers(), quiet)
    parsed = parser.parse_args(["overlap", *arguments, f"--out={tmp_path}"])
    with pytest.raises(ConfigError, match=said):
        parsed.command(parsed)
