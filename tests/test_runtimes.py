"""The engines, each with a real model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.errors import ConfigError, EngineError
from harness.runtimes import FORMATS, RUNTIMES, open_runtime
from tests.modelfile import onnx_models, tflite_models
from tests.workspace import CHECKOUT, SIMULATED

ONNX_ENGINES = ("onnxruntime", "openvino")
SHIPPED = sorted(path for path in (CHECKOUT / "suites" / "models").glob("*/model.toml") if path.parent != SIMULATED)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(onnx_models.save(onnx_models.mobilenet_like(classes=10, size=64), tmp_path / "model.onnx"))


def run(engine, path, **options):
    runtime = open_runtime(engine, path, options)
    runtime.prepare()
    with runtime:
        feeds = {one.name: picture(one) for one in runtime.inputs}
        return runtime.infer(feeds), runtime.facts(), runtime


def picture(spec):
    shape = [abs(size) for size in spec.shape]
    values = np.random.default_rng(5).random(shape)
    return (values * 255 if spec.dtype in ("uint8", "int8") else values).astype(spec.dtype)


@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_opens_without_loading_anything_and_takes_some_format(name):
    runtime = open_runtime(name, "nowhere", {})
    assert FORMATS[name]
    assert isinstance(runtime.in_calling_thread, bool)


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_unknown_option_is_refused_by_name(name):
    with pytest.raises(ConfigError, match="thraeds"):
        open_runtime(name, "nowhere", {"thraeds": 1})


def test_an_unknown_runtime_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        open_runtime("openvin", "nowhere", {})


@pytest.mark.parametrize("engine", ONNX_ENGINES)
def test_outputs_come_under_the_names_of_the_file(engine, model):
    outputs, facts, _ = run(engine, model)
    assert list(outputs) == ["output"]
    assert outputs["output"].shape == (1, 10)
    assert facts["engine"] == engine
    assert facts["version"][0].isdigit()
    assert sum(facts["placement"].values()) == pytest.approx(1.0)


def test_two_engines_give_the_same_answers(model):
    answers = [run(engine, model)[0]["output"] for engine in ONNX_ENGINES]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-4)


def test_openvino_runs_true_float32_unless_asked_otherwise(model):
    facts = run("openvino", model)[1]
    assert facts["precision"] == "f32"
    assert not any("bf16" in kernel for kernel in facts["kernels"])


def test_an_answer_is_not_overwritten_by_the_next_frame(model):
    for engine in ONNX_ENGINES:
        runtime = open_runtime(engine, model, {})
        runtime.prepare()
        with runtime:
            spec = runtime.inputs[0]
            first = runtime.infer({spec.name: np.zeros(spec.shape, np.float32)})["output"]
            kept = first.copy()
            runtime.infer({spec.name: np.ones(spec.shape, np.float32)})
            np.testing.assert_array_equal(first, kept)


def test_an_absent_provider_is_refused_and_never_replaced(model):
    with pytest.raises(EngineError, match="has no CUDAExecutionProvider"):
        run("onnxruntime", model, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_an_absent_openvino_device_is_refused(model):
    with pytest.raises(EngineError, match="OpenVINO refuses the model"):
        run("openvino", model, target="NPU")


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino", "litert"])
def test_a_file_that_is_no_model_is_refused_with_its_name(engine, tmp_path):
    path = tmp_path / "broken.bin"
    path.write_bytes(b"not a model at all" * 10)
    with pytest.raises(EngineError, match=r"broken\.bin"):
        run(engine, str(path))


@pytest.mark.parametrize("card", SHIPPED, ids=lambda path: path.parent.name)
def test_the_int8_tflite_file_runs_wholly_inside_the_delegate(card):
    _, facts, runtime = run("litert", str(card.parent / "int8.tflite"))
    assert facts["providers"] == ["XNNPACK"]
    assert facts["placement"]["XNNPACK"] == 1.0
    assert facts["partitions"] == 1
    assert {one.dtype for one in runtime.inputs} == {"int8"}


@pytest.mark.parametrize("card", SHIPPED, ids=lambda path: path.parent.name)
def test_the_int8_onnx_file_really_runs_int8_kernels(card):
    kernels = run("openvino", str(card.parent / "int8.onnx"))[1]["kernels"]
    assert any("I8" in kernel or "i8" in kernel for kernel in kernels)


@pytest.mark.parametrize("precision", ["f32", "bf16", "f16"])
def test_openvino_never_runs_another_precision_than_asked(model, precision):
    # Which precisions a CPU has differs: what counts is that none is replaced in silence.
    try:
        answered = run("openvino", model, precision=precision)[1]["precision"]
    except EngineError as error:
        answered = precision if f"where {precision} was asked for" in error.sentence else error.sentence
    assert answered == precision


def test_openvino_takes_its_threads_on_every_target_with_a_cpu(model):
    assert run("openvino", model, threads=2)[1]["threads"] == "2"
    run("openvino", model, target="AUTO:CPU", threads=1)


def test_a_tflite_file_with_open_sizes_takes_the_size_of_the_first_frame(tmp_path):
    def open_sizes(model):
        image = model.subgraphs[0].tensors[0]
        image.shape, image.shapeSignature = [1, 1, 1, 3], [1, -1, -1, 3]
        model.subgraphs[0].operators[0].builtinOptions.filterWidth = 8
        model.subgraphs[0].operators[0].builtinOptions.filterHeight = 8

    path = tmp_path / "open.tflite"
    path.write_bytes(tflite_models.to_bytes(tflite_models.classifier(size=8), open_sizes))
    runtime = open_runtime("litert", str(path), {})
    runtime.prepare()
    with runtime:
        assert runtime.inputs[0].shape == (1, -1, -1, 3)
        outputs = runtime.infer({runtime.inputs[0].name: np.ones((1, 8, 8, 3), np.float32)})
    assert next(iter(outputs.values())).shape == (1, 4)
