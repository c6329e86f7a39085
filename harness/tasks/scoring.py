"""What all scores share: pairing predictions with truths, shares of frames in per cent."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array
from harness.errors import DatasetError
from harness.tasks import Score

# Two models' answers differ from this share of the tolerance on. At the whole of it, weights rounded to 5 bits went
# unseen in the shipped gaze model: none of its answers moved by 6 degrees, 9 % of them by 3, INT8 by 1.6 at most.
MOVED = 0.5


def checked_counts(predictions: Sequence[Array], truths: Sequence[Array]) -> None:
    """DatasetError unless there is one prediction for each truth, and at least one."""
    if not len(truths):
        raise DatasetError("there is no frame to score", remedy="choose a split with truths")
    if len(predictions) != len(truths):
        raise DatasetError(f"{len(predictions)} predictions for {len(truths)} truths", remedy="one of each per frame")


def checked_truths(predictions: Sequence[Array], truths: Sequence[Array], shape: Tuple[Optional[int], int]) -> None:
    """DatasetError for counts that differ, or for a truth that is not of `shape` (None is any length)."""
    checked_counts(predictions, truths)
    for index, truth in enumerate(truths):
        got = np.shape(truth)
        if len(got) != 2 or got[1] != shape[1] or shape[0] not in (None, got[0]):
            rows = "n" if shape[0] is None else str(shape[0])
            raise DatasetError(
                f"the truth has shape {list(got)}, wanted [{rows}, {shape[1]}]",
                where=f"frame {index}",
                remedy="see `truth` under [dataset] of the model card",
            )


def checked_classes(truths: Sequence[Array], names: Sequence[str]) -> None:
    """DatasetError unless the last column of every truth holds indices of `names`."""
    for index, truth in enumerate(truths):
        strange = np.setdiff1d(truth[:, -1], np.arange(len(names)))
        if len(strange):
            known = ", ".join(f"{number} {name}" for number, name in enumerate(names))
            raise DatasetError(
                f"the true class is {strange[0]:g}",
                where=f"frame {index}",
                remedy=f"known are {known}; see `classes` under [options] of the model card",
            )


def share_score(name: str, right: Array, trivial_share: float, extras: Mapping[str, float]) -> Score:
    """The Score of a share of frames; `right`: bool [frames], `trivial_share`: 0..1."""
    per_frame = right.astype(np.float64)
    return Score(name, 100.0 * float(per_frame.mean()), 100.0 * trivial_share, per_frame, dict(extras))
