"""What is fed against what the file declares: an engine's own words name no tensor, or it converts in silence."""

from __future__ import annotations

from typing import Mapping, Sequence, Tuple

from harness.case import Array, TensorSpec
from harness.errors import EngineError, unknown

REMEDY = "correct [input] or [extra_inputs.NAME] of the model's card"


def refuse_feeds(specs: Sequence[TensorSpec], feeds: Mapping[str, Array], where: str) -> None:
    """EngineError for the first input that is missing, unknown, or of another dtype or shape than `specs` say."""
    for spec in specs:
        value = feeds.get(spec.name)
        if value is None:
            raise EngineError(f"the input {spec.name!r} is not fed", where=where, remedy=REMEDY)
        if value.dtype.name != spec.dtype or not _fits(value.shape, spec.shape):
            raise EngineError(
                f"the input {spec.name!r} takes {spec.dtype} {list(spec.shape)}"
                f" and was given {value.dtype} {list(value.shape)}",
                where=where, remedy=REMEDY,
            )  # fmt: skip
    names = {spec.name for spec in specs}
    for name in feeds:
        if name not in names:
            raise EngineError(unknown("input", name, names), where=where, remedy=REMEDY)


def _fits(given: Tuple[int, ...], declared: Tuple[int, ...]) -> bool:
    return len(given) == len(declared) and all(wanted in (-1, size) for size, wanted in zip(given, declared))
