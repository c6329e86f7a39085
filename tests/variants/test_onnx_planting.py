"""A planted outlier: nothing changes in float, INT8 breaks, and it heals where both layers beside it stay in float."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from harness.errors import ConfigError
from harness.variants.onnxfile.static import quantise
from harness.variants.planting import plant_outlier
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


@pytest.fixture
def parent(tmp_path):
    return save(classifier(), tmp_path / "parent.onnx")


@pytest.mark.parametrize("factor", [2.0, 256.0, 1024.0])
@pytest.mark.parametrize("channel", [0, 7])
@pytest.mark.parametrize("layer", [FIRST, SECOND])
def test_float_answers_stay_the_same_to_the_last_bit(parent, tmp_path, layer, channel, factor):
    planted = tmp_path / "planted.onnx"
    readers = plant_outlier(parent, planted, layer, channel, factor)
    assert readers == ({FIRST: SECOND, SECOND: THIRD}[layer],)
    assert planted.read_bytes() != parent.read_bytes()
    assert np.array_equal(answers(planted, feeds(), optimise=False), answers(parent, feeds(), optimise=False))


def test_a_factor_that_is_no_power_of_two_changes_rounding_alone(parent, tmp_path):
    plant_outlier(parent, tmp_path / "planted.onnx", FIRST, 3, 100.0)
    assert np.allclose(answers(tmp_path / "planted.onnx", feeds()), answers(parent, feeds()), atol=1e-5)


def test_int8_breaks_and_heals_where_both_layers_stay_in_float(parent, tmp_path):
    planted = tmp_path / "planted.onnx"
    readers = plant_outlier(parent, planted, FIRST, channel=2)

    def int8(name, model, **options):
        return noise(quantise(recipe(**options), bench(tmp_path / name, onnx.load(str(model))))[0], parent)

    sound, broken = int8("sound", parent), int8("broken", planted)
    assert sound < 0.1
    assert broken > 10 * sound
    assert int8("one", planted, exclude=[FIRST]) > 10 * sound, "the next layer rounds what it reads"
    assert int8("both", planted, exclude=[FIRST, *readers]) < 2 * sound
    assert int8("per tensor", planted, per_channel=False) >= 0.9 * broken


def test_depthwise_and_grouped_readers_undo_it(tmp_path):
    for groups in (2, 4, 8):
        net = Net()
        x = net.op("Relu", net.conv("image", 1, 8, 3))
        grouped = net.conv(x, 8, 16, 3, group=groups)
        both = net.op(
            "Concat", net.op("Relu", grouped), net.conv(net.op("MaxPool", x, kernel_shape=[1, 1]), 8, 4, 1), axis=1
        )
        source = save(finished(net, net.dense(both, 20, 2)), tmp_path / "grouped.onnx")
        for channel in range(8):
            readers = plant_outlier(source, tmp_path / "planted.onnx", "conv_0", channel, 64.0)
            assert len(readers) == 2
            assert np.array_equal(answers(tmp_path / "planted.onnx", feeds(3), False), answers(source, feeds(3), False))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer": "conv_1"}, "no convolution called 'conv_1', did you mean 'conv_"),
        ({"layer": LAST}, "no convolution called"),
        ({"layer": THIRD}, "Flatten reads it, which cannot undo"),
        ({"channel": 8}, "no channel 8, only 0 to 7"),
        ({"channel": -1}, "no channel -1"),
        ({"factor": 0.0}, "factor = 0"),
        ({"factor": float("nan")}, "factor = nan"),
    ],
)
def test_what_cannot_be_planted_is_refused_and_leaves_no_file(parent, tmp_path, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        plant_outlier(parent, tmp_path / "planted.onnx", **{"layer": FIRST, **changes})
    assert not (tmp_path / "planted.onnx").exists()


@pytest.mark.parametrize("sharing", ["planted", "reader"])
def test_weights_that_another_layer_shares_are_left_alone(tmp_path, sharing):
    net = Net()
    planted = net.conv("image", 1, 8, 3)
    reader = net.conv(planted, 8, 8, 3)
    taken, weights = ("image", net.nodes[0]) if sharing == "planted" else (planted, net.nodes[1])
    twin = net.op("Conv", net.op("Abs", taken) if sharing == "planted" else reader, *weights.input[1:], pads=[1] * 4)
    scores = net.dense(net.op("Add", reader, twin), 8, 2)
    source = save(finished(net, scores), tmp_path / "shared.onnx")
    with pytest.raises(ConfigError, match="other layers share its weights"):
        plant_outlier(source, tmp_path / "planted.onnx", "conv_0")
