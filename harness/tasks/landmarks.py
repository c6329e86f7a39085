"""Landmarks: named points of a face or body; judged by the normalised mean error."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import DatasetError
from harness.tasks import Geometry, Score
from harness.tasks.boxes import to_frame
from harness.tasks.options import choice, integer, integers, number, refuse, text
from harness.tasks.outputs import find, wrong_shape
from harness.tasks.scoring import MOVED, checked_truths, share_score

# Outer corners of the eyes in the usual annotations (300-W, WFLW, five points: the eyes' centres).
EYES: Mapping[int, Tuple[int, int]] = {5: (0, 1), 68: (36, 45), 98: (60, 72)}


class Landmarks:
    """Points [points, 2] x y in frame pixels.

    points: how many. output: its name; [1, 2 * points] or [1, points, 3] in any arrangement of axes that keeps
    this order, a third value per point is left alone. units: `pixels` of the input or `fraction` of its sides.
    normalise: errors are divided by the distance of the two points `eyes` of the truth (`inter_ocular`), or by
    the root of the area of the truth's bounding box (`box`). nme_threshold_percent: a frame below it is right.
    """

    def __init__(
        self,
        *,
        input: InputSpec,
        points: int,
        normalise: str = "inter_ocular",
        eyes: Optional[Sequence[int]] = None,
        units: str = "pixels",
        nme_threshold_percent: float = 8.0,
        output: str = "landmarks",
    ) -> None:
        self._points = integer("points", points, at_least=1)
        self._output = text("output", output)
        self._threshold = number("nme_threshold_percent", nme_threshold_percent, above=0)
        fraction = choice("units", units, ("pixels", "fraction")) == "fraction"
        self._unit = np.array((input.width, input.height) if fraction else (1, 1), np.float32)
        self._normalise = choice("normalise", normalise, ("inter_ocular", "box"))
        self._eyes = self._eye_points(eyes) if normalise == "inter_ocular" else (0, 0)

    def _eye_points(self, eyes: Optional[Sequence[int]]) -> Tuple[int, int]:
        pair = EYES.get(self._points) if eyes is None else integers("eyes", eyes, at_least=0)
        if pair is None or len(pair) != 2 or max(pair) >= self._points or pair[0] == pair[1]:
            raise refuse("eyes", eyes, f"two different points below {self._points}; normalise = 'box' needs none")
        return pair[0], pair[1]

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [points, 2] in frame pixels; EngineError for an output that is missing or has another size."""
        raw = find(outputs, self._output)
        columns = 3 if np.size(raw) == 3 * self._points else 2
        if np.size(raw) != columns * self._points:
            raise wrong_shape(raw, self._output, f"[1, {self._points}, 2 or 3]")
        points = np.asarray(raw, np.float32).reshape(self._points, columns)[:, :2]
        return to_frame(points * self._unit, geometry)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """Share of frames whose normalised mean error is below the threshold, in per cent.

        A point whose truth is NaN is unlabelled and does not count; a prediction with NaN is wrong.
        trivial: the mean truth in every frame. extras: mean error over frames without NaN, frames with NaN.
        """
        checked_truths(predictions, truths, (self._points, 2))
        real = np.array([np.asarray(one, np.float64) for one in truths])
        size = self._sizes(real)
        errors = nme_percent(np.array([np.asarray(one, np.float64) for one in predictions]), real, size)
        constant = nme_percent(mean_points(real), real, size)
        sound = np.isfinite(errors)
        extras = {"invalid_frames": float((~sound).sum())}
        if sound.any():
            extras["nme_mean_percent"] = float(errors[sound].mean())
        trivial = float((constant < self._threshold).mean())
        return share_score(f"NME below {self._threshold:g} %", errors < self._threshold, trivial, extras)

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Array:
        """Where the labelled points moved by over half the threshold on average, or only one of the two is finite."""
        one, other, real = (np.array([np.asarray(row, np.float64) for row in side]) for side in (first, second, truths))
        differ: Array = np.isfinite(one).all(axis=(1, 2)) != np.isfinite(other).all(axis=(1, 2))
        sound = np.isfinite(one).all(axis=(1, 2)) & np.isfinite(other).all(axis=(1, 2))
        real = real[sound]
        moved = nme_percent(real + other[sound] - one[sound], real, self._sizes(real))
        differ[sound] = moved > MOVED * self._threshold
        return differ

    def _sizes(self, real: Array) -> Array:
        """What errors are divided by, in frame pixels [frames]; DatasetError where it is 0 or unlabelled."""
        sizes: Array
        if self._normalise == "inter_ocular":
            sizes = np.linalg.norm(real[:, self._eyes[0]] - real[:, self._eyes[1]], axis=1)
        else:
            labelled = ~np.isnan(real)
            spans = np.where(labelled, real, -np.inf).max(axis=1) - np.where(labelled, real, np.inf).min(axis=1)
            sizes = np.sqrt(np.maximum(spans, 0.0).prod(axis=1))
        for index, size in enumerate(sizes):
            if not size > 0:
                raise DatasetError(
                    f"the truth gives no size to divide errors by ({self._normalise} is {size:g})",
                    where=f"frame {index}",
                    remedy="leave the frame out or choose another `normalise`",
                )
        return sizes


def mean_points(real: Array) -> Array:
    """The mean place [1, points, 2] of each point over the frames where it is labelled; 0 0 where it never is."""
    labelled = ~np.isnan(real).any(axis=2, keepdims=True)
    mean: Array = np.where(labelled, real, 0.0).sum(axis=0, keepdims=True) / np.maximum(labelled.sum(axis=0), 1)
    return mean


def nme_percent(predicted: Array, real: Array, size: Array) -> Array:
    """Mean distance of points [frames, points, 2], over those labelled, in per cent of `size` [frames]."""
    distances = np.linalg.norm(predicted - real, axis=2)
    labelled = ~np.isnan(real).any(axis=2)
    total = np.where(labelled, distances, 0.0).sum(axis=1)
    share: Array = 100.0 * total / labelled.sum(axis=1) / size
    return share
