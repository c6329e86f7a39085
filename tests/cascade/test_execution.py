"""Frames through a cascade of simulated engines: what is timed, what holds, every overlap against the serial one."""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.camera import Arrivals, due_ns
from harness.camera.pacing import pace, waiting_of
from harness.cascade import CascadeJob, Execution, Stage
from harness.cascade.crew import loaded
from harness.cascade.measure import camera_frames, measure_cascade, run_frames
from harness.cascade.recording import record_cascade
from harness.cascade.records import HELD, RAN, CascadeRun, first_difference
from harness.cascade.serial import CascadePipeline
from harness.errors import ConfigError, DatasetError, EngineError
from harness.following import follow
from harness.frames import Frame, write_pack
from harness.measure import ignore_records
from harness.tasks import Geometry
from tests.cascade.conftest import quiet

MS = 1_000_000
OVERLAPS = ("stages", "steps", "streams")
CHAIN = {"face": {"infer_ms": 4.0}, "eyes": {"infer_ms": 2.0, "after": ("face",)}, "heads": {"infer_ms": 3.0}}
WITH_HELD = {
    "face": {"infer_ms": 4.0, "every": 2}, "eyes": {"infer_ms": 2.0, "sigma": 0.2, "after": ("face",), "every": 3},
    "mood": {"infer_ms": 1.0, "tail_share": 0.3, "tail_ms": 9.0, "after": ("eyes", "face")},
    "heads": {"infer_ms": 3.0, "every": 5},
}  # fmt: skip


def test_a_serial_frame_takes_the_sum_and_its_critical_path_is_the_longest_chain(simulated_cascade, run):
    found = run(simulated_cascade(CHAIN))
    assert found.end_to_end_ns == pytest.approx(9 * MS, rel=1e-3)
    lengths, chains = found.critical_paths()
    assert set(chains) == {("face", "eyes")}
    assert lengths == pytest.approx(6 * MS, rel=1e-3)
    assert found.step_ns("infer").mean(axis=0) == pytest.approx([4 * MS, 2 * MS, 3 * MS], rel=1e-3)
    assert found.waiting_ns.mean(axis=0) == pytest.approx([0, 0, 6 * MS], rel=1e-3, abs=1000)
    assert (found.waiting_ns >= 0).all()
    assert found.frames_per_s == pytest.approx(1000 / 9, rel=1e-3)
    assert found.facts["engines"]["face"]["engine"] == "simulated"


def test_the_answers_are_those_of_each_model_for_each_frame(simulated_cascade, run):
    found = run(simulated_cascade(CHAIN, frames=7))
    bright = [float(one[0, 1]) for one in found.predictions["eyes"]]
    assert bright == pytest.approx([grey / 255 for grey in (10, 240, 60, 200, 120, 90, 30)])


@pytest.mark.parametrize("mode", ["serial", *OVERLAPS])
def test_between_two_runs_of_a_stage_its_last_answer_holds(simulated_cascade, run, mode):
    found = run(simulated_cascade({"face": {"infer_ms": 4.0, "every": 3}}, mode, frames=7))
    assert found.states[:, 0].tolist() == [RAN, HELD, HELD, RAN, HELD, HELD, RAN]
    bright = [round(255 * float(one[0, 1])) for one in found.predictions["face"]]
    assert bright == [10, 10, 10, 200, 200, 200, 30]
    assert (found.work_ns[:, 0] > 0).tolist() == [True, False, False, True, False, False, True]


@pytest.mark.parametrize("mode", OVERLAPS)
@pytest.mark.parametrize("stages", [CHAIN, WITH_HELD, {"only": {"infer_ms": 1.0}}])
def test_overlapped_answers_are_the_serial_ones_frame_by_frame(simulated_cascade, run, stages, mode):
    serial = run(simulated_cascade(stages, frames=40))
    assert first_difference(serial, run(simulated_cascade(stages, mode, frames=40))) == ""


@pytest.mark.parametrize("mode", ["serial", *OVERLAPS])
def test_the_same_job_gives_the_same_nanoseconds_every_time(simulated_cascade, run, mode):
    one, other = (run(simulated_cascade(WITH_HELD, mode, frames=30)) for _ in range(2))
    assert np.array_equal(one.stamps, other.stamps)
    assert np.array_equal(one.admitted_ns, other.admitted_ns)


@pytest.mark.parametrize(
    ("mode", "streams", "per_frame_ms"),
    [("stages", 1, 4.0), ("steps", 1, 4.0), ("streams", 1, 9.0), ("streams", 2, 4.5), ("streams", 3, 3.0)],
)
def test_overlapped_frames_come_at_the_pace_of_the_slowest_part(simulated_cascade, run, mode, streams, per_frame_ms):
    found = run(simulated_cascade(CHAIN, mode, streams, frames=60))
    assert np.diff(found.finished_ns)[-48:].mean() == pytest.approx(per_frame_ms * MS, rel=0.01)
    assert (np.diff(found.finished_ns) >= 0).all()


