"""The external runtime: the two reference runners, and runners that break each rule of the protocol."""

from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import InputSpec, TensorSpec
from harness.errors import EngineError
from harness.following import follow
from harness.profile import read_profile
from harness.runtimes.external import External
from harness.runtimes.runner_answers import read_hello, read_infer_ns, read_loaded, read_stats
from harness.runtimes.runner_exchange import Exchange, layout
from harness.runtimes.runner_lines import LONGEST_LINE_BYTES, decode_answer, encode_request
from tests.runners.building import PYTHON, cpp_runner, misbehaving, toy_net
from tests.workspace import Workspace

X = np.arange(4, dtype=np.float32).reshape(1, 4)
QUICK = {"hello_deadline_s": 5.0, "load_deadline_s": 5.0, "infer_deadline_s": 5.0, "bye_deadline_s": 5.0}
SHORT = {name: 0.3 for name in QUICK if name != "hello_deadline_s"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20,
)  # fmt: skip


@pytest.fixture(scope="session")
def cpp(tmp_path_factory):
    return cpp_runner(tmp_path_factory.getbasetemp())


@pytest.fixture
def adder(tmp_path):
    """A model file that misbehaving runners take without reading it."""
    path = tmp_path / "adder.toy"
    path.write_text("anything")
    return str(path)


@pytest.fixture
def nothing_left(processes):
    """No runner and no file of an exchange stays behind."""
    before = set(Path("/dev/shm").glob("dms-exchange-*"))
    yield
    until = time.monotonic() + 5
    while processes("misbehaving.py") and time.monotonic() < until:
        time.sleep(0.01)
    assert not processes("misbehaving.py")
    assert set(Path("/dev/shm").glob("dms-exchange-*")) <= before


def run(fault, model, **options):
    runtime = External(model, command=misbehaving(fault), **{**QUICK, **options})
    runtime.prepare()
    with runtime:
        return runtime.infer({"x": X}), runtime.facts()


def answers_of(command, model, pictures, **options):
    runtime = External(model, command=command, **options)
    runtime.prepare()
    with runtime:
        return [runtime.infer({"image": one})["scores"] for one in pictures], runtime.facts(), runtime


def pictures(dtype, shape=(1, 1, 12, 10), count=3):
    values = np.random.default_rng(8)
    if dtype == "int8":
        return [values.integers(-128, 128, shape).astype(np.int8) for _ in range(count)]
    return [values.random(shape).astype(np.float32) for _ in range(count)]


@pytest.mark.parametrize("exchange", ["shared_memory", "files"])
def test_both_reference_runners_give_what_a_dense_layer_gives(exchange, cpp, tmp_path):
    model, shown = toy_net(tmp_path / "net.toy"), pictures("float32")
    words = [line.split() for line in Path(model).read_text().splitlines()]
    bias = np.array(words[3][1:], np.float64)
    weights = np.array([row[2:] for row in words[4:]], np.float64)
    for command in (cpp, PYTHON):
        found, facts, _ = answers_of(command, model, shown, exchange=exchange)
        for picture, scores in zip(shown, found, strict=True):
            assert scores.shape == (1, 5)
            np.testing.assert_allclose(scores[0], weights @ picture.reshape(-1) + bias, rtol=0, atol=1e-5)
        assert facts["exchange"] == exchange


@pytest.mark.parametrize(("dtype", "most"), [("float32", 1e-5), ("int8", 0)])
def test_python_and_cpp_answer_alike(dtype, most, cpp, tmp_path):
    model, shown = toy_net(tmp_path / "net.toy", dtype), pictures(dtype)
    here, there = (answers_of(command, model, shown)[0] for command in (cpp, PYTHON))
    for one, other in zip(here, there, strict=True):
        assert one.dtype == dtype
        assert np.abs(one.astype(np.float64) - other.astype(np.float64)).max() <= most
    assert len({tuple(one.reshape(-1)) for one in here}) == len(shown)


