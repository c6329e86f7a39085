"""TFLite files of which the weights alone are rounded: INT8, INT4 and FP16."""

from __future__ import annotations

import pytest

pytest.importorskip("ai_edge_quantizer")
pytest.importorskip("ai_edge_litert")

from harness.errors import ConfigError, HarnessError
from harness.modelfile import inspect_model
from harness.variants.export.equality import compared, file_answers
from harness.variants.tflitefile import quantise as tflite
from tests.variants.eyes_tflite import CONVOLUTIONS, bench, recipe


@pytest.mark.parametrize(
    ("options", "weights", "share", "most"),
    [
        ({"weights": "int8", "compute": "integer"}, {"float32": 1, "int8": 7}, 0.30, 0.3),
        ({"weights": "int8", "compute": "float"}, {"int8": 8}, 0.30, 0.3),
        ({"weights": "int4", "compute": "integer"}, {"float32": 1, "int4": 1, "int8": 6}, 0.30, 1.0),
        ({"weights": "int4", "compute": "float"}, {"int4": 1, "int8": 7}, 0.30, 1.0),
    ],
)
def test_weights_are_rounded_and_the_file_runs(options, weights, share, most, tmp_path):
    work = bench(tmp_path)
    path, facts = tflite.quantise_dynamic(recipe(**options), work)
    assert facts["weight_types"] == weights
    assert inspect_model(path).inputs[0].dtype == "float32"
    assert path.stat().st_size < share * work.parent("tflite").stat().st_size
    found = [file_answers(one, work.card, work.frames.calibration) for one in (work.parent("tflite"), path)]
    assert 0 < compared(*found, work.card, work.frames.calibration).largest < most
    again, _ = tflite.quantise_dynamic(recipe("again", **options), work)
    assert again.read_bytes() == path.read_bytes()


def test_depthwise_convolutions_do_not_split_the_graph_where_activations_are_rounded(tmp_path):
    work = bench(tmp_path, model="distraction")
    _, facts = tflite.quantise_dynamic(recipe(), work)
    assert (facts["xnnpack_partitions"], facts["xnnpack_percent"], facts["notes"]) == (1, 100.0, [])
    assert facts["float_layers"]["DEPTHWISE_CONV_2D"] == 4


def test_int4_weights_that_are_unpacked_at_every_frame_get_a_note(tmp_path):
    _, facts = tflite.quantise_dynamic(recipe(weights="int4", compute="float"), bench(tmp_path))
    assert "DEQUANTIZE (1)" in facts["notes"][0]


def test_int4_weights_are_refused_where_no_layer_takes_them(tmp_path):
    work = bench(tmp_path, model="face_detection")
    with pytest.raises(HarnessError, match="no layer takes int4 weights"):
        tflite.quantise_dynamic(recipe(weights="int4"), work)
    assert not list(work.folder.iterdir())


def test_excluded_layers_keep_their_weights(tmp_path):
    _, facts = tflite.quantise_dynamic(recipe(exclude=[CONVOLUTIONS[2]]), bench(tmp_path))
    assert facts["weight_types"] == {"float32": 2, "int8": 6}


def test_half_of_the_bytes_and_hardly_another_answer(tmp_path):
    work = bench(tmp_path)
    path, facts = tflite.to_half(recipe(), work)
    assert (facts["weight_types"], inspect_model(path).weight_dtype) == ({"float16": 8}, "float16")
    assert path.stat().st_size == pytest.approx(0.5 * work.parent("tflite").stat().st_size, rel=0.05)
    found = [file_answers(one, work.card, work.frames.calibration) for one in (work.parent("tflite"), path)]
    assert 0 < compared(*found, work.card, work.frames.calibration).largest < 0.01


@pytest.mark.parametrize("options", [{"weights": "int2"}, {"compute": "both"}])
def test_options_that_do_not_exist_are_refused(options, tmp_path):
    with pytest.raises(ConfigError, match="known: "):
        tflite.quantise_dynamic(recipe(**options), bench(tmp_path))
