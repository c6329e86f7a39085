"""Average precision at an overlap of 0.5, as COCO computes it, and of a predictor that sees no frame.

Sources: Everingham et al., IJCV 2010 (average precision); Lin et al., ECCV 2014 and pycocotools (greedy
matching, 101 recall levels). One thing differs: boxes of equal score enter the curve together, so the
value does not hang on their order, which the coarse scores of a quantised model would make a matter of luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array
from harness.errors import DatasetError
from harness.tasks.boxes import iou_matrix

IOU = 0.5
RECALL_LEVELS = np.linspace(0.0, 1.0, 101)
MOST_CONSTANT_BOXES = 200


@dataclass(frozen=True)
class Matches:
    """What became of every predicted box, over all frames; rows with NaN are no boxes.

    scores, classes, frames, correct: one entry per predicted box; truth_classes, truth_frames: one per truth.
    """

    scores: Array
    classes: Array
    frames: Array
    correct: Array
    truth_classes: Array
    truth_frames: Array
    frame_count: int


def match(predictions: Sequence[Array], truths: Sequence[Array], iou_threshold: float = IOU) -> Matches:
    """Pair boxes [n, 6] with truths [m, 5] frame by frame, within each class, best score first.

    A box takes the free truth that it overlaps most, if by at least `iou_threshold`.
    """
    found = [_sound(one) for one in predictions]
    real = [np.asarray(one, np.float64).reshape(-1, 5) for one in truths]
    hits = [_match_frame(boxes, wanted, iou_threshold) for boxes, wanted in zip(found, real)]
    rows, wanted_rows = np.concatenate(found), np.concatenate(real)
    return Matches(
        scores=rows[:, 4],
        classes=rows[:, 5],
        frames=np.repeat(np.arange(len(found)), [len(one) for one in found]),
        correct=np.concatenate(hits),
        truth_classes=wanted_rows[:, 4],
        truth_frames=np.repeat(np.arange(len(real)), [len(one) for one in real]),
        frame_count=len(found),
    )


def _sound(prediction: Array) -> Array:
    """The rows without NaN, best score first; equal scores by class and place, so that their order means nothing."""
    rows = np.asarray(prediction, np.float64).reshape(-1, 6)
    rows = rows[np.isfinite(rows).all(axis=1)]
    return rows[np.lexsort((rows[:, 3], rows[:, 2], rows[:, 1], rows[:, 0], rows[:, 5], -rows[:, 4]))]


def _match_frame(boxes: Array, truths: Array, iou_threshold: float) -> Array:
    overlap = iou_matrix(boxes[:, :4], truths[:, :4])
    overlap[boxes[:, 5][:, None] != truths[:, 4]] = -1.0
    correct = np.zeros(len(boxes), bool)
    for index in np.flatnonzero((overlap >= iou_threshold).any(axis=1)):
        best = int(overlap[index].argmax())
        if overlap[index, best] >= iou_threshold:
            correct[index] = True
            overlap[:, best] = -1.0
    return correct


def exact_frames(matches: Matches) -> Array:
    """Frames where every box has its truth and every truth its box, bool [frames]."""
    of_frames = (matches.frames, matches.frames[matches.correct], matches.truth_frames)
    boxes, hits, wanted = (np.bincount(one, minlength=matches.frame_count) for one in of_frames)
    exact: Array = (boxes == hits) & (hits == wanted)
    return exact


def best_f1_threshold(matches: Matches) -> float:
    """The score from which on boxes of all classes have the best F1; 0 where there is no box."""
    if not len(matches.scores):
        return 0.0
    order = np.argsort(-matches.scores, kind="stable")
    scores, hits = matches.scores[order], np.cumsum(matches.correct[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + len(matches.truth_classes))
    f1[:-1][scores[1:] == scores[:-1]] = -1.0  # boxes of equal score come together or not at all
    return float(scores[f1.argmax()])


@dataclass(frozen=True)
class Ranking:
    """The boxes of one class, best score first. frames, correct: of each; ends: the last box of each score."""

    frames: Array
    correct: Array
    ends: Array
    truth_frames: Array


def rank(matches: Matches, index: int) -> Ranking:
    """The boxes of class `index`, sorted once for any weights of the frames."""
    mine = np.flatnonzero(matches.classes == index)
    mine = mine[np.argsort(-matches.scores[mine], kind="stable")]
    scores = matches.scores[mine]
    return Ranking(
        frames=matches.frames[mine],
        correct=matches.correct[mine],
        ends=np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) if len(mine) else np.zeros(0, int),
        truth_frames=matches.truth_frames[matches.truth_classes == index],
    )


def weighted_precision(ranking: Ranking, frame_weights: Array) -> Optional[float]:
    """Average precision in 0..1 where frame i counts `frame_weights[i]` times; None where no truth counts."""
    wanted = float(frame_weights[ranking.truth_frames].sum())
    if wanted == 0:
        return None
    weight = frame_weights[ranking.frames]
    hit, shown = (np.cumsum(one).take(ranking.ends) for one in (weight * ranking.correct, weight))
    # Before the first box that counts both are 0; precision 0 is below every later one and so stays unseen.
    return interpolated(hit / wanted, hit / np.where(shown > 0, shown, 1.0))


def class_average_precision(matches: Matches, index: int, frame_weights: Optional[Array] = None) -> Optional[float]:
    """Average precision of one class in 0..1, None where it has no truth.

    frame_weights: how often each frame counts [frames]; whole numbers resample frames for a bootstrap.
    """
    weights = np.ones(matches.frame_count) if frame_weights is None else np.asarray(frame_weights, np.float64)
    return weighted_precision(rank(matches, index), weights)


def interpolated(recall: Array, precision: Array) -> float:
    """Mean over 101 recall levels of the best precision at that recall or a larger one; `recall` ascends."""
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(recall + 1e-12, RECALL_LEVELS)].mean())


def mean_present(by_class: Mapping[int, Optional[float]]) -> float:
    """The mean over the classes that have a truth; DatasetError where none has."""
    values = [value for value in by_class.values() if value is not None]
    if not values:
        raise DatasetError(
            "no frame holds a box of the model's classes, average precision has no meaning",
            remedy="check `classes` under [options] and `truth` under [dataset] of the model card",
        )
    return float(np.mean(values))


def constant_box_precision(truths: Sequence[Array], index: int) -> Optional[float]:
    """Average precision in 0..1 of the best found single box of class `index` shown in every frame.

    Tried are the mean truth and up to 200 truths spread over the frames; None where there is no truth.
    All boxes score alike, so the curve is one point: recall right / truths at precision right / frames.
    """
    boxes, frames = _truths_of(truths, index)
    if not len(boxes):
        return None
    spread = np.linspace(0, len(boxes) - 1, min(len(boxes), MOST_CONSTANT_BOXES)).astype(int)
    tried = np.concatenate([boxes.mean(axis=0, keepdims=True), boxes[spread]])
    values = []
    for row in iou_matrix(tried, boxes) >= IOU:
        right = len(np.unique(frames[row]))
        values.append(interpolated(np.array([right / len(boxes)]), np.array([right / len(truths)])))
    return max(values)


def _truths_of(truths: Sequence[Array], index: int) -> Tuple[Array, Array]:
    """Boxes [n, 4] of one class over all frames, and the frame of each [n]."""
    mine: List[Array] = [np.asarray(one, np.float64)[np.asarray(one)[:, 4] == index, :4] for one in truths]
    return np.concatenate(mine), np.repeat(np.arange(len(mine)), [len(one) for one in mine])
