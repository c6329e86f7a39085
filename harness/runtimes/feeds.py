"""What is fed to an engine, against what it declares: engines say little where it does not fit."""

from __future__ import annotations

from typing import Mapping, Sequence

from harness.case import Array, TensorSpec
from harness.errors import EngineError, unknown


def check_feeds(feeds: Mapping[str, Array], inputs: Mapping[str, TensorSpec], where: str) -> None:
    """EngineError, naming the input, what it takes and what it was given, unless every input is fed and fits."""
    for name, value in feeds.items():
        if name not in inputs:
            raise EngineError(unknown("input", name, inputs), where=where)
        spec = inputs[name]
        if value.dtype.name != spec.dtype or not value.dtype.isnative or not _fits(value.shape, spec.shape):
            raise EngineError(
                f"the input {name!r} takes {spec.dtype} {list(spec.shape)} and was given "
                f"{value.dtype} {list(value.shape)}",
                where=where,
                remedy="correct [input] or [extra_inputs.NAME] of the model card",
            )
    if len(feeds) != len(inputs):
        raise EngineError(f"nothing was given for the inputs {sorted(set(inputs) - set(feeds))}", where=where)


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(size in (-1, given) for given, size in zip(shape, declared))
