"""What every decoder of a detector gives, and the arithmetic that they share."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Tuple

import numpy as np

from harness.case import Array, InputSpec
from harness.tasks.options import choice

UNITS = ("pixels", "fraction")


class Candidates(NamedTuple):
    """boxes float32 [n, 4] x1 y1 x2 y2 in input pixels, scores [n] in 0..1, classes [n].

    suppressed: True where the model itself has already suppressed overlaps.
    """

    boxes: Array
    scores: Array
    classes: Array
    suppressed: bool = False


Decoder = Callable[[Dict[str, Array], float], Candidates]


def unit_of(input: InputSpec, units: object) -> Array:
    """What the four numbers of a box are multiplied with to be input pixels: float32 [4]."""
    fraction = choice("units", units, UNITS) == "fraction"
    size = (input.width, input.height) * 2
    return np.array(size if fraction else (1, 1, 1, 1), np.float32)


def rows_above(scores: Array, limit: float) -> Array:
    """Rows of [n, classes] with a value above `limit` (or NaN), ascending; one pass over contiguous memory."""
    hits = np.flatnonzero(~(np.ascontiguousarray(scores).ravel() <= np.float32(limit)))
    return hits if scores.shape[1] == 1 else np.unique(hits // scores.shape[1])


def best_class(scores: Array) -> Tuple[Array, Array]:
    """The best score of each row [n, classes], and its class; NaN where the row holds one."""
    classes = scores.argmax(axis=1)
    return scores[np.arange(len(scores)), classes], classes


def logit(share: float) -> float:
    """ln(p / (1 - p)); minus infinity for 0."""
    return float(np.log(share / (1.0 - share))) if share > 0 else float("-inf")


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x))."""
    result: Array = 1 / (1 + np.exp(-values))
    return result


def softmax(values: Array) -> Array:
    """exp(x) / sum(exp(x)) along the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    result: Array = powers / powers.sum(axis=-1, keepdims=True)
    return result
