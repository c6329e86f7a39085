"""Raw: outputs whose meaning nobody gave; they are summed up so that change and NaN stay visible."""

from __future__ import annotations

from typing import Dict, List, Sequence

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import ConfigError
from harness.tasks import Geometry, Score


class Raw:
    """One row [1, 4 * outputs]: size, mean, smallest and largest value of each output, by name."""

    def __init__(self, *, input: InputSpec) -> None:
        pass

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [1, 4 * outputs]; an empty output is 0 in all four."""
        row = [value for name in sorted(outputs) for value in summary(outputs[name])]
        return np.array([row], np.float32)

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """There is none: ConfigError."""
        raise ConfigError(
            "task 'raw' has no score, nobody said what the outputs mean",
            where="`task` in the model card",
            remedy="name a task that scores, or 'custom' with the options `function` and `score_function`",
        )

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> None:
        """None: nobody said what an answer is."""


def summary(array: Array) -> List[float]:
    """Size, mean, smallest and largest value; NaN where the array holds one."""
    values = np.asarray(array, np.float32)
    if not values.size:
        return [0.0] * 4
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean(dtype=np.float64))
    return [float(values.size), mean, float(values.min()), float(values.max())]
