"""Output shapes of the ONNX operators that vision networks are made of; the standard's own shape rules.

A rule gives one shape per output, None for one that depends on values. Operators without a rule have no known cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from harness.layercost import windows
from harness.layercost.multiplying import MULTIPLYING
from harness.layercost.tensors import Call, NotKnownError, Shape

Rule = Callable[[Call], list[Shape]]


def _first(call: Call) -> list[Shape]:
    return [call.shape()]


def _broadcast(call: Call) -> list[Shape]:
    return [np.broadcast_shapes(*(call.shape(index) for index in range(len(call.inputs))))]


def _reshape(call: Call) -> list[Shape]:
    old, wanted = call.shape(), call.given("shape", 1)
    if wanted is None:
        raise NotKnownError
    keep_zero = call.attribute("allowzero", 0)
    sizes = [old[axis] if size == 0 and not keep_zero else size for axis, size in enumerate(wanted)]
    known = math.prod(size for size in sizes if size >= 0)
    rest = math.prod(old) // known if known else 0
    return [tuple(rest if size < 0 else size for size in sizes)]


def _flatten(call: Call) -> list[Shape]:
    shape, axis = call.shape(), call.attribute("axis", 1)
    return [(math.prod(shape[:axis]), math.prod(shape[axis:]))]


def _transpose(call: Call) -> list[Shape]:
    shape = call.shape()
    return [tuple(shape[axis] for axis in call.attribute("perm", range(len(shape))[::-1]))]


def _concat(call: Call) -> list[Shape]:
    shapes = [call.shape(index) for index in range(len(call.inputs))]
    axis = call.attribute("axis", 1) % len(shapes[0])
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def _split(call: Call) -> list[Shape]:
    shape, count = call.shape(), len(call.node.outputs)
    axis = call.attribute("axis", 0) % len(shape)
    each = -(-shape[axis] // count)
    sizes = call.given("split", 1) or [*[each] * (count - 1), shape[axis] - each * (count - 1)]
    return [(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes]


def _slice(call: Call) -> list[Shape]:
    shape = list(call.shape())
    starts, ends = call.given("starts", 1), call.given("ends", 2)
    if starts is None or ends is None:
        raise NotKnownError
    axes, steps = call.given("axes", 3) or list(range(len(starts))), call.given("steps", 4) or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # Far ends stand for "to the last", also backwards.
        stop = None if step < 0 and end < -shape[axis] else end
        shape[axis] = len(range(*slice(start, stop, step).indices(shape[axis])))
    return [tuple(shape)]


def _gather(call: Call) -> list[Shape]:
    shape, axis = call.shape(), call.attribute("axis", 0) % len(call.shape())
    return [(*shape[:axis], *call.shape(1), *shape[axis + 1 :])]


def _squeeze(call: Call) -> list[Shape]:
    shape = call.shape()
    axes = call.given("axes", 1, [axis for axis, size in enumerate(shape) if size == 1]) or []
    gone = {axis % len(shape) for axis in axes}
    return [tuple(size for axis, size in enumerate(shape) if axis not in gone)]


def _unsqueeze(call: Call) -> list[Shape]:
    shape, axes = list(call.shape()), call.given("axes", 1) or []
    rank = len(shape) + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        shape.insert(axis, 1)
    return [tuple(shape)]


def _reduce(call: Call) -> list[Shape]:
    shape, axes = call.shape(), call.given("axes", 1) or []
    if not axes and call.attribute("noop_with_empty_axes", 0):
        return [shape]
    return [_without(shape, axes or range(len(shape)), bool(call.attribute("keepdims", 1)))]


def _arg(call: Call) -> list[Shape]:
    return [_without(call.shape(), [call.attribute("axis", 0)], bool(call.attribute("keepdims", 1)))]


def _without(shape: Shape, axes: Iterable[int], keep: bool) -> Shape:
    gone = {axis % len(shape) for axis in axes} if shape else set()
    return tuple(1 if axis in gone else size for axis, size in enumerate(shape) if keep or axis not in gone)


def _pad(call: Call) -> list[Shape]:
    shape, pads = call.shape(), call.given("pads", 1)
    if pads is None or len(pads) != 2 * len(shape):
        raise NotKnownError
    return [tuple(size + pads[axis] + pads[axis + len(shape)] for axis, size in enumerate(shape))]


def _resize(call: Call) -> list[Shape]:
    """Resize (input, roi, scales, sizes) and Upsample (input, scales)."""
    shape, axes = call.shape(), call.attribute("axes", range(len(call.shape())))
    sizes = call.get(3)
    if sizes is not None and sizes.shape != (0,):
        new = dict(zip(axes, call.integers(3), strict=True))
    else:
        at = 1 if call.node.operator == "Upsample" or len(call.inputs) == 2 else 2
        scales: Any = call.attribute("scales") or np.ravel(call.values(at))
        new = {axis: math.floor(shape[axis] * scale) for axis, scale in zip(axes, scales, strict=True)}
    return [tuple(new.get(axis, size) for axis, size in enumerate(shape))]


def _expand(call: Call) -> list[Shape]:
    return [np.broadcast_shapes(call.shape(), tuple(call.integers(1)))]


def _tile(call: Call) -> list[Shape]:
    return [tuple(size * times for size, times in zip(call.shape(), call.integers(1), strict=True))]


def _range(call: Call) -> list[Shape]:
    start, limit, step = (call.values(index).item() for index in range(3))
    return [(max(0, math.ceil((limit - start) / step)),)]


def _depth_to_space(call: Call) -> list[Shape]:
    batch, depth, height, width = call.shape()
    block = call.attribute("blocksize")
    return [(batch, depth // block**2, height * block, width * block)]


def _space_to_depth(call: Call) -> list[Shape]:
    batch, depth, height, width = call.shape()
    block = call.attribute("blocksize")
    return [(batch, depth * block**2, height // block, width // block)]


def _top_k(call: Call) -> list[Shape]:
    shape, axis = list(call.shape()), call.attribute("axis", -1)
    shape[axis] = (call.given("k", 1) or [0])[0]
    return [tuple(shape)] * 2


_LIKE_THE_FIRST = """
Abs Acos Asin Atan BatchNormalization Cast CastLike Ceil Celu Clip Cos DequantizeLinear Dropout Elu Erf Exp Floor Gelu
GroupNormalization HardSigmoid HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LayerNormalization
LeakyRelu Log LogSoftmax LpNormalization MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear RMSNormalization
Reciprocal Relu Round ScatterElements ScatterND Selu Shrink Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Swish Tan
Tanh ThresholdedRelu Trilu
"""
_BROADCAST = """
Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor
"""
_REDUCED = """
ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
"""
RULES: dict[str, Rule] = {
    **dict.fromkeys(_LIKE_THE_FIRST.split(), _first),
    **dict.fromkeys(_BROADCAST.split(), _broadcast),
    **dict.fromkeys(_REDUCED.split(), _reduce),
    **dict.fromkeys(("AveragePool", "MaxPool", "LpPool"), windows.pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), windows.global_pool),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **{name: one.shapes for name, one in MULTIPLYING.items()},
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "GatherElements": lambda call: [call.shape(1)],
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Pad": _pad,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
    "TopK": _top_k,
    "Shape": lambda call: [(len(call.shape()),)],
    "Size": lambda call: [()],
    "ConstantOfShape": lambda call: [tuple(call.integers(0))],
    "Range": _range,
}
_FAILURES = (NotKnownError, ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError)


def output_shapes(call: Call) -> list[Shape] | None:
    """The shapes of the node's first outputs; None where its rule lacks something, or does not fit the node."""
    try:
        shapes = RULES[call.node.operator](call)
    except (KeyError, *_FAILURES):
        return None
    return shapes if all(size >= 0 for shape in shapes for size in shape) else None
