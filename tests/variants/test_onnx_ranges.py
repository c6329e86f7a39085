"""Ranges of activations: by every method, kept for the next time, and never of what is no number."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from harness.errors import ConfigError, DatasetError, EngineError
from harness.variants.onnxfile.prepare import prepare
from harness.variants.onnxfile.ranges import Method, ranges
from tests.modelfile.onnx_models import Net, save
from tests.variants.onnx_classifier import FIRST, classifier, feeds, finished

PERCENTILES = (99.0, 99.9, 99.99, 99.999)


@pytest.fixture
def model(tmp_path):
    """A classifier, ready to be calibrated."""
    ready = tmp_path / "prepared.onnx"
    prepare(save(classifier(), tmp_path / "fp32.onnx"), ready)
    return ready


@pytest.fixture
def found(model, tmp_path):
    """Asks for the ranges of the classifier over pictures."""

    def ask(given=feeds, decides=("these",), cache="cache", **method):
        return ranges(model, given, Method(**method), tmp_path / cache, list(decides))

    return ask


def heavy_tailed():
    """Pictures of noise around 0 with rare, far larger numbers."""
    random = np.random.default_rng(2)
    pictures = random.normal(0, 0.02, (40, 1, 1, 10, 16)).astype(np.float32)
    pictures.reshape(40, -1)[::10, 0] = 10.0
    return [{"image": one} for one in pictures]


def refuse():
    raise DatasetError("the frames were asked for")


def test_minmax_holds_every_value(found):
    extremes = found()["image"]
    pictures = np.array([one["image"] for one in feeds()])
    assert extremes == (pictures.min(), pictures.max())


def test_entropy_is_not_minmax_on_a_heavy_tailed_activation(found):
    wide, narrow = found(heavy_tailed)["image"], found(heavy_tailed, name="entropy")["image"]
    assert wide[1] == 10.0
    # 256 of 2048 bins is the narrowest that is tried; nearly all values lie within it.
    assert narrow[1] == pytest.approx(10.0 * 256 / 2048, rel=0.05)
    assert narrow[1] > 0.06


def test_entropy_depends_on_the_bins(found):
    narrowest = [found(heavy_tailed, name="entropy", bins=bins)["image"][1] for bins in (512, 1024, 2048)]
    assert narrowest == sorted(narrowest, reverse=True)
    assert len(set(narrowest)) == 3


@pytest.mark.parametrize("percentile", PERCENTILES)
def test_a_percentile_cuts_no_more_values_than_it_says(found, percentile):
    low, high = found(name="percentile", percentile=percentile)[FIRST]
    wide, rounding = found()[FIRST], 1e-5
    assert wide[0] - rounding <= low
    assert high <= wide[1] + rounding
    values = _values_of(FIRST)
    cut = np.mean((values < low - rounding) | (values > high + rounding))
    assert cut <= (100 - percentile) / 100
    assert (high - low < wide[1] - wide[0]) == (percentile < 99.99)


def _values_of(tensor):
    """Computed by numpy's own sums: the first convolution is the only layer before it."""
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in classifier().graph.initializer}
    kernel, bias = weights["weight_0"], weights["weight_1"]
    pictures = np.array([one["image"][0, 0] for one in feeds()])
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("fyxij,oij->fyxo", patches, kernel[:, 0]) + bias


def test_activations_alone_have_ranges(found):
    weights = {one.name for one in classifier().graph.initializer}
    assert not weights & set(found())
    assert {"image", FIRST, "scores"} <= set(found())


@pytest.mark.parametrize("method", [{}, {"name": "entropy"}, {"name": "percentile"}])
def test_what_is_kept_is_not_calibrated_again(found, method):
    first = found(**method)
    assert found(refuse, **method) == first


def test_all_percentiles_come_from_one_calibration(found):
    found(name="percentile", percentile=99.9)
    assert found(refuse, name="percentile", percentile=99.999)
    assert found(refuse, name="entropy")


@pytest.mark.parametrize(
    "other", [{"decides": ("other frames",)}, {"name": "entropy"}, {"name": "entropy", "bins": 512}, {"cache": "empty"}]
)
def test_other_frames_and_bins_are_calibrated(found, other):
    found(name="entropy", bins=1024)
    found(cache="elsewhere")
    with pytest.raises(DatasetError, match="asked for"):
        found(refuse, **other)


@pytest.mark.parametrize(
    "damage",
    [
        lambda old: b"",
        lambda old: b"no archive",
        lambda old: old[: len(old) // 2],
        lambda old: old[:-9],
        lambda old: bytes(byte ^ (index == 700) for index, byte in enumerate(old)),
    ],
)
def test_a_damaged_file_is_calibrated_again(found, tmp_path, damage):
    first = found(name="entropy")
    for path in (tmp_path / "cache" / "histograms").iterdir():
        path.write_bytes(damage(path.read_bytes()))
    assert found(name="entropy") == first
    assert found(refuse, name="entropy") == first


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ({"name": "mode"}, "no calibration method called 'mode'"),
        ({"name": "percentile", "percentile": 0.999}, "percentile = 0.999"),
        ({"name": "entropy", "bins": 256}, "bins = 256 leave nothing to choose"),
        ({"name": "percentile", "bins": 0}, "bins = 0 leave nothing to choose"),
    ],
)
def test_a_method_that_is_none_is_refused(found, method, sentence):
    with pytest.raises(ConfigError, match=sentence):
        found(refuse, **method)


def test_no_frames_are_refused(found):
    with pytest.raises(ConfigError, match="no calibration frame"):
        found(list)


def test_what_is_no_number_is_refused_with_its_tensor(tmp_path):
    net = Net()
    dark = net.op("Log", net.op("Sub", "image", net.const(2.0)))
    model = save(finished(net, net.dense(net.conv(dark, 1, 4, 3), 4, 2)), tmp_path / "log.onnx")
    with pytest.raises(EngineError, match=r"'log_1' is not finite"):
        ranges(model, feeds, Method(), tmp_path / "cache", [])


def test_frames_that_do_not_fit_are_refused(found):
    with pytest.raises(EngineError, match="does not run on a calibration frame"):
        found(lambda: [{"image": np.zeros((1, 3, 10, 16), np.float32)}])
