"""Counting: how many of each class are in the frame, from the boxes of a detector."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from harness.case import Array, InputSpec
from harness.tasks import Geometry, Score
from harness.tasks.detection import Detection
from harness.tasks.options import build
from harness.tasks.scoring import checked_classes, checked_truths, share_score


class Counting:
    """Boxes [n, 6] as Detection gives them and with its options; a box above `score_threshold` counts one."""

    def __init__(self, *, input: InputSpec, **options: Any) -> None:
        self._detection: Detection = build("task", "counting", Detection, options, fixed={"input": input})

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [n, 6] in frame pixels; EngineError for outputs that are missing or misshapen."""
        return self._detection.post(outputs, geometry)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """Share of frames where the count of every class is exact, in per cent.

        A frame whose outputs held NaN is wrong. trivial: the most common counts in every frame.
        extras: mean absolute error of the count, summed over classes, and the frames with NaN.
        """
        checked_truths(predictions, truths, (None, 5))
        checked_classes(truths, self._detection.classes)
        counted = np.array([self._counts(one, 5) for one in predictions])
        real = np.array([self._counts(one, 4) for one in truths])
        broken = np.array([bool(np.isnan(one).any()) for one in predictions])
        right = (counted == real).all(axis=1) & ~broken
        common = np.unique(real, axis=0, return_counts=True)[1].max() / len(real)
        error = float(np.abs(counted - real).sum(axis=1).mean())
        extras = {"mean_absolute_error_count": error, "invalid_frames": float(broken.sum())}
        return share_score("exact count", right, float(common), extras)

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Array:
        """Where the count of a class differs, or only one of the two holds NaN."""
        differ: Array = (self._answers(first) != self._answers(second)).any(axis=1)
        return differ

    def _answers(self, predictions: Sequence[Array]) -> Array:
        """Counts of each class and whether there is NaN, int [frames, classes + 1]."""
        return np.array([(*self._counts(one, 5), int(np.isnan(one).any())) for one in predictions])

    def _counts(self, rows: Array, class_column: int) -> Tuple[int, ...]:
        classes = np.asarray(rows)[:, class_column] if len(rows) else np.zeros(0)
        return tuple(int((classes == index).sum()) for index in range(len(self._detection.classes)))
