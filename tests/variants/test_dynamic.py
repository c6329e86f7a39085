"""Weights in 8 or 4 bits without calibration: which layers were taken, what it computes in, and that it runs."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness.errors import ConfigError, EngineError, HarnessError
from harness.variants.onnxfile.layers import graph_of, weighted
from harness.variants.quantise.dynamic import dynamic, quantise
from tests.modelfile.onnx_models import Net
from tests.variants.onnx_classifier import (
    FIRST,
    LAST,
    SECOND,
    THIRD,
    answers,
    bench,
    classifier,
    feeds,
    finished,
    noise,
    recipe,
)

FOUR_BITS = pytest.mark.skipif(find_spec("onnx_ir") is None, reason="4-bit weights are packed with onnx_ir")
RECIPES = (
    {},
    {"convolutions": False},
    {"compute": "float"},
    pytest.param({"weights": "int4"}, marks=FOUR_BITS),
    pytest.param({"weights": "int4", "compute": "float"}, marks=FOUR_BITS),
)


@pytest.fixture
def made(tmp_path):
    """Makes the ONNX file; the file and its facts."""

    def make(model=None, engines=("onnxruntime",), **options):
        place = bench(tmp_path, classifier() if model is None else model, engines)
        found = dynamic(recipe("dynamic", **options), place)
        return found.files["onnx"], found.facts["onnx"]

    return make


@pytest.mark.parametrize("options", RECIPES)
def test_the_same_recipe_gives_the_same_bytes(made, options):
    first = made(**options)[0].read_bytes()
    assert made(**options)[0].read_bytes() == first


@pytest.mark.parametrize(
    ("options", "taken", "integers", "most_noise"),
    [
        ({}, 4, (3, 1), 0.1),
        ({"convolutions": False}, 1, (0, 1), 0.05),
        ({"compute": "float"}, 4, (0, 0), 0.1),
        ({"exclude": [SECOND, LAST]}, 2, (2, 0), 0.1),
        ({"compute": "float", "exclude": [FIRST, SECOND, LAST]}, 1, (0, 0), 0.05),
        pytest.param({"weights": "int4", "compute": "float"}, 1, (0, 0), 0.6, marks=FOUR_BITS),
    ],
)
def test_the_layers_that_were_taken_are_counted(made, tmp_path, options, taken, integers, most_noise):
    path, facts = made(**options)
    assert (facts["layers"], facts["quantised_layers"]) == (4, taken)
    assert (facts["integer_convolutions"], facts["integer_products"]) == integers
    assert 0 < noise(path, tmp_path / "fp32.onnx") < most_noise
    if taken < 4 - len(facts["excluded"]):
        assert f"{4 - taken} of 4 layers keep their float weights" in facts["notes"]


def test_weights_alone_are_within_half_a_step_of_each_channel(made):
    path, _ = made(compute="float")
    found = graph_of(onnx.load(str(path)))
    parent = {one.name: numpy_helper.to_array(one) for one in classifier().graph.initializer}
    for node in weighted(found):
        rounding = found.makers[node.input[1]]
        values, scales = (numpy_helper.to_array(found.weights[name]) for name in rounding.input[:2])
        axis = next(one.i for one in rounding.attribute if one.name == "axis")
        wanted = parent[rounding.input[0].partition("/")[0]]
        shape = [-1 if at == axis else 1 for at in range(values.ndim)]
        assert values.dtype == np.int8
        assert np.all(np.abs(values * scales.reshape(shape) - wanted) <= 0.5001 * scales.reshape(shape))
        assert scales.size == wanted.shape[axis]


def test_weights_that_two_layers_share_are_rounded_once(made):
    net = Net()
    first = net.conv("image", 1, 8, 3)
    again = net.op("Conv", "image", *net.nodes[-1].input[1:], strides=[1, 1], pads=[1, 1, 1, 1])
    path, facts = made(finished(net, net.dense(net.op("Add", first, again), 8, 2)), compute="float")
    assert facts["quantised_layers"] == 3
    assert sum(one.op_type == "DequantizeLinear" for one in onnx.load(str(path)).graph.node) == 2


@pytest.mark.parametrize("options", [{}, {"compute": "float"}])
def test_the_price_in_time_is_told_for_the_engine_that_pays_it(made, options):
    assert any("latency of FP32" in one for one in made(**options)[1]["notes"])
    assert not any("latency" in one for one in made(engines=("openvino",), **options)[1]["notes"])


def test_a_net_whose_convolutions_stay_in_float_is_not_said_to_be_slow(made):
    facts = made(convolutions=False, exclude=["globalaveragepool_6"])[1]
    assert facts["notes"] == ["3 of 4 layers keep their float weights"]


@FOUR_BITS
def test_activations_are_rounded_to_8_bits_where_4_bit_weights_are_multiplied_by_integers(made):
    def level(compute):
        nodes = onnx.load(str(made(weights="int4", compute=compute)[0])).graph.node
        products = [one for one in nodes if one.op_type == "MatMulNBits"]
        return [one.i for node in products for one in node.attribute if one.name == "accuracy_level"]

    assert level("integer") == [4]
    assert level("float") == []


@pytest.mark.parametrize("weights", ["int8", pytest.param("int4", marks=FOUR_BITS)])
def test_openvino_gives_the_same_answers(made, weights):
    openvino = pytest.importorskip("openvino")
    path, _ = made(weights=weights, compute="float")
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    theirs = np.concatenate([compiled(one["image"])[0] for one in feeds(4)])
    assert np.allclose(theirs, answers(path, feeds(4)), atol=1e-3)


@FOUR_BITS
def test_four_bits_are_for_matrix_products_and_a_net_without_one_says_so(made):
    net = Net()
    x = net.op("GlobalAveragePool", net.conv("image", 1, 2, 3))
    with pytest.raises(HarnessError, match=r"none taken: .*its layers are Conv\) .*fp32\.onnx"):
        made(finished(net, net.op("Flatten", x)), weights="int4")


@FOUR_BITS
def test_a_linear_layer_that_is_left_out_is_no_product_of_four_bits(made):
    with pytest.raises(HarnessError, match="none taken"):
        made(weights="int4", exclude=[LAST])


def test_an_engine_without_four_bit_weights_refuses_them(made):
    with pytest.raises(HarnessError, match="tensorrt does not"):
        made(engines=("tensorrt",), weights="int4")


def test_a_model_without_weights_is_refused(made):
    net = Net()
    x = net.op("GlobalAveragePool", net.op("Concat", "image", "image", axis=1))
    for options in ({}, {"compute": "float"}):
        with pytest.raises(HarnessError, match="none taken: no layer of it has weights"):
            made(finished(net, net.op("Flatten", x)), **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weights": "int3"}, "no weights called 'int3', did you mean"),
        ({"compute": "half"}, "no compute called 'half'; known: float, integer"),
        ({"method": "entropy"}, "no option called 'method'"),
    ],
)
def test_options_that_are_none_are_refused(made, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        made(**options)


def test_a_layer_that_is_not_there_cannot_be_left_out(tmp_path):
    place = bench(tmp_path, classifier())
    with pytest.raises(HarnessError, match=f"no layer called 'conv_9', did you mean '({FIRST}|{SECOND}|{THIRD})'"):
        dynamic(recipe("dynamic", exclude=["conv_9"]), place)
    assert not list(place.folder.glob("*"))


def test_no_format_in_common_is_an_error(tmp_path):
    place = replace(bench(tmp_path, classifier()), formats=("pt2",))
    with pytest.raises(HarnessError, match="no format in common"):
        dynamic(recipe("dynamic"), place)
    with pytest.raises(HarnessError, match="dynamic makes onnx, tflite files"):
        dynamic(recipe("dynamic"), replace(place, files={"pt2": place.files["onnx"]}))


def test_an_engine_error_stays_one(tmp_path):
    with pytest.raises(EngineError):
        quantise(recipe("dynamic", weights="int4"), bench(tmp_path, classifier(), ("qnn",)))
