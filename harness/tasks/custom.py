"""Custom: post-processing and score as functions of the user's own package."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Sequence

import numpy as np

from harness.case import Array, InputSpec
from harness.errors import ConfigError, HarnessError
from harness.tasks import Geometry, Score
from harness.tasks.options import WHERE, refuse
from harness.tasks.scoring import checked_counts


class Custom:
    """Whatever `function` makes of the outputs.

    function: "package.module:function", called with (outputs, geometry) as `Task.post` is, returning a 2-D array
    of numbers of one width. score_function: the same form, called with (predictions, truths) on the host;
    returns a Score, or a plain number in per cent (larger is better). Both are imported when first called:
    `function` must be importable by the worker's interpreter, `score_function` on the host.
    """

    def __init__(self, *, input: InputSpec, function: str, score_function: Optional[str] = None) -> None:
        self._post = UserFunction("function", function)
        self._score = None if score_function is None else UserFunction("score_function", score_function)

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """float32 [n, k]; ConfigError where the function cannot be imported, fails, or returns something else."""
        result = self._post(outputs, geometry)
        try:
            rows = np.asarray(result, np.float32)
        except (TypeError, ValueError) as error:
            raise self._post.error(f"returned {type(result).__name__}, wanted a 2-D array of numbers") from error
        if rows.ndim != 2:
            raise self._post.error(f"returned shape {list(rows.shape)}, wanted two axes")
        return rows

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """What `score_function` says; a plain number becomes a Score without frames, its trivial value 0."""
        if self._score is None:
            raise ConfigError("task 'custom' has no score", where=WHERE, remedy="give it the option `score_function`")
        checked_counts(predictions, truths)
        result = self._score(predictions, truths)
        if isinstance(result, Score):
            return result
        if not isinstance(result, (int, float, np.number)) or not np.isfinite(result):
            raise self._score.error(f"returned {result!r}, wanted a Score or a finite number in per cent")
        return Score(self._score.name, float(result), 0.0, None, {})

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> None:
        """None: nobody said what an answer is."""


class UserFunction:
    """A function of the user's, by name; its failures become one sentence with that name."""

    def __init__(self, option: str, name: object) -> None:
        module, _, member = name.partition(":") if isinstance(name, str) else ("", "", "")
        if not all(part.isidentifier() for part in [*module.split("."), member]):
            raise refuse(option, name, "'package.module:function'")
        self.name, self._module, self._member = f"{module}:{member}", module, member
        self._option = option
        self._function: Optional[Callable[..., Any]] = None

    def __call__(self, *arguments: Any) -> Any:
        function = self._function = self._function or self._load()
        try:
            return function(*arguments)
        except HarnessError:
            raise
        except Exception as error:
            raise self.error(f"raised {type(error).__name__}: {error}") from error

    def error(self, what: str) -> ConfigError:
        """The error that this function caused."""
        return ConfigError(f"{self._option} {self.name} {what}", where=WHERE, remedy="mend the function or the option")

    def _load(self) -> Callable[..., Any]:
        try:
            function = getattr(importlib.import_module(self._module), self._member)
        except Exception as error:
            raise ConfigError(
                f"{self._option} {self.name} cannot be imported, {type(error).__name__}: {error}",
                where=WHERE,
                remedy="install its package for the interpreter that runs it, or put its folder on PYTHONPATH",
            ) from error
        if not callable(function):
            raise self.error("is not a function")
        loaded: Callable[..., Any] = function
        return loaded
