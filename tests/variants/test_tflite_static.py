"""Static INT8 TFLite files: what they are made of, what stays in float, and what XNNPACK makes of them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("ai_edge_quantizer")
pytest.importorskip("ai_edge_litert")

from harness.errors import ConfigError, HarnessError
from harness.modelfile import inspect_model
from harness.variants.export.equality import compared, file_answers
from harness.variants.tflitefile import quantise as tflite
from harness.variants.tflitefile import ranges as tflite_ranges
from harness.variants.tflitefile.contents import layers
from harness.variants.tflitefile.layers import kept_scopes
from tests.variants.eyes_tflite import CONVOLUTIONS, bench, recipe, with_operator, without_signature

METHODS = (
    {"method": "minmax"}, {"method": "percentile", "percentile": 99.9}, {"method": "percentile", "percentile": 99.999},
    {"method": "entropy"},
)  # fmt: skip


def difference(path, bench_of):
    """The largest one of any raw output from the parent's, over the calibration frames."""
    card, frames = bench_of.card, bench_of.frames.calibration
    answers = [file_answers(one, card, frames) for one in (bench_of.parent("tflite"), path)]
    return compared(*answers, card, frames).largest


@pytest.mark.parametrize("per_channel", [True, False])
def test_all_layers_are_integers_and_one_delegate_takes_them(per_channel, tmp_path):
    work = bench(tmp_path)
    path, facts = tflite.quantise(recipe(per_channel=per_channel), work)
    assert (facts["layers"], facts["quantised_layers"], facts["precisions"]) == (8, 8, {"int8": 14})
    assert set(facts["tensor_types"]) == {"int8", "int32"}
    assert (facts["xnnpack_percent"], facts["xnnpack_partitions"], facts["notes"]) == (100.0, 1, [])
    assert inspect_model(path).weight_dtype == "int8"
    assert 0 < difference(path, work) < 0.5
    json.dumps(facts)


def test_every_method_gives_other_ranges_and_the_same_one_the_same_bytes(tmp_path):
    work = bench(tmp_path, frames=3)
    files = [tflite.quantise(recipe(f"m{at}", **one), work)[0].read_bytes() for at, one in enumerate(METHODS)]
    assert len(set(files)) == len(METHODS)
    again = [
        tflite.quantise(recipe(f"m{at}", **one), bench(tmp_path / "new", frames=3)) for at, one in enumerate(METHODS)
    ]
    assert [path.read_bytes() for path, _ in again] == files


def test_ranges_get_narrower_from_the_widest_to_the_percentile(tmp_path):
    work = bench(tmp_path, frames=3)
    found = [tflite_ranges.calibrated(work, one["method"], one.get("percentile", 100)) for one in METHODS[:3]]
    widths = [[max(high, 0) - min(low, 0) for low, high in one.values()] for one in (found[0], found[2], found[1])]
    for wide, narrow in pairwise(widths):
        assert all(one >= other for one, other in zip(wide, narrow, strict=True))
        assert wide != narrow


def test_calibration_is_read_back_where_model_and_frames_are_the_same(tmp_path):
    said = []
    for frames in (1, 1, 2):
        work = replace(bench(tmp_path, frames=frames), say=said.append)
        tflite_ranges.calibrated(work, "entropy")
    # Twice for each of the two sets: the widest range, then the values within.
    assert len(said) == 4
    assert len(list((tmp_path / "cache" / "histograms").iterdir())) == 4


@pytest.mark.parametrize(
    ("excluded", "kinds"),
    [
        ([CONVOLUTIONS[3]], {"CONV_2D": 1}),
        ([CONVOLUTIONS[0]], {"DEPTHWISE_CONV_2D": 1, "PAD": 1}),
        ([CONVOLUTIONS[1], "/head/Gemm"], {"CONV_2D": 1, "FULLY_CONNECTED": 1, "PAD": 1}),
    ],
)
def test_excluded_layers_stay_in_float_with_what_passes_on_their_numbers(excluded, kinds, tmp_path):
    work = bench(tmp_path)
    path, facts = tflite.quantise(recipe(exclude=excluded), work)
    floats = [one for one in layers(path) if one.precision == "float32"]
    assert {kind: [one.kind for one in floats].count(kind) for kind in {one.kind for one in floats}} == kinds
    assert (facts["excluded"], facts["float_layers"], facts["notes"]) == (sorted(excluded), {}, [])
    info = inspect_model(path)
    assert (info.inputs[0].dtype == "float32") == (CONVOLUTIONS[0] in excluded)
    assert (info.outputs[0].dtype == "float32") == ("/head/Gemm" in excluded)


