"""What quantisation does to confidences: the temperature that mends them, and their error before and after.

Alarms hang on thresholds, so a variant that decides alike but is surer than it should be is another model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from harness.case import Array
from harness.model import ModelCard
from harness.stats.confidence import (
    Answers,
    Calibration,
    calibration,
    expected_error,
    fitted_temperature,
    probabilities,
)
from harness.tasks.average_precision import match
from harness.variants.frames import Frames, FrameSet

SMALLEST_PROBABILITY = 1e-7
SUM_SLACK = 0.02
RIGHT = 1
DRAWS = 200
BOXES = ("detection", "counting")
Predict = Callable[[FrameSet], Sequence[Array]]


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """temperature: by which logits are to be divided.

    before, after: the calibration error on frames that neither ranges nor temperature were fitted on; None where there
    are too few answers. chance_percent: what a model that is exactly as sure as it is right shows on as many answers.
    """

    temperature: float
    before: Calibration | None
    after: Calibration | None
    chance_percent: float | None = None

    def facts(self) -> Mapping[str, Any]:
        """The same as plain values."""
        return asdict(self)


def confidence(card: ModelCard, predict: Predict, frames: Frames) -> Confidence | None:
    """How sure the model behind `predict` is, and how sure it should be.

    None where the task tells no confidence, or there are too few answers to fit on. DatasetError without labels.
    """
    if card.task not in ANSWERS:
        return None
    read = ANSWERS[card.task]
    fitted_on, judged_on = (read(card, predict(one), one.truths) for one in fitted_and_judged(frames))
    temperature = fitted_temperature(fitted_on)
    if temperature is None:
        return None
    after = calibration(judged_on, temperature)
    return Confidence(
        temperature=temperature, before=calibration(judged_on), after=after,
        chance_percent=chance_percent(judged_on, temperature) if after else None,
    )  # fmt: skip


def fitted_and_judged(frames: Frames) -> tuple[FrameSet, FrameSet]:
    """The calibration and the tuning frames; the two halves of the latter where the former have no labels."""
    if frames.calibration.truths:
        return frames.calibration, frames.tuning
    whole = frames.tuning
    middle = len(whole) // 2
    return whole.part(range(middle), "first half"), whole.part(range(middle, len(whole)), "second half")


def chance_percent(answers: Answers, temperature: float, seed: int = 0) -> float:
    """The mean calibration error where every answer is right as often as it is sure, at this temperature.

    The error of a sample is never 0: what differs from this by little is no miscalibration.
    """
    shares = probabilities(answers.logits, temperature)
    sure = shares.max(axis=1) if answers.judged is None else shares[:, answers.judged]
    random = np.random.default_rng(seed)
    return 100 * float(np.mean([expected_error(sure, random.random(len(sure)) < sure) for _ in range(DRAWS)]))


def class_answers(card: ModelCard, predictions: Sequence[Array], truths: Sequence[Array]) -> Answers:
    """The scores [1, classes] of each frame as logits; frames with NaN are left out.

    Scores that are shares already, by the card's softmax or the net's own, are taken back to logits.
    """
    del card
    scores = np.array([np.asarray(one, np.float64).reshape(-1) for one in predictions])
    labels = np.array([int(one[0, 0]) for one in truths])
    sound = np.isfinite(scores).all(axis=1)
    scores, labels = scores[sound], labels[sound]
    return Answers(logits=_logarithm(scores) if _are_shares(scores) else scores, right=labels)


def box_answers(card: ModelCard, predictions: Sequence[Array], truths: Sequence[Array]) -> Answers:
    """The score of each box that was shown: right where it has its truth, at an overlap of a half."""
    del card
    found = match(predictions, truths)
    chance = np.clip(found.scores, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    logits = np.stack([np.zeros(len(chance)), np.log(chance / (1 - chance))], axis=1)
    return Answers(logits=logits, right=found.correct.astype(np.int64), judged=RIGHT)


def _are_shares(scores: Array) -> bool:
    """Whether every frame's scores are not negative and add up to 1; an INT8 softmax does so to a few of its steps."""
    return bool((scores >= 0).all() and (np.abs(scores.sum(axis=1) - 1) < SUM_SLACK).all())


def _logarithm(shares: Array) -> Array:
    logits: Array = np.log(np.clip(shares, SMALLEST_PROBABILITY, 1.0))
    return logits


ANSWERS: Mapping[str, Callable[[ModelCard, Sequence[Array], Sequence[Array]], Answers]] = {
    "classification": class_answers, **dict.fromkeys(BOXES, box_answers),
}  # fmt: skip