@given(
    shape=st.lists(st.tuples(st.integers(0, 15), st.integers(1, 4), st.floats(0.5, 9.0)), min_size=1, max_size=5),
    mode=st.sampled_from(OVERLAPS), streams=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_graph_overlaps_with_equal_answers_and_a_possible_timeline(simulated_cascade, shape, mode, streams):
    names = [f"s{number}" for number in range(len(shape))]
    stages = {
        name: {
            "after": tuple(one for bit, one in enumerate(names[:number]) if mask >> bit & 1),
            "every": every, "infer_ms": infer_ms, "sigma": 0.3,
        }
        for number, (name, (mask, every, infer_ms)) in enumerate(zip(names, shape))
    }  # fmt: skip
    serial = measure_cascade(simulated_cascade(stages), quiet)
    found = measure_cascade(simulated_cascade(stages, mode, streams), quiet)
    assert first_difference(serial, found) == ""
    assert (np.diff(found.stamps, axis=2) >= 0).all()
    assert (found.waiting_ns >= 0).all()
    assert (np.diff(found.admitted_ns) >= 0).all()
    lengths, _ = found.critical_paths()
    assert (found.end_to_end_ns >= lengths).all()
    if mode != "streams":
        ends, starts = found.stamps[:-1, :, 1], found.stamps[1:, :, 0]
        assert (starts >= ends).all()


@pytest.mark.parametrize("mode", ["serial", *OVERLAPS])
def test_an_engine_that_fails_in_the_middle_is_not_hidden_and_leaves_no_thread(simulated_cascade, run, mode):
    before = threading.active_count()
    stages = {**CHAIN, "eyes": {"after": ("face",), "fault": "fail_at_run", "fault_at": 4}}
    with pytest.raises(RuntimeError, match="fails at this frame"):
        run(simulated_cascade(stages, mode, frames=200))
    assert threading.active_count() == before


@pytest.mark.parametrize("mode", OVERLAPS)
def test_a_failure_beside_an_answer_that_holds_ends_who_waits_for_it(simulated_cascade, run, mode):
    stages = {"face": {"every": 4, "fault": "fail_at_run", "fault_at": 2}, "eyes": {"after": ("face",)}}
    with pytest.raises(RuntimeError, match="fails at this frame"):
        run(simulated_cascade(stages, mode, streams=3, frames=200))


@pytest.mark.parametrize("mode", OVERLAPS)
def test_who_wants_no_more_frames_leaves_no_thread(simulated_cascade, mode):
    def interrupted(phase, done, total):
        if phase == "measuring":
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        measure_cascade(simulated_cascade(CHAIN, mode, frames=100), interrupted)
    assert threading.active_count() == before


def test_frames_come_at_the_pace_of_a_camera_through_the_serial_cascade(simulated_cascade):
    job, flights = simulated_cascade({**CHAIN, "heads": {"infer_ms": 30.0}}), []
    with loaded(job) as crew:
        pipeline = CascadePipeline(crew.lanes[0], crew.clock)
        pipeline.begin(flights.append)
        times = due_ns(Arrivals(fps=30), 30)
        waiting = waiting_of(crew.runtimes[0])
        chunks = pace(camera_frames(job), pipeline, times, "drop-stale", waiting, lambda: 0)
        records = [one for chunk in chunks for one in chunk]
    assert len(records) == len(flights) < 30
    assert [one.index for one in flights] == list(range(len(flights)))


@pytest.mark.parametrize("mode", OVERLAPS)
def test_nothing_holds_from_the_frames_before_a_run(simulated_cascade, mode):
    job = simulated_cascade({"face": {"infer_ms": 1.0, "every": 4}}, mode, streams=3)
    frames = camera_frames(job)
    with loaded(job) as crew:
        for shown in (frames, frames[1:3], frames[3:]):
            found = run_frames(job, crew, shown, quiet)
            bright = [round(255 * float(one[0, 1])) for one in found.predictions["face"]]
            greys = [int(one.pixels[0, 0]) for one in shown]
            assert bright == [greys[(index - index % 4) % len(greys)] for index in range(12)]


def test_a_run_that_was_saved_comes_back(simulated_cascade, run, tmp_path):
    found = run(simulated_cascade(WITH_HELD, "stages"))
    found.save(tmp_path)
    again = CascadeRun.load(tmp_path)
    assert again.after == found.after
    assert np.array_equal(again.stamps, found.stamps)
    assert first_difference(again, found) == ""
    assert again.facts == found.facts


def test_a_run_without_predictions_comes_back_too(simulated_cascade, run, tmp_path):
    found = run(replace(simulated_cascade(CHAIN), keep_predictions=False))
    found.save(tmp_path)
    assert CascadeRun.load(tmp_path).predictions == found.predictions == {}


def test_a_frame_that_overtook_another_is_out_after_it_since_answers_come_in_order():
    stamps = np.array([[[0, 0, 0, 90, 90, 100]], [[10, 10, 10, 50, 50, 60]], [[110, 110, 110, 120, 120, 130]]])
    found = CascadeRun({"only": ()}, stamps, np.full((3, 1), RAN), np.array([0, 10, 110]), {}, {})
    assert found.finished_ns.tolist() == [100, 100, 130]
    assert found.end_to_end_ns.tolist() == [100, 90, 20]


@pytest.mark.parametrize("mode", ["serial", "stages"])
def test_frames_beyond_the_planned_ones_are_progress_too(simulated_cascade, mode):
    said = []
    job = simulated_cascade(CHAIN, mode, frames=1, minimum_s=1.2)
    measure_cascade(job, lambda *words: said.append(words))
    first, last = [one for one in said if one[0] == "measuring"]
    assert first == ("measuring", 1, 1)
    assert last[1] == last[2] > 1


def test_frames_of_an_overlapped_run_beyond_the_planned_ones_are_progress_too(simulated_cascade):
    said = []
    job = simulated_cascade(CHAIN, "stages", frames=1, minimum_s=1.2, warmup_window=3, warmup_cap_frames=6)
    record_cascade(job, lambda *words: said.append(words), lambda *both: None, ignore_records)
    first, last = [one for one in said if one[0] == "measuring"]
    assert first == ("measuring", 1, 1)
    assert last[1] == last[2] > 1


def test_other_answers_are_named_by_frame_and_stage(simulated_cascade, run):
    one = run(simulated_cascade(CHAIN))
    other = run(simulated_cascade({**CHAIN, "eyes": {"after": ("face",), "answer": "constant"}}))
    assert first_difference(one, other) == "frame 0: the answers of eyes differ"
    assert "12 frames" in first_difference(one, run(simulated_cascade(CHAIN, frames=3)))


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"execution": Execution("parallel")}, ConfigError, "no execution called 'parallel'; known: serial, stages"),
        ({"execution": Execution("streams", 0)}, ConfigError, "execution.streams = 0"),
    ],
)
def test_an_execution_that_cannot_be_is_refused(simulated_cascade, run, change, kind, said):
    with pytest.raises(kind, match=said):
        run(replace(simulated_cascade(CHAIN), **change))


