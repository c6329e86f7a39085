"""A job in a fresh worker: every way to fail becomes one sentence, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from harness import agent
from harness.case import Arrivals, Job, Plan, Run, TaskSpec
from harness.dispatch import _errand, run_job
from harness.errors import ConfigError, DatasetError, EngineError, HarnessError, WorkerError
from harness.following import CHUNK_BYTES, LOG_LIMIT_BYTES
from harness.frames import Frame, write_pack
from harness.tasks import Geometry

EXACT = {"infer_ms": 8, "sigma": 0}


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def dispatch(make_job, simulated, work):
    """Run a job with this .sim file in a worker; `profile` changes the device."""

    def run(sim=None, profile=None, said=None, deadline_s=30.0, **changes):
        job = make_job(sim or EXACT, **changes)
        job = replace(job, plan=replace(job.plan, deadline_s=deadline_s))
        device = simulated.model_copy(update=profile or {})
        return run_job(job, device, work, lambda *words: said.append(words) if said is not None else None)

    return run


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(processes, work):
    yield
    until = time.monotonic() + 5
    while processes(str(work)) and time.monotonic() < until:
        time.sleep(0.02)
    assert not processes(str(work))


def test_a_worker_measures_what_this_process_would(dispatch, make_job, work, measured):
    said = []
    run = dispatch(said=said)
    here = measured(make_job(EXACT))
    assert run.frame_ns.tolist() == here.frame_ns.tolist()
    assert run.marks == here.marks
    assert list(dict.fromkeys(words[0] for words in said)) == [
        "loading", "warm-up", "measuring", "outputs", "repeats",
    ]  # fmt: skip
    assert {one.name for one in work.iterdir()} == {"job.json", "run.json", "run.npz", "worker.log"}


def test_the_folder_holds_only_the_latest_run(dispatch, work):
    work.mkdir()
    (work / "error.json").write_text(json.dumps(WorkerError("of an earlier run").to_wire()))
    (work / "run.json").write_text("{}")
    assert len(dispatch().frame_ns) == 60


def test_memory_limit_and_cores_of_the_profile_reach_the_worker(dispatch, work):
    core = min(os.sched_getaffinity(0))
    run = dispatch(profile={"cpu_cores": (core,), "memory_limit_mib": 8192})
    assert run.facts["cpu_cores"] == [core]
    job = Job.from_json((work / "job.json").read_text())
    assert (job.memory_limit_bytes, job.cpu_cores) == (8192 * 2**20, (core,))


# .sim file -> the kind of error and what its sentence says
FAULTS = [
    ({"fault": "refuse"}, EngineError, "the simulated engine refuses the model"),
    ({"fault": "crash", "fault_at": 3}, WorkerError, "the worker crashed with SIGABRT"),
    ({"fault": "crash", "fault_at": 40}, WorkerError, "the worker crashed with SIGABRT"),
    ({"fault": "vanish"}, WorkerError, "the worker ended without a readable result"),
    ({"fault": "out_of_memory"}, WorkerError, "out of memory: the simulated engine ran out of memory"),
    ({"fault": "fail_at_run", "fault_at": 30}, WorkerError, "RuntimeError: the simulated engine fails at this frame"),
    ({"shape": [1, 3, 20, 32]}, EngineError, "but the card makes [1, 1, 20, 32] NCHW"),
    ({"unknown_key": 1}, EngineError, "unknown keys ['unknown_key']"),
]


@pytest.mark.parametrize(("sim", "kind", "said"), FAULTS, ids=[said for _, _, said in FAULTS])
def test_a_failing_worker_becomes_one_sentence(dispatch, sim, kind, said):
    with pytest.raises(HarnessError) as caught:
        dispatch(sim)
    assert type(caught.value) is kind
    assert said in caught.value.sentence
    assert caught.value.where
    assert "\n" not in caught.value.sentence


@pytest.mark.parametrize("fault", ["crash", "vanish", "fail_at_run"])
def test_the_sentence_of_a_dead_worker_names_its_log(dispatch, work, fault):
    with pytest.raises(WorkerError) as caught:
        dispatch({"fault": fault})
    assert "worker.log" in caught.value.sentence
    assert (work / "worker.log").is_file()


NO_SIGN = r"the worker gave no sign of progress within its deadline of {} s and was ended"


def test_a_hanging_worker_is_ended_at_its_deadline_and_the_key_that_extends_it_is_named(dispatch):
    start = time.monotonic()
    with pytest.raises(WorkerError, match=NO_SIGN.format(r"1\.5")) as caught:
        dispatch({"fault": "hang"}, deadline_s=1.5)
    assert time.monotonic() - start < 6
    assert caught.value.where == "simulated/eyes/fp32/simulated"
    assert "set deadline_s in devices/simulated.toml" in caught.value.remedy
    assert "worker.log" in caught.value.remedy


def test_a_flooding_worker_is_ended_at_its_deadline_and_its_log_is_bounded(dispatch, work):
    with pytest.raises(WorkerError, match=NO_SIGN.format(r"2\.5")):
        dispatch({"fault": "flood"}, deadline_s=2.5)
    assert (work / "worker.log").stat().st_size <= LOG_LIMIT_BYTES + 3 * CHUNK_BYTES
    assert b"floods its log" in (work / "worker.log").read_bytes()[-200:]


def test_a_slow_worker_that_shows_progress_may_take_longer_than_its_deadline(dispatch, quick):
    start = time.monotonic()
    plan = replace(quick, frames=15)
    run = dispatch({"infer_ms": 150, "sigma": 0}, options={"real_time": True}, plan=plan, deadline_s=2.5)
    assert len(run.frame_ns) == 15
    assert time.monotonic() - start > 1.5 * 2.5


@pytest.mark.parametrize(
    "line", ["still loading", "@dms {", '@dms {"phase": "loading"}', '@dms {"phase": "a", "done": "b", "total": 1}']
)
def test_a_worker_that_only_talks_is_ended_at_its_deadline(dispatch, tmp_path, line):
    with pytest.raises(WorkerError, match="gave no sign of progress"):
        dispatch(profile=shim(tmp_path, f"while true; do echo '{line}'; sleep 0.05; done"), deadline_s=0.5)


@pytest.fixture
def labelled(tmp_path):
    """A prepared pack of five pictures."""
    folder = tmp_path / "labelled"
    geometry = Geometry(1.0, 1.0, 0.0, 0.0)
    write_pack(folder, (Frame(np.full((20, 32, 1), grey, np.uint8), None, geometry) for grey in (1, 2, 250, 3, 251)))
    return str(folder)


# Frame 180 of a timed job and frame 2 of an untimed one are the third that is predicted.
DEATHS = {
    "crash": "the worker crashed with SIGABRT",
    "fail_at_run": "RuntimeError: the simulated engine fails at this frame",
    "out_of_memory": "out of memory",
    "hang": "gave no sign of progress",
    "flood": "gave no sign of progress",
    "vanish": "the worker ended without a readable result",
}


@pytest.mark.parametrize("fault", DEATHS)
def test_a_worker_that_dies_while_it_predicts_costs_the_predictions_but_not_the_timed_run(dispatch, labelled, fault):
    run = dispatch({**EXACT, "fault": fault, "fault_at": 180}, labelled_path=labelled, deadline_s=2.5)
    assert run.frame_ns.tolist() == [8_000_280] * 60
    assert run.predictions == ()


@pytest.mark.parametrize("fault", DEATHS)
def test_a_worker_that_dies_while_it_only_predicts_has_failed(dispatch, labelled, fault):
    with pytest.raises(WorkerError, match=DEATHS[fault]):
        dispatch({**EXACT, "fault": fault, "fault_at": 2}, labelled_path=labelled, timed=False, deadline_s=2.5)


@pytest.mark.parametrize("timed", [True, False])
def test_a_worker_that_lives_hands_its_predictions_over(dispatch, labelled, timed):
    run = dispatch(EXACT, labelled_path=labelled, timed=timed)
    assert [int(one.argmax()) for one in run.predictions] == [0, 0, 1, 0, 1]
    assert len(run.frame_ns) == 60 * timed


@pytest.mark.parametrize("name", ["run.json", "run.npz"])
def test_a_timed_run_that_is_not_whole_is_not_taken_from_a_dead_worker(dispatch, tmp_path, name):
    whole = tmp_path / "whole"
    whole.mkdir()
    saved = dispatch()
    saved.save(whole)
    (whole / name).write_bytes((whole / name).read_bytes()[:100])
    with pytest.raises(WorkerError, match="the worker ended with status 9"):
        dispatch(profile=shim(tmp_path, f"cp {whole}/run.* $4/; exit 9"))


def test_a_long_run_does_not_measure_its_own_records(dispatch, quick):
    # The null engine is weighed by the memory probe of the machine; as Python tuples 60000 frames are 25 MB.
    short, long = (dispatch(engine="null", options={}, plan=replace(quick, frames=frames)) for frames in (60, 60_000))
    assert len(long.frame_ns) == 60_000
    assert long.marks["rss_steady_bytes"] - short.marks["rss_steady_bytes"] < 8_000_000


def test_a_worker_over_its_memory_limit_fails_alone(dispatch, tmp_path):
    huge = tmp_path / "huge"
    huge.mkdir()
    with (huge / "frames.bin").open("wb") as file:
        file.truncate(64 * 2**30)  # a hole: it takes no room on the disk
    (huge / "frames.json").write_text("[]")
    with pytest.raises(WorkerError, match="out of memory") as caught:
        dispatch(profile={"memory_limit_mib": 4096}, frames_path=str(huge))
    assert "memory_limit_mib" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"engine": "simulatd"}, ConfigError, "no runtime called 'simulatd', did you mean 'simulated'?"),
        ({"options": {"sped": 2}}, ConfigError, "runtime options do not fit 'simulated'"),
        ({"task": TaskSpec("classification")}, ConfigError, "needs the option 'classes'"),
        ({"frames_path": "/nowhere"}, DatasetError, "frame pack is not readable"),
        ({"model_path": "/nowhere/model.sim"}, WorkerError, "FileNotFoundError"),
    ],
)
def test_an_error_keeps_its_kind_across_the_wall(dispatch, changes, kind, said):
    with pytest.raises(HarnessError) as caught:
        dispatch(**changes)
    assert type(caught.value) is kind
    assert said in caught.value.sentence


def test_a_core_that_the_device_does_not_have_is_a_configuration_error(dispatch):
    with pytest.raises(
        ConfigError, match=r"cannot run on cpu_cores \[4000\] of the device profile.*this device allows"
    ):
        dispatch(profile={"cpu_cores": (4000,)})


@pytest.mark.parametrize("python", ["/no/such/python", "/etc/hostname", "/"])
def test_an_interpreter_that_cannot_be_started_is_named(dispatch, python):
    with pytest.raises(WorkerError, match=f"the worker cannot be started: .*is {python} the device's python"):
        dispatch(profile={"python": python})


def test_the_interpreter_of_the_profile_runs_the_worker(dispatch, tmp_path):
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\necho shim >&2\nexec "{sys.executable}" "$@"\n')
    shim.chmod(0o755)
    dispatch(profile={"python": str(shim)})
    assert (tmp_path / "work" / "worker.log").read_text().startswith("shim\n")


@pytest.fixture
def own_modules(tmp_path, monkeypatch):
    """A folder on the caller's PYTHONPATH: a module of the caller's, and a package that calls itself harness."""
    folder = tmp_path / "own"
    (folder / "harness").mkdir(parents=True)
    (folder / "harness" / "__init__.py").write_text("raise RuntimeError('another harness')")
    (folder / "own_post.py").write_text("def post(outputs, geometry):\n    return outputs['scores'] + 40\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


CUSTOM = TaskSpec("custom", {"function": "own_post:post"})


def test_the_same_interpreter_sees_the_modules_of_the_caller_behind_the_harness(dispatch, own_modules, labelled):
    run = dispatch(EXACT, task=CUSTOM, labelled_path=labelled, timed=False)
    assert all(one.min() >= 40 for one in run.predictions)


def test_another_interpreter_sees_the_harness_and_nothing_of_the_callers(dispatch, own_modules, labelled):
    device = {"python": sys.executable}
    assert len(dispatch(EXACT, profile=device).frame_ns) == 60
    with pytest.raises(ConfigError, match=r"own_post:post cannot be imported.*PYTHONPATH"):
        dispatch(EXACT, profile=device, task=CUSTOM, labelled_path=labelled, timed=False)


def test_the_path_of_another_interpreter_holds_the_harness_alone(dispatch, tmp_path, own_modules, checkout, work):
    with pytest.raises(WorkerError):
        dispatch(profile=shim(tmp_path, 'echo "$PYTHONPATH"; ls -A "$PYTHONPATH"; readlink "$PYTHONPATH/harness"'))
    assert (work / "worker.log").read_text().split() == [str(work / "path"), "harness", str(checkout / "harness")]


def test_libraries_with_threads_of_their_own_are_held_to_one(dispatch, tmp_path, monkeypatch, work):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with pytest.raises(WorkerError):
        dispatch(profile=shim(tmp_path, "echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MKL_NUM_THREADS"))
    assert (work / "worker.log").read_text() == "1 1 1\n"


def test_a_folder_that_cannot_be_written_is_refused_with_the_option_to_change(make_job, simulated, tmp_path):
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(HarnessError, match=r"the folder for results cannot be written: Not a directory.*--report"):
        run_job(make_job(EXACT), simulated, tmp_path / "file" / "work", lambda *words: None)
    assert len(run_job(make_job(EXACT), simulated, tmp_path / "deep" / "work", lambda *words: None).frame_ns) == 60


def shim(tmp_path, script: str) -> dict[str, str]:
    """A profile whose interpreter does this instead; $4 is the folder of the results."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return {"python": str(path)}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 9", "the worker ended with status 9"),
        ("exit 0", "the worker ended without a readable result"),
        ("kill -9 $$", "the worker was killed (SIGKILL), most likely by the system for lack of memory"),
        ("kill -11 $$", "the worker crashed with SIGSEGV"),
        ("kill -35 $$", "the worker crashed with signal 35"),
        ('echo \'{"marks": {}, "facts": {}}\' > $4/run.json; echo PK > $4/run.npz', "run.npz is not whole"),
        ("echo null > $4/run.json; echo PK > $4/run.npz", "the worker ended without a readable result"),
        ("echo '{\"ty' > $4/error.json; exit 3", "the worker failed and its error is not readable"),
        ("echo '[1]' > $4/error.json; exit 3", "the worker failed and its error is not readable"),
        ("printf '\\377' > $4/error.json; exit 3", "the worker failed and its error is not readable"),
    ],
)
def test_a_worker_that_writes_nonsense_becomes_one_sentence(dispatch, tmp_path, script, said):
    with pytest.raises(WorkerError) as caught:
        dispatch(profile=shim(tmp_path, script))
    assert said in caught.value.sentence
    assert "worker.log" in caught.value.sentence


