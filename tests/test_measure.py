"""One run: its phases in order, its numbers exact on the simulated clock, its facts true."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.caching import PAIRS
from harness.errors import EngineError
from harness.frames import Frame, write_pack
from harness.measure import measure
from harness.owncost import garbage_collector_off, timer_resolution_ns
from harness.probes import memory
from harness.runtimes import RUNTIMES
from harness.runtimes.simulated import CLOCK_READ_NS, Simulated, VirtualClock
from harness.tasks import Geometry

MS = 1_000_000
EXACT = {"infer_ms": 8, "sigma": 0, "load_ms": 30, "runtime_bytes": 5_000_000, "model_bytes": 7_000_000}
READ = CLOCK_READ_NS
REPEATS = 2 + 3 * PAIRS  # each pair after another frame, and one pair beforehand that says how long they take
PREPARED = Geometry(1.0, 1.0, 0.0, 0.0)


class Spy(Simulated):
    """The simulated engine, watched: what was called, and whether Python collected garbage meanwhile."""

    seen: list = []  # noqa: RUF012 - one list for all instances is what a spy is

    def __init__(self, model_path, threaded=False, flicker=0.0, **options):
        super().__init__(model_path, **options)
        self.in_calling_thread = not threaded
        self._flicker = flicker

    def prepare(self):
        self.seen.append("prepare")
        super().prepare()

    def __enter__(self):
        self.seen.append("enter")
        return super().__enter__()

    def __exit__(self, *error):
        self.seen.append("exit")

    def infer(self, feeds):
        self.seen.append(gc.isenabled())
        answer = super().infer(feeds)
        return {"scores": answer["scores"] + np.float32(self._frame * self._flicker)}


@pytest.fixture
def spied(monkeypatch):
    """What the engine `spy` saw."""
    monkeypatch.setitem(RUNTIMES, "spy", f"{__name__}:Spy")
    monkeypatch.setattr(Spy, "seen", [])
    return lambda: Spy.seen


@pytest.fixture
def labelled(tmp_path):
    """A prepared pack of five pictures: dark, dark, bright, dark, bright."""
    folder = tmp_path / "labelled"
    write_pack(folder, (Frame(np.full((20, 32, 1), grey, np.uint8), None, PREPARED) for grey in (1, 2, 250, 3, 251)))
    return str(folder)


def test_the_phases_come_in_order_and_are_told_as_they_come(make_job, labelled, measured):
    said = []
    measured(make_job(EXACT, labelled_path=labelled), lambda *words: said.append(words))
    assert said == [
        ("loading", 0, 1), *[("warm-up", 0, 40)] * 5, ("warm-up", 5, 40), ("measuring", 0, 60),
        *[("outputs", 0, 1)] * 9, ("repeats", 0, 32), *[("repeats", pair, 32) for pair in range(32)],
        ("accuracy", 1, 5),
    ]  # fmt: skip


# milliseconds a frame -> frames between two words: about a second's worth, at most 60
@pytest.mark.parametrize(("infer_ms", "chunk"), [(1, 60), (8, 60), (100, 9), (400, 2), (1500, 1)])
def test_a_word_comes_about_once_a_second_however_slow_a_frame_is(make_job, quick, infer_ms, chunk, measured):
    said = []
    job = make_job({**EXACT, "infer_ms": infer_ms}, plan=replace(quick, frames=130))
    run = measured(job, lambda *words: said.append(words))
    assert [done for phase, done, _ in said if phase == "measuring"] == list(range(0, 130, chunk))
    # Until the first window is done nobody knows how slow a frame is.
    assert [done for phase, done, _ in said if phase == "warm-up"] == [0] * 5 + [5] * -(-5 // chunk)
    assert len(run.frame_ns) == 130


@pytest.mark.parametrize(("infer_ms", "said_s"), [(100, [0, 0, 1, 1, 2]), (1500, [0, 1, 3, 4, 6, 7, 9, 10, 12, 13])])
def test_a_plan_that_asks_for_a_time_tells_its_progress_in_seconds(make_job, quick, infer_ms, said_s, measured):
    said = []
    plan = replace(quick, minimum_s=3.0, frames=10)
    measured(make_job({**EXACT, "infer_ms": infer_ms}, plan=plan), lambda *words: said.append(words))
    assert [(done, total) for phase, done, total in said if phase == "measuring"] == [(one, 3) for one in said_s]


def test_first_inference_warm_up_and_timed_frames_follow_each_other(make_job, measured):
    # Frame number k takes 1 + k / 10 ms, so that each duration tells which frame it was.
    run = measured(make_job({**EXACT, "infer_ms": 1, "drift_per_frame": 0.1}))
    numbers = np.round((np.concatenate([run.warmup_ns, run.frame_ns]) - 7 * READ) / MS * 10 - 10).astype(int)
    assert run.marks["first_inference_ns"] == MS + READ
    assert numbers.tolist() == list(range(1, 101))
    assert (len(run.warmup_ns), len(run.frame_ns)) == (40, 60)


def test_every_number_of_a_simulated_run_is_exact(make_job, measured):
    run = measured(make_job(EXACT))
    assert set(run.frame_ns.tolist()) == {8 * MS + 7 * READ}
    assert set(run.stages["infer"].tolist()) == {8 * MS + READ}
    assert set(run.stages["pre"].tolist()) == set(run.stages["post"].tolist()) == {READ}
    assert set(np.diff(run.start_ns)[:50].tolist()) == {8 * MS + 9 * READ}
    assert run.marks["import_ns"] == READ
    assert run.marks["load_ns"] == 30 * MS + READ
    assert run.marks["first_inference_ns"] == 8 * MS + READ
    assert run.marks["timer_resolution_ns"] == READ
    assert run.marks["harness_cost_median_ns"] == run.marks["harness_cost_p99_ns"] == 7 * READ
    assert run.marks["harness_residual_median_ns"] == run.marks["harness_residual_p99_ns"] == 4 * READ


def test_the_stages_add_up_to_the_frame_but_for_the_readings(make_job, measured):
    run = measured(make_job({"sigma": 0.3, "tail_share": 0.1, "tail_ms": 90}))
    assert set((run.frame_ns - sum(run.stages.values())).tolist()) == {4 * READ}


def test_memory_is_weighed_before_and_after_each_step(make_job, measured):
    marks = measured(make_job(EXACT)).marks
    weighed = {name: size for name, size in marks.items() if name.startswith(("rss_", "peak_"))}
    assert weighed == {
        "rss_before_import_bytes": 100_000_000, "rss_after_import_bytes": 105_000_000,
        "rss_after_load_bytes": 112_000_000, "rss_before_frames_bytes": 112_000_000, "rss_steady_bytes": 112_000_000,
        "peak_load_bytes": 112_000_000, "peak_first_bytes": 112_000_000, "peak_warmup_bytes": 112_000_000,
        "peak_steady_bytes": 112_000_000,
    }  # fmt: skip
    assert marks["file_bytes"] > 0


@pytest.mark.parametrize("allowed", [True, False])
def test_a_kernel_that_keeps_old_peaks_is_a_fact_of_the_run(make_job, monkeypatch, tmp_path, allowed, measured):
    refusing = tmp_path / "no" / "such"
    monkeypatch.setattr(memory, "CLEAR_REFS", tmp_path / "accepts" if allowed else refusing)
    null = make_job(engine="null", options={})
    assert measured(null).facts["peak_reset"] is allowed


def test_the_same_job_gives_the_same_run_bit_for_bit(make_job, labelled, measured):
    job = make_job({"sigma": 0.2, "tail_share": 0.05, "tail_ms": 30, "error_share": 0.4}, labelled_path=labelled)
    first, second = measured(job), measured(job)
    for name in ("frame_ns", "start_ns", "cpu_ns", "warmup_ns"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    for stage in first.stages:
        assert first.stages[stage].tobytes() == second.stages[stage].tobytes()
    assert [one.tobytes() for one in first.predictions] == [one.tobytes() for one in second.predictions]
    assert (first.marks, first.facts) == (second.marks, second.facts)


@pytest.mark.parametrize(
    ("sim", "tolerance", "windows", "steady"),
    [
        ({"sigma": 0}, 0.01, 2, True),
        ({"sigma": 0, "drift_per_frame": 0.05}, 0.01, 8, False),
        ({"sigma": 0, "drift_per_frame": 0.0001}, 0.01, 2, True),
        ({"sigma": 0, "drift_per_frame": 0.05}, 0.22, 2, True),
        ({"sigma": 0, "drift_per_frame": 0.05}, 0.15, 5, True),
    ],
)
def test_the_warm_up_ends_when_two_windows_agree_or_at_its_cap(
    make_job, quick, sim, tolerance, windows, steady, measured
):
    run = measured(make_job(sim, plan=replace(quick, warmup_tolerance=tolerance)))
    assert len(run.warmup_ns) == windows * quick.warmup_window
    assert run.facts["steady"] is steady


def test_a_plan_may_ask_for_a_time_instead_of_frames(make_job, quick, measured):
    run = measured(make_job(EXACT, plan=replace(quick, minimum_s=1.0)))
    assert run.start_ns[-1] + run.frame_ns[-1] - run.start_ns[0] >= 1e9
    assert len(run.frame_ns) == 180  # whole chunks of 60


@pytest.mark.parametrize("frames", [1, 59, 60, 61, 130])
def test_as_many_frames_are_timed_as_the_plan_says(make_job, quick, frames, measured):
    assert len(measured(make_job(EXACT, plan=replace(quick, frames=frames))).frame_ns) == frames


def test_garbage_is_not_collected_while_frames_are_timed_and_collected_again_after(make_job, spied, measured):
    assert gc.isenabled()
    run = measured(make_job(EXACT, engine="spy"))
    calls = spied()
    warm_up = 1 + len(run.warmup_ns)
    assert calls[:2] == ["prepare", "enter"]
    assert calls[2 : 2 + warm_up] == [True] * warm_up
    assert calls[2 + warm_up : 2 + warm_up + 60] == [False] * 60
    assert calls[2 + warm_up + 60 :] == [True] * (9 + REPEATS) + ["exit"]
    assert gc.isenabled()


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_left_as_it_was_also_after_an_error(was_on):
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(KeyError, match="False"), garbage_collector_off():
            raise KeyError(gc.isenabled())
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


def test_cpu_time_is_kept_only_where_the_engine_computes_in_the_calling_thread(make_job, spied, measured):
    own = measured(make_job(EXACT, engine="spy"))
    threads = measured(make_job(EXACT, engine="spy", options={"threaded": True}))
    assert len(own.cpu_ns) == 60
    assert (own.cpu_ns >= own.frame_ns).all()
    assert len(threads.cpu_ns) == 0


def test_an_engine_without_a_clock_of_its_own_is_timed_by_the_machines(make_job, measured):
    null = make_job(engine="null", options={}, task=replace(make_job().task, options={"classes": ["a", "b"]}))
    before = time.perf_counter_ns()
    run = measured(null)
    assert (before < run.start_ns).all()
    assert (run.frame_ns > 0).all()
    assert len(run.cpu_ns) == 60


def test_every_labelled_frame_is_predicted_in_order(make_job, labelled, measured):
    run = measured(make_job(EXACT, labelled_path=labelled))
    assert [int(one.argmax()) for one in run.predictions] == [0, 0, 1, 0, 1]
    assert all(one.shape == (1, 2) for one in run.predictions)


def test_an_untimed_run_holds_predictions_and_marks_but_no_frame(make_job, labelled, measured):
    said = []
    run = measured(make_job(EXACT, labelled_path=labelled, timed=False), lambda *words: said.append(words[0]))
    assert said == ["loading", "accuracy"]
    assert [int(one.argmax()) for one in run.predictions] == [0, 0, 1, 0, 1]
    assert len(run.frame_ns) == len(run.warmup_ns) == len(run.stages["infer"]) == 0
    assert run.marks["load_ns"] == 30 * MS + READ


# 146 stand before the predictions of a timed job: the first, 10 of warm-up, 60 timed, 9 that show life, 66 in pairs.
@pytest.mark.parametrize(("timed", "fault_at", "kept_runs"), [(True, 82 + REPEATS, 1), (False, 2, 0)])
def test_only_a_timed_run_outlives_a_failure_in_the_predictions(make_job, labelled, timed, fault_at, kept_runs):
    kept = []
    sim = {**EXACT, "fault": "fail_at_run", "fault_at": fault_at}
    with pytest.raises(RuntimeError, match="fails at this frame"):
        measure(make_job(sim, labelled_path=labelled, timed=timed), lambda *words: None, kept.append)
    assert [len(run.frame_ns) for run in kept] == [60] * kept_runs


def test_frames_to_predict_may_be_whole_camera_frames_with_a_region(make_job, tmp_path, measured):
    picture = np.zeros((100, 200), np.uint8)
    picture[40:60, 100:132] = 255
    folder = tmp_path / "whole"
    write_pack(folder, (Frame(picture, region) for region in ((100.0, 40.0, 132.0, 60.0), (0.0, 0.0, 32.0, 20.0))))
    run = measured(make_job(EXACT, labelled_path=str(folder), timed=False))
    assert [int(one.argmax()) for one in run.predictions] == [1, 0]


def test_a_pack_without_a_frame_gives_no_prediction(make_job, tmp_path, measured):
    write_pack(tmp_path / "none", [])
    assert measured(make_job(EXACT, labelled_path=str(tmp_path / "none"), timed=False)).predictions == ()


def test_a_run_without_labels_predicts_nothing(make_job, measured):
    assert measured(make_job(EXACT)).predictions == ()


@pytest.mark.parametrize(
    ("sim", "options", "finite", "vary", "repeat"),
    [
        ({}, {}, True, True, True),
        ({"answer": "nan"}, {}, False, False, True),
        ({"answer": "constant"}, {}, True, False, True),
        ({}, {"flicker": 1e-3}, True, True, False),
        ({}, {"flicker": 1e-8}, True, True, True),
    ],
)
def test_dead_outputs_are_found(make_job, spied, sim, options, finite, vary, repeat, measured):
    facts = measured(make_job(sim, engine="spy", options=options)).facts
    assert (facts["outputs_finite"], facts["outputs_vary"], facts["outputs_repeat"]) == (finite, vary, repeat)


@pytest.mark.parametrize(("answer", "vary"), [("brightness", True), ("constant", False)])
def test_one_camera_frame_is_enough_to_find_dead_outputs(make_job, tmp_path, answer, vary, measured):
    write_pack(tmp_path / "one", [Frame(np.zeros((20, 32), np.uint8))])
    run = measured(make_job({**EXACT, "answer": answer}, frames_path=str(tmp_path / "one")))
    assert run.facts["outputs_vary"] is vary


@pytest.mark.parametrize("stateful", [False, True])
def test_a_model_with_a_memory_need_not_repeat_itself(make_job, spied, stateful, measured):
    job = make_job(EXACT, engine="spy", options={"flicker": 1e-3}, stateful=stateful)
    assert measured(job).facts.get("outputs_repeat") is (None if stateful else False)


def test_the_facts_say_what_ran_and_where(make_job, measured):
    facts = measured(make_job(EXACT, model_sha256="abc")).facts
    assert facts["model_sha256"] == "abc"
    assert facts["engine"] == "simulated"
    assert facts["cpu_cores"]
    assert {"resizer", "python", "numpy", "kernel", "machine", "precision", "version", "placement"} <= set(facts)


def test_the_engine_is_freed_also_after_a_failure(make_job, spied, measured):
    with pytest.raises(RuntimeError, match="fails at this frame"):
        measured(make_job({**EXACT, "fault": "fail_at_run", "fault_at": 20}, engine="spy"))
    assert spied()[-1] == "exit"
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("sim", "error", "said"),
    [
        ({"fault": "refuse"}, EngineError, "refuses the model"),
        ({"fault": "out_of_memory"}, MemoryError, "ran out of memory"),
        ({"shape": [1, 3, 20, 32]}, EngineError, "but the card makes"),
    ],
)
def test_what_an_engine_raises_comes_through(make_job, sim, error, said, measured):
    with pytest.raises(error, match=said):
        measured(make_job({**EXACT, **sim}))


def test_the_resolution_of_a_clock_is_its_smallest_step():
    assert timer_resolution_ns(VirtualClock()) == READ
    assert timer_resolution_ns(lambda: 5) == 0
    assert timer_resolution_ns(time.perf_counter_ns) < MS
