"""The ONNX operators that multiply and add: their output shapes, their multiply-adds, and what they multiply."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.layercost.tensors import Call, NotKnownError, Shape
from harness.layercost.windows import moved, spread


@dataclass(frozen=True)
class Multiplying:
    """One operator. macs: of a call and the shape of its first output; operands: the inputs that are multiplied."""

    shapes: Callable[[Call], list[Shape]]
    macs: Callable[[Call, Shape], int]
    operands: tuple[int, ...] = (0, 1)


def _conv_at(weights: int) -> Multiplying:
    def shapes(call: Call) -> list[Shape]:
        kernel = call.shape(weights)
        return [(call.shape()[0], kernel[0], *moved(call, kernel[2:]))]

    return Multiplying(
        shapes, lambda call, output: math.prod(output) * math.prod(call.shape(weights)[1:]), (0, weights)
    )


def _conv_transpose(call: Call) -> list[Shape]:
    kernel = call.shape(1)
    return [(call.shape()[0], kernel[1] * call.attribute("group", 1), *spread(call, kernel[2:]))]


def _conv_transpose_macs(call: Call, output: Shape) -> int:
    """Each input value meets each tap once; taps that fall on what `pads` cuts off are counted."""
    return math.prod(call.shape()) * math.prod(call.shape(1)[1:])


def _gemm(call: Call) -> list[Shape]:
    left, right = call.shape(0), call.shape(1)
    return [(left[1 if call.attribute("transA", 0) else 0], right[0 if call.attribute("transB", 0) else 1])]


def _gemm_macs(call: Call, output: Shape) -> int:
    return math.prod(output) * call.shape()[0 if call.attribute("transA", 0) else 1]


def _matmul_at(right_index: int) -> Multiplying:
    def shapes(call: Call) -> list[Shape]:
        left, right = call.shape(), call.shape(right_index)
        if len(right) == 1:
            return [left[:-1]]
        return [(*np.broadcast_shapes(left[:-2], right[:-2]), *left[-2:-1], *right[-1:])]

    return Multiplying(shapes, lambda call, output: math.prod(output) * call.shape()[-1], (0, right_index))


def _recurrent(call: Call) -> list[Shape]:
    """Y, Y_h and, of an LSTM, Y_c."""
    steps, batch = _steps_and_batch(call)
    directions, hidden = call.shape(1)[0], call.shape(2)[-1]
    state = (directions, batch, hidden)
    return [(steps, directions, batch, hidden), state, state][: len(call.node.outputs)]


def _recurrent_macs(call: Call, output: Shape) -> int:
    steps, batch = _steps_and_batch(call)
    return steps * batch * (math.prod(call.shape(1)) + math.prod(call.shape(2)))


def _steps_and_batch(call: Call) -> tuple[int, int]:
    if call.attribute("layout", 0):
        raise NotKnownError
    steps, batch, _ = call.shape()
    return steps, batch


_RECURRENT = Multiplying(_recurrent, _recurrent_macs, (0, 1, 2))
MULTIPLYING = {
    "Conv": _conv_at(1),
    "ConvInteger": _conv_at(1),
    "QLinearConv": _conv_at(3),
    "ConvTranspose": Multiplying(_conv_transpose, _conv_transpose_macs),
    "Gemm": Multiplying(_gemm, _gemm_macs),
    "MatMul": _matmul_at(1),
    "MatMulInteger": _matmul_at(1),
    "QLinearMatMul": _matmul_at(3),
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": _RECURRENT,
}