def test_nonsense_among_the_progress_is_ignored(dispatch, tmp_path):
    said = []
    nonsense = ["@dms ", "@dms {", "@dms []", "@dms {}", '@dms {"phase": 1, "done": "x", "total": null}', "@dms null"]
    lines = "".join(f"echo '{line}'\n" for line in nonsense)
    good = '@dms {"phase": "loading", "done": 1, "total": 2}'
    with pytest.raises(WorkerError):
        dispatch(profile=shim(tmp_path, f"{lines}echo '{good}'"), said=said)
    assert said == [("loading", 1, 2)]


def test_a_hostile_error_of_an_engine_is_shown_on_one_line_without_control_characters(dispatch, tmp_path):
    wire = json.dumps({"type": "EngineError", "what": "bad\n\x1b[2Jmodel", "where": "\u202e", "remedy": "\0"})
    with pytest.raises(EngineError) as caught:
        dispatch(profile=shim(tmp_path, f"cat > $4/error.json <<'END'\n{wire}\nEND\nexit 3"))
    assert caught.value.sentence.isprintable()


def test_other_cases_are_unharmed_by_a_failing_one(dispatch):
    for fault in ("crash", "vanish"):
        with pytest.raises(WorkerError):
            dispatch({"fault": fault})
        assert len(dispatch().frame_ns) == 60