def test_an_int8_network_is_its_float_twin_within_half_a_step(cpp, tmp_path):
    model, (picture,) = toy_net(tmp_path / "net.toy", "int8"), pictures("int8", count=1)
    (scores,), facts, runtime = answers_of(cpp, model, [picture])
    words = [line.split() for line in Path(model).read_text().splitlines()]
    weights, bias = np.array([row[2:] for row in words[5:]], np.float64), np.array(words[4][1:], np.float64)
    taken, given = runtime.inputs[0], runtime.outputs[0]
    real = (weights @ (picture.reshape(-1).astype(np.float64) - taken.zero_point) + bias) * taken.scale * 0.0031
    steps = np.clip(real / given.scale + given.zero_point, -128, 127)
    assert np.abs(scores[0] - steps).max() <= 0.5 + 1e-9
    assert facts["layer_precisions"] == {"int8": 1.0}


def test_facts_tell_the_runner_and_what_the_detour_costs(cpp, tmp_path):
    _, facts, _ = answers_of(cpp, toy_net(tmp_path / "net.toy"), pictures("float32", count=5))
    wanted = {
        "engine": "toy", "version": "1", "precision": "float32", "threads": 1, "placement": {"cpu": 1.0},
        "promised": "cpu", "partitions": 1, "runner": "reference-cpp", "runner_protocol": 1, "runner_frames": 5,
        "exchange": "shared_memory", "runner_stats": {"frames": {"value": 5.0, "unit": "frames"}},
    }  # fmt: skip
    assert wanted.items() <= facts.items()
    assert facts["round_trip_us"] > 0
    assert 0 <= facts["runner_infer_p50_ms"] <= facts["runner_infer_p99_ms"]


def test_a_runner_that_tells_no_time_has_none_in_the_facts(adder, nothing_left):
    outputs, facts = run("none", adder)
    np.testing.assert_array_equal(outputs["y"], X + 1)
    assert not [name for name in facts if name.startswith("runner_infer")]
    assert facts["runner_stats"] == {"chip": {"value": 51.5, "unit": "C"}}


def test_a_whole_job_runs_over_it(cpp, tmp_path, make_job, measured):
    model = toy_net(tmp_path / "net.toy", shape=(1, 1, 20, 32), outputs=2)
    run = measured(make_job(engine="external", options={"command": cpp}, model_path=model, input=InputSpec(32, 20)))
    assert len(run.frame_ns) >= 60
    assert len(run.cpu_ns) == 0
    assert run.facts["outputs_repeat"] is True
    assert run.facts["runner"] == "reference-cpp"


# The sum of 160 pixels.
BRIGHT_OR_DARK = "toy 1 input image float32 4 1 1 10 16 output scores float32 2 1 2 bias 80 -80 row 1 -1 row 1 1"


def test_a_session_measures_a_card_over_a_runner_from_end_to_end(tmp_path):
    place = Workspace(tmp_path)
    card = place.add_simulated() / "model.toml"
    text, _, _ = card.read_text().partition("[variants.fp32]")
    card.write_text(f'{text}[variants.fp32]\nmade = "by hand"\nfiles = {{ external = "x.toy" }}\n')
    card.with_name("x.toy").write_text(BRIGHT_OR_DARK)
    command = '["{python}", "-m", "harness.runners.reference"]'
    (tmp_path / "devices" / "bench.toml").write_text(
        f'[runtimes.runner]\nengine = "external"\ncommand = {command}\npromised = "cpu"\n'
        "[budgets]\nplaced_share_percent = 100\n"
    )
    done = place.pytest("--device=bench", "--plan=smoke", "--policy=pr")
    assert [one["key"] for one in done.measured()] == ["bench/eyes/fp32/runner"], done.output
    assert [one["outcome"] for one in done.verdicts("placed_share_percent")] == ["PASS"], done.output
    assert done.status == 0, done.output


def test_an_answer_is_the_callers_own(cpp, tmp_path):
    first, second = pictures("float32", count=2)
    runtime = External(toy_net(tmp_path / "net.toy"), command=cpp)
    with runtime:
        answer = runtime.infer({"image": first})["scores"]
        kept = answer.copy()
        runtime.infer({"image": second})
        np.testing.assert_array_equal(answer, kept)
        answer[...] = 0


def test_it_can_be_entered_again(cpp, tmp_path):
    runtime = External(toy_net(tmp_path / "net.toy"), command=cpp)
    (picture,) = pictures("float32", count=1)
    answers = []
    for _ in range(2):
        with runtime:
            answers.append(runtime.infer({"image": picture})["scores"])
    np.testing.assert_array_equal(*answers)


