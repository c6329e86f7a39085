"""Engines that are command-line tools: composed frames, liveness and accuracy in few processes, nothing made up."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Arrivals, InputSpec, Plan, TensorSpec
from harness.dispatch import PROGRESS, _Listener
from harness.energy import energy_of
from harness.errors import ConfigError, EngineError
from harness.frames import Frame, write_pack
from harness.metrics import METRICS
from harness.runtimes import RUNTIMES
from harness.runtimes.command import WindowTimes
from harness.tasks import Geometry
from harness.telemetry import PowerRule, Telemetry
from harness.warmup import frames_until_steady, most_warmup_frames
from harness.windows import while_saying
from tests.runtimes.tools import installed

MS = 1_000_000
PREPARED = Geometry(1.0, 1.0, 0.0, 0.0)


class Told:
    """An engine whose tool needs no process: it tells what its options say, and counts how often it was started."""

    windowed, in_calling_thread = True, False
    starts: list = []  # noqa: RUF012 - one list for all instances is what is counted

    def __init__(
        self, model_path: str, infer_ms: float = 2.0, slow: int = 0, averages: bool = False, fewer: int = 0,
        dead: bool = False, pause_s: float = 0.0,
    ) -> None:  # fmt: skip
        self._pause_s = pause_s
        self._infer_ms, self._slow, self._averages = infer_ms, slow, averages
        self._fewer, self._dead = fewer, dead

    def prepare(self):
        pass

    def __enter__(self):
        self.starts.append("enter")
        self.inputs = (TensorSpec("image", (1, 1, 20, 32), "float32"),)
        self.outputs = (TensorSpec("scores", (1, 2), "float32"),)
        return self

    def __exit__(self, *error):
        self.starts.append("exit")

    def infer(self, feeds):
        return self.infer_many([feeds])[0]

    def infer_many(self, feeds):
        self.starts.append(len(feeds))
        time.sleep(self._pause_s)
        bright = [0.0 if self._dead else float(one["image"].mean()) for one in feeds]
        return [{"scores": np.array([[1 - one, one]], np.float32)} for one in bright]

    def time_window(self, feeds, frames):
        self.starts.append(("window", len(feeds), frames))
        if self._averages:
            return WindowTimes(np.zeros(0, np.int64), {"infer_mean_ns": self._infer_ms * MS}, {"window": "averages"})
        infer_ns = np.full(frames - self._fewer, round(self._infer_ms * MS), np.int64)
        infer_ns[: self._slow] *= 2
        return WindowTimes(infer_ns, {"load_ns": 7.0 * MS, "peak_tool_bytes": 5e6}, {"window": "back to back"})

    def facts(self):
        return {"engine": "told", "version": "1", "precision": "f32", "session_config": {"graph": "off"}}


@pytest.fixture
def told(monkeypatch, make_job):
    """A job for the engine whose tool tells what `options` say."""
    monkeypatch.setitem(RUNTIMES, "told", f"{__name__}:Told")
    monkeypatch.setattr(Told, "starts", [])
    return lambda options=None, **changes: make_job(engine="told", options=options or {}, **changes)


@pytest.fixture
def labelled(tmp_path):
    folder = tmp_path / "labelled"
    write_pack(folder, (Frame(np.full((20, 32, 1), grey, np.uint8), None, PREPARED) for grey in (1, 250, 3, 251, 2)))
    return str(folder)


def test_a_frame_is_what_is_timed_here_and_what_the_tool_tells(told, measured):
    run = measured(told())
    assert set(run.stages["infer"].tolist()) == {2 * MS}
    assert (run.stages["pre"] > 0).all()
    assert (run.stages["post"] > 0).all()
    np.testing.assert_array_equal(run.frame_ns, sum(run.stages.values()))
    assert "the tool in a process of its own" in run.facts["composed"]
    assert run.facts["window"] == "back to back"


def test_one_process_times_warm_up_and_frames(told, measured, quick):
    run = measured(told({"slow": 5}))
    windows = [one for one in Told.starts if isinstance(one, tuple)]
    assert windows == [("window", 4, 40 + quick.frames)]
    # Windows of 5: the third is the first that agrees with the one before it.
    assert len(run.warmup_ns) == 15
    assert run.facts["steady"] is True
    assert len(run.frame_ns) == quick.frames
    assert run.marks["first_inference_ns"] == 4 * MS


def test_times_that_never_settle_are_told(told, measured, quick):
    run = measured(told({"slow": 0}, plan=replace(quick, warmup_tolerance=-1.0)))
    assert (len(run.warmup_ns), run.facts["steady"]) == (40, False)


def test_liveness_shows_the_camera_frames_in_one_process_and_repeats_in_others(told, measured):
    facts = measured(told()).facts
    assert [one for one in Told.starts if isinstance(one, int)] == [4, 1, 1, 1, 1, 1]
    assert (facts["outputs_finite"], facts["outputs_vary"], facts["outputs_repeat"]) == (True, True, True)


def test_a_tool_that_ends_well_with_dead_outputs_is_found_out(told, measured):
    assert measured(told({"dead": True})).facts["outputs_vary"] is False


def test_accuracy_takes_one_process_for_a_chunk_of_frames(told, measured, labelled, monkeypatch):
    monkeypatch.setattr("harness.windows.LONGEST_CHUNK_FRAMES", 2)
    said = []
    run = measured(told(labelled_path=labelled, timed=False), lambda *words: said.append(words))
    assert [int(one.argmax()) for one in run.predictions] == [0, 1, 0, 1, 0]
    assert Told.starts == ["enter", 2, 2, 1, "exit"]
    assert [words for words in said if words[0] == "accuracy"] == [("accuracy", done, 5) for done in (0, 2, 4)]


def test_chunks_are_bounded_by_their_bytes_too(told, measured, labelled, monkeypatch):
    monkeypatch.setattr("harness.windows.CHUNK_BYTES", 1)
    measured(told(labelled_path=labelled, timed=False))
    assert Told.starts == ["enter", 1, 1, 1, 1, 1, "exit"]


def test_averages_make_no_frame_and_so_nothing_to_be_green(told, measured):
    run = measured(told({"averages": True}))
    assert len(run.frame_ns) == len(run.warmup_ns) == len(run.stages["pre"]) == 0
    assert run.marks["infer_mean_ns"] == 2 * MS
    assert "steady" not in run.facts
    assert "first_inference_ns" not in run.marks
    told_metrics = {name for name, metric in METRICS.items() if metric.value(run) is not None}
    assert not [name for name in told_metrics if name.startswith(("frame_", "infer_p", "infer_max", "pre_", "fps_"))]


def test_memory_is_the_tools_and_never_the_harnesss(told, measured):
    run = measured(told())
    assert {name for name in run.marks if name.startswith(("rss_", "peak_", "pss_"))} == {"peak_tool_bytes"}
    assert METRICS["peak_memory_mb"].value(run) == 5
    assert run.marks["load_ns"] == 7 * MS


def test_a_tool_that_tells_no_loading_has_none_of_the_harnesss_own(told, measured):
    assert not {"load_ns", "import_ns"} & measured(told({"averages": True})).marks.keys()


def test_a_tool_that_works_longer_than_a_word_is_progress_each_second(told, measured, labelled):
    listener, heard = _Listener(lambda *_: None, 3600.0), []

    def say(phase, done, total):
        heard.append((phase, listener(PROGRESS + json.dumps({"phase": phase, "done": done, "total": total}))))

    measured(told({"pause_s": 2.2}, labelled_path=labelled, timed=False), say)
    assert [moved for phase, moved in heard if phase == "accuracy"] == [True] * 3


def test_building_and_loading_do_not_count_against_the_cap(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("harness.dispatch.time.monotonic", lambda: now[0])
    listener = _Listener(lambda *_: None, 10.0)

    def moved(phase, done, at):
        now[0] = at
        return listener(PROGRESS + json.dumps({"phase": phase, "done": done, "total": done + 1}))

    assert moved("building", 1, 500.0)
    assert moved("loading", 1, 900.0)
    assert moved("measuring", 1, 909.0)
    assert not moved("measuring", 2, 911.0)


def test_no_energy_is_told_of_composed_frames(told, measured):
    rule = PowerRule("any", "sensor", ("total",), "module")
    run = measured(told(telemetry=Telemetry(power=rule, window_s=1.0, idle_s=1.0)))
    assert "idle" not in " ".join(run.facts["phases"])
    assert isinstance(energy_of(replace(run, facts={**run.facts, "power": vars(rule)})), str)


@pytest.mark.parametrize(("averages", "frames"), [(False, 1000), (True, 1000)])
def test_a_plan_that_asks_for_a_time_gets_as_many_frames_as_fill_it(told, measured, quick, averages, frames):
    measured(told({"averages": averages}, plan=replace(quick, minimum_s=2.0)))
    assert [one[2] for one in Told.starts if isinstance(one, tuple)] == [40, 40 + frames]


def test_a_tool_that_tells_fewer_times_than_frames_is_an_error(told, measured):
    with pytest.raises(EngineError, match="told 97 times for 100 frames"):
        measured(told({"fewer": 3}))
    assert Told.starts[-1] == "exit"


def test_what_the_tool_said_of_its_settings_is_what_sessions_are_compared_by(told, measured):
    assert measured(told()).facts["session_config"] == {"graph": "off"}


def test_a_word_comes_at_once_and_every_second_while_a_tool_works():
    words, enough = [], threading.Event()

    def say(waited_s):
        words.append(waited_s)
        if len(words) == 2:
            enough.set()

    assert while_saying(lambda: enough.wait(60), say) is True
    assert words == [0, 1]


def test_what_the_work_raises_comes_through_while_words_are_said():
    def work():
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        while_saying(work, lambda waited_s: None)


PLAN = Plan("any", 10, warmup_window=5, warmup_cap_frames=22, warmup_tolerance=0.1)


@pytest.mark.parametrize(
    ("times", "warm", "steady"),
    [
        ([10] * 60, 10, True),
        ([40] * 5 + [10] * 55, 15, True),
        ([10, 20, 40, 80, 160] * 12, 10, True),
        (list(np.geomspace(1, 1e6, 60)), 25, False),
        ([10] * 7, 7, False),
        ([], 0, False),
    ],
)
def test_the_warm_up_is_cut_by_the_same_rule_as_everywhere(times, warm, steady):
    assert most_warmup_frames(PLAN) == 25
    assert frames_until_steady(np.array(times, np.int64), PLAN) == (warm, steady)


@given(st.lists(st.integers(1, 10**9), max_size=80), st.integers(1, 9), st.integers(0, 40))
def test_a_warm_up_is_never_longer_than_its_cap_or_than_what_was_told(times, window, cap):
    plan = replace(PLAN, warmup_window=window, warmup_cap_frames=cap)
    warm, _ = frames_until_steady(np.array(times, np.int64), plan)
    assert 0 <= warm <= min(len(times), most_warmup_frames(plan))


@pytest.mark.parametrize("fault", ["", "zeros"])
def test_a_real_process_is_measured_like_every_other_engine(tmp_path, make_job, measured, labelled, fault):
    """trtexec's stand-in: written to its real options and file formats."""
    command = installed("trtexec", tmp_path, STANDIN_FAULT=fault, STANDIN_MS="3")
    (tmp_path / "net.engine").write_text("engine of 101601")
    job = make_job(
        engine="trtexec", options={"command": command}, model_path=str(tmp_path / "net.engine"),
        input=InputSpec(32, 20), labelled_path=labelled,
    )  # fmt: skip
    run = measured(job)
    assert METRICS["infer_p50_ms"].value(run) == pytest.approx(3.0, abs=0.01)
    assert run.marks["first_inference_ns"] == 7 * MS
    assert run.facts["outputs_vary"] is (fault == "")
    assert run.facts["session_config"]["Data transfers"] == "Enabled"
    if not fault:
        assert [int(one.argmax()) for one in run.predictions] == [0, 1, 0, 1, 0]


def test_a_real_process_that_tells_averages_is_no_latency(tmp_path, make_job, measured):
    tools = {"command": installed("snpe_net_run", tmp_path), "viewer": installed("snpe_diagview", tmp_path)}
    model = Path(tmp_path / "net.dlc")
    model.write_text("a model")
    tensors = {"inputs": {"image": {"shape": [1, 1, 20, 32]}}, "outputs": {"scores": {"shape": [1, 2]}}}
    Path(f"{model}.tensors.json").write_text(json.dumps(tensors))
    run = measured(make_job(engine="snpe", options=tools, model_path=str(model)))
    assert METRICS["frame_p50_ms"].value(run) is None
    assert (run.marks["infer_mean_ns"], run.facts["outputs_vary"]) == (3_600_000, True)


def test_a_tool_that_times_whole_windows_takes_no_frames_at_a_cameras_pace(told, measured, quick):
    with pytest.raises(ConfigError, match="takes none at a camera's pace"):
        measured(told(plan=replace(quick, arrivals=Arrivals())))
