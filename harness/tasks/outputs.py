"""Finding a task's outputs among those of the engine, and checking the shapes that really came."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

import numpy as np

from harness.case import Array
from harness.errors import EngineError

WHERE = "outputs of the model"
REMEDY = "name the tensors in the model card, `outputs` under [formats.<format>]"
Wanted = Tuple[Optional[int], ...]


def find(outputs: Mapping[str, Array], name: str, *, sole: bool = True) -> Array:
    """The output `name`; where it is missing and the task has a `sole` output, the model's only one.

    EngineError with the names and shapes that are there.
    """
    if name in outputs:
        return outputs[name]
    if sole and len(outputs) == 1:
        return next(iter(outputs.values()))
    raise EngineError(f"no output called {name!r} among {describe(outputs)}", where=WHERE, remedy=REMEDY)


def find_shaped(outputs: Mapping[str, Array], name: str, wanted: Wanted, *, sole: bool = True) -> Array:
    """The output `name` as float32 of shape `wanted` (None is any length), without its batch axis.

    EngineError where it is missing, or came as neither [1, *wanted] nor `wanted`. The shape is the real
    one: what an engine declares can differ from it.
    """
    array = find(outputs, name, sole=sole)
    values = np.asarray(array, np.float32)
    if values.ndim == len(wanted) + 1 and values.shape[0] == 1:
        values = values[0]
    if not fits(values, wanted):
        raise wrong_shape(array, name, f"[1, {', '.join('any' if one is None else str(one) for one in wanted)}]")
    return values


def fits(values: Array, wanted: Wanted) -> bool:
    """True where `values` has the shape `wanted`; None is any length."""
    return values.ndim == len(wanted) and all(want in (None, got) for want, got in zip(wanted, values.shape))


def wrong_shape(array: Array, name: str, wanted: str) -> EngineError:
    """The error for an output that came in another shape than the task can read."""
    return EngineError(
        f"output {name!r} has shape {list(np.shape(array))}, wanted {wanted}",
        where=WHERE,
        remedy="check the task's options (classes, decoder), or " + REMEDY,
    )


def describe(outputs: Mapping[str, Array]) -> str:
    """Names and shapes, for a message."""
    return ", ".join(f"{name!r} {list(np.shape(one))}" for name, one in outputs.items()) or "no outputs at all"


def flat_row(outputs: Mapping[str, Array], name: str, size: int) -> Array:
    """The output `name` as one float32 row [1, size], whatever axes of length one it carries."""
    array = find(outputs, name)
    if np.size(array) != size:
        raise wrong_shape(array, name, f"[1, {size}]")
    return np.array(array, np.float32).reshape(1, size)
