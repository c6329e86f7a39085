"""Reference and candidate in one process: loaded anew each round, in mirrored random order, the reference twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.case import Job
from harness.dispatch import run_pair
from harness.errors import HarnessError
from harness.paired import ARMS, FEWEST_FRAMES, MOST_FRAMES, PairedJob, PairedRun, measure_pair
from harness.telemetry import Telemetry

REFERENCE, NULL, CANDIDATE = range(3)


def quiet(*words) -> None:
    return None


@pytest.fixture
def pair(make_job, tmp_path):
    """A PairedJob; the candidate's .sim file says what is given here."""

    def make(rounds: int = 4, seed: int = 1, **candidate) -> PairedJob:
        reference = make_job({"sigma": 0.0, **candidate.pop("reference", {})})
        path = tmp_path / "candidate.sim"
        path.write_text(json.dumps({"sigma": 0.0, **candidate}))
        other = replace(reference, model_path=str(path))
        return PairedJob(reference=reference, candidate=other, rounds=rounds, seed=seed)

    return make


def test_every_round_has_as_many_frames_of_each_arm(pair):
    run = measure_pair(pair(rounds=3), quiet)
    rounds, arms, frames = run.frame_ns.shape
    assert (rounds, arms) == (3, len(ARMS))
    assert 2 * FEWEST_FRAMES <= frames <= 2 * MOST_FRAMES
    assert run.cpu_ns.shape == run.frame_ns.shape
    assert run.load_ns.shape == (3, 3)


@pytest.mark.parametrize(("infer_ms", "frames"), [(1.0, MOST_FRAMES), (10.0, 15), (100.0, FEWEST_FRAMES)])
def test_slow_models_get_shorter_segments(pair, infer_ms, frames):
    run = measure_pair(pair(rounds=1, infer_ms=infer_ms, reference={"infer_ms": infer_ms}), quiet)
    assert run.frame_ns.shape[2] == pytest.approx(2 * frames, abs=2)


def test_slow_loads_get_more_blocks_per_round(pair):
    quick = measure_pair(pair(rounds=1), quiet)
    slow = measure_pair(pair(rounds=1, load_ms=60_000.0), quiet)
    assert slow.frame_ns.shape[2] == 5 * quick.frame_ns.shape[2]


def test_a_slower_candidate_is_slower_and_the_null_arm_is_not(pair):
    run = measure_pair(pair(infer_ms=5.1, reference={"infer_ms": 5.0}), quiet)
    typical = np.quantile(run.frame_ns, 0.25, axis=2)
    assert typical[:, CANDIDATE] / typical[:, REFERENCE] == pytest.approx(1.02, abs=0.001)
    assert typical[:, NULL] / typical[:, REFERENCE] == pytest.approx(1.0, abs=0.001)


def test_the_inference_of_each_frame_is_a_part_of_it_and_comes_back_from_a_file(pair, tmp_path):
    run = measure_pair(pair(infer_ms=2.5, reference={"infer_ms": 5.0}), quiet)
    assert run.infer_ns.shape == run.frame_ns.shape
    assert (run.infer_ns <= run.frame_ns).all()
    typical = np.quantile(run.infer_ns, 0.25, axis=2)
    assert typical[:, REFERENCE] / typical[:, CANDIDATE] == pytest.approx(2.0, abs=0.001)
    run.save(tmp_path)
    assert np.array_equal(PairedRun.load(tmp_path).infer_ns, run.infer_ns)


def test_a_run_that_was_kept_without_inferences_can_be_read(pair, tmp_path):
    replace(measure_pair(pair(rounds=1), quiet), infer_ns=None).save(tmp_path)
    assert PairedRun.load(tmp_path).infer_ns is None


def test_the_noise_of_each_load_is_another_one(pair):
    run = measure_pair(pair(rounds=6, process_sigma=0.05, reference={"process_sigma": 0.05}), quiet)
    typical = np.quantile(run.frame_ns, 0.25, axis=2)
    assert len(np.unique(typical)) == typical.size


def test_progress_is_said_before_each_round(pair):
    said = []
    measure_pair(pair(rounds=3), lambda *words: said.append(words))
    assert said == [("round", 0, 3), ("round", 1, 3), ("round", 2, 3)]


def test_a_pair_crosses_the_wire_and_comes_back(pair, simulated, tmp_path):
    job = pair(rounds=2)
    assert PairedJob.from_json(job.to_json()) == job
    run = run_pair(job, simulated, tmp_path / "out", quiet)
    assert run.frame_ns.shape[:2] == (2, 3)
    assert set(run.facts) == {"reference", "candidate", "phases"}
    again = PairedRun.load(tmp_path / "out")
    assert np.array_equal(again.frame_ns, run.frame_ns)


@pytest.mark.parametrize(
    ("fault", "said"), [("refuse", "refuses the model"), ("crash", "SIGABRT"), ("fail_at_run", "fails at this frame")]
)
def test_a_candidate_that_fails_is_one_sentence(pair, simulated, tmp_path, fault, said):
    with pytest.raises(HarnessError, match=said):
        run_pair(pair(fault=fault), simulated, tmp_path / "out", quiet)


def test_a_worker_that_leaves_nothing_is_no_result(pair, simulated, tmp_path):
    with pytest.raises(HarnessError, match="without a readable result"):
        run_pair(pair(fault="vanish"), simulated, tmp_path / "out", quiet)


def test_a_job_for_one_build_is_no_pair(make_job):
    job = make_job()
    assert Job.from_json(job.to_json()) == job
    assert "candidate" not in json.loads(job.to_json())


def test_the_worker_is_confined_as_the_profile_says(pair, simulated, tmp_path: Path):
    profile = simulated.model_copy(update={"cpu_cores": (0,), "memory_limit_mib": 8192})
    run_pair(pair(rounds=1), profile, tmp_path / "out", quiet)
    sent = PairedJob.from_json((tmp_path / "out" / "job.json").read_text())
    assert sent.candidate.cpu_cores == sent.reference.cpu_cores == (0,)


SENSOR = {"board": {"kind": "simulated", "rate_hz": 50}}


def test_the_sensors_are_sampled_over_all_rounds_on_the_clock_of_the_phases(make_job, tmp_path):
    sampled = make_job(telemetry=Telemetry(probes=SENSOR))
    run = measure_pair(PairedJob(reference=sampled, candidate=sampled, rounds=3, seed=0), lambda *words: None)
    (trace,) = run.traces
    start_ns, end_ns = run.facts["phases"]["frames"]
    assert trace.ended == trace.missing == ""
    assert trace.time_ns[0] <= start_ns < end_ns <= trace.time_ns[-1]
    run.save(tmp_path)
    assert PairedRun.load(tmp_path).traces[0].time_ns.tolist() == trace.time_ns.tolist()


def test_a_sampler_that_sleeps_for_one_of_two_arms_tells_no_trace(make_job):
    sampled, plain = make_job(telemetry=Telemetry(probes=SENSOR)), make_job()
    run = measure_pair(PairedJob(reference=plain, candidate=sampled, rounds=2, seed=0), lambda *words: None)
    assert run.traces == ()
