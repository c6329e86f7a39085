"""Values of small constants that a graph computes with: the sizes that exporters leave as Shape, Gather, Concat."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.case import Array
from harness.layercost.onnxgraph import MOST_VALUES, Constant
from harness.layercost.shapes import output_shapes
from harness.layercost.tensors import Call, NotKnownError
from harness.modelfile.tensors import ELEMENT


def _constant(call: Call) -> Any:
    stored = call.attribute("value")
    if isinstance(stored, Constant):
        return stored.values
    return next((np.asarray(one) for one in call.node.attributes.values()), None)


def _shape(call: Call) -> Any:
    return np.array(call.shape()[call.attribute("start", 0) : call.attribute("end")], np.int64)


def _filled(call: Call) -> Any:
    stored, shape = call.attribute("value"), call.integers(0)
    if math.prod(shape) > MOST_VALUES:
        raise NotKnownError
    return np.full(shape, 0.0 if stored is None else stored.values)


def _slice(call: Call) -> Any:
    values, starts, ends = call.values(0), call.given("starts", 1), call.given("ends", 2)
    axes, steps = call.given("axes", 3), call.given("steps", 4)
    if values.ndim != 1 or starts is None or ends is None or (axes or [0]) not in ([0], [-1]):
        raise NotKnownError
    return values[slice(starts[0], ends[0], (steps or [1])[0])]


def _divide(call: Call) -> Any:
    left, right = call.values(0), call.values(1)
    return np.trunc(left / right).astype(left.dtype) if left.dtype.kind == "i" else left / right


def _binary(of: Callable[[Array, Array], Array]) -> Callable[[Call], Any]:
    return lambda call: of(call.values(0), call.values(1))


def _reshaped(call: Call) -> Any:
    shapes = output_shapes(call)
    if shapes is None:
        raise NotKnownError
    return call.values(0).reshape(shapes[0])


_FOLDS: dict[str, Callable[[Call], Any]] = {
    "Constant": _constant,
    "Shape": _shape,
    "Size": lambda call: np.array(math.prod(call.shape()), np.int64),
    "ConstantOfShape": _filled,
    "Slice": _slice,
    "Div": _divide,
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Mod": _binary(np.mod),
    "Equal": _binary(np.equal),
    "Max": _binary(np.maximum),
    "Min": _binary(np.minimum),
    "Floor": lambda call: np.floor(call.values(0)),
    "Ceil": lambda call: np.ceil(call.values(0)),
    "Identity": lambda call: call.values(0),
    "Cast": lambda call: call.values(0).astype(ELEMENT[call.attribute("to")]),
    "Gather": lambda call: np.take(call.values(0), call.values(1), axis=call.attribute("axis", 0)),
    "Concat": lambda call: np.concatenate(
        [call.values(index) for index in range(len(call.inputs))], axis=call.attribute("axis")
    ),
    "Where": lambda call: np.where(call.values(0), call.values(1), call.values(2)),
    "ReduceProd": lambda call: np.prod(call.values(0), keepdims=bool(call.attribute("keepdims", 1))),
    **dict.fromkeys(("Reshape", "Squeeze", "Unsqueeze", "Flatten"), _reshaped),
}
_FAILURES = (NotKnownError, KeyError, ValueError, IndexError, TypeError, ZeroDivisionError, AttributeError)


def folded(call: Call) -> Array | None:
    """The node's one output, where it is small and does not depend on the frame; None otherwise."""
    try:
        with np.errstate(all="ignore"):
            values = _FOLDS[call.node.operator](call)
    except _FAILURES:
        return None
    return None if values is None or np.size(values) > MOST_VALUES else np.asarray(values)
