"""A variant beside its parent, layer by layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")

from harness.errors import ConfigError, EngineError, HarnessError
from harness.model import Extra, read_card
from harness.variants.onnxfile.static import quantise
from harness.variants.quantise.half import to_half
from harness.variants.study.layertext import sentence, text_of
from harness.variants.study.layerwise import ABSENT, Tolerance, layerwise
from tests.modelfile.onnx_models import Net
from tests.variants import brightness
from tests.variants.eyes_tflite import SHIPPED, drawn
from tests.variants.onnx_classifier import finished

FRAMES = brightness.frames(10, seed=9)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return brightness.bench(tmp_path_factory.mktemp("sound") / "model")


def compared(bench, variant: Path, **tolerance: float):
    return layerwise(bench.card, bench.parent("onnx"), variant, FRAMES, Tolerance(**tolerance))


def saved(folder: Path, net: onnx.ModelProto) -> Path:
    onnx.save(net, str(folder / "variant.onnx"))
    return folder / "variant.onnx"


@pytest.mark.parametrize(
    ("form", "layers", "last"), [("onnx", 9, "/head/Gemm"), ("tflite", 14, "serving_default_output_0_output")]
)
def test_every_layer_of_a_shipped_int8_file_is_compared_and_inside(form, layers, last):
    pytest.importorskip("ai_edge_litert")
    card = read_card(SHIPPED / "eye_state")
    found = layerwise(card, card.file("fp32", form), card.file("int8", form), drawn(4, 96, 96))
    assert len(found.layers) == len(found.compared) == layers
    assert found.layers[-1].layer.name == last
    assert found.first_outside is None
    assert all(20 < one.found.sqnr_db < 150 for one in found.layers if one.layer.operator != "PAD")
    assert sentence(found).startswith("every compared layer is inside the tolerance")
    assert len(found.weights) == 16, "a weight and a bias for each of eight layers"
    assert min(one.sqnr_db for one in found.weights.values()) > 35


def test_a_variant_is_itself_to_the_last_bit(sound):
    found = compared(sound, sound.parent("onnx"))
    assert {one.found.largest_error for one in found.layers} == {0.0}
    assert found.weights == {}


def test_the_last_row_is_what_the_model_answers(sound, tmp_path):
    weights = brightness.weights_of(brightness.net())
    weights["second.bias"] += 0.01
    variant = brightness.graph(weights, "scores")
    found = compared(sound, saved(tmp_path, variant))
    one, other = (brightness.scores(net, "scores", FRAMES.pictures) for net in (brightness.net(), variant))
    assert found.layers[-1].layer.name == "head"
    assert found.layers[-1].found.largest_error == pytest.approx(np.abs(one - other).max(), rel=1e-3)
    assert [one.found.largest_error > 0 for one in found.layers] == [False, True, True, True, True, True]


def test_the_layer_with_an_outlier_is_named_although_the_outlier_itself_hides_it(tmp_path):
    bench = brightness.bench(tmp_path / "model", outlier="second")
    path, _ = quantise(brightness.recipe(), bench)
    found = compared(bench, path)
    guilty = found.first_outside
    assert guilty.layer.name == "second"
    assert guilty.layer.operator == "Conv+Relu"
    assert guilty.found.sqnr_db > 20, "by the whole tensor nothing is wrong"
    assert guilty.found.median_channel_db < 5
    assert sentence(found).startswith("second is the first layer outside the tolerance (cosine 0.99, SQNR 20 dB)")


def test_an_overflow_is_as_bad_as_can_be_where_it_arises(sound, tmp_path):
    weights = brightness.weights_of(brightness.net())
    weights["third.weight"] *= 1e38
    found = compared(sound, saved(tmp_path, brightness.graph(weights, "scores")))
    assert found.first_outside.layer.name == "third"
    assert found.facts()["layers"][2]["sqnr_db"] == -150
    json.dumps(found.facts(), allow_nan=False)


def test_the_layers_of_an_fp16_file_are_found_by_their_names(sound):
    path, _ = to_half(brightness.recipe("half"), sound)
    found = compared(sound, path)
    assert len(found.compared) == len(found.layers) == 6
    assert all(one.found.sqnr_db > 50 for one in found.layers)


def test_a_pruned_layer_is_not_comparable_and_its_row_says_so(sound, tmp_path):
    found = compared(sound, saved(tmp_path, brightness.net(channels=4)))
    rows = {one.layer.name: one for one in found.layers}
    assert rows["first"].why == "1 x 8 x 10 x 16 in the parent, 1 x 4 x 10 x 16 in the variant"
    assert [name for name, one in rows.items() if one.found] == ["head"]
    assert "not comparable: 1 x 8 x 10 x 16 in the parent" in text_of(found)
    assert found.facts()["compared_layers"] == 1
    assert "not_comparable" in found.facts()["layers"][0]


def test_tensors_of_other_names_are_not_comparable(sound, tmp_path):
    weights = brightness.weights_of(brightness.net())
    found = compared(sound, saved(tmp_path, brightness.graph(weights, "scores", prefix="other/")))
    assert [one.why for one in found.layers if one.found is None] == [ABSENT] * 5


def test_nothing_compared_is_not_called_inside(sound, tmp_path):
    net = brightness.graph(brightness.weights_of(brightness.net()), "scores", prefix="other/")
    net.graph.node[-1].output[0] = net.graph.output[0].name = "answers"
    found = compared(sound, saved(tmp_path, net))
    assert found.first_outside is None
    assert sentence(found) == "nothing was compared: 0 of 6 layers compared on 10 frames"


def test_an_open_batch_is_a_batch_of_one(sound, tmp_path):
    net = brightness.graph(brightness.weights_of(brightness.net()), "scores", batch="batch")
    found = layerwise(sound.card, saved(tmp_path, net), sound.parent("onnx"), FRAMES)
    assert found.layers[0].layer.shape == (1, 8, 10, 16)
    assert len(found.compared) == 6


def test_a_tensor_whose_size_depends_on_the_picture_is_compared_all_the_same(sound, tmp_path):
    net = Net()
    rows = net.op("Reshape", "image", net.const([10, 16], "int64"))
    bright = net.op("Greater", net.op("ReduceMean", rows, axes=[1], keepdims=0), net.const(0.02))
    some = net.op("Compress", rows, bright, axis=0)
    scores = net.op("ReduceMean", net.op("MatMul", some, net.random(16, 2)), axes=[0])
    path = saved(tmp_path, finished(net, scores))
    found = layerwise(sound.card, path, path, FRAMES)
    rows = {one.layer.operator: one for one in found.layers}
    assert rows["Compress"].layer.shape == (1, 16), "what the file says of it"
    assert rows["Compress"].found.values > 16 * len(FRAMES)
    assert found.first_outside is None


@pytest.mark.parametrize(
    ("tolerance", "first"),
    [
        ({"sqnr_db": 10.0}, None),
        ({}, "head"),
        ({"sqnr_db": 149.0}, "first"),
        ({"cosine": 1.0, "sqnr_db": -150}, "first"),
        ({"sqnr_db": 35}, "second"),
    ],
)
def test_what_is_tolerated_can_be_chosen(tolerance, first, sound, tmp_path):
    path, _ = quantise(brightness.recipe("int8"), sound)
    found = compared(sound, path, **tolerance).first_outside
    assert (found and found.layer.name) == first


def test_the_text_has_a_row_for_every_layer_and_every_constant(sound):
    path, _ = quantise(brightness.recipe("rows"), sound)
    found = compared(sound, path)
    lines = text_of(found).splitlines()
    assert lines[0].split() == ["layer", "operator", "SQNR", "dB", "median", "channel", "cosine", "largest", "error"]
    assert [line.split()[0] for line in lines[1:7]] == ["first", "second", "third", "pool", "flat", "head"]
    assert [line.split()[0] for line in lines[9:17]] == sorted(brightness.weights_of(brightness.net()))
    assert json.loads(json.dumps(found.facts()))["weights"][0]["name"] == "first.bias"


@pytest.mark.parametrize(
    ("parent", "variant", "error", "words"),
    [
        ("fp32.onnx", "fp32.tflite", ConfigError, "are of two formats"),
        ("fp32.pte", "int8.pte", ConfigError, "no reader of layers called 'pte'; known: onnx, tflite"),
        ("fp32.onnx", "model.onnx", EngineError, "no ONNX file whose layers can be seen"),
    ],
)
def test_files_that_cannot_be_compared_are_refused(parent, variant, error, words, tmp_path):
    card = read_card(SHIPPED / "eye_state")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    second = tmp_path / variant if variant == "model.onnx" else card.folder / variant
    with pytest.raises(error, match=words):
        layerwise(card, second if variant == "model.onnx" else card.folder / parent, second, drawn(1, 96, 96))


def test_without_a_frame_nothing_is_compared(sound):
    with pytest.raises(HarnessError, match="no frame to compare on"):
        layerwise(sound.card, sound.parent("onnx"), sound.parent("onnx"), brightness.frames(0, seed=1))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("state",), "the further inputs of the file are none, and those of the card state"),
        (("image",), "the picture's input is not clear: none"),
    ],
)
def test_inputs_that_the_card_and_the_file_do_not_share_are_told(names, words, sound):
    card = sound.card.model_copy(update={"extra_inputs": {name: Extra(shape=(1,)) for name in names}})
    with pytest.raises(ConfigError, match=words):
        layerwise(card, sound.parent("onnx"), sound.parent("onnx"), FRAMES)
