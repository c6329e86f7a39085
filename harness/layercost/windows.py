"""How many places a window of a convolution or a pooling takes; the padding rules of the ONNX standard."""

from __future__ import annotations

from collections.abc import Sequence

from harness.layercost.tensors import Call, Shape


def moved(call: Call, kernel: Sequence[int]) -> list[int]:
    """Output sizes of a window of `kernel` that moves over the last axes of the first input."""
    sizes, count = call.shape()[2:], len(kernel)
    strides, dilations = (call.attribute(name, [1] * count) for name in ("strides", "dilations"))
    if str(call.attribute("auto_pad", "NOTSET")).startswith("SAME"):
        return [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
    pads, up = call.attribute("pads", [0] * 2 * count), bool(call.attribute("ceil_mode", 0))
    found = []
    for axis, size in enumerate(sizes):
        room = size + pads[axis] + pads[axis + count] - dilations[axis] * (kernel[axis] - 1) - 1
        windows = (-(-room // strides[axis]) if up else room // strides[axis]) + 1
        # A window that would begin behind the input and its leading padding is left out.
        found.append(windows - (up and (windows - 1) * strides[axis] >= size + pads[axis]))
    return found


def spread(call: Call, kernel: Sequence[int]) -> list[int]:
    """Output sizes of a transposed convolution."""
    sizes, count = call.shape()[2:], len(kernel)
    strides, dilations = (call.attribute(name, [1] * count) for name in ("strides", "dilations"))
    if "output_shape" in call.node.attributes:
        return list(call.attribute("output_shape"))[-count:]
    if str(call.attribute("auto_pad", "NOTSET")).startswith("SAME"):
        return [size * stride for size, stride in zip(sizes, strides, strict=True)]
    extra, pads = call.attribute("output_padding", [0] * count), call.attribute("pads", [0] * 2 * count)
    return [
        strides[axis] * (size - 1) + extra[axis] + dilations[axis] * (kernel[axis] - 1) + 1
        - pads[axis] - pads[axis + count] for axis, size in enumerate(sizes)
    ]  # fmt: skip


def pool(call: Call) -> list[Shape]:
    """Values and, of MaxPool, their places."""
    return [(*call.shape()[:2], *moved(call, call.attribute("kernel_shape")))] * len(call.node.outputs)


def global_pool(call: Call) -> list[Shape]:
    """One value per channel."""
    shape = call.shape()
    return [(*shape[:2], *[1] * (len(shape) - 2))]
