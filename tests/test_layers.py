"""Multiply-adds and bytes of a model file, against numbers by hand, the other format, and the `onnx` package."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from harness.case import ExtraInput, InputSpec
from harness.errors import ModelFileError
from harness.layercost import read_network
from harness.layers import precision_named
from tests.modelfile import onnx_models, tflite_models
from tests.modelfile.onnx_models import Net, _model, _value

SHIPPED = ("distraction", "eye_state", "face_detection", "gaze", "head_counting")


@pytest.fixture
def network(tmp_path):
    """The network of an ONNX model, or of the one output of a Net over one image."""

    def read(model, image=None, extras=()):
        return read_network(onnx_models.save(model, tmp_path / "model.onnx"), image, extras)

    return read


@pytest.fixture
def built(network):
    """The network of what `build` adds to a Net behind the input x."""

    def read(build: Callable[[Net], str], *shape: int, opset: int = 17):
        net = Net()
        result = build(net)
        return network(_model(net, [_value("x", list(shape))], {"y": result}, [_value("y", None)], opset))

    return read


def conv(*weights: int, **attributes: object) -> Callable[[Net], str]:
    return lambda net: net.op("Conv", "x", net.random(*weights), **attributes)


def pixels(net: Net) -> str:
    return net.op("Cast", "x", to=TensorProto.UINT8)


def integers(net: Net, *shape: int) -> str:
    return net.const(np.ones(shape), "int8")


def linear(net: Net, operator: str, weights: str) -> str:
    """Pixels, weights and result, each with a scale and a zero point."""
    scale, zero = net.const(0.1), net.const(3, "uint8")
    return net.op(operator, pixels(net), scale, zero, weights, scale, net.const(0, "int8"), scale, zero)


BY_HAND = [
    ("a plain convolution", conv(8, 3, 3, 3), (1, 3, 10, 12), 8 * 8 * 10 * 3 * 9),
    ("with stride and padding", conv(8, 3, 3, 3, strides=[2, 2], pads=[1] * 4), (1, 3, 10, 12), 8 * 5 * 6 * 27),
    ("with groups", conv(8, 2, 3, 3, group=2, pads=[1] * 4), (1, 4, 6, 6), 8 * 36 * 2 * 9),
    ("depthwise", conv(4, 1, 3, 3, group=4, pads=[1] * 4), (1, 4, 6, 6), 4 * 36 * 9),
    ("dilated", conv(2, 1, 3, 3, dilations=[2, 2]), (1, 1, 9, 9), 2 * 25 * 9),
    ("of a batch of five", conv(8, 3, 1, 1), (5, 3, 4, 4), 5 * 8 * 16 * 3),
    ("in one dimension", conv(4, 2, 5), (1, 2, 20), 4 * 16 * 2 * 5),
    ("padded to the same size", conv(2, 1, 3, 3, auto_pad="SAME_UPPER", strides=[2, 2]), (1, 1, 7, 9), 2 * 20 * 9),
    ("transposed", lambda n: n.op("ConvTranspose", "x", n.random(4, 6, 2, 2), strides=[2, 2]), (1, 4, 5, 5), 600 * 4),
    ("Gemm", lambda n: n.op("Gemm", "x", n.random(6, 9), n.random(9)), (3, 6), 3 * 9 * 6),
    ("Gemm, both turned", lambda n: n.op("Gemm", "x", n.random(9, 6), transA=1, transB=1), (6, 3), 3 * 9 * 6),
    ("MatMul with a batch", lambda n: n.op("MatMul", "x", n.random(5, 7)), (2, 3, 4, 5), 2 * 3 * 4 * 7 * 5),
    ("MatMul of activations", lambda n: n.op("MatMul", "x", n.op("Transpose", "x", perm=[0, 2, 1])), (2, 4, 5), 160),
    ("MatMul with a vector", lambda n: n.op("MatMul", "x", n.random(5)), (4, 5), 20),
    ("LSTM", lambda n: n.op("LSTM", "x", n.random(1, 32, 6), n.random(1, 32, 8)), (7, 2, 6), 7 * 2 * 32 * (6 + 8)),
    ("GRU", lambda n: n.op("GRU", "x", n.random(2, 24, 6), n.random(2, 24, 8)), (7, 1, 6), 7 * 2 * 24 * (6 + 8)),
    ("RNN", lambda n: n.op("RNN", "x", n.random(1, 8, 6), n.random(1, 8, 8)), (7, 2, 6), 7 * 2 * 8 * (6 + 8)),
    ("ConvInteger", lambda n: n.op("ConvInteger", pixels(n), integers(n, 4, 3, 3, 3)), (1, 3, 6, 6), 4 * 16 * 27),
    ("MatMulInteger", lambda n: n.op("MatMulInteger", pixels(n), integers(n, 5, 7)), (4, 5), 4 * 5 * 7),
    ("QLinearConv", lambda n: linear(n, "QLinearConv", integers(n, 4, 3, 3, 3)), (1, 3, 6, 6), 4 * 16 * 27),
    ("QLinearMatMul", lambda n: linear(n, "QLinearMatMul", integers(n, 5, 7)), (4, 5), 4 * 5 * 7),
    ("no multiply-add at all", lambda n: n.op("Relu", "x"), (1, 3, 4, 4), 0),
]  # fmt: skip


@pytest.mark.parametrize(("build", "shape", "macs"), [one[1:] for one in BY_HAND], ids=[one[0] for one in BY_HAND])
def test_the_multiply_adds_of_an_operator_are_those_by_hand(built, build, shape, macs):
    found = built(build, *shape)
    assert found.macs == macs
    assert not found.uncounted or set(found.uncounted) == {"an open input or output"}


def behind(build: Callable[[Net], str], channels: int) -> Callable[[Net], str]:
    """What `build` gives, then a 1x1 convolution whose multiply-adds tell its height times width."""
    return lambda net: net.op("Conv", build(net), net.random(1, channels, 1, 1))


def sizes(net: Net, *values: int) -> str:
    return net.const(values, "int64")


SHAPES = [
    ("MaxPool, ceil", lambda n: n.op("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), 4, 3 * 4),
    ("AveragePool", lambda n: n.op("AveragePool", "x", kernel_shape=[3, 3], pads=[1] * 4), 4, 35),
    ("Concat", lambda n: n.op("Concat", "x", "x", axis=1), 8, 35),
    ("Slice", lambda n: n.op("Slice", "x", sizes(n, 1), sizes(n, 2**60), sizes(n, 2), sizes(n, 2)), 4, 2 * 7),
    ("Slice back", lambda n: n.op("Slice", "x", sizes(n, -1), sizes(n, -(2**60)), sizes(n, 3), sizes(n, -2)), 4, 20),
    ("Split", lambda n: n.op("Split", "x", sizes(n, 3, 1), outputs=2, axis=1), 3, 35),
    ("Pad", lambda n: n.op("Pad", "x", sizes(n, 0, 0, 1, 2, 0, 0, 1, 2)), 4, 7 * 11),
    ("Resize by scales", lambda n: n.op("Resize", "x", "", n.const([1, 1, 2, 2])), 4, 10 * 14),
    ("Resize to sizes", lambda n: n.op("Resize", "x", "", "", sizes(n, 1, 4, 8, 9)), 4, 72),
    ("DepthToSpace", lambda n: n.op("DepthToSpace", "x", blocksize=2), 1, 140),
    ("SpaceToDepth", lambda n: n.op("SpaceToDepth", n.op("Tile", "x", sizes(n, 1, 1, 2, 2)), blocksize=2), 16, 35),
    ("Transpose", lambda n: n.op("Transpose", "x", perm=[0, 2, 1, 3]), 5, 28),
    ("Reshape with -1 and 0", lambda n: n.op("Reshape", "x", sizes(n, 0, 2, -1, 7)), 2, 70),
    ("Squeeze, Unsqueeze", lambda n: n.op("Unsqueeze", n.op("Squeeze", "x", sizes(n, 0)), sizes(n, 0)), 4, 35),
    ("ReduceMean", lambda n: n.op("ReduceMean", "x", axes=[2]), 4, 7),
    ("Gather", lambda n: n.op("Gather", "x", sizes(n, 0, 2, 1), axis=2), 4, 21),
    ("Expand", lambda n: n.op("Expand", n.op("GlobalAveragePool", "x"), sizes(n, 1, 4, 3, 3)), 4, 9),
    ("a broadcast sum", lambda n: n.op("Add", "x", n.random(1, 1, 1, 7)), 4, 35),
]  # fmt: skip


@pytest.mark.parametrize(("build", "channels", "places"), [one[1:] for one in SHAPES], ids=[one[0] for one in SHAPES])
def test_shapes_go_through_what_stands_between_convolutions(built, build, channels, places):
    found = built(behind(build, channels), 1, 4, 5, 7)
    assert found.macs == channels * places
    assert "Conv" not in found.uncounted


def test_sizes_that_an_exporter_computes_from_the_input_are_followed(built):
    def head(net):
        batch = net.op("Gather", net.op("Shape", "x"), net.const(0, "int64"))
        size = net.op("Concat", net.op("Unsqueeze", batch, sizes(net, 0)), net.const([-1], "int64"), axis=0)
        return net.op("MatMul", net.op("Reshape", "x", size), net.random(4 * 5 * 7, 10))

    assert built(head, 1, 4, 5, 7).macs == 1400


def test_half_of_a_size_is_computed_as_the_graph_does(built):
    def halved(net):
        height = net.op("Slice", net.op("Shape", "x"), sizes(net, 2), sizes(net, 4))
        half = net.op("Cast", net.op("Div", height, net.const([2, 2], "int64")), to=TensorProto.INT64)
        return net.op("Resize", "x", "", "", net.op("Concat", sizes(net, 1, 4), half, axis=0))

    assert built(behind(halved, 4), 1, 4, 5, 7).macs == 4 * 2 * 3


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_both_formats_of_a_shipped_net_have_the_same_multiply_adds(checkout, name, variant):
    found = [read_network(checkout / f"suites/models/{name}/{variant}.{one}") for one in ("onnx", "tflite")]
    assert found[0].macs == found[1].macs > 1e8
    assert [len(one.working) for one in found] == [len(found[0].working)] * 2
    assert not found[0].uncounted
    assert not found[1].uncounted
    assert {layer.precision for one in found for layer in one.working} == {variant}


@pytest.mark.parametrize("name", SHIPPED)
def test_int8_files_have_a_quarter_of_the_parameters(checkout, name):
    whole, quarter = (read_network(checkout / f"suites/models/{name}/{one}.tflite") for one in ("fp32", "int8"))
    assert 0.25 <= quarter.parameter_bytes / whole.parameter_bytes < 0.26


def inferred_macs(model: onnx.ModelProto) -> int:
    """Of the convolutions and linear layers, from the shapes that the onnx package infers."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    shapes = {one.name: [size.dim_value for size in one.type.tensor_type.shape.dim]
              for one in (*graph.input, *graph.value_info, *graph.output)}  # fmt: skip
    shapes |= {one.name: list(one.dims) for one in graph.initializer}
    total = 0
    for node in graph.node:
        output = math.prod(shapes[node.output[0]]) if node.op_type in ("Conv", "Gemm", "MatMul") else 0
        if node.op_type == "Conv":
            total += output * math.prod(shapes[node.input[1]][1:])
        elif output:
            turned = any(one.name == "transA" and one.i for one in node.attribute)
            total += output * shapes[node.input[0]][0 if turned else -1]
    return total