def test_other_feeds_than_the_model_takes_are_refused(cpp, tmp_path):
    with External(toy_net(tmp_path / "net.toy"), command=cpp) as runtime:
        for feeds in ({"image": np.zeros((1, 1, 12, 10))}, {"image": np.zeros((1, 12), np.float32)}, {}):
            with pytest.raises(EngineError, match="image"):
                runtime.infer(feeds)


FAULTS = {
    "other version": "speaks version 7 of the protocol and was asked for 1.*take a runner and a harness that fit",
    "version as text": "answered hello with protocol = '1' and must be a whole number",
    "other format": "loads files that end with onnx",
    "no exchange": "has no exchange 'shared_memory'.*pigeon",
    "other answer": "answered load with 'pong'",
    "unknown dtype": "dtype of 'x' = 'complex64' and must be one of float32",
    "open shape": r"shape of 'x' = '\[-1, 4\]' and must be whole numbers above 0",
    "endless shape": "shape of 'x'",
    "two of a name": r"inputs = .*each with a name of its own",
    "no outputs": "outputs = .*at least one tensor",
    "impossible shares": "placement = .*add up to 1",
    "shares as text": "npu = 'all' and must be a finite number",
    "wrong frame": "answered frame 999 where 1 was asked for",
    "wrong size": "wrote 12 bytes of outputs, and what it told at load has 16",
    "negative time": "infer_ns = '-5'",
    "no unit": "answered stats with no unit",
    "refused load": r"refuses load: of another chip \(n.toy\); compile it",
    "refused frame": r"refuses infer: the NPU hangs \(NPU\); power it off",
    "bare error": "refuses load",
    "silent at load": 'gave no answer to .*"op":"load".* within 0.3 s.*raise the deadline',
    "silent at infer": "gave no answer to .*infer.* within 0.3 s",
    "half a line": 'gave no answer.*it wrote \'{"op":"don\' and no end of the line',
    "half a line and gone": 'ended with status 0 in the middle of the line \'{"op":"don\'',
    "rubbish": "wrote 'NPU ready', which is no JSON",
    "a number": "wrote '17', which is no JSON object",
    "not a number": "NaN is no number",
    "deep rubbish": "wrote '.*', which is no JSON",
    "no utf-8": "which is no JSON",
    "flooded stdout": "wrote a line of more than 65536 bytes.*log to standard error",
    "flooded stdout with lines": "wrote 'rubbish', which is no JSON",
    "flooded stderr and silent": "gave no answer.*its log ends with: .*rubbish",
    "killed": r"was killed by signal 9 \(SIGKILL\)",
    "crashed": r"was killed by signal 11 \(SIGSEGV\)",
    "status 3": "ended with status 3; its log ends with: fatal error: the NPU is on fire",
    "gone at load": "ended with status 1; its log ends with: fatal error",
    "closed stdout": "closed its standard output",
    "stays": "did not exit within 0.3 s after bye|did not exit within 0.3 s and was killed",
    "status 9": "ended with status 9 after bye",
    "last word": "wrote 'bye bye' after its last answer",
    "answers twice": "wrote .*done.* that answers nothing.*exactly one line",
}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_runner_is_an_error_with_its_sentence(fault, adder):
    with pytest.raises(EngineError, match=FAULTS[fault]) as found:
        run(fault, adder, **SHORT)
    assert found.value.remedy or fault == "bare error"


@pytest.mark.usefixtures("nothing_left")
def test_a_silent_hello_meets_its_own_deadline(adder):
    with pytest.raises(EngineError, match=r"hello.* within 0\.2 s"):
        run("silent at hello", adder, hello_deadline_s=0.2)


@pytest.mark.usefixtures("nothing_left")
def test_a_talkative_runner_neither_hangs_nor_fills_the_memory(adder):
    outputs, facts = run("flooded stderr", adder)
    np.testing.assert_array_equal(outputs["y"], X + 1)
    assert facts["runner_log_bytes"] > 50 * 36 * 20000


@pytest.mark.usefixtures("nothing_left")
def test_what_a_runner_started_ends_with_it(adder, processes):
    runtime = External(adder, command=misbehaving("with a child"), **QUICK)
    with runtime:
        assert len(runtime.process_ids) == 2
        assert set(runtime.process_ids) & set(processes("sleep 1000"))
        mine = set(runtime.process_ids)
    until = time.monotonic() + 5
    while mine & set(processes("sleep 1000")):
        assert time.monotonic() < until


