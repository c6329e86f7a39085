"""Classification: one of several classes for the whole picture; judged by accuracy."""

from __future__ import annotations

from typing import Dict, Sequence

import numpy as np

from harness.case import Array, InputSpec
from harness.tasks import Geometry, Score
from harness.tasks.candidates import softmax as softmax_of
from harness.tasks.fatigue import perclos
from harness.tasks.options import choice, class_names, flag, text
from harness.tasks.outputs import flat_row
from harness.tasks.scoring import checked_classes, checked_truths, share_score


class Classification:
    """Scores [1, classes], the largest wins.

    classes: names in the order of the output. softmax: turn logits into probabilities. output: its name.
    closed: the class that means closed eyes, for a PERCLOS over each clip.
    """

    def __init__(
        self, *, input: InputSpec, classes: Sequence[str], softmax: bool = False, output: str = "scores",
        closed: str = "",
    ) -> None:  # fmt: skip
        self.classes = class_names(classes)
        self._closed = self.classes.index(choice("closed", closed, self.classes)) if closed else None
        self._softmax = flag("softmax", softmax)
        self._output = text("output", output)

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [1, classes]; EngineError for an output that is missing or has another size."""
        scores = flat_row(outputs, self._output, len(self.classes))
        if not self._softmax:
            return scores
        with np.errstate(invalid="ignore"):
            return softmax_of(scores)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """Accuracy in per cent; a prediction with NaN is wrong. trivial: the most frequent class in every frame.

        extras: recall of each class that occurs, their mean (balanced accuracy), and the frames with NaN;
        with `closed` and clips, the mean absolute error of each clip's PERCLOS in points.
        """
        checked_truths(predictions, truths, (1, 1))
        checked_classes(truths, self.classes)
        wanted = np.array([int(one[0, 0]) for one in truths])
        scores = np.array([np.asarray(one).reshape(-1) for one in predictions])
        broken = np.isnan(scores).any(axis=1)
        right = (scores.argmax(axis=1) == wanted) & ~broken
        counts = np.bincount(wanted, minlength=len(self.classes))
        recalls = {
            f"recall_{name}_percent": 100 * float(right[wanted == index].mean())
            for index, name in enumerate(self.classes)
            if counts[index]
        }
        balanced = float(np.mean(list(recalls.values())))
        extras = {
            **recalls, "balanced_accuracy_percent": balanced, "invalid_frames": float(broken.sum()),
            **self._fatigue(scores.argmax(axis=1), wanted, clips),
        }  # fmt: skip
        return share_score("accuracy", right, counts.max() / len(wanted), extras)

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Array:
        """Where another class wins, or only one of the two holds NaN."""
        differ: Array = _winners(first) != _winners(second)
        return differ

    def _fatigue(self, found: Array, wanted: Array, clips: Sequence[str]) -> Dict[str, float]:
        if self._closed is None or not clips:
            return {}
        seen, true, names = found == self._closed, wanted == self._closed, np.asarray(clips)
        members = [names == clip for clip in np.unique(names)]
        errors = [abs(float(perclos(seen[one])[0] - perclos(true[one])[0])) for one in members]
        return {"perclos_error_points": float(np.mean(errors)), "perclos_clips": float(len(errors))}


def _winners(predictions: Sequence[Array]) -> Array:
    """The class with the largest score in each frame, -1 where one is NaN."""
    scores = np.array([np.asarray(one).reshape(-1) for one in predictions])
    winners: Array = np.where(np.isnan(scores).any(axis=1), -1, scores.argmax(axis=1))
    return winners
