"""How good and how fast the files are: scores on the evaluation split, INT8 against FP32 interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, TaskSpec, TensorSpec
from harness.runtimes import Runtime, open_runtime
from harness.tasks import Geometry, Score, open_task
from harness.tasks.preprocess import Preprocess
from harness.zoo.data import Examples
from harness.zoo.recipes import Recipe

ENGINES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "onnxruntime": ("onnx", {"threads": 1}),
    "openvino": ("onnx", {"threads": 1, "precision": "f32"}),
    "litert": ("tflite", {"threads": 1}),
    "executorch": ("pte", {"threads": 1}),
    "torch": ("pt2", {"threads": 1}),
}
# Which engine scores a file of each format.
SCORED_BY = {"onnx": "onnxruntime", "tflite": "litert", "pte": "executorch", "pt2": "torch"}
WARMUP_RUNS = 20
INPUT_PIXELS = Geometry(1.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """The fastest inference of both variants in milliseconds, one thread, interleaved."""

    fp32_ms: float
    int8_ms: float

    @property
    def ratio(self) -> float:
        return self.fp32_ms / self.int8_ms


def score(recipe: Recipe, data: Examples, model: Path, engine: str) -> Score:
    """The task's score of one file on cached examples; boxes are compared in the pixels of the input."""
    spec = TaskSpec(recipe.task, options(recipe))
    task = open_task(spec, recipe.input)
    with _opened(engine, model) as runtime:
        ask = _asker(recipe, runtime, ENGINES[engine][0])
        predictions = [task.post(ask(np.asarray(one)), INPUT_PIXELS) for one in data.pictures]
    return task.score(predictions, [truth(recipe, one) for one in data.targets])


def infer(recipe: Recipe, model: Path, engine: str, picture: Array) -> dict[str, Array]:
    """The outputs of one file for one picture [height, width], as floats under the task's names."""
    return next(answers(recipe, model, engine, picture[None]))


def answers(recipe: Recipe, model: Path, engine: str, pictures: Array) -> Iterator[dict[str, Array]]:
    """As `infer`, for each of `pictures` [n, height, width]."""
    with _opened(engine, model) as runtime:
        ask = _asker(recipe, runtime, ENGINES[engine][0])
        yield from (ask(np.asarray(one)) for one in pictures)


def options(recipe: Recipe) -> dict[str, Any]:
    """The task's options as the card gives them."""
    named = {"output": recipe.outputs[0]} if recipe.task == "gaze" else {}
    return {**recipe.options, **named}


def truth(recipe: Recipe, target: Array) -> Array:
    """A cached target in the form that the task documents."""
    if recipe.task not in ("detection", "counting"):
        return target[None]
    boxes = target[~np.isnan(target[:, 0])]
    return np.concatenate([boxes, np.zeros((len(boxes), 1), np.float32)], 1)


def _opened(engine: str, model: Path) -> Runtime:
    runtime = open_runtime(engine, str(model), ENGINES[engine][1])
    runtime.prepare()
    return runtime


def _asker(recipe: Recipe, runtime: Runtime, file_format: str) -> Callable[[Array], dict[str, Array]]:
    tensor = runtime.inputs[0]
    maker = Preprocess(recipe.input, tensor)
    names = {one.name: _task_name(recipe, one) for one in runtime.outputs}

    def ask(picture: Array) -> dict[str, Array]:
        ready = maker.tensor(picture[:, :, None])
        feed = np.ascontiguousarray(ready.transpose(0, 2, 3, 1)) if file_format == "tflite" else ready
        found = runtime.infer({tensor.name: feed})
        return {names[one.name]: _as_float(found[one.name], one) for one in runtime.outputs}

    return ask


def _task_name(recipe: Recipe, tensor: TensorSpec) -> str:
    if len(recipe.outputs) == 1:
        return recipe.outputs[0]
    return "boxes" if tensor.shape[-1] == 4 else "scores"


def _as_float(values: Array, spec: TensorSpec) -> Array:
    if not spec.scale:
        return np.asarray(values, np.float32)
    return (values.astype(np.float32) - spec.zero_point) * np.float32(spec.scale)


def speed(fp32: Path, int8: Path, engine: str, *, runs: int = 300) -> Speed:
    """Both files on one engine, one inference each in turn, so that both see the same disturbance."""
    with _opened(engine, fp32) as first, _opened(engine, int8) as second:
        fastest = _interleaved(_repeater(first), _repeater(second), runs)
    return Speed(fp32_ms=fastest[0] / 1e6, int8_ms=fastest[1] / 1e6)


def _repeater(runtime: Runtime) -> Callable[[], object]:
    tensor = runtime.inputs[0]
    feed = {tensor.name: np.zeros(tensor.shape, tensor.dtype)}
    return lambda: runtime.infer(feed)


def _interleaved(first: Callable[[], object], second: Callable[[], object], runs: int) -> tuple[int, int]:
    fastest = [2**62, 2**62]
    for number in range(WARMUP_RUNS + runs):
        for index, run in enumerate((first, second)):
            began = time.perf_counter_ns()
            run()
            taken = time.perf_counter_ns() - began
            if number >= WARMUP_RUNS:
                fastest[index] = min(fastest[index], taken)
    return fastest[0], fastest[1]