def test_a_stage_that_remembers_refuses_streams_that_take_turns(simulated_cascade, run):
    job = simulated_cascade({"face": {}}, "streams")
    stateful = Stage("face", replace(job.stages[0].job, stateful=True))
    with pytest.raises(EngineError, match="face remembers the frames before"):
        run(replace(job, stages=(stateful,)))
    run(replace(job, stages=(stateful,), execution=Execution("stages")))


def test_pictures_prepared_for_one_model_are_no_camera_frames(simulated_cascade, run, tmp_path):
    job = simulated_cascade(CHAIN)
    write_pack(tmp_path / "prepared", [Frame(np.zeros((20, 32, 1), np.uint8), None, Geometry(1, 1, 0, 0))])
    with pytest.raises(DatasetError, match="prepared for one model"):
        run(replace(job, frames_path=str(tmp_path / "prepared")))
    write_pack(tmp_path / "empty", [])
    with pytest.raises(DatasetError, match="holds no frame"):
        run(replace(job, frames_path=str(tmp_path / "empty")))


@pytest.mark.parametrize("mode", ["serial", "stages"])
def test_a_stage_that_never_returns_is_ended_by_the_deadline(simulated_cascade, tmp_path, mode):
    job = simulated_cascade({"face": {}, "eyes": {"after": ("face",), "fault": "hang", "fault_at": 3}}, mode, frames=50)
    (tmp_path / "job.json").write_text(job.to_json())
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from harness.cascade import CascadeJob\nfrom harness.cascade.measure import measure_cascade\n"
        "say = lambda *words: print('@dms', *words, flush=True)\n"
        "measure_cascade(CascadeJob.from_json(open(sys.argv[1]).read()), say)\nprint('came to an end')\n"
    )
    lines = []
    ended = follow(
        [sys.executable, "-c", script, str(tmp_path / "job.json"), str(sys.path[0])],
        environment={"PYTHONPATH": ":".join(sys.path)}, log=tmp_path / "log", deadline_s=3,
        on_line=lambda line: lines.append(line) or line.startswith("@dms"),
    )  # fmt: skip
    assert ended.timed_out
    assert lines
    assert "came to an end" not in lines


def test_a_job_on_the_wire_is_told_apart_from_others_and_comes_back(simulated_cascade):
    job = simulated_cascade(WITH_HELD, "streams")
    assert list(json.loads(job.to_json())["cascade"]) == ["execution", "keep_predictions", "stages"]
    assert CascadeJob.from_json(job.to_json()) == job
