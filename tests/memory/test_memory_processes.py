"""Several sessions in one process, and several frames in one inference: what is shared, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness.errors import EngineError, HarnessError
from harness.memory.batches import batch_rows
from harness.memory.cascade import figures_of, sharing_rows
from harness.memory.files import REWRITTEN, shared_weights, with_batch
from harness.memory.measuring import Wanted
from harness.memory.sharing import WAYS, open_way
from harness.memory.workers import carried_out, in_turn
from harness.model import read_card
from harness.profile import read_profile
from harness.runtimes import open_runtime
from tests.memory.test_memory_settings import wanted_of
from tests.modelfile import onnx_models
from tests.modelfile.onnx_models import Net
from tests.simulated import CHECKOUT

EYES = CHECKOUT / "suites" / "models" / "eye_state"
FACES = CHECKOUT / "suites" / "models" / "face_detection"


def silent(said: str) -> None:
    """Nobody listens."""


def eyes_on(folder: Path, model: Path = EYES, variant: str = "int8", **changes) -> Wanted:
    profile = read_profile("host", CHECKOUT / "devices").model_copy(update=changes)
    return wanted_of(read_card(model), profile, folder, variant=variant)


def answers(path: Path, frames: int = 1) -> np.ndarray:
    runtime = open_runtime("onnxruntime", str(path), {})
    runtime.prepare()
    with runtime:
        spec = runtime.inputs[0]
        noise = np.random.default_rng(3).random((frames, *spec.shape[1:])).astype(np.float32)
        return next(iter(runtime.infer({spec.name: noise}).values()))


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_file_that_was_written_anew_answers_as_before(tmp_path, name):
    REWRITTEN[name](EYES / "fp32.onnx", tmp_path / "new.onnx")
    np.testing.assert_allclose(answers(tmp_path / "new.onnx"), answers(EYES / "fp32.onnx"), atol=1e-5)
    kept = sum(one.stat().st_size for one in tmp_path.iterdir())
    assert kept == pytest.approx((EYES / "fp32.onnx").stat().st_size, rel=0.02)


def test_a_file_that_is_no_model_cannot_be_written_anew(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match="cannot write the file anew"):
        REWRITTEN["optimised"](tmp_path / "model.onnx", tmp_path / "new.onnx")


def test_an_opened_batch_answers_each_frame(tmp_path):
    with_batch(EYES / "fp32.onnx", tmp_path / "four.onnx", 4)
    found = answers(tmp_path / "four.onnx", frames=4)
    assert found.shape == (4, 2)
    np.testing.assert_allclose(found[:1], answers(EYES / "fp32.onnx"), atol=1e-5)


def net(path: Path, head: int) -> Path:
    """Two files of this kind have the first convolution in common."""
    made = Net(seed=1)
    trunk = made.conv("input", 3, 64, 3, 2)
    other = Net(seed=head)
    made.nodes += [onnx.helper.make_node("Relu", [trunk], ["trunk"])]
    scores = other.dense(other.conv("trunk", 64, 64, 1), 64, 4)
    for one in other.weights:
        made.weights.append(numpy_helper.from_array(numpy_helper.to_array(one), f"head_{one.name}"))
    for node in other.nodes:
        node.input[:] = [f"head_{one}" if one.startswith("weight_") else one for one in node.input]
        node.name = f"head_{node.name}"
    made.nodes += other.nodes
    shape = onnx_models._value("input", [1, 3, 32, 32])
    return onnx_models.save(
        onnx_models._model(made, [shape], {"scores": scores}, [onnx_models._value("scores", [1, 4])]), path
    )


def test_weights_are_shared_where_they_are_the_same_bit_by_bit(tmp_path):
    one, other = net(tmp_path / "one.onnx", head=2), net(tmp_path / "other.onnx", head=3)
    assert shared_weights([one, other], tmp_path / "shared.npz") == 1
    with np.load(tmp_path / "shared.npz") as found:
        (trunk,) = found.values()
    assert trunk.shape == (64, 3, 3, 3)
    assert shared_weights([one, one], tmp_path / "shared.npz") == len(["trunk", "head", "dense"])
    assert shared_weights([one, EYES / "fp32.onnx"], tmp_path / "none.npz") == 0


@pytest.mark.parametrize("way", WAYS["onnxruntime"])
def test_sessions_of_onnx_runtime_share_what_the_way_says(tmp_path, way):
    """In this process: what the worker does, but for weighing it."""
    shared_weights([EYES / "fp32.onnx"], tmp_path / "shared.npz")
    made = open_way("onnxruntime", way, {})
    made.share(str(tmp_path / "shared.npz"), tmp_path)
    first, second = made.open(str(EYES / "fp32.onnx")), made.open(str(EYES / "fp32.onnx"))
    assert (first is second) == (way == "one session")
    np.testing.assert_array_equal(first()[0], second()[0])


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("onnxruntime", {"providers": ["CUDAExecutionProvider"]}, "measured on CPUExecutionProvider only"),
        ("openvino", {"target": "GPU"}, "measured on the CPU only"),
        ("litert", {"delegate": "libvx_delegate.so"}, "measured with XNNPACK only"),
        ("litert", {"xnnpack": False}, "measured with XNNPACK only"),
    ],
)
def test_an_entry_that_runs_elsewhere_is_refused(engine, options, said):
    with pytest.raises(EngineError, match=said):
        open_way(engine, next(iter(WAYS[engine])), options)


def test_a_request_costs_less_than_a_compiled_model(tmp_path):
    models, requests = sharing_rows(eyes_on(tmp_path), "openvino", [], silent)
    assert [models.name, requests.name] == ["compiled models", "requests"]
    assert tuple(models.figures) == figures_of(3)
    assert models.figures["all_mb"][0] == pytest.approx(
        sum(models.figures[f"{one}_mb"][0] for one in ("first", "second", "third"))
    )
    assert requests.figures["third_mb"][0] < 0.5 < models.figures["third_mb"][0]
    assert all(values[0] > 0 for name, values in models.figures.items() if name.endswith("_ms"))


def test_different_files_share_no_request_and_say_when_they_share_no_weight(tmp_path):
    wanted = eyes_on(tmp_path, variant="fp32")
    faces = FACES / "fp32.onnx"
    found = {one.name: one for one in sharing_rows(wanted, "onnxruntime", [faces], silent)}
    assert tuple(found["sessions"].figures) == figures_of(2)
    assert "hold no weight in common" in found["shared weights"].reason
    assert "different files" in found["one session"].reason


def test_a_cache_of_weights_holds_them_for_all_sessions(tmp_path):
    wanted = eyes_on(tmp_path)
    job = {
        "kind": "sharing", "engine": "litert", "way": "weight cache", "paths": [str(EYES / "int8.tflite")] * 2,
        "options": {}, "weights": "",
    }  # fmt: skip
    found = carried_out(wanted, job, "cache")
    (cache,) = (wanted.folder / "work" / "cache").glob("*.xnnpack")
    assert cache.stat().st_size > 200_000
    assert found["grown_bytes"][1] < found["grown_bytes"][0]


def test_batches_are_weighed_and_timed_by_frame(tmp_path):
    rows = batch_rows(eyes_on(tmp_path), "litert", silent, batches=(1, 8))
    assert [one.name for one in rows] == ["batch 1", "batch 8"]
    for row, batch in zip(rows, (1, 8), strict=True):
        assert not row.reason
        assert row.figures["frame_p50_ms"][0] == pytest.approx(row.figures["batch_p50_ms"][0] / batch)
    assert rows[1].middle("peak_memory_mb") > rows[0].middle("peak_memory_mb")


def test_a_file_that_holds_its_batch_as_a_constant_says_so(tmp_path):
    first, second = batch_rows(eyes_on(tmp_path, FACES), "onnxruntime", silent, batches=(1, 2))
    assert first.figures
    assert "[1, 1600, 4] for 2 frames: the file holds its batch as a constant" in second.reason


def test_a_file_that_mixes_its_frames_is_found_out(tmp_path):
    """The mean over the batch has the right shape and the wrong answers."""
    made = Net()
    scores = made.dense(made.conv("input", 1, 8, 3, 2), 8, 2)
    mixed = made.op("Add", scores, made.op("ReduceMean", scores, axes=[0], keepdims=1))
    value = onnx_models._value
    model = onnx_models._model(made, [value("input", [1, 1, 96, 96])], {"scores": mixed}, [value("scores", [1, 2])])
    wanted = eyes_on(tmp_path)
    path = onnx_models.save(model, tmp_path / "mixed.onnx")
    files = wanted.card.variants["int8"].model_copy(update={"files": {"onnx": str(path)}})
    card = wanted.card.model_copy(update={"variants": {"int8": files}})
    wanted = wanted_of(card, wanted.profile, tmp_path, variant="int8")
    first, second = batch_rows(wanted, "onnxruntime", silent, batches=(1, 2))
    assert first.figures
    assert "is not what it is for each of them alone" in second.reason


def test_an_engine_of_which_nothing_is_known_has_no_rows(tmp_path, simulated, make_model):
    wanted = wanted_of(read_card(make_model()), simulated, tmp_path)
    assert batch_rows(wanted, "simulated", silent) == []
    assert sharing_rows(wanted, "simulated", [], silent) == []


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"kind": "batch", "engine": "onnxruntime", "path": "nowhere.onnx", "options": {}, "frames": [[0]]},
         "ONNX Runtime refuses the model"),
        ({"kind": "batch", "engine": "onnxruntime", "path": "nowhere.onnx", "options": {"x": 1}, "frames": [[0]]},
         "runtime options do not fit"),
        ({"kind": "neither"}, "KeyError: 'neither'"),
    ],
)  # fmt: skip
def test_what_the_worker_cannot_do_comes_back_as_a_sentence(tmp_path, job, said):
    with pytest.raises(HarnessError, match=said):
        carried_out(eyes_on(tmp_path), job, "job")


def test_a_worker_that_dies_is_told_as_such_and_asked_no_more(tmp_path):
    """No engine starts in so little memory."""
    wanted = eyes_on(tmp_path, memory_limit_mib=64)
    job = {"kind": "batch", "engine": "onnxruntime", "path": str(EYES / "int8.onnx"), "options": {}, "frames": [[0]]}
    heard: list[str] = []
    told, reasons = in_turn(wanted, "onnxruntime", {"batch 1": lambda: job}, heard.append)
    assert told == {"batch 1": []}
    assert reasons["batch 1"]
    assert heard == ["onnxruntime, batch 1: process 1 of 1"]


def test_a_worker_that_cannot_be_started_is_told_as_such(tmp_path):
    with pytest.raises(HarnessError, match="cannot be started"):
        carried_out(eyes_on(tmp_path, python="/nowhere/python3"), {"kind": "batch"}, "job")


def test_another_interpreter_sees_the_harness_alone(tmp_path):
    """The worker of a board is an older Python with numpy of its own."""
    import sys

    wanted = eyes_on(tmp_path, python=sys.executable)
    job = {"kind": "sharing", "engine": "litert", "way": "interpreters", "paths": [str(EYES / "int8.tflite")],
           "options": {}, "weights": ""}  # fmt: skip
    assert len(carried_out(wanted, job, "job")["grown_bytes"]) == 1
    assert (wanted.folder / "work" / "job" / "path" / "harness").is_symlink()