def test_a_layer_has_its_name_in_the_file_and_in_the_onnx_twin(tmp_path):
    work = bench(tmp_path)
    convolutions = [one for one in layers(work.parent("tflite")) if "CONV_2D" in one.kind]
    assert len(convolutions) == len(CONVOLUTIONS)
    for layer, node in zip(convolutions, CONVOLUTIONS, strict=True):
        assert layer.scope in kept_scopes(work, [node])
        assert kept_scopes(work, [node]) == kept_scopes(work, [layer.name])


def test_a_layer_whose_scale_was_folded_is_found_all_the_same(tmp_path):
    _, facts = tflite.quantise(recipe(exclude=["/head/Gemm"]), bench(tmp_path, model="gaze"))
    assert facts["precisions"]["float32"] == 1


def test_hard_swish_is_not_delegated_and_a_note_says_so(tmp_path):
    source = with_operator("HARD_SWISH", tmp_path / "swish.tflite")
    _, facts = tflite.quantise(recipe(), bench(tmp_path, source=source))
    assert facts["precisions"] == {"int8": 15}
    assert facts["xnnpack_percent"] < 100
    assert "HARD_SWISH (1)" in facts["notes"][0]
    assert "2 parts instead of 1" in facts["notes"][0]


def test_an_operator_without_an_integer_form_stays_in_float_and_a_note_names_it(tmp_path):
    source = with_operator("ABS", tmp_path / "abs.tflite")
    _, facts = tflite.quantise(recipe(), bench(tmp_path, source=source))
    assert (facts["float_layers"], facts["tensor_types"]["float32"]) == ({"ABS": 1}, 2)
    assert "ABS (1) stays in float" in facts["notes"][0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exclude": ["/trunk/Conv"]}, "no layer '/trunk/Conv'"),
        ({"method": "moving"}, "no calibration method called 'moving'"),
        ({"method": "percentile", "percentile": 0.1}, "no share of the values"),
        ({"activations": "uint8"}, "TFLite has signed activations alone"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(options, sentence, tmp_path):
    with pytest.raises(ConfigError, match=sentence):
        tflite.quantise(recipe(**options), bench(tmp_path))
    assert not list(tmp_path.rglob("*.tflite"))


def test_without_calibration_frames_nothing_is_made(tmp_path):
    with pytest.raises(ConfigError, match="there is no calibration frame"):
        tflite.quantise(recipe(), bench(tmp_path, frames=0))


def test_a_file_without_a_signature_is_refused(tmp_path):
    source = without_signature(tmp_path / "none.tflite")
    with pytest.raises(ConfigError, match="no signature"):
        tflite.quantise(recipe(), bench(tmp_path, source=source))


def test_a_file_of_which_nothing_is_quantised_is_refused_and_removed(tmp_path):
    work = bench(tmp_path)
    everything = [one.name for one in layers(work.parent("tflite"))]
    with pytest.raises(HarnessError, match="no layer of it was quantised"):
        tflite.quantise(recipe(exclude=everything), work)
    assert not list(work.folder.iterdir())


def test_activations_that_are_no_numbers_are_refused(tmp_path):
    source = bench(tmp_path).parent("tflite")
    bad = {inspect_model(source).inputs[0].name: np.full((1, 96, 96, 1), np.nan, np.float32)}
    with pytest.raises(HarnessError, match="is NaN for a calibration frame"):
        tflite_ranges.widest(source, [bad])


def test_a_missing_quantiser_is_said_with_what_to_install(tmp_path, monkeypatch):
    work = bench(tmp_path)
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer.qtyping", None)
    with pytest.raises(ConfigError, match=r"ai-edge-quantizer is not installed.*dms-harness\[zoo\]"):
        tflite.quantise(recipe(), work)
