"""What a recipe asks of a training, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ConfigError, unknown
from harness.variants import Recipe

OWN_OPTIONS = ("steps", "learning_rate", "batch", "mirrored", "float32")


@dataclass(frozen=True, kw_only=True)
class Course:
    """One training. technique and made: what the student is and all that shaped it, which its state is kept under.

    mirrored: half of the pictures are shown mirrored. float32: bfloat16 would disturb what is learned.
    """

    technique: str
    steps: int
    learning_rate: float
    batch: int = 64
    seed: int = 1
    mirrored: bool = False
    float32: bool = False
    made: Mapping[str, Any] = field(default_factory=dict)


def course(recipe: Recipe, defaults: Mapping[str, Any], **made: Any) -> Course:
    """The training that a recipe asks for: OWN_OPTIONS are the training's, other options and `made` shape the student.

    defaults: every option of the technique with its usual value. ConfigError for an unknown option, or one of another
    kind.
    """
    options = settings(recipe, defaults)
    own = {key: value for key, value in options.items() if key in OWN_OPTIONS}
    shaping = {key: value for key, value in options.items() if key not in OWN_OPTIONS}
    return Course(technique=recipe.technique, seed=recipe.seed, made={**shaping, **made}, **own)


def settings(recipe: Recipe, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a recipe over their defaults; ConfigError for an unknown one, or one that is no such number."""
    for name, value in recipe.options.items():
        if name not in defaults:
            raise ConfigError(
                unknown(f"option of technique {recipe.technique!r}", name, defaults), where=f"recipe {recipe.name}"
            )
        if not _fits(value, defaults[name]):
            raise ConfigError(
                f"option {name} = {value!r}", where=f"recipe {recipe.name}",
                remedy=f"give {_WANTED[type(defaults[name])]}, for example {defaults[name]!r}",
            )  # fmt: skip
    return {name: type(usual)(recipe.options.get(name, usual)) for name, usual in defaults.items()}


_WANTED = {bool: "true or false", int: "a whole number above 0", float: "a number above 0"}


def _fits(value: Any, usual: Any) -> bool:
    if isinstance(usual, bool) or isinstance(value, bool):
        return isinstance(usual, bool) and isinstance(value, bool)
    kinds = (int, float) if isinstance(usual, float) else (int,)
    return isinstance(value, kinds) and 0 < value < math.inf
