"""Detection: boxes with class and score; judged by average precision at an overlap of 0.5."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import ConfigError, unknown
from harness.tasks import Geometry, Score
from harness.tasks.average_precision import (
    best_f1_threshold,
    class_average_precision,
    constant_box_precision,
    exact_frames,
    match,
    mean_present,
    rank,
    weighted_precision,
)
from harness.tasks.boxes import nms, to_frame
from harness.tasks.decoders import DECODERS
from harness.tasks.options import WHERE, build, class_names, integer, number, option_names
from harness.tasks.scoring import checked_classes, checked_truths

ROW = 6  # x1 y1 x2 y2 score class


class Detection:
    """Boxes [n, 6] x1 y1 x2 y2 score class in frame pixels, best score first.

    classes: their names, without background. decoder: a name of harness.tasks.decoders, whose options stand
    beside these. Only candidates with a score above `score_threshold` are seen at all (lower it, for example to
    0.01, for the whole precision-recall curve). Boxes are cut at the edge of the model's input. Where the model
    gave NaN, one row of NaN stands last.
    """

    def __init__(
        self,
        *,
        input: InputSpec,
        classes: Sequence[str],
        decoder: str = "anchor_free",
        score_threshold: float = 0.25,
        iou_threshold: float = 0.5,
        max_detections: int = 100,
        **decoder_options: Any,
    ) -> None:
        self.classes = class_names(classes)
        self._threshold = number("score_threshold", score_threshold, at_least=0, below=1)
        self._iou = number("iou_threshold", iou_threshold, above=0, at_most=1)
        self._most = integer("max_detections", max_detections, at_least=1)
        self._edge = np.array((input.width, input.height) * 2, np.float32)
        if not isinstance(decoder, str) or decoder not in DECODERS:
            raise ConfigError(unknown("decoder", decoder, DECODERS), where=WHERE)
        fixed = {"input": input, "classes": len(self.classes)}
        own = [name for name in option_names(type(self)) if name != "input"]
        self._decode = build("decoder", decoder, DECODERS[decoder], decoder_options, fixed=fixed, also=own)

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [n, 6] in frame pixels; EngineError for outputs that are missing or misshapen."""
        with np.errstate(over="ignore", invalid="ignore"):
            boxes, scores, classes, suppressed = self._decode(outputs, self._threshold)
            sound = ~(np.isnan(boxes).any(axis=1) | np.isnan(scores) | np.isnan(classes))
            broken = not sound.all()
            if broken:
                boxes, scores, classes = boxes[sound], scores[sound], classes[sound]
            best = self._best(boxes, scores, classes, suppressed)
            rows = np.empty((len(best) + int(broken), ROW), np.float32)
            rows[: len(best), :4] = to_frame(np.clip(boxes[best], 0, self._edge), geometry)
        rows[: len(best), 4], rows[: len(best), 5] = scores[best], classes[best]
        rows[len(best) :] = np.nan
        return rows

    def _best(self, boxes: Array, scores: Array, classes: Array, suppressed: bool) -> Array:
        if suppressed:
            return np.argsort(-scores, kind="stable")[: self._most]
        return nms(boxes, scores, classes, self._iou, self._most)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """AP50: mean over the classes that occur in the truths, COCO's 101-point interpolation, in per cent.

        Boxes of equal score enter the curve together. trivial: the same boxes in every frame, per class the one
        (of the mean truth and up to 200 truths themselves) with the best average precision.
        extras: AP50 of each class; recall and precision of all boxes above the score threshold.
        DatasetError where no frame holds a truth, or one has a class that is not known.
        """
        checked_truths(predictions, truths, (None, 5))
        checked_classes(truths, self.classes)
        matches = match(predictions, truths)
        every = range(len(self.classes))
        by_class = {index: class_average_precision(matches, index) for index in every}
        constant = {index: constant_box_precision(truths, index) for index in every}
        extras = {
            f"ap50_{self.classes[index]}_percent": 100 * value for index, value in by_class.items() if value is not None
        }
        extras["recall_percent"] = 100 * float(matches.correct.sum()) / max(len(matches.truth_classes), 1)
        if len(matches.correct):
            extras["precision_percent"] = 100 * float(matches.correct.mean())
        return Score("AP50", 100 * mean_present(by_class), 100 * mean_present(constant), None, extras)

    def reweighed(self, predictions: Sequence[Array], truths: Sequence[Array]) -> Callable[[Array], float]:
        """AP50 in per cent of how often each frame counts [frames]; DatasetError where no truth is left."""
        checked_truths(predictions, truths, (None, 5))
        checked_classes(truths, self.classes)
        matches = match(predictions, truths)
        rankings = [rank(matches, index) for index in range(len(self.classes))]

        def value(weights: Array) -> float:
            return 100 * mean_present({index: weighted_precision(one, weights) for index, one in enumerate(rankings)})

        return value

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Array:
        """Where the boxes do not pair off, within their class at an overlap of 0.5, or only one of the two holds NaN.

        Compared are boxes from that score on where the first model's F1 is best, as a product would choose it:
        `score_threshold` may be low for the sake of the whole curve, and there boxes come and go by chance.
        """
        least = best_f1_threshold(match(first, truths))
        old, new = ([one[np.asarray(one)[:, 4] >= least] for one in side] for side in (first, second))
        paired = exact_frames(match(new, [one[:, [0, 1, 2, 3, 5]] for one in old]))
        broken = [np.isnan(one).any() != np.isnan(other).any() for one, other in zip(first, second)]
        differ: Array = ~paired | np.array(broken, bool)
        return differ
