"""Decoders: from a detector's outputs to candidate boxes in pixels of the model's input.

Each decoder is one member of DECODERS, made with `input`, the number of `classes` and its own options,
and called with the outputs and a score threshold. Candidates are filtered before anything else is
computed for them. Each has its best class only. A score or box that is NaN passes the filter, so
that the caller sees it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple, Union

import numpy as np

from harness.case import Array, InputSpec
from harness.tasks.boxes import corners
from harness.tasks.candidates import (
    Candidates,
    Decoder,
    best_class,
    logit,
    rows_above,
    sigmoid,
    softmax,
    unit_of,
)
from harness.tasks.options import choice, flag, integers, number, refuse
from harness.tasks.outputs import find, find_shaped, fits, wrong_shape
from harness.tasks.suppressed import EfficientNms, TflitePostprocess

ACTIVATIONS = ("softmax", "sigmoid", "none")


class AnchorFree:
    """Outputs `boxes` [1, A, 4], the distances left, top, right, bottom from the cell's centre in units of
    its stride, and `scores` [1, A, classes] as logits (FCOS, Tian et al. 2019; YOLOX and NanoDet alike).

    strides: one level each, in the order of the output. Cells stand row by row; the centre of a cell is
    (column + 0.5) * stride.
    """

    def __init__(self, *, input: InputSpec, classes: int, strides: Sequence[int] = (8, 16, 32)) -> None:
        self._classes = classes
        levels = integers("strides", strides, at_least=1)
        self._centres = np.concatenate([cell_centres(input, stride) for stride in levels])
        self._strides = np.concatenate([np.full(len(cell_centres(input, one)), one, np.float32) for one in levels])

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        cells = len(self._centres)
        distances = find_shaped(outputs, "boxes", (cells, 4), sole=False)
        logits = find_shaped(outputs, "scores", (cells, self._classes), sole=False)
        rows = rows_above(logits, logit(threshold))
        best, classes = best_class(logits[rows])
        reach = distances[rows] * self._strides[rows, None]
        centres = self._centres[rows]
        boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
        return Candidates(boxes, sigmoid(best), classes)


class YoloV5:
    """Output `detections` [1, N, 5 + classes]: centre x, centre y, width, height, objectness and the classes'
    probabilities; the score is objectness times probability (Ultralytics YOLOv5).

    units: of the box, `pixels` of the input or `fraction` of its width and height (TFLite exports).
    """

    def __init__(self, *, input: InputSpec, classes: int, units: str = "pixels") -> None:
        self._classes = classes
        self._unit = unit_of(input, units)

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        raw = find_shaped(outputs, "detections", (None, 5 + self._classes))
        likely = raw[np.flatnonzero(~(raw[:, 4] <= threshold))]
        joint = likely[:, 5:] * likely[:, 4:5]
        rows = rows_above(joint, threshold)
        scores, classes = best_class(joint[rows])
        return Candidates(corners(likely[rows, :4] * self._unit), scores, classes)


class YoloV7(YoloV5):
    """As YOLOv5, or the end-to-end export: `detections` [n, 7] with batch, x1, y1, x2, y2, class and score,
    overlaps already suppressed. What came is told by its number of axes.
    """

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        rows = find(outputs, "detections")
        if np.ndim(rows) != 2:
            return super().__call__(outputs, threshold)
        if not fits(rows, (None, 7)):
            raise wrong_shape(rows, "detections", f"[n, 7] or [1, N, {5 + self._classes}]")
        kept = rows[~(rows[:, 6] <= threshold)].astype(np.float32)
        return Candidates(kept[:, 1:5] * self._unit, kept[:, 6], kept[:, 5], suppressed=True)


class YoloV8:
    """Output `detections` [1, 4 + classes, N]: centre x, centre y, width, height and the classes' probabilities
    (Ultralytics YOLOv8 and YOLO11). `units` as for YOLOv5.
    """

    def __init__(self, *, input: InputSpec, classes: int, units: str = "pixels") -> None:
        self._classes = classes
        self._unit = unit_of(input, units)

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        raw = find_shaped(outputs, "detections", (4 + self._classes, None))
        columns = np.flatnonzero(~(raw[4:] <= threshold).all(axis=0))
        picked = raw[:, columns].T
        scores, classes = best_class(picked[:, 4:])
        return Candidates(corners(picked[:, :4] * self._unit), scores, classes)


class Ssd:
    """Outputs `boxes` [1, N, 4 or more] and `scores` [1, N, classes (+ 1 for the background, first)] of an SSD
    (Liu et al. 2016) or BlazeFace (Bazarevsky et al. 2019); columns after the fourth are left alone.

    priors: none = boxes are corners x1 y1 x2 y2 as fractions of the input; a list of [cx, cy, w, h] as
        fractions; or {strides = [...], sizes = [...]} where `sizes` has for each stride a list of sides
        (or [width, height] pairs) as fractions, and cells stand row by row, with all sizes of a cell together.
    variances: centre = prior centre + v0 * t * prior size; size = prior size * exp(v1 * t), or * v1 * t
        where size_code is `linear`. BlazeFace: sides of 1, `linear`, variances 1 / input size.
    order: `xywh` or `yxhw` (TensorFlow) in the output. activation: softmax, sigmoid or none.
    """

    def __init__(
        self,
        *,
        input: InputSpec,
        classes: int,
        priors: Any = None,
        variances: Sequence[float] = (0.1, 0.2),
        size_code: str = "exponential",
        order: str = "xywh",
        activation: str = "softmax",
        background: bool = True,
    ) -> None:
        self._columns = classes + int(flag("background", background))
        self._background = int(background)
        self._activation = choice("activation", activation, ACTIVATIONS)
        self._exponential = choice("size_code", size_code, ("exponential", "linear")) == "exponential"
        self._swap = choice("order", order, ("xywh", "yxhw")) == "yxhw"
        self._variances = _pair("variances", variances)
        self._unit = unit_of(input, "fraction")
        self._priors = None if priors is None else prior_boxes(input, priors)

    def __call__(self, outputs: Dict[str, Array], threshold: float) -> Candidates:
        count = None if self._priors is None else len(self._priors)
        codes = find_shaped(outputs, "boxes", (count, None), sole=False)
        if codes.shape[1] < 4:
            raise wrong_shape(codes, "boxes", f"[1, {count or 'N'}, 4 or more]")
        raw = find_shaped(outputs, "scores", (len(codes), self._columns), sole=False)
        rows, scores, classes = self._scores(raw, threshold)
        return Candidates(self._boxes(codes[rows, :4], rows) * self._unit, scores, classes)

    def _scores(self, raw: Array, threshold: float) -> Tuple[Array, Array, Array]:
        rows, limit = np.arange(len(raw)), threshold
        if self._activation == "sigmoid":
            limit = logit(threshold)
        if self._activation == "softmax":
            rows = self._possible(raw, threshold)
            raw = softmax(raw[rows])
        raw = raw[:, self._background :]
        above = rows_above(raw, limit)
        scores, classes = best_class(raw[above])
        return rows[above], sigmoid(scores) if self._activation == "sigmoid" else scores, classes

    def _possible(self, logits: Array, threshold: float) -> Array:
        """Rows that can pass: p > t needs p / p(background) > t / (1 - t), because p(background) <= 1 - p."""
        if not self._background:
            return np.arange(len(logits))
        return rows_above(logits[:, 1:] - logits[:, :1], logit(threshold) - 1e-4)

    def _boxes(self, codes: Array, rows: Array) -> Array:
        if self._swap:
            codes = codes[:, [1, 0, 3, 2]]
        if self._priors is None:
            return codes
        priors = self._priors[rows]
        shift, growth = codes[:, :2] * self._variances[0], codes[:, 2:] * self._variances[1]
        size = priors[:, 2:] * (np.exp(growth) if self._exponential else growth)
        return corners(np.concatenate([priors[:, :2] + shift * priors[:, 2:], size], axis=1))


DECODERS: Dict[str, Callable[..., Decoder]] = {
    "anchor_free": AnchorFree,
    "yolov5": YoloV5,
    "yolov7": YoloV7,
    "yolov8": YoloV8,
    "ssd": Ssd,
    "tflite_postprocess": TflitePostprocess,
    "efficient_nms": EfficientNms,
}


def cell_centres(input: InputSpec, stride: int) -> Array:
    """Centres x y of the cells of one level, row by row, in input pixels: float32 [cells, 2]."""
    rows, columns = np.indices((-(-input.height // stride), -(-input.width // stride)))
    return (np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32) + np.float32(0.5)) * np.float32(stride)


def prior_boxes(input: InputSpec, priors: object) -> Array:
    """The prior boxes cx cy w h as fractions of the input: float32 [N, 4]; ConfigError as `Ssd` documents them."""
    if isinstance(priors, dict) and set(priors) == {"strides", "sizes"}:
        strides, sizes = integers("priors.strides", priors["strides"], at_least=1), priors["sizes"]
        if not isinstance(sizes, (list, tuple)) or len(sizes) != len(strides):
            raise refuse("priors.sizes", sizes, f"one list of sides for each of the {len(strides)} strides")
        return np.concatenate([_level_priors(input, one, sides) for one, sides in zip(strides, sizes)])
    try:
        table = np.array(priors, np.float32)
    except (TypeError, ValueError):
        table = np.zeros(0, np.float32)
    if not fits(table, (None, 4)) or not len(table) or not np.isfinite(table).all():
        raise refuse("priors", priors, "a list of [cx, cy, w, h], or { strides = [...], sizes = [[...], ...] }")
    return table


def _level_priors(input: InputSpec, stride: int, sides: Union[Sequence[float], Sequence[Sequence[float]]]) -> Array:
    if not isinstance(sides, (list, tuple)) or not sides:
        raise refuse("priors.sizes", sides, "for each stride a list of sides or [width, height] pairs")
    pairs: List[Any] = [side if isinstance(side, (list, tuple)) else (side, side) for side in sides]
    shapes = np.array([_pair("priors.sizes", pair) for pair in pairs], np.float32)
    centres = cell_centres(input, stride) / np.array([input.width, input.height], np.float32)
    return np.concatenate([centres.repeat(len(shapes), axis=0), np.tile(shapes, (len(centres), 1))], axis=1)


def _pair(option: str, value: Any) -> Array:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise refuse(option, value, "two numbers above 0")
    return np.array([number(option, one, above=0) for one in value], np.float32)