@pytest.mark.usefixtures("nothing_left")
def test_a_runtime_that_is_prepared_and_forgotten_leaves_no_process(adder):
    External(adder, command=misbehaving("none"), **QUICK).prepare()
    gc.collect()


@pytest.mark.usefixtures("nothing_left")
def test_a_killed_worker_takes_its_runner_with_it(adder):
    script = (
        "import sys, time\n"
        "from harness.runtimes.external import External\n"
        f"with External({adder!r}, command={misbehaving('none')!r}) as runtime:\n"
        "    print(*runtime.process_ids, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline().strip().isdigit()
        os.kill(worker.pid, signal.SIGKILL)


HUNG = """
import sys, time
from harness.runtimes.external import External
with External({model!r}, command=("sh", {wrapper!r})) as runtime:
    print("progress", flush=True)
    {then}
"""


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize(
    ("then", "timed_out"),
    [("import os; os.kill(os.getpid(), 9)", False), ("time.sleep(60)", True), ("os._exit(3)", False)],
    ids=["killed", "at its deadline", "ends by itself"],
)
def test_what_a_wrapper_of_the_runner_started_ends_with_the_worker(then, timed_out, adder, tmp_path, processes):
    hung = f"import time; time.sleep(1000); {str(tmp_path)!r}"
    wrapper = tmp_path / "wrapper.sh"
    wrapper.write_text(f"{sys.executable} -c {shlex.quote(hung)} &\n{shlex.join(misbehaving('none'))}\nexit 0\n")
    script = HUNG.format(model=adder, wrapper=str(wrapper), then=f"import os; {then}")
    ended = follow(
        [sys.executable, "-c", script], environment={}, log=tmp_path / "log", deadline_s=8,
        on_line=lambda line: line == "progress",
    )  # fmt: skip
    assert "progress" in (tmp_path / "log").read_text()
    assert ended.timed_out is timed_out
    assert not [pid for pid in processes("time.sleep(1000)") if pid in processes(str(tmp_path))]


@pytest.mark.parametrize("seconds", [-1.0, 0.0, float("nan"), 1e9])
def test_a_deadline_that_is_no_time_to_wait_is_refused(seconds, adder):
    with pytest.raises(EngineError, match=r"deadline infer_s = .*write seconds above 0"):
        External(adder, command=misbehaving("none"), infer_deadline_s=seconds).prepare()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"command": "runner 'half"}, "cannot be split: No closing quotation.*close the quotes"),
        ({}, "no runner is named .*command"),
        ({"command": ("/nowhere/runner", "-x")}, "the runner /nowhere/runner is not there.*chmod"),
        ({"command": "'/no where/runner' -x"}, "the runner /no where/runner is not there"),
    ],
)
def test_a_runner_that_is_not_there_is_named_before_anything_starts(options, sentence, adder):
    with pytest.raises(EngineError, match=sentence):
        External(adder, **options).prepare()


def test_a_program_for_another_machine_is_refused(adder, tmp_path):
    program = tmp_path / "runner"
    program.write_bytes(b"\x7fELF" + bytes(60))
    program.chmod(0o755)
    with pytest.raises(EngineError, match=r"cannot be started: .*built for this machine"):
        External(adder, command=(str(program),)).prepare()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exchange": "pigeon"}, "has no exchange 'pigeon'"),
        ({"exchange_folder": "/nowhere"}, "exchange files of the runner cannot be made.*exchange_folder"),
        ({"runner_options": {"long": "x" * LONGEST_LINE_BYTES}}, "a line to a runner has at most 65536"),
        ({"runner_options": {"two": "a\nb"}}, "characters that the runner protocol does not carry"),
        ({"promised": "npu"}, "nothing of the model is on 'npu'.*cpu"),
    ],
)
def test_what_the_profile_asks_in_vain_is_refused(options, sentence, cpp, tmp_path):
    with pytest.raises(EngineError, match=sentence), External(toy_net(tmp_path / "net.toy"), command=cpp, **options):
        pass


def test_a_promised_unit_that_took_the_model_stands_in_the_facts(cpp, tmp_path):
    (_, facts, _) = answers_of(cpp, toy_net(tmp_path / "net.toy"), [], promised="cpu")
    assert facts["promised"] == "cpu"


