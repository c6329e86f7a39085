"""Small ONNX models in the shapes of well-known ones, and models that misbehave; all run in milliseconds.

Every function gives an onnx.ModelProto; `save` writes one to a file. The weights are seeded.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
Dims = list[int | str]


class Net:
    """Collects nodes and weights; every method gives the name of what it adds."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(seed)

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: object) -> str:
        """Add one node; its (first) output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}_{index}" for index in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, domain=domain, **attributes))
        return name

    def const(self, value: object, dtype: str = "float32") -> str:
        """Add one weight with the given values."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def random(self, *shape: int) -> str:
        """Add one weight of small random values."""
        return self.const(self._rng.normal(0, 0.1, shape))

    def conv(self, x: str, c_in: int, c_out: int, kernel: int, stride: int = 1, group: int = 1) -> str:
        """A convolution with bias; padded so that stride 1 keeps the size."""
        pad = kernel // 2 if kernel % 2 else 0
        weights = self.random(c_out, c_in // group, kernel, kernel)
        return self.op("Conv", x, weights, self.random(c_out), strides=[stride] * 2, pads=[pad] * 4, group=group)

    def dense(self, x: str, c_in: int, c_out: int) -> str:
        """Mean over all pixels, then a linear layer."""
        flat = self.op("Flatten", self.op("GlobalAveragePool", x))
        return self.op("Gemm", flat, self.random(c_in, c_out), self.random(c_out))

    def reshape(self, x: str, *shape: int) -> str:
        return self.op("Reshape", x, self.const(shape, "int64"))


def _value(name: str, shape: Dims, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(
    net: Net,
    inputs: list[onnx.ValueInfoProto],
    results: dict[str, str],
    outputs: list[onnx.ValueInfoProto],
    opset: int = 17,
    ir_version: int = 9,
    domain: str = "",
) -> onnx.ModelProto:
    """results: the graph's output name -> the name inside the net."""
    ends = [helper.make_node("Identity", [inner], [outer]) for outer, inner in results.items()]
    graph = helper.make_graph([*net.nodes, *ends], "graph", inputs, outputs, net.weights)
    opsets = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version, producer_name="tests")


def _head(net: Net, image: str, columns: int, anchors: int, size: int) -> str:
    """Predictions [1, rows, columns] of three strides, 8, 16 and 32, each from one convolution."""
    levels = []
    for stride in (8, 16, 32):
        cells = (size // stride) ** 2
        grid = net.reshape(net.conv(image, 3, anchors * columns, stride, stride), 1, anchors, columns, cells)
        levels.append(net.reshape(net.op("Transpose", grid, perm=[0, 1, 3, 2]), 1, anchors * cells, columns))
    return net.op("Sigmoid", net.op("Concat", *levels, axis=1))


def _rows(anchors: int, size: int) -> int:
    return anchors * sum((size // stride) ** 2 for stride in (8, 16, 32))


def yolov5_like(classes: int = 2, size: int = 640) -> onnx.ModelProto:
    """images [1, 3, 640, 640] -> output0 [1, 25200, 5 + classes]: x y w h objectness scores."""
    net = Net()
    boxes = net.op("Mul", _head(net, "images", 5 + classes, 3, size), net.const([size] * 4 + [1] * (1 + classes)))
    outputs = [_value("output0", [1, _rows(3, size), 5 + classes])]
    return _model(net, [_value("images", [1, 3, size, size])], {"output0": boxes}, outputs, opset=12, ir_version=8)


def yolov8_like(classes: int = 2, size: int = 640) -> onnx.ModelProto:
    """images [1, 3, 640, 640] -> output0 [1, 4 + classes, 8400]: x y w h scores."""
    net = Net()
    boxes = net.op("Mul", _head(net, "images", 4 + classes, 1, size), net.const([size] * 4 + [1] * classes))
    turned = net.op("Transpose", boxes, perm=[0, 2, 1])
    outputs = [_value("output0", [1, 4 + classes, _rows(1, size)])]
    return _model(net, [_value("images", [1, 3, size, size])], {"output0": turned}, outputs)


def yolov7_like(size: int = 640) -> onnx.ModelProto:
    """images [1, 3, 640, 640] -> output [n, 7]: batch x1 y1 x2 y2 class score, after its own NMS."""
    net = Net()
    rows = net.op("Mul", _head(net, "images", 5, 1, size), net.const([size] * 4 + [1]))
    corners = net.op("Slice", rows, net.const([0], "int64"), net.const([4], "int64"), net.const([2], "int64"))
    scores = net.op("Slice", rows, net.const([4], "int64"), net.const([5], "int64"), net.const([2], "int64"))
    limits = net.const([20], "int64"), net.const([0.45]), net.const([0.25])
    kept = net.op("NonMaxSuppression", corners, net.op("Transpose", scores, perm=[0, 2, 1]), *limits)
    index = net.op("Gather", kept, net.const(2, "int64"), axis=1)
    box = net.op("Gather", net.reshape(corners, -1, 4), index, axis=0)
    score = net.op("Gather", net.reshape(scores, -1, 1), index, axis=0)
    first = net.op("Cast", net.op("Gather", kept, net.const([0, 1], "int64"), axis=1), to=FLOAT)
    batch, kind = (net.op("Gather", first, net.const([column], "int64"), axis=1) for column in (0, 1))
    result = net.op("Concat", batch, box, kind, score, axis=1)
    return _model(net, [_value("images", [1, 3, size, size])], {"output": result}, [_value("output", ["n", 7])], 12, 8)


def _mobilenet(net: Net, image: str, channels: int, classes: int) -> str:
    x = net.op("Clip", net.conv(image, channels, 8, 3, 2), net.const(0.0), net.const(6.0))
    x = net.op("Clip", net.conv(x, 8, 8, 3, 2, group=8), net.const(0.0), net.const(np.inf))
    return net.dense(net.conv(x, 8, 16, 1), 16, classes)


def mobilenet_like(classes: int = 1000, size: int = 224) -> onnx.ModelProto:
    """input [1, 3, 224, 224] -> output [1, 1000]: depthwise convolutions; one Clip ends at infinity."""
    net = Net()
    scores = _mobilenet(net, "input", 3, classes)
    return _model(net, [_value("input", [1, 3, size, size])], {"output": scores}, [_value("output", [1, classes])])


def _resnet(net: Net, image: str, classes: int) -> str:
    x = net.op("MaxPool", net.op("Relu", net.conv(image, 3, 8, 7, 4)), kernel_shape=[2, 2], strides=[2, 2])
    branch = net.conv(net.op("Relu", net.conv(x, 8, 8, 3)), 8, 8, 3)
    return net.dense(net.op("Relu", net.op("Add", x, branch)), 8, classes)


def resnet18_like(classes: int = 1000, size: int = 224) -> onnx.ModelProto:
    """input [1, 3, 224, 224] -> output [1, 1000]: a residual block."""
    net = Net()
    scores = _resnet(net, "input", classes)
    return _model(net, [_value("input", [1, 3, size, size])], {"output": scores}, [_value("output", [1, classes])])


def dynamic(classes: int = 10) -> onnx.ModelProto:
    """image [batch, 3, height, width] -> scores [batch, classes], every size open."""
    net = Net()
    inputs = [_value("image", ["batch", 3, "height", "width"])]
    return _model(net, inputs, {"scores": _mobilenet(net, "image", 3, classes)}, [_value("scores", ["batch", classes])])


def multi_io() -> onnx.ModelProto:
    """Four inputs (image, state [n, 8], mode int64, flag bool) and three outputs."""
    net = Net()
    features = net.dense(net.conv("image", 1, 8, 3, 2), 8, 8)
    mixed = net.op("Add", features, net.op("Where", "flag", "state", net.const(np.zeros((1, 8)))))
    shifted = net.op("Add", mixed, net.op("Cast", "mode", to=FLOAT))
    inputs = [
        _value("image", [1, 1, 64, 64]),
        _value("state", ["n", 8]),
        _value("mode", [1], TensorProto.INT64),
        _value("flag", [1], TensorProto.BOOL),
    ]
    results = {"scores": net.op("Softmax", shifted), "features": mixed, "next": net.op("Tanh", shifted)}
    return _model(net, inputs, results, [_value(name, ["n", 8]) for name in results])


def _integer_input(kind: int, shape: Dims, channels_last: bool) -> onnx.ModelProto:
    net = Net()
    pixels = net.op("Cast", "image", to=FLOAT)
    pixels = net.op("Transpose", pixels, perm=[0, 3, 1, 2]) if channels_last else pixels
    channels = shape[3] if channels_last else shape[1]
    scores = _mobilenet(net, net.op("Mul", pixels, net.const(1 / 255)), int(channels), 4)
    return _model(net, [_value("image", shape, kind)], {"scores": scores}, [_value("scores", [1, 4])])


def uint8_input() -> onnx.ModelProto:
    """image uint8 [1, 96, 96, 3] (channels last) -> scores [1, 4]."""
    return _integer_input(TensorProto.UINT8, [1, 96, 96, 3], channels_last=True)


def int8_input() -> onnx.ModelProto:
    """image int8 [1, 1, 64, 64] -> scores [1, 4]."""
    return _integer_input(TensorProto.INT8, [1, 1, 64, 64], channels_last=False)


def old_opset(opset: int = 9) -> onnx.ModelProto:
    """A residual classifier of opset 9, input [1, 3, 64, 64]."""
    net = Net()
    scores = _resnet(net, "input", 10)
    return _model(net, [_value("input", [1, 3, 64, 64])], {"output": scores}, [_value("output", [1, 10])], opset, 4)


def weights_as_inputs() -> onnx.ModelProto:
    """The same of opset 9 and IR 3, where every weight is listed as a graph input too."""
    model = old_opset()
    model.ir_version = 3
    listed = [_value(one.name, list(one.dims), one.data_type) for one in model.graph.initializer]
    model.graph.input.extend(listed)
    return model


def nan_weights(value: float = float("nan")) -> onnx.ModelProto:
    """A classifier with one weight that is not finite."""
    model = resnet18_like(4, 64)
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights.flat[7] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "weight_0"))
    return model


def constant_output() -> onnx.ModelProto:
    """A classifier whose scores never depend on the frame."""
    net = Net()
    scores = net.op("Mul", _mobilenet(net, "image", 3, 4), net.const(0.0))
    answer = net.op("Add", scores, net.const([[0.1, 0.7, 0.1, 0.1]]))
    return _model(net, [_value("image", [1, 3, 64, 64])], {"scores": answer}, [_value("scores", [1, 4])])


def endless_loop() -> onnx.ModelProto:
    """A classifier behind a Loop of 2^62 rounds whose condition stays true: it loads, and never answers."""
    net = Net()
    scores = _mobilenet(net, "image", 3, 4)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Neg", ["old"], ["new"])],
        "body",
        [_value("round", [], TensorProto.INT64), _value("go", [], TensorProto.BOOL), _value("old", [1, 4])],
        [_value("go_on", [], TensorProto.BOOL), _value("new", [1, 4])],
    )
    looped = net.op("Loop", net.const(1 << 62, "int64"), net.const(True, "bool"), scores, body=body)
    return _model(net, [_value("image", [1, 3, 64, 64])], {"scores": looped}, [_value("scores", [1, 4])])


def allocation_bomb(elements: int = 1 << 38) -> onnx.ModelProto:
    """A classifier that asks for `elements` floats (1 TiB) at run time; the size hides from constant folding."""
    net = Net()
    scores = _mobilenet(net, "image", 3, 4)
    zero = net.op("Mul", net.op("ReduceMax", scores, keepdims=0), net.const(0.0))
    size = net.op("Cast", net.op("Add", zero, net.const([elements >> 20, 1 << 20])), to=TensorProto.INT64)
    huge = net.op("Expand", net.op("ReduceMax", scores, keepdims=0), size)
    answer = net.op("Add", scores, net.op("ReduceMean", huge, keepdims=0))
    return _model(net, [_value("image", [1, 3, 64, 64])], {"scores": answer}, [_value("scores", [1, 4])])


def unsupported_op() -> onnx.ModelProto:
    """A classifier with an operator of a domain that no engine knows: it does not load."""
    net = Net()
    scores = net.op("Bespoke", _mobilenet(net, "image", 3, 4), domain="com.example")
    inputs, outputs = [_value("image", [1, 3, 64, 64])], [_value("scores", [1, 4])]
    return _model(net, inputs, {"scores": scores}, outputs, domain="com.example")


def fails_at_run_time() -> onnx.ModelProto:
    """A classifier that loads and then fails at its first frame: an index computed from the frame is out of range."""
    net = Net()
    scores = _mobilenet(net, "image", 3, 4)
    zero = net.op("Mul", net.op("ReduceMax", scores, keepdims=0), net.const(0.0))
    index = net.op("Cast", net.op("Add", zero, net.const([999.0])), to=TensorProto.INT64)
    answer = net.op("Add", scores, net.op("Gather", scores, index, axis=1))
    return _model(net, [_value("image", [1, 3, 64, 64])], {"scores": answer}, [_value("scores", [1, 4])])


SOUND = {
    one.__name__: one
    for one in (
        yolov5_like, yolov7_like, yolov8_like, mobilenet_like, resnet18_like, dynamic, multi_io, uint8_input,
        int8_input, old_opset, weights_as_inputs, constant_output,
    )
}  # fmt: skip


def save(model: onnx.ModelProto, path: Path) -> Path:
    """Write the model to `path`; no external data."""
    path.write_bytes(model.SerializeToString())
    return path