@pytest.mark.parametrize("name", ["mobilenet_like", "resnet18_like", "old_opset", "uint8_input", "yolov5_like",
                                  "yolov8_like"])  # fmt: skip
def test_the_count_is_that_of_the_onnx_packages_shapes(network, name):
    model = onnx_models.SOUND[name]()
    found = network(model)
    assert found.macs == inferred_macs(model) > 0
    assert not found.uncounted


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_shapes_of_the_shipped_nets_are_those_of_the_onnx_package(checkout, name, variant):
    path = checkout / f"suites/models/{name}/{variant}.onnx"
    assert read_network(path).macs == inferred_macs(onnx.load(path))


def test_a_mobilenet_like_net_by_hand(network):
    found = network(onnx_models.mobilenet_like(classes=10, size=32))
    first, depthwise, pointwise, dense = 16 * 16 * 8 * 27, 8 * 8 * 8 * 9, 8 * 8 * 16 * 8, 160
    assert [one.macs for one in found.working] == [first, depthwise, pointwise, dense]
    assert found.working[0].parameter_bytes == 4 * (8 * 27 + 8)
    assert found.working[0].read_bytes == 4 * 3 * 32 * 32
    assert found.working[0].written_bytes == 4 * 8 * 16 * 16
    assert (found.input_bytes, found.output_bytes) == (4 * 3 * 32 * 32, 40)


