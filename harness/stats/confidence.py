"""How far a model's confidences can be believed: expected calibration error, and temperature scaling.

Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
BINS = 15
LOG_TEMPERATURE_LIMIT = 4.0
FEWEST_ANSWERS = 50


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model was how sure of. logits [answers, classes]; right: the class that was right [answers].

    judged: the class whose probability is the answer's confidence, None for the most probable one. Boxes are answers of
    two classes, wrong and right, of which the second is judged.
    """

    logits: Floats
    right: NDArray[np.int64]
    judged: int | None = None


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """error_percent: mean distance of confidence and share of right answers, weighted by bins. answers: how many."""

    error_percent: float
    log_loss: float
    answers: int


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """softmax(logits / temperature), each row."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def calibration(answers: Answers, temperature: float = 1.0, bins: int = BINS) -> Calibration | None:
    """The expected calibration error over equally wide bins; None with fewer than 50 answers."""
    if len(answers.right) < FEWEST_ANSWERS:
        return None
    shares = probabilities(answers.logits, temperature)
    judged = shares.argmax(axis=1) if answers.judged is None else np.full(len(shares), answers.judged)
    confidence = shares[np.arange(len(shares)), judged]
    error = expected_error(confidence, judged == answers.right, bins)
    return Calibration(error_percent=100 * error, log_loss=log_loss(answers, temperature), answers=len(answers.right))


def expected_error(confidence: Floats, right: Flags, bins: int = BINS) -> float:
    """Mean over all answers of |confidence - share of right ones| of their bin, in 0..1."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    surplus = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(surplus).sum() / len(confidence))


def log_loss(answers: Answers, temperature: float = 1.0) -> float:
    """Mean negative log likelihood of what was right, in nats."""
    scaled = answers.logits / temperature
    highest = scaled.max(axis=1)
    normaliser = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
    return float((normaliser - scaled[np.arange(len(scaled)), answers.right]).mean())


def fitted_temperature(answers: Answers) -> float | None:
    """The temperature of the least log loss, between e^-4 and e^4; None with fewer than 50 answers."""
    from scipy.optimize import minimize_scalar

    if len(answers.right) < FEWEST_ANSWERS:
        return None
    found = minimize_scalar(
        lambda log_temperature: log_loss(answers, float(np.exp(log_temperature))),
        bounds=(-LOG_TEMPERATURE_LIMIT, LOG_TEMPERATURE_LIMIT), method="bounded", options={"xatol": 1e-4},
    )  # fmt: skip
    return float(np.exp(found.x))
