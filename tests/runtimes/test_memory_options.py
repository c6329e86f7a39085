"""What engines offer to save memory: set as asked, told as it is, and never another answer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness.errors import EngineError
from harness.runtimes import open_runtime
from tests.workspace import CHECKOUT

EYES = CHECKOUT / "suites" / "models" / "eye_state"


def run(engine: str, path: Path, frames: int = 1, **options):
    """The answers to `frames` frames, of which the first is always the same, and the facts."""
    runtime = open_runtime(engine, str(path), options)
    runtime.prepare()
    with runtime:
        spec = runtime.inputs[0]
        noise = np.random.default_rng(1).random((frames, *spec.shape[1:]))
        (answers,) = runtime.infer({spec.name: noise.astype(spec.dtype)}).values()
        return answers, runtime.facts()


@pytest.mark.parametrize(
    ("engine", "form", "options", "told"),
    [
        ("onnxruntime", "onnx", {}, {"memory_arena": True, "memory_pattern": True}),
        ("onnxruntime", "onnx", {"memory_arena": False}, {"memory_arena": False, "memory_pattern": True}),
        ("onnxruntime", "onnx", {"memory_pattern": False}, {"memory_arena": True, "memory_pattern": False}),
        ("openvino", "onnx", {}, {"mapped_weights": True}),
        ("openvino", "onnx", {"properties": {"ENABLE_MMAP": False}}, {"mapped_weights": False}),
        ("litert", "tflite", {}, {"mapped_weights": True}),
        ("litert", "tflite", {"mapped": False}, {"mapped_weights": False}),
    ],
)
def test_a_setting_is_told_and_changes_no_answer(engine, form, options, told):
    plain, _ = run(engine, EYES / f"fp32.{form}")
    answers, facts = run(engine, EYES / f"fp32.{form}", **options)
    assert {name: facts[name] for name in told} == told
    np.testing.assert_allclose(answers, plain, atol=1e-5)


@pytest.mark.parametrize(("engine", "form"), [("openvino", "onnx"), ("litert", "tflite")])
def test_a_batch_is_answered_frame_by_frame(engine, form):
    answers, _ = run(engine, EYES / f"int8.{form}", frames=4, batch=4)
    alone, _ = run(engine, EYES / f"int8.{form}")
    assert answers.shape == (4, 2)
    np.testing.assert_allclose(answers[:1], alone, atol=1e-5)


@pytest.mark.parametrize(("engine", "form"), [("openvino", "onnx"), ("litert", "tflite")])
def test_a_single_frame_does_not_fit_a_batch(engine, form):
    with pytest.raises(EngineError, match=r"takes float32 \[4, .*and was given float32 \[1, "):
        run(engine, EYES / f"fp32.{form}", batch=4)


def test_the_cache_of_openvino_knows_a_file_by_its_content_and_not_by_its_date(tmp_path):
    path, cache = tmp_path / "model.onnx", str(tmp_path / "cache")
    model = onnx.load(str(EYES / "fp32.onnx"))
    onnx.save(model, str(path))
    before = os.stat(path)
    first, facts = run("openvino", path, cache_dir=cache)
    assert facts["from_cache"] is False
    again, facts = run("openvino", path, cache_dir=cache)
    assert facts["from_cache"] is True
    np.testing.assert_array_equal(again, first)
    for one in model.graph.initializer:
        one.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(one) * 1.5).astype(np.float32), one.name))
    onnx.save(model, str(path))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(path).st_size == before.st_size, "its path, size and date are those of the old one"
    other, facts = run("openvino", path, cache_dir=cache)
    assert facts["from_cache"] is False
    np.testing.assert_array_equal(other, run("openvino", path)[0])
    assert np.abs(other - first).max() > 0.1


def test_a_file_that_is_not_there_is_refused_also_without_mapping(tmp_path):
    with pytest.raises(EngineError, match="LiteRT refuses the model"):
        run("litert", tmp_path / "nowhere.tflite", mapped=False)