BROKEN_NETS = {
    "": "too early",
    "toy 2": "'?2'? ",
    "toy 1 input image float64 1 4": "float64",
    "toy 1 input image float32 1 0": "size",
    "toy 1 input image int8 1 4 0 0": "scale",
    "toy 1 input image float32 1 4 output s int8 1 1 1 0": "output",
    "toy 1 input image float32 1 4 output s float32 1 1 bias x": "x",
    "toy 1 input image float32 1 4 output s float32 1 1 bias 0 row 1 1 1": "more",
}


@pytest.mark.parametrize("text", BROKEN_NETS)
def test_both_reference_runners_refuse_a_broken_network_and_name_the_file(text, cpp, tmp_path):
    path = tmp_path / 'brö "ken" \\.toy'
    path.write_text(text)
    for command in (cpp, PYTHON) if text in ("", "toy 2") else (cpp,):
        with pytest.raises(EngineError, match=BROKEN_NETS[text]) as found, External(str(path), command=command):
            pass
        assert str(path) in found.value.sentence


def test_a_model_that_is_not_there_is_refused(cpp, tmp_path):
    with (
        pytest.raises(EngineError, match=r"cannot be read.*gone\.toy"),
        External(str(tmp_path / "gone.toy"), command=cpp),
    ):
        pass


@pytest.mark.parametrize("command", ['["/opt/runner", "--npu"]', '"/opt/runner --npu"'])
def test_a_profile_names_the_command_as_list_or_text(command, tmp_path):
    (tmp_path / "board.toml").write_text(
        f'[runtimes.cvflow]\nengine = "external"\ncommand = {command}\nrunner_options = {{ core = "1" }}\n'
        'environment = { SDK = "/opt/sdk" }\ninfer_deadline_s = 2.5\n'
    )
    options = read_profile("board", tmp_path).engine_options("cvflow")
    assert External("model", **options)._command == ("/opt/runner", "--npu")


def test_tensors_lie_at_multiples_of_64_bytes():
    specs = [TensorSpec("a", (3,), "int8"), TensorSpec("b", (2, 9), "float64"), TensorSpec("c", (), "bool")]
    assert layout(specs) == ({"a": 0, "b": 64, "c": 256}, 257)


@pytest.mark.parametrize("kind", ["shared_memory", "files"])
def test_an_exchange_without_a_name_still_carries_tensors(kind, tmp_path):
    specs = [TensorSpec("a", (3,), "int8"), TensorSpec("b", (2, 2), "float16")]
    with Exchange(specs, specs, kind, str(tmp_path)) as exchange:
        descriptor = os.open(exchange.paths[1], os.O_RDWR)
        exchange.hide()
        assert not list(tmp_path.iterdir())
        os.pwrite(descriptor, np.array([1, -2, 3], np.int8).tobytes(), 0)
        os.pwrite(descriptor, np.array([0.5, 1, 2, 3], np.float16).tobytes(), 64)
        os.close(descriptor)
        found = exchange.read()
    assert found["a"].tolist() == [1, -2, 3]
    assert found["b"].tolist() == [[0.5, 1], [2, 3]]


@settings(max_examples=40)
@given(st.dictionaries(st.from_regex(r"[a-z.]{1,9}", fullmatch=True), st.integers() | st.text()))
def test_a_request_is_one_line_of_json_whose_only_escapes_are_quote_and_backslash(fields):
    fields.pop("op", None)
    try:
        line = encode_request("load", **fields)
    except EngineError as error:
        assert "does not carry" in error.sentence  # noqa: PT017 - both ways are right
        return
    assert json.loads(line) == {"op": "load", **fields}
    assert line.count(b"\n") == 1
    assert not set(line.decode().replace('\\"', "").replace("\\\\", "")) & {"\\"}


@settings(max_examples=40)
@given(st.binary() | ANYTHING.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_an_object_or_a_value_error(line):
    try:
        assert isinstance(decode_answer(line)["op"], str)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both ways are right


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(["inputs", "outputs", "facts", "protocol", "values", "formats", "infer_ns"]), ANYTHING
    )
)
@pytest.mark.parametrize("reader", [read_hello, read_loaded, read_stats, read_infer_ns])
def test_any_answer_is_taken_or_a_value_error(reader, answer):
    try:
        reader(answer)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - both ways are right
