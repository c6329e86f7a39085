"""What every command-line engine has: tools found or missed, deadlines, faults, outputs of each frame."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import TensorSpec
from harness.errors import EngineError
from harness.runtimes import open_runtime
from harness.runtimes.command import Tool, last_words, read_raw, write_raw
from harness.runtimes.netrun import read_tensors
from tests.runtimes.tools import TENSORS, frame, installed, model

QNN = {"command": "qnn_net_run", "viewer": "qnn_viewer"}
SNPE = {"command": "snpe_net_run", "viewer": "snpe_diagview"}


@pytest.fixture
def runtime(tmp_path):
    """A loaded engine of one kind, whose tools have a fault from the start or later."""

    def make(kind, fault="", tensors=TENSORS, **options):
        names = {"trtexec": {"command": "trtexec"}, "qnn": QNN, "snpe": SNPE}[kind]
        tools = {name: installed(tool, tmp_path, STANDIN_FAULT=fault) for name, tool in names.items()}
        suffix = {"trtexec": "engine", "qnn": "bin", "snpe": "dlc"}[kind]
        path = model(tmp_path, f"net.{suffix}", None if kind == "trtexec" else tensors)
        if kind == "trtexec":
            Path(path).write_text("engine of 101601")
        found = open_runtime(kind, path, {**tools, **options})
        found.prepare()
        return found

    return make


KINDS = ("trtexec", "qnn", "snpe")


@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_has_its_own_outputs_in_order(runtime, kind):
    with runtime(kind) as engine:
        answers = engine.infer_many([frame(0.25), frame(0.75), frame(0.25)])
        alone = engine.infer(frame(0.75))
    bright = [float(one["scores"][0, 1]) for one in answers]
    assert bright == pytest.approx([0.25, 0.75, 0.25])
    assert all(one["scores"].shape == (1, 2) for one in answers)
    np.testing.assert_allclose(alone["scores"], answers[1]["scores"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_is_not_there_is_named_with_its_option(tmp_path, kind):
    engine = open_runtime(kind, "net.bin", {"command": str(tmp_path / "nowhere")})
    with pytest.raises(EngineError, match=r"nowhere is not there.*option command"):
        engine.prepare()


@pytest.mark.parametrize("kind", ["qnn", "snpe"])
def test_a_viewer_that_is_not_there_is_named_with_its_option(runtime, kind):
    with pytest.raises(EngineError, match="option viewer"):
        runtime(kind, viewer="/nowhere/viewer")


@pytest.mark.parametrize(
    ("kind", "fault", "deadline_s", "said"),
    [
        ("qnn", "hang", 0.3, "was not done after 0.3 s"),
        *((kind, "die", 60.0, "killed by signal 11: .*loading the model") for kind in KINDS),
    ],
)
def test_a_tool_that_hangs_or_dies_is_an_error_and_leaves_nothing_behind(
    runtime, processes, kind, fault, deadline_s, said
):
    engine = runtime(kind, fault, deadline_s=deadline_s)
    with pytest.raises(EngineError, match=said), engine:
        pytest.fail("it loaded")
    assert not [one for one in processes("standin_") if _ours(one)]


def _ours(pid):
    """A child of this very process; others may run the same tests."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        ("trtexec", "truncated", "t.json cannot be read: it is no whole JSON"),
        ("trtexec", "new times", "no 'inMs' but uploadMs"),
        ("trtexec", "fewer", "told 7 inferences of 8"),
        ("trtexec", "settings", "did not run as the options say: Data transfers: Disabled"),
        ("trtexec", "graph", "graph capture on the stream has failed"),
        ("qnn", "truncated", "the profile cannot be read"),
        ("qnn", "fewer", "executions for"),
        ("qnn", "other viewer", "no section such as"),
        ("snpe", "cut", "no 'Total Inference Time'"),
        ("snpe", "refuse", "not supported on DSP"),
    ],
)
def test_times_that_cannot_be_trusted_are_an_error(runtime, kind, fault, said):
    with pytest.raises(EngineError, match=said), runtime(kind, fault) as engine:
        engine.time_window([frame(0.5)], 8)


@pytest.mark.parametrize(
    ("kind", "fault", "said"),
    [
        ("trtexec", "outputs", r"wrote the outputs \['extra', 'scores'\]"),
        ("qnn", "outputs", r"wrote the outputs \['extra', 'scores'\]"),
        ("qnn", "short", r"scores.raw has 4 bytes, 'scores' float32 \[1, 2\] has 8"),
    ],
)
def test_outputs_that_do_not_fit_the_model_are_an_error(runtime, kind, fault, said):
    with pytest.raises(EngineError, match=said), runtime(kind, fault) as engine:
        engine.infer(frame(0.5))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros((1, 1, 20, 32), np.uint8), "was given uint8"),
        (np.zeros((1, 1, 32, 20), np.float32), r"\[1, 1, 32, 20\]"),
    ],
)
def test_a_frame_of_another_type_or_shape_never_reaches_the_tool(runtime, kind, value, said):
    with pytest.raises(EngineError, match=said), runtime(kind) as engine:
        engine.infer({"image": value})