def test_weights_that_two_layers_share_are_read_once(built):
    def twice(net):
        weights = net.random(4, 4, 1, 1)
        return net.op("Conv", net.op("Conv", "x", weights), weights)

    assert built(twice, 1, 4, 8, 8).parameter_bytes == 4 * 16


def test_what_no_output_needs_and_what_is_constant_costs_nothing(built):
    def folded(net):
        net.op("Conv", "x", net.random(64, 4, 3, 3))
        product = net.op("MatMul", net.random(4, 16), net.random(16, 4))
        return net.op("Conv", "x", net.op("Reshape", product, sizes(net, 4, 4, 1, 1)))

    found = built(folded, 1, 4, 8, 8)
    assert found.macs == 4 * 64 * 4
    assert found.parameter_bytes == 4 * 16


def test_weights_in_constant_nodes_are_parameters(built):
    def made(net):
        stored = onnx.numpy_helper.from_array(np.ones((2, 4, 20, 20), np.float32))
        return net.op("Conv", "x", net.op("Constant", value=stored))

    found = built(made, 1, 4, 20, 20)
    assert (found.macs, found.parameter_bytes) == (3200, 12800)


def test_rows_of_a_table_are_read_and_not_the_table(built):
    found = built(lambda n: n.op("Gather", n.random(500, 8), n.op("Cast", "x", to=TensorProto.INT64)), 3)
    assert found.layers[-2].parameter_bytes == 3 * 8 * 4


