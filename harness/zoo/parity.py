"""Do all engines give the same answers? Each file against ONNX Runtime's FP32 file, on the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.case import Array, TaskSpec
from harness.tasks import open_task
from harness.tasks.boxes import iou_matrix
from harness.zoo.measure import ENGINES, INPUT_PIXELS, answers, options
from harness.zoo.recipes import Recipe

SAME_BOX_IOU, SURE_SCORE = 0.5, 0.5
SAME_ANGLE_DEG = 1.0
VARIANTS = ("fp32", "int8")
# The largest difference of any raw output (logits, degrees, strides) that a shipped file may show.
TOLERANCE = {"fp32": 1e-4, "int8": 1.5}
Answer = Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One file on one engine. largest: the largest difference of any raw output number.

    agreeing_percent: frames with the same decision: the same class, an angle within SAME_ANGLE_DEG, the same count, or
    for every box above SURE_SCORE a partner of SAME_BOX_IOU.
    """

    engine: str
    file: str
    largest: float
    agreeing_percent: float


def compare(recipe: Recipe, folder: Path, pictures: Array) -> Iterator[Agreement]:
    """Every engine and variant that has a file in `folder`."""
    wanted = list(answers(recipe, folder / "fp32.onnx", "onnxruntime", pictures))
    for variant in VARIANTS:
        for engine, (file_format, _) in ENGINES.items():
            path = folder / f"{variant}.{file_format}"
            if path.is_file() and (engine, variant) != ("onnxruntime", "fp32"):
                yield agreement(recipe, wanted, list(answers(recipe, path, engine, pictures)), engine, path)


def agreement(recipe: Recipe, wanted: Sequence[Answer], found: Sequence[Answer], engine: str, path: Path) -> Agreement:
    """How far `found` is from `wanted`, frame by frame."""
    pairs = list(zip(wanted, found, strict=True))
    largest = max(float(np.abs(one[name] - other[name]).max()) for one, other in pairs for name in one)
    task = open_task(TaskSpec(recipe.task, options(recipe)), recipe.input)
    same = [
        _same(recipe, task.post(dict(one), INPUT_PIXELS), task.post(dict(other), INPUT_PIXELS)) for one, other in pairs
    ]
    return Agreement(engine=engine, file=path.name, largest=largest, agreeing_percent=100 * sum(same) / len(same))


def _same(recipe: Recipe, one: Array, other: Array) -> bool:
    """Whether two predictions are the same decision."""
    if recipe.task == "classification":
        return int(np.argmax(one)) == int(np.argmax(other))
    if recipe.task == "gaze":
        return bool(np.abs(one - other).max() <= SAME_ANGLE_DEG)
    if recipe.task == "counting":
        return len(one) == len(other)
    return _found(one, other) and _found(other, one)


def _found(boxes: Array, among: Array) -> bool:
    """True where every confident box of `boxes` has a partner in `among`; columns: x1, y1, x2, y2, score, class."""
    sure = boxes[boxes[:, 4] >= SURE_SCORE, :4]
    if not len(sure) or not len(among):
        return not len(sure)
    return bool((iou_matrix(sure, among[:, :4]).max(axis=1) >= SAME_BOX_IOU).all())