SESSION = """
import sys
from pathlib import Path
from harness.case import Job
from harness.dispatch import run_job
from harness.profile import read_profile
job = Job.from_json(Path({job!r}).read_text())
run_job(job, read_profile("simulated", Path({devices!r})), Path({work!r}), lambda *said: None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_session_that_is_killed_leaves_no_worker(make_job, checkout, work, tmp_path, processes, sent):
    (tmp_path / "hang.json").write_text(make_job({"fault": "hang"}).to_json())
    script = SESSION.format(job=str(tmp_path / "hang.json"), devices=str(checkout / "devices"), work=str(work))
    with subprocess.Popen([sys.executable, "-"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as session:
        session.stdin.write(script.encode())
        session.stdin.close()
        until = time.monotonic() + 20
        while not (work / "worker.log").is_file() or b"loading" not in (work / "worker.log").read_bytes():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert processes(str(work))
        session.send_signal(sent)
    while processes(str(work)):
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def test_the_agent_leaves_a_run_and_status_zero(make_job, out, capsys):
    (out / "job.json").write_text(make_job(EXACT).to_json())
    assert agent.main([str(out / "job.json"), str(out)]) == 0
    assert np.array_equal(Run.load(out).frame_ns, [8_000_280] * 60)
    assert capsys.readouterr().out.startswith('@dms {"phase": "loading", "done": 0, "total": 1}\n')


def test_the_agent_saves_the_timed_run_before_it_predicts(make_job, out, labelled, capsys):
    job = make_job({**EXACT, "fault": "fail_at_run", "fault_at": 180}, labelled_path=labelled)
    (out / "job.json").write_text(job.to_json())
    assert agent.main([str(out / "job.json"), str(out)]) == agent.FAILED
    assert len(Run.load(out).frame_ns) == 60
    assert {one.name for one in out.iterdir()} == {"job.json", "run.json", "run.npz", "error.json"}
    assert capsys.readouterr().err


def test_the_agent_preprocesses_in_one_thread(make_job, out, capsys):
    cv2 = pytest.importorskip("cv2")
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    (out / "job.json").write_text(make_job(EXACT).to_json())
    try:
        assert agent.main([str(out / "job.json"), str(out)]) == 0
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize(
    ("job", "said"),
    [("{", "JSONDecodeError"), ("{}", "KeyError: 'case'"), (None, "FileNotFoundError"), ("[1]", "TypeError")],
)
def test_the_agent_explains_a_job_that_it_cannot_read(out, job, said, capsys):
    if job is not None:
        (out / "job.json").write_text(job)
    assert agent.main([str(out / "job.json"), str(out)]) == agent.FAILED
    error = HarnessError.from_wire(json.loads((out / "error.json").read_text()))
    assert said in error.sentence
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory: MemoryError"),
        (RuntimeError("std::bad_alloc"), "out of memory: std::bad_alloc"),
        (RuntimeError("Failed to allocate memory for requested buffer"), "out of memory: Failed to allocate"),
        (RuntimeError("something else"), "RuntimeError: something else"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (EngineError("refused", remedy="mend it"), "refused; mend it"),
    ],
)
def test_the_agent_turns_whatever_happens_into_a_sentence(out, monkeypatch, make_job, error, said, capsys):
    def fail(job, say, keep, recorded):
        raise error

    (out / "job.json").write_text(make_job().to_json())
    monkeypatch.setattr(agent, "measure", fail)
    assert agent.main([str(out / "job.json"), str(out)]) == agent.FAILED
    assert HarnessError.from_wire(json.loads((out / "error.json").read_text())).sentence.startswith(said)
    assert capsys.readouterr().err


@pytest.mark.parametrize(
    ("plan", "least_s"),
    [
        (Plan("standard", frames=660), 0),
        (Plan("camera", frames=3000, arrivals=Arrivals(0.5)), 6000),
        (Plan("recorded", frames=10, arrivals=Arrivals(timestamps=(0, 3 * 10**9, 4 * 10**9))), 20),
        (Plan("soak", frames=660, minimum_s=600, arrivals=Arrivals()), 660),  # with its cool-down
    ],
)
def test_a_worker_has_all_the_time_that_its_camera_takes(make_job, tmp_path, plan, least_s):
    assert _errand(make_job(plan=plan), tmp_path).cap_s == pytest.approx(20 * plan.deadline_s + least_s)
