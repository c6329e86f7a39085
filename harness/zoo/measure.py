"""How good and how fast the files are: scores on the evaluation split, INT8 against FP32 interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, TensorSpec
from harness.model import Format, Input, Layout, ModelCard, Variant
from harness.modelfile import inspect_model
from harness.runtimes import FORMATS, Runtime, open_runtime
from harness.tasks import Score
from harness.variants import scoring
from harness.variants.export.equality import file_answers
from harness.variants.frames.frameset import FrameSet
from harness.zoo.data import Examples
from harness.zoo.recipes import Recipe

ENGINES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    engine: (FORMATS[engine][0], options) for engine, options in scoring.OPTIONS.items()
}
WARMUP_RUNS = 20


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
    card, truths = card_of(recipe, model), tuple(truth(recipe, one) for one in data.targets)
    frames = FrameSet(name="examples", pictures=data.pictures[..., None], truths=truths)
    return scoring.score(scoring.predict(model, engine, card, frames), card, frames)


def infer(recipe: Recipe, model: Path, engine: str, picture: Array) -> Mapping[str, Array]:
    """The outputs of one file for one picture [height, width], as floats under the task's names."""
    return next(answers(recipe, model, engine, picture[None]))


def answers(recipe: Recipe, model: Path, engine: str, pictures: Array) -> Iterator[Mapping[str, Array]]:
    """As `infer`, for each of `pictures` [n, height, width]."""
    frames = FrameSet(name="pictures", pictures=pictures[..., None])
    return file_answers(model, card_of(recipe, model), frames, engine)


def card_of(recipe: Recipe, model: Path) -> ModelCard:
    """The card of one file alone."""
    form = model.suffix.removeprefix(".")
    outputs = tensor_names(inspect_model(model).outputs, recipe)
    layout: Layout = "NHWC" if form == "tflite" else "NCHW"
    return ModelCard(
        name=recipe.name, folder=model.parent, task=recipe.task, input=Input(**asdict(recipe.input)),
        formats={form: Format(layout=layout, outputs=outputs)}, options=options(recipe),
        variants={"file": Variant(files={form: model.name})},
    )  # fmt: skip


def tensor_names(tensors: Sequence[TensorSpec], recipe: Recipe) -> dict[str, str]:
    """The task's output name -> the tensor's name, told apart by their last axis."""
    if len(recipe.outputs) == 1:
        return {recipe.outputs[0]: tensors[0].name}
    return {"boxes" if one.shape[-1] == 4 else "scores": one.name for one in tensors}


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


def _opened(engine: str, model: Path) -> Runtime:
    runtime = open_runtime(engine, str(model), ENGINES[engine][1])
    runtime.prepare()
    return runtime