def test_half_precision_is_told_from_the_files_types(built):
    def half(net):
        weights = net.const(np.ones((2, 4, 1, 1)), "float16")
        return net.op("Conv", net.op("Cast", "x", to=TensorProto.FLOAT16), weights)

    (layer,) = built(half, 1, 4, 8, 8).working
    assert (layer.precision, layer.parameter_bytes, layer.read_bytes) == ("fp16", 16, 512)


@pytest.mark.parametrize("image", [InputSpec(64, 48, colour="rgb"), InputSpec(64, 48, "image", colour="rgb")])
def test_open_sizes_are_those_of_the_card(network, image):
    found = network(onnx_models.dynamic(), image)
    assert found.macs == 24 * 32 * 8 * 27 + 12 * 16 * 8 * 9 + 12 * 16 * 16 * 8 + 160
    assert not found.uncounted


def test_open_sizes_without_a_card_are_named_and_not_taken_for_nothing(network):
    found = network(onnx_models.dynamic())
    assert found.macs == 0
    assert found.uncounted["Conv"] == 3
    assert found.uncounted["Gemm"] == 1
    assert found.uncounted["an open input or output"] == 1


@pytest.mark.parametrize("image", [InputSpec(64, 48, colour="rgb", layout="NHWC"), InputSpec(64, 48)])
def test_a_card_that_does_not_fit_the_file_settles_no_size(network, image):
    assert network(onnx_models.dynamic(), image).uncounted["Conv"] == 3


def test_further_inputs_have_the_cards_sizes_too(network):
    state = ExtraInput("state", (1, 8))
    assert not network(onnx_models.multi_io(), InputSpec(64, 64, "image"), [state]).uncounted
    assert network(onnx_models.multi_io(), InputSpec(64, 64, "image")).uncounted


