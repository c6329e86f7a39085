"""Ready tensors to calibrate on: taken as they are, refused where the model would never see such a thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.case import InputSpec, TensorSpec
from harness.errors import ConfigError, DatasetError
from harness.model import read_card
from harness.tasks.preprocess import Preprocess
from harness.variants.frames import Frames
from harness.variants.frames.frameset import FrameSet
from harness.variants.frames.normalisation import greys, require_normalisation
from tests.variants.rawmodel import pictures, raw_model

NORMALISED = "mean = [0.45]\nstd = [0.25]"
GREY = InputSpec(16, 10, mean=(0.45,), std=(0.25,))
READY = ((pictures(300, seed=3)[:, None] / 255 - 0.45) / 0.25).astype(np.float32)


@pytest.fixture
def calibrated(tmp_path):
    """The calibration set of a raw model whose tensors file holds `values`."""

    def make(values, file: str = "ready.npz", **changes) -> FrameSet:
        more = f'[calibration]\ntensors = "{file}"'
        card = read_card(raw_model(tmp_path / "eyes", more=more, normalised=NORMALISED))
        save(card.folder / file, values)
        return Frames(card=card, cache=tmp_path / "cache", **changes).calibration

    return make


def save(path: Path, values) -> None:
    if isinstance(values, dict):
        np.savez(path, **values)
    elif path.suffix == ".npz":
        np.savez(path, images=values)
    else:
        np.save(path, values)


@pytest.mark.parametrize("file", ["ready.npz", "ready.npy"])
@pytest.mark.parametrize(
    "values", [READY, READY.transpose(0, 2, 3, 1), READY[:, None], READY.astype(np.float64)],
    ids=["NCHW", "NHWC", "with a batch of one", "in double precision"],
)  # fmt: skip
def test_right_tensors_reach_the_model_as_they_are(calibrated, values, file):
    found = calibrated(values, file)
    assert len(found) == 300
    assert np.array_equal(np.concatenate(list(found.tensors(InputSpec(16, 10)))), READY)
    last = list(found.tensors(InputSpec(16, 10, layout="NHWC")))
    assert last[7].shape == (1, 10, 16, 1)
    assert np.array_equal(last[7][0, :, :, 0], READY[7, 0])


def ready_for(dtype: str, scale: float | None = None, zero_point: int = 0) -> np.ndarray:
    """READY as a file takes them whose input is declared so."""
    frames = FrameSet(name="calibration", pictures=greys(READY, GREY), ready=READY)
    declared = TensorSpec("image", (1, 1, 10, 16), dtype, scale, zero_point)
    return np.concatenate(list(frames.tensors(GREY, declared)))


def test_ready_tensors_are_quantised_for_a_quantised_input_and_cast_for_another():
    found = ready_for("int8", 0.02, -10)
    assert found.dtype == np.int8
    assert np.array_equal(found, np.clip(np.rint(READY / 0.02 - 10), -128, 127))
    assert np.array_equal(ready_for("float16"), READY.astype(np.float16))


def test_ready_pixels_are_the_pictures_and_normalised_where_the_file_takes_floats():
    pixels = pictures(300, seed=3)[:5, None]
    frames = FrameSet(name="calibration", pictures=pixels.transpose(0, 2, 3, 1), ready=pixels)
    raw = replace(GREY, dtype="uint8")
    assert np.array_equal(np.concatenate(list(frames.tensors(raw))), pixels)
    assert np.array_equal(np.concatenate(list(frames.tensors(GREY))), READY[:5])


def test_other_tensors_have_another_key(calibrated):
    slightly = READY + np.float32(1e-4)
    assert calibrated(READY).key != calibrated(slightly).key


WRONG = [
    (READY[:, :, :5], r"are \[300, 1, 5, 16\], and the model's input is \[1, 10, 16\] \(NCHW\).*\[frames, 1, 10, 16\]"),
    (READY[:, 0], r"are \[300, 10, 16\]"),
    (READY[:0], "the calibration set is empty"),
    (READY[:299], "299 calibration frames, 300 to 800"),
    (np.concatenate([READY] * 3), "900 calibration frames, 300 to 800"),
    (np.uint8(pictures(300, seed=3)[:, None]), "are uint8, and the model takes float32.*normalise them"),
    (READY.astype(complex), "are complex128"),
    (np.where(READY[41, 0, 2, 3] == READY, np.nan, READY), "calibration tensors hold NaN or infinity, first number"),
    (np.where(np.arange(300)[:, None, None, None] == 17, np.inf, READY), "1 of 300 .* first number 17"),
    ({"a": READY, "b": READY}, r"holds 2 arrays \(a, b\), wanted one"),
    ({}, r"holds 0 arrays \(none\)"),
]


@pytest.mark.parametrize(("values", "said"), WRONG)
def test_wrong_tensors_are_refused_with_the_reason(calibrated, values, said):
    with pytest.raises(DatasetError, match=said) as caught:
        calibrated(values)
    assert caught.value.where.endswith("ready.npz")
    assert caught.value.remedy


def test_a_file_that_is_no_array_is_refused(tmp_path, calibrated):
    with pytest.raises(DatasetError, match="cannot be read"):
        calibrated(READY, tensors=tmp_path / "eyes" / "model.toml")
    with pytest.raises(DatasetError, match="cannot be read"):
        calibrated(READY, tensors=tmp_path / "nowhere.npy")


def test_the_array_of_the_named_input_is_taken_of_several(tmp_path):
    card = read_card(raw_model(tmp_path / "eyes", normalised=f'name = "image"\n{NORMALISED}'))
    save(tmp_path / "ready.npz", {"state": np.zeros(3), "image": READY})
    frames = Frames(card=card, cache=tmp_path / "cache", tensors=tmp_path / "ready.npz")
    assert np.array_equal(frames.calibration.ready, READY)


def test_ready_tensors_are_not_made_worse(calibrated):
    with pytest.raises(ConfigError, match="ready tensors cannot be blurred or darkened"):
        calibrated(READY, degraded_percent=10.0)


# how the tensors of grey frames were made, instead of (pixel / 255 - 0.45) / 0.25 -> the likely cause
GREY_CAUSES = [
    (lambda pixels: pixels, "pixels from 0 to 255 were not divided by scale, mean and std were left out"),
    (lambda pixels: pixels / 255, "mean and std were left out"),
    (lambda pixels: (pixels - 0.45) / 0.25, "pixels from 0 to 255 were not divided by scale"),
    (lambda pixels: pixels / 127.5 - 1, "they were scaled to -1..1"),
    (lambda pixels: pixels / 255 - 0.45, "std was left out"),
    (lambda pixels: (pixels / 255**2 - 0.45) / 0.25, "they were divided by scale twice"),
    (lambda pixels: 0 * pixels, "they come from other pictures, or are scaled otherwise"),
    (lambda pixels: pixels * 1e6, "they come from other pictures, or are scaled otherwise"),
]


@pytest.mark.parametrize(("wrongly", "cause"), GREY_CAUSES)
def test_a_wrong_normalisation_is_refused_with_both_statistics_and_the_likely_cause(calibrated, wrongly, cause):
    with pytest.raises(DatasetError, match="not normalised as the card says") as caught:
        calibrated(np.float32(wrongly(pictures(300, seed=3)[:, None].astype(float))))
    assert caught.value.what.endswith(f"likely cause: {cause}")
    assert caught.value.what.count(", std ") == 2
    assert "(pixel / scale - mean) / std" in caught.value.remedy


PHOTOS = np.stack([pictures(40, seed=5) // 2 + 120, pictures(40, seed=6), pictures(40, seed=7) // 3], axis=-1)
COLOUR = InputSpec(16, 10, colour="rgb", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
GREYISH = pictures(40, seed=5)[..., None].repeat(3, axis=3)


def ready_set(photos, spec) -> FrameSet:
    made = np.concatenate([Preprocess(spec).tensor(one) for one in photos])
    return FrameSet(name="calibration", pictures=photos, ready=made)


def test_channels_in_the_wrong_order_are_found_where_the_channels_differ():
    found = ready_set(PHOTOS[..., ::-1].copy(), InputSpec(16, 10, colour="rgb"))
    own = FrameSet(name="own", pictures=PHOTOS)
    with pytest.raises(DatasetError, match="the channels are in the wrong order, the card wants rgb"):
        require_normalisation(found, own, InputSpec(16, 10, colour="rgb"), "ready.npz")


def test_channels_that_are_all_alike_are_in_no_wrong_order():
    found = ready_set(GREYISH[..., ::-1].copy(), COLOUR)
    require_normalisation(found, FrameSet(name="own", pictures=GREYISH), COLOUR, "ready.npz")


def test_imagenets_numbers_are_recognised_where_the_card_has_others():
    plain = InputSpec(16, 10, colour="rgb")
    with pytest.raises(DatasetError, match="the mean and std of ImageNet were applied"):
        require_normalisation(ready_set(PHOTOS, COLOUR), FrameSet(name="own", pictures=PHOTOS), plain, "ready.npz")


@pytest.mark.parametrize("brightness", [-25, 0, 25])
def test_other_frames_of_the_same_camera_are_taken(brightness):
    others = np.clip(pictures(300, seed=9).astype(int) + brightness, 0, 255).astype(np.uint8)[..., None]
    spec = InputSpec(16, 10, mean=(0.45,), std=(0.25,))
    require_normalisation(ready_set(others, spec), FrameSet(name="own", pictures=PHOTOS[..., 1:2]), spec, "ready.npz")


@pytest.mark.parametrize("spec", [InputSpec(16, 10), COLOUR, InputSpec(16, 10, dtype="uint8")])
def test_the_nearest_pixels_of_a_tensor_are_those_that_it_was_made_of(spec):
    photos = PHOTOS[..., : spec.channels]
    assert np.array_equal(greys(ready_set(photos, spec).ready, spec), photos)
