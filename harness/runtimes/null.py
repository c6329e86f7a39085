"""The null engine: takes anything, computes nothing. What it costs is what the harness costs."""

from __future__ import annotations

from typing import Any, Dict, Tuple

import numpy as np

from harness.case import Array, TensorSpec


class Null:
    """Gives the same zeros for every frame."""

    in_calling_thread = True
    built_in = True

    def __init__(self, model_path: str) -> None:
        self.model_path = model_path
        self.inputs: Tuple[TensorSpec, ...] = (TensorSpec("input", (1, 1, -1, -1), "float32"),)
        self.outputs: Tuple[TensorSpec, ...] = (TensorSpec("output", (1, 2), "float32"),)
        self._answer = {"output": np.zeros((1, 2), np.float32)}

    def prepare(self) -> None:
        """Nothing to import."""

    def __enter__(self) -> Null:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        """The prepared zeros."""
        return self._answer

    def facts(self) -> Dict[str, Any]:
        return {"engine": "null", "version": "1", "precision": "none", "threads": 1, "placement": {"null": 1.0}}