@pytest.mark.parametrize(
    ("name", "operators"),
    [
        ("unsupported_op", {"com.example.Bespoke"}),
        ("endless_loop", {"Loop"}),
        ("yolov7_like", {"NonMaxSuppression"}),
    ],
)
def test_an_operator_whose_cost_is_not_known_is_named_and_the_rest_is_counted(network, name, operators):
    model = {one.__name__: one for one in (*onnx_models.SOUND.values(), onnx_models.unsupported_op,
                                           onnx_models.endless_loop)}[name]()  # fmt: skip
    found = network(model)
    assert operators <= set(found.uncounted)
    assert found.macs > 0


def test_behind_an_unknown_operator_the_files_own_shapes_count(network):
    net = Net()
    odd = net.op("Odd", "x", domain="com.example")
    out = net.op("Conv", odd, net.random(2, 4, 1, 1))
    inputs, outputs = [_value("x", [1, 4, 8, 8])], [_value("y", [1, 2, 4, 4])]
    model = _model(net, inputs, {"y": out}, outputs, domain="com.example")
    assert network(model).uncounted == {"com.example.Odd": 1, "Conv": 1}
    model.graph.value_info.append(_value(odd, [1, 4, 4, 4]))
    found = network(model)
    assert (found.macs, found.uncounted) == (2 * 16 * 4, {"com.example.Odd": 1})


@pytest.mark.parametrize("attributes", [{"strides": [0, 0]}, {"strides": [1]}, {"pads": [-99] * 4}])
def test_attributes_that_do_not_fit_make_a_cost_unknown_and_never_crash(built, attributes):
    found = built(conv(8, 3, 3, 3, **attributes), 1, 3, 10, 12)
    assert found.uncounted["Conv"] == 1
    assert found.macs == 0


def test_a_range_or_filling_of_any_length_takes_no_memory(built):
    def endless(net):
        far = net.op("Range", net.const(0, "int64"), net.const(2**62, "int64"), net.const(1, "int64"))
        huge = net.op("ConstantOfShape", sizes(net, 2**40, 2**20))
        return net.op("Add", net.op("ReduceMax", far, keepdims=0), net.op("ReduceMax", huge, keepdims=0))

    assert built(endless, 1).macs == 0


def tflite(tmp_path, model, image=None):
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite_models.to_bytes(model))
    return read_network(path, image)