@pytest.mark.parametrize("kind", ["qnn", "snpe"])
@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (None, "nothing tells the shapes"),
        ({"inputs": {}}, "outputs"),
        ({"inputs": {"image": {"form": [1]}}, "outputs": {}}, "unknown key 'form'"),
        ({"inputs": {"image": {"shape": [1], "dtype": "uint8"}}, "outputs": {}}, "'image' is uint8"),
        ([], "cannot be read"),
    ],
)
def test_tensors_that_nobody_wrote_down_are_asked_for(runtime, kind, tensors, said):
    with pytest.raises(EngineError, match=said), runtime(kind, tensors=tensors):
        pytest.fail("it loaded")


def test_a_flood_of_words_is_stopped(tmp_path):
    tool = Tool(installed("qnn_net_run", tmp_path, STANDIN_FAULT="flood"), "command", 60, {})
    with pytest.raises(EngineError, match="wrote more than 64 MiB"):
        tool.run([], tmp_path)


def test_a_program_that_cannot_be_started_is_an_error(tmp_path):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELFnothing")
    broken.chmod(0o700)
    tool = Tool(str(broken), "command", 5, {})
    tool.find()
    with pytest.raises(EngineError, match="cannot be started"):
        tool.run([], tmp_path)


def test_a_tool_sees_the_environment_of_its_options(tmp_path):
    tool = Tool("/bin/sh", "command", 5, {"ADSP_LIBRARY_PATH": "/somewhere/dsp"})
    finished = tool.run(["-c", "env; sleep 0.2"], tmp_path)
    assert "ADSP_LIBRARY_PATH=/somewhere/dsp" in finished.log
    assert "PATH=" in finished.log
    assert 0 < finished.marks["peak_tool_bytes"] < 20_000_000


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "it wrote nothing"),
        ("one\ntwo\n\nthree\nfour", "two / three / four"),
        ("fine\nError 5: no\nfine again\nbye", "Error 5: no"),
    ],
)
def test_the_last_words_are_those_that_complain(log, said):
    assert last_words(log) == said


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=24))
def test_raw_files_give_back_what_was_written(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("raw")
    spec = TensorSpec("any/name:0", (1, len(values)), "float32")
    array = np.array([values], np.float32)
    (path,) = write_raw({spec.name: array}, [spec], folder, 0).values()
    np.testing.assert_array_equal(read_raw(path, spec), array)


def test_scales_of_quantised_tensors_are_read(tmp_path):
    tensors = {"inputs": {"i": {"shape": [1], "dtype": "uint8", "scale": 0.5, "zero_point": 3}}, "outputs": {}}
    (spec,), _ = read_tensors(model(tmp_path, "net.bin", tensors))
    assert (spec.dtype, spec.scale, spec.zero_point) == ("uint8", 0.5, 3)


def test_a_deadline_ends_the_process_itself(tmp_path):
    with pytest.raises(EngineError, match=r"sleep was not done after 0.2 s and was ended.*raise deadline_s"):
        Tool("sleep", "command", 0.2, {}).run(["600"], tmp_path)


@pytest.mark.parametrize("seconds", ["0", "0.2"])
def test_the_tools_memory_is_not_that_of_the_process_that_starts_it(tmp_path, seconds):
    held = np.ones(300 * 2**20, np.uint8)
    finished = Tool("sleep", "command", 30, {}).run([seconds], tmp_path)
    assert held[-1] == 1
    assert finished.peak_bytes is None or finished.peak_bytes < 20_000_000


def readable(descriptor):
    """Whether there is something to read within some seconds; of a process, that it ended, reaped or not."""
    return bool(select.select([descriptor], [], [], 20)[0])


def gone(pid):
    """It ended, or ends within some seconds."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return readable(process)
    finally:
        os.close(process)


def test_kill_9_of_the_worker_takes_the_tool_with_it(tmp_path, checkout):
    os.mkfifo(tmp_path / "told")
    told = os.open(tmp_path / "told", os.O_RDONLY | os.O_NONBLOCK)
    script = (
        "import sys; from pathlib import Path; from harness.runtimes.command import Tool\n"
        "Tool('sh', 'command', 600, {}).run(['-c', 'echo $$ > told; exec sleep 600'], Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=checkout) as worker:
        begun = readable(told)
        worker.kill()
    assert begun
    assert gone(int(os.read(told, 32)))
    os.close(told)


@pytest.mark.parametrize("then", ["exit 0", "sleep 600"])
def test_what_a_tool_started_ends_with_it(tmp_path, then):
    tool = Tool("sh", "command", 1.0, {})
    with pytest.raises(EngineError, match="was not done") if then == "sleep 600" else contextlib.nullcontext():
        tool.run(["-c", f"sleep 600 & echo $!; {then}"], tmp_path)
    assert gone(int((tmp_path / "command.log").read_text()))
