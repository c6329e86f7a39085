"""Static INT8 of ONNX files: in integers where it says so, in float where asked to, and refused with a reason."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from harness.errors import ConfigError, EngineError, HarnessError
from harness.variants.frames import Frames
from harness.variants.onnxfile.checked import checked
from harness.variants.onnxfile.layers import graph_of, is_quantised, weighted
from harness.variants.onnxfile.prepare import prepare
from harness.variants.onnxfile.static import quantise
from harness.variants.quantise.static import static
from tests.modelfile import onnx_models
from tests.modelfile.onnx_models import Net, save
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
from tests.variants.rawmodel import pictures

READY = (pictures(40, seed=3)[:, None] / 255.0 * 1.002).astype(np.float32)
"""No tensor of a camera: it lies between two pixels."""
ALL_INTEGER = {"integer_convolutions": 3, "float_convolutions": 0, "integer_products": 1, "float_products": 0}


@pytest.fixture
def made(tmp_path):
    """Quantises a net; the file and its facts."""

    def make(model=None, engines=("onnxruntime",), **options):
        place = bench(tmp_path, classifier() if model is None else model, engines)
        return quantise(recipe(**options), place)

    return make


def kernels(facts):
    return {name: facts[name] for name in ALL_INTEGER}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"per_channel": False},
        {"method": "entropy"},
        {"method": "percentile", "percentile": 99.9},
        {"activations": "int8"},
        {"exclude": [SECOND]},
    ],
)
def test_the_same_recipe_gives_the_same_bytes(made, options):
    first = made(**options)[0].read_bytes()
    assert made(**options)[0].read_bytes() == first


def test_the_answers_stay_near_the_parents(made, tmp_path):
    assert noise(made()[0], tmp_path / "fp32.onnx") < 0.1


def test_facts_say_what_was_done_and_what_runs(made):
    facts = made(method="percentile", percentile=99.9)[1]
    assert kernels(facts) == ALL_INTEGER
    told = {"layers": 4, "quantised_layers": 4, "float_layers": {}, "excluded": [], "opset": 17, "notes": []}
    how = {"method": "percentile", "percentile": 99.9, "bins": 2048, "scheme": "U8S8", "per_channel": True}
    assert {name: facts[name] for name in told} == told
    assert {name: facts[name] for name in how} == how
    assert facts["calibration_frames"] == 40
    assert len(facts["calibration_key"]) == 64


@pytest.mark.parametrize(
    ("engines", "activations", "weights"),
    [
        (("onnxruntime",), {"UINT8"}, {"INT8"}),
        (("openvino", "tensorrt"), {"UINT8"}, {"INT8"}),
        (("litert", "tensorrt", "onnxruntime"), {"INT8"}, {"INT8"}),
        (("trtexec",), {"INT8"}, {"INT8"}),
        (("qnn",), {"UINT8"}, {"INT8"}),
        ((), {"UINT8"}, {"INT8"}),
    ],
)
def test_the_first_engine_that_has_a_wish_decides_how_integers_are_signed(made, engines, activations, weights):
    path, facts = made(engines=engines)
    found = graph_of(onnx.load(str(path)))
    rounding = [one for one in found.graph.node if one.op_type == "QuantizeLinear"]
    assert _types(found, [one for one in rounding if one.input[0] not in found.weights]) == activations
    kept = [found.makers[node.input[1]] for node in weighted(found)]
    assert _types(found, kept) == weights
    assert facts["activations"] in {one.lower() for one in activations}
    assert facts["scheme_reason"]


def _types(found, nodes):
    numbers = {found.weights[node.input[2]].data_type for node in nodes}
    return {onnx.TensorProto.DataType.Name(one) for one in numbers}


def test_tensorrt_gets_zero_points_of_zero_and_float_biases_and_nothing_rounded_behind_a_convolution(made):
    path, facts = made(engines=("tensorrt",))
    found = graph_of(onnx.load(str(path)))
    rounding = [one for one in found.graph.node if one.op_type == "QuantizeLinear"]
    assert all(not numpy_helper.to_array(found.weights[one.input[2]]).any() for one in rounding)
    for node in weighted(found):
        assert node.input[2] in found.weights
        assert all(one is None or one.op_type != "QuantizeLinear" for one in found.readers[node.output[0]])
    assert "float_convolutions" not in facts, "the CPU provider is not where it will run"


@pytest.mark.parametrize(("per_channel", "scales"), [(True, {8, 16, 2}), (False, {1})])
def test_weights_have_a_scale_for_each_channel_or_one(made, per_channel, scales):
    found = graph_of(onnx.load(str(made(per_channel=per_channel)[0])))
    sizes = {int(np.prod(found.weights[found.makers[node.input[1]].input[1]].dims)) for node in weighted(found)}
    assert sizes == scales


def test_ready_tensors_give_the_ranges_and_not_the_pixels_that_are_nearest(tmp_path):
    place = bench(tmp_path, classifier())
    np.save(tmp_path / "ready.npy", READY)
    frames = Frames(card=place.card, cache=tmp_path / "cache", fewest=1, tensors=tmp_path / "ready.npy")
    path, _ = quantise(recipe(), replace(place, frames=frames))
    found = graph_of(onnx.load(str(path)))
    (rounding,) = [one for one in found.readers["image"] if one.op_type == "QuantizeLinear"]
    scale = numpy_helper.to_array(found.weights[rounding.input[1]])
    assert scale == np.float32(READY.max()) / 255


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", "Identity", "Clip"])
def test_a_layer_that_is_left_out_runs_in_float(tmp_path, activation):
    place = bench(tmp_path, _with(activation))
    path, facts = quantise(recipe(exclude=[SECOND]), place)
    assert kernels(facts) == {**ALL_INTEGER, "integer_convolutions": 2, "float_convolutions": 1}
    assert facts["quantised_layers"] == 3
    assert SECOND in facts["excluded"]
    # Whatever is in the file to keep it in float changes no answer.
    assert noise(path, tmp_path / "fp32.onnx") < 0.2
    assert np.allclose(answers(path, feeds()), answers(path, feeds(), optimise=False), atol=0.02)


def _with(activation):
    """`classifier` with another activation; Clip between 0 and 6 as ReLU6 is exported."""
    model = classifier("Relu" if activation == "Clip" else activation)
    if activation == "Clip":
        model.graph.initializer.extend([_number("low", 0.0), _number("high", 6.0)])
        for node in model.graph.node:
            if node.op_type == "Relu":
                node.op_type = "Clip"
                node.input.extend(["low", "high"])
    return model


def _number(name, value):
    return numpy_helper.from_array(np.float32(value), name)


def test_a_linear_layer_that_is_left_out_runs_in_float(made):
    facts = made(exclude=[LAST])[1]
    assert kernels(facts) == {**ALL_INTEGER, "integer_products": 0, "float_products": 1}


def test_a_layer_goes_by_its_node_or_by_what_it_gives_and_takes_its_activation_along(made):
    by_node = made(exclude=[SECOND])
    expected = by_node[0].read_bytes()
    assert by_node[1]["excluded"] == [SECOND, "relu_3"]
    assert made(exclude=["relu_3"])[0].read_bytes() == expected


def test_nodes_without_names_can_be_left_out(made):
    model = classifier()
    for node in model.graph.node:
        node.ClearField("name")
    path, facts = made(model, exclude=[THIRD])
    assert facts["float_convolutions"] == 1
    found = graph_of(onnx.load(str(path)))
    assert [one.name for one in weighted(found) if not is_quantised(one, found)] == [THIRD]


def test_layers_without_an_integer_form_are_listed(made):
    net = Net()
    x = net.op("HardSwish", net.conv("image", 1, 8, 3))
    x = net.op("HardSwish", net.conv(x, 8, 8, 3))
    facts = made(finished(net, net.dense(net.op("Elu", x), 8, 2)))[1]
    assert facts["float_layers"] == {"Elu": 1, "HardSigmoid": 2}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exclude": ["conv_22"]}, "no layer called 'conv_22', did you mean 'conv_2'"),
        ({"method": "mode"}, "no calibration method called 'mode'"),
        ({"method": "percentile", "percentile": 12}, "percentile = 12"),
        ({"activations": "int16"}, "no type of activations called 'int16'"),
        (
            {"exclude": [FIRST, SECOND, THIRD, LAST, "globalaveragepool_6", "flatten_7"]},
            "nothing of it can be quantised",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused_and_leaves_no_file(tmp_path, options, sentence):
    place = bench(tmp_path, classifier())
    with pytest.raises(HarnessError, match=sentence):
        quantise(recipe(**options), place)
    assert not list(place.folder.glob("*"))


def test_an_engine_with_one_type_refuses_another(made):
    with pytest.raises(ConfigError, match="tensorrt takes int8 activations alone"):
        made(engines=("tensorrt",), activations="uint8")


def test_nncf_is_for_cpu_engines(made):
    for other in ({"engines": ("tensorrt",)}, {"activations": "int8"}, {"per_channel": False}):
        with pytest.raises(ConfigError, match="for CPU engines"):
            made(method="nncf", **other)


def test_a_model_without_a_layer_that_can_be_quantised_is_refused_with_its_operators(tmp_path):
    place = bench(tmp_path, _recurrent())
    with pytest.raises(EngineError, match=r"nothing of it can be quantised: .* 1 LSTM .*fp32\.onnx") as told:
        quantise(recipe(), place)
    assert "prepared.onnx" not in told.value.sentence


def _recurrent():
    net = Net()
    rows = net.op("Squeeze", "image", net.const([0], "int64"))
    rows = net.op("Transpose", rows, perm=[1, 0, 2])
    lstm = net.op("LSTM", rows, net.random(1, 8, 16), net.random(1, 8, 2), outputs=3, hidden_size=2)
    return finished(net, net.op("Squeeze", f"{lstm}_1", net.const([0], "int64")))


@pytest.mark.parametrize("opset", [9, 11, 12])
def test_an_old_opset_is_lifted(tmp_path, opset):
    source, target = save(onnx_models.old_opset(opset), tmp_path / "old.onnx"), tmp_path / "ready.onnx"
    facts = prepare(source, target)
    assert (facts["opset_before"], facts["opset"]) == (opset, 13)
    given = [{"input": np.random.default_rng(1).random((1, 3, 64, 64), np.float32)}]
    assert np.allclose(answers(source, given), answers(target, given), atol=1e-5)


def test_an_old_opset_is_lifted_on_the_way_to_int8(made):
    model = classifier()
    model.opset_import[0].version = 11
    assert made(model)[1]["opset_before"] == 11


def test_an_opset_that_cannot_be_lifted_is_too_old(tmp_path):
    net = Net()
    shape = (1, 10, 16)
    plain = [net.const(np.ones(shape)) for _ in range(4)]
    normal = net.op("BatchNormalization", "image", *plain, spatial=0)
    source = save(finished(net, net.dense(net.conv(normal, 1, 4, 3), 4, 2), opset=8), tmp_path / "old.onnx")
    with pytest.raises(EngineError, match=r"opset too old: 8, 13 is needed.*old\.onnx.*export the model again"):
        prepare(source, tmp_path / "ready.onnx")


def test_weights_that_are_listed_as_inputs_become_constants_and_the_parent_is_named(tmp_path):
    source, target = save(onnx_models.weights_as_inputs(), tmp_path / "listed.onnx"), tmp_path / "ready.onnx"
    facts = prepare(source, target)
    assert facts["weights_listed_as_inputs"] == len(onnx_models.weights_as_inputs().graph.initializer)
    assert [one.name for one in onnx.load(str(target)).graph.input] == ["input"]
    assert "2.2 to 2.4 times slower" in facts["notes"][0]


def test_without_sympy_the_shapes_of_open_sizes_are_missing_and_that_is_said(tmp_path, monkeypatch):
    source = save(onnx_models.dynamic(), tmp_path / "open.onnx")
    monkeypatch.setitem(sys.modules, "sympy", None)
    assert any("sympy is not installed" in one for one in prepare(source, tmp_path / "ready.onnx")["notes"])


def test_what_is_quantised_already_is_refused(made, tmp_path):
    with pytest.raises(EngineError, match="quantised already"):
        prepare(made()[0], tmp_path / "ready.onnx")


def test_what_is_no_onnx_file_is_refused(tmp_path):
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(EngineError, match="no ONNX file that can be quantised"):
        prepare(path, tmp_path / "ready.onnx")


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (onnx_models.fails_at_run_time, "fails at its first frame"),
        (onnx_models.unsupported_op, "does not load"),
        (onnx_models.nan_weights, "is NaN for a real frame"),
    ],
)
def test_a_file_counts_only_when_it_has_run_a_frame(tmp_path, model, sentence):
    path = save(model(), tmp_path / "model.onnx")
    name = onnx.load(str(path)).graph.input[0].name
    with pytest.raises(EngineError, match=sentence):
        checked(path, {name: np.zeros((1, 3, 64, 64), np.float32)})


def test_what_runs_in_float_is_counted(tmp_path):
    path = save(classifier(), tmp_path / "fp32.onnx")
    expected = {"integer_convolutions": 0, "float_convolutions": 3, "integer_products": 0, "float_products": 1}
    assert checked(path, feeds(1)[0]) == expected


def test_every_format_is_made_or_its_failure_told(tmp_path):
    place = bench(tmp_path, classifier())
    formats = ("onnx", "tflite", "pt2")
    all_of_them = replace(place, files=dict.fromkeys(formats, place.files["onnx"]), formats=formats)
    found = static(recipe(activations="uint8"), all_of_them)
    assert set(found.files) == {"onnx"} == set(found.facts)
    assert set(found.failures) == {"tflite", "pt2"}
    assert "options.activations" in found.failures["tflite"]
    assert "static makes onnx, tflite, pte files" in found.failures["pt2"]


def test_a_recipe_of_which_nothing_comes_is_an_error(tmp_path):
    place = bench(tmp_path, classifier())
    with pytest.raises(HarnessError, match="onnx: no layer called 'head'"):
        static(recipe(exclude=["head"]), place)
    with pytest.raises(HarnessError, match="no format in common: onnx, against tflite"):
        static(recipe(), replace(place, formats=("tflite",)))


def test_an_unknown_option_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no option called 'percentil', did you mean 'percentile'"):
        static(recipe(percentil=99.9), bench(tmp_path, classifier()))


def test_nncf_makes_the_same_bytes_of_the_same_frames(made):
    pytest.importorskip("nncf")
    path, facts = made(method="nncf", exclude=[SECOND])
    first = path.read_bytes()
    assert facts["method"] == "nncf"
    assert facts["quantised_layers"] == 3
    assert made(method="nncf", exclude=[SECOND])[0].read_bytes() == first


def test_int8_that_runs_in_float_is_said(made):
    """ONNX Runtime 1.31 does so where two layers read a tensor of signed integers; `float_convolutions` shows it."""
    net = Net()
    x = net.op("Relu", net.conv("image", 1, 8, 3))
    both = net.op("Concat", net.op("Relu", net.conv(x, 8, 8, 3)), net.conv(x, 8, 4, 1), axis=1)
    model = finished(net, net.dense(both, 12, 2))
    facts = made(model, activations="int8")[1]
    assert facts["quantised_layers"] == 4
    assert facts["float_convolutions"] > 0
    said = f"{facts['float_convolutions']} of 4 quantised layers run in float on ONNX Runtime's CPU provider"
    assert facts["notes"] == [said]
    assert made(model)[1]["notes"] == []