@pytest.mark.parametrize(("dtype", "precision", "stored"), [("float32", "fp32", 48), ("int8", "int8", 12)])
def test_a_tflite_classifier_by_hand(tmp_path, dtype, precision, stored):
    found = tflite(tmp_path, tflite_models.classifier(dtype))
    (dense,) = found.working
    assert (dense.operator, dense.macs, dense.precision) == ("FULLY_CONNECTED", 12, precision)
    assert found.parameter_bytes == stored
    assert (found.input_bytes, found.output_bytes) == (stored * 16, stored // 3)


def one_operator(code, shapes, inputs, adjoint=False):
    """A TFLite file of one operator; shapes: of its tensors, the last is its result. Tensor 0 is the image."""
    model = tflite_models.classifier()
    graph = model.subgraphs[0]
    graph.tensors = [tflite_models._tensor(f"t{at}", shape, "float32", 0) for at, shape in enumerate(shapes)]
    graph.inputs, graph.outputs, graph.operators = [0], [len(shapes) - 1], graph.operators[:1]
    graph.operators[0].inputs, graph.operators[0].outputs = inputs, graph.outputs
    if code == schema.BuiltinOperator.BATCH_MATMUL:
        options = schema.BatchMatMulOptionsT()
        options.adjX = adjoint
        graph.operators[0].builtinOptions, graph.operators[0].builtinOptionsType = (
            options, schema.BuiltinOptions.BatchMatMulOptions
        )  # fmt: skip
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = code
    return model


@pytest.mark.parametrize(
    ("model", "macs"),
    [
        (one_operator(3, [[1, 8, 8, 6], [10, 3, 3, 2], [1, 8, 8, 10]], [0, 1, -1]), 640 * 18),
        (one_operator(4, [[1, 8, 8, 6], [1, 3, 3, 6], [1, 4, 4, 6]], [0, 1, -1]), 96 * 9),
        (one_operator(67, [[1, 4, 4, 6], [10, 2, 2, 6], [4], [1, 8, 8, 10]], [2, 1, 0]), 96 * 40),
        (one_operator(126, [[2, 3, 5], [2, 5, 7], [2, 3, 7]], [0, 1]), 42 * 5),
        (one_operator(126, [[2, 5, 3], [2, 5, 7], [2, 3, 7]], [0, 1], adjoint=True), 42 * 5),
    ],
    ids=["CONV_2D with groups", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL", "BATCH_MATMUL, turned"],
)
def test_the_multiply_adds_of_a_tflite_operator_are_those_by_hand(tmp_path, model, macs):
    assert tflite(tmp_path, model).macs == macs


@pytest.mark.parametrize(
    ("code", "name"), [(32, "CUSTOM"), (16, "LSTM"), (120, "NON_MAX_SUPPRESSION_V4"), (900, "operator 900")]
)
def test_a_tflite_operator_whose_cost_is_not_known_is_named(tmp_path, code, name):
    model = tflite_models.classifier()
    model.operatorCodes[0].builtinCode, model.operatorCodes[0].deprecatedBuiltinCode = code, min(code, 127)
    found = tflite(tmp_path, model)
    assert found.uncounted == {name: 1}
    assert found.macs == 12


def test_a_custom_operator_has_its_own_name(tmp_path):
    model = tflite_models.classifier()
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = 32
    model.operatorCodes[0].customCode = "Bespoke"
    assert tflite(tmp_path, model).uncounted == {"CUSTOM Bespoke": 1}


def test_a_tflite_file_for_other_sizes_than_the_cards_has_no_known_cost(tmp_path):
    model = tflite_models.classifier(size=8)
    spec = InputSpec(8, 8, colour="rgb", layout="NHWC")
    assert tflite(tmp_path, model, spec).macs == 12
    other = tflite(tmp_path, model, InputSpec(16, 8, colour="rgb", layout="NHWC"))
    assert other.macs == 0
    assert other.uncounted["FULLY_CONNECTED"] == 1


def test_a_left_out_weight_is_not_taken_for_the_last_tensor(tmp_path):
    model = tflite_models.classifier()
    model.subgraphs[0].operators[1].inputs = [1, -1, -1]
    assert tflite(tmp_path, model).uncounted == {"FULLY_CONNECTED": 1}


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x09"])
def test_what_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError):
        read_network(path)


@pytest.mark.parametrize(
    ("text", "name"),
    [("FP16", "fp16"), ("u8", "int8"), ("Float", "fp32"), ("bf16", "fp16"), ("TF32", "tf32"), ("i64", ""),
     ("as in the file", ""), ("boolean", "")],
)  # fmt: skip
def test_every_engines_spelling_of_a_precision_is_understood(text, name):
    assert precision_named(text) == name


def test_an_if_is_named_because_its_branches_are_not_counted(network):
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [_value("r", [1, 4])])
    net = Net()
    chosen = net.op("If", "flag", then_branch=branch, else_branch=branch)
    inputs = [_value("x", [1, 4]), _value("flag", [], TensorProto.BOOL)]
    assert network(_model(net, inputs, {"y": chosen}, [_value("y", [1, 4])])).uncounted == {"If": 1}


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_damaged_file_is_refused_or_counted_and_never_crashes(tmp_path, suffix, damage):
    whole = onnx_models.resnet18_like(4, 32).SerializeToString()
    content = bytearray(whole if suffix == "onnx" else tflite_models.to_bytes(tflite_models.classifier()))
    for place, value in damage:
        content[int(place * len(content))] = value
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(ModelFileError):
        assert read_network(path).macs >= 0
