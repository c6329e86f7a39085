"""Decoders of detectors that suppress overlaps themselves: the operator or plug-in stands at the end of the model."""

from __future__ import annotations

from typing import Dict

import numpy as np

from harness.case import Array, InputSpec
from harness.tasks.candidates import Candidates, best_class, rows_above, unit_of
from harness.tasks.options import choice
from harness.tasks.outputs import find, find_shaped, wrong_shape


class TflitePostprocess:
    """The four outputs of the TFLite_Detection_PostProcess operator: `boxes` [1, N, 4] as ymin xmin ymax xmax in
    fractions of the input, `classes` [1, N], `scores` [1, N], `count` [1]; overlaps already suppressed.

    Exporters order and name the four differently: name them in the model card.
    """

    def __init__(self, *, input: InputSpec, classes: int) -> None:
        self._unit = unit_of(input, "fraction")

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        boxes = find_shaped(outputs, "boxes", (None, 4), sole=False)
        scores = find_shaped(outputs, "scores", (len(boxes),), sole=False)
        classes = find_shaped(outputs, "classes", (len(boxes),), sole=False)
        rows = _counted(outputs, scores, threshold)
        return Candidates(boxes[rows][:, [1, 0, 3, 2]] * self._unit, scores[rows], classes[rows], suppressed=True)


class EfficientNms:
    """`count`, `boxes` [1, N, 4], `scores` and `classes` [1, N] of TensorRT's plug-in EfficientNMS_TRT; or, without
    `count`, of the same net without it: `boxes` [1, N, 4] and `scores` [1, N, classes], so that a card can hold both.

    units: as for YOLOv5. order: of a box's numbers, `xyxy` or `yxyx`.
    """

    def __init__(self, *, input: InputSpec, classes: int, units: str = "pixels", order: str = "xyxy") -> None:
        self._classes = classes
        self._unit = unit_of(input, units)
        self._swapped = choice("order", order, ("xyxy", "yxyx")) == "yxyx"

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        boxes = find_shaped(outputs, "boxes", (None, 4), sole=False)
        if self._swapped:
            boxes = boxes[:, [1, 0, 3, 2]]
        decode = self._inside if "count" in outputs else self._raw
        return decode(outputs, boxes * self._unit, threshold)

    def _raw(self, outputs: Dict[str, Array], boxes: Array, threshold: float) -> Candidates:
        raw = find_shaped(outputs, "scores", (len(boxes), self._classes), sole=False)
        rows = rows_above(raw, threshold)
        scores, classes = best_class(raw[rows])
        return Candidates(boxes[rows], scores, classes)

    def _inside(self, outputs: Dict[str, Array], boxes: Array, threshold: float) -> Candidates:
        scores = find_shaped(outputs, "scores", (len(boxes),), sole=False)
        classes = find_shaped(outputs, "classes", (len(boxes),), sole=False)
        rows = _counted(outputs, scores, threshold)
        return Candidates(boxes[rows], scores[rows], classes[rows], suppressed=True)


def _counted(outputs: Dict[str, Array], scores: Array, threshold: float) -> Array:
    """Rows below the model's own count with a score above the threshold, or NaN."""
    count = find(outputs, "count", sole=False)
    if np.size(count) != 1:
        raise wrong_shape(count, "count", "[1]")
    # A count that is NaN takes every row, so that the caller sees it.
    within = ~(np.arange(len(scores)) >= np.float32(np.ravel(count)[0]))
    return np.flatnonzero(within & ~(scores <= threshold))
