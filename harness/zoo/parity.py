"""Do all engines give the same answers? Each file against ONNX Runtime's FP32 file, on the same frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.case import Array, TaskSpec
from harness.errors import EngineError
from harness.tasks import open_task
from harness.tasks.boxes import iou_matrix
from harness.variants.scoring import IN_PICTURE
from harness.zoo.measure import ENGINES, answers, options
from harness.zoo.recipes import Recipe

SAME_BOX_IOU, SURE_SCORE = 0.5, 0.5
SAME_ANGLE_DEG = 1.0
VARIANTS = ("fp32", "int8")
# The largest difference of any raw output (logits, degrees, strides) that a shipped file may show, and the share of
# frames, in per cent, that must have the same decision. Differences of INT8 are guards: half above the largest one
# that was measured (docs/models.md).
FP32_TOLERANCE = (1e-4, 100.0)
INT8_TOLERANCE = {
    "eye_state": (0.45, 98.0), "gaze": (2.8, 98.0), "distraction": (1.4, 98.0), "face_detection": (2.3, 98.0),
    "head_counting": (1.65, 98.0),
}  # fmt: skip
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
    for one, other in pairs:
        if {name: found.shape for name, found in one.items()} != {name: found.shape for name, found in other.items()}:
            raise EngineError(f"{engine} gives other outputs than ONNX Runtime", where=str(path))
    # NumPy's maximum keeps NaN, which is no agreement; Python's would pass over it.
    largest = float(np.max([np.abs(one[name] - other[name]).max() for one, other in pairs for name in one]))
    task = open_task(TaskSpec(recipe.task, options(recipe)), recipe.input)
    same = [_same(recipe, task.post(dict(one), IN_PICTURE), task.post(dict(other), IN_PICTURE)) for one, other in pairs]
    return Agreement(engine=engine, file=path.name, largest=largest, agreeing_percent=100 * sum(same) / len(same))


def require_agreement(name: str, found: Agreement) -> None:
    """EngineError where a file of the shipped model `name` is further from FP32 than its tolerance."""
    largest, percent = INT8_TOLERANCE[name] if found.file.startswith("int8") else FP32_TOLERANCE
    # Written so that NaN is refused.
    if not (found.largest <= largest and found.agreeing_percent >= percent):
        raise EngineError(
            f"{found.engine} differs by {found.largest:.2g} and agrees on {found.agreeing_percent:.1f} % of the frames;"
            f" {largest:g} and {percent:g} % are the tolerance", where=f"{name}/{found.file}",
            remedy="export or quantise the file again",
        )  # fmt: skip


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
    sure = boxes[boxes[:, 4] >= SURE_SCORE]
    if not len(sure) or not len(among):
        return not len(sure)
    overlap = iou_matrix(sure[:, :4], among[:, :4]) * (sure[:, None, 5] == among[None, :, 5])
    return bool((overlap.max(axis=1) >= SAME_BOX_IOU).all())
