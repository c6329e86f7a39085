"""From a frame to the tensor: places, values and layouts, beside OpenCV."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import InputSpec, TensorSpec
from harness.errors import ConfigError, DatasetError
from harness.tasks import preprocess
from harness.tasks.preprocess import Preprocess, bilinear_numpy

RANDOM = np.random.default_rng(5)
GREY = RANDOM.integers(0, 256, (40, 60), dtype=np.uint8)
COLOUR = RANDOM.integers(0, 256, (40, 60, 3), dtype=np.uint8)
RAW = InputSpec(60, 40, dtype="uint8")
SIDE = st.integers(1, 70)


def test_a_frame_of_the_right_size_is_left_as_it_is():
    tensor, geometry = Preprocess(RAW)(GREY)
    assert np.array_equal(tensor[0, 0], GREY)
    assert (geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y) == (1, 1, 0, 0)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    ("frame", "colour", "planes"),
    [
        (GREY, "gray", [GREY]),
        (GREY, "rgb", [GREY] * 3),
        (GREY, "bgr", [GREY] * 3),
        (COLOUR, "rgb", [COLOUR[..., 0], COLOUR[..., 1], COLOUR[..., 2]]),
        (COLOUR, "bgr", [COLOUR[..., 2], COLOUR[..., 1], COLOUR[..., 0]]),
    ],
)
def test_colours_and_layouts(layout, frame, colour, planes):
    tensor, _ = Preprocess(replace(RAW, layout=layout, colour=colour))(frame)
    assert np.array_equal(tensor, np.stack(planes, axis=0 if layout == "NCHW" else -1)[None])
    assert tensor.flags.c_contiguous


def test_grey_of_a_colour_frame_is_that_of_opencv_within_one_level():
    cv2 = pytest.importorskip("cv2")
    tensor, _ = Preprocess(RAW)(COLOUR)
    theirs = cv2.cvtColor(COLOUR, cv2.COLOR_RGB2GRAY)
    assert np.abs(tensor[0, 0].astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_values_are_normalised_per_channel(layout, dtype):
    spec = InputSpec(60, 40, layout=layout, colour="rgb", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), dtype=dtype)
    tensor, _ = Preprocess(spec)(COLOUR)
    wanted = (COLOUR / 255 - spec.mean) / spec.std
    assert tensor.dtype == dtype
    assert np.allclose(tensor[0].transpose(1, 2, 0) if layout == "NCHW" else tensor[0], wanted, rtol=2e-3, atol=2e-3)


def test_the_tensor_decides_the_type():
    tensor, _ = Preprocess(InputSpec(60, 40), TensorSpec("x", (1, 1, 40, 60), "float16"))(GREY)
    assert tensor.dtype == np.float16


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"), [("int8", 1 / 255, -128), ("uint8", 1 / 255, 0), ("int8", 0.02, 3)]
)
def test_a_quantised_tensor_holds_the_nearest_level_of_the_normalised_value(dtype, scale, zero_point):
    spec = InputSpec(60, 40, mean=(0.5,), std=(0.25,))
    tensor, _ = Preprocess(spec, TensorSpec("x", (1, 1, 40, 60), dtype, scale, zero_point))(GREY)
    limits = np.iinfo(dtype)
    wanted = np.clip(np.rint((GREY / 255 - 0.5) / 0.25 / scale + zero_point), limits.min, limits.max)
    assert tensor.dtype == dtype
    assert np.array_equal(tensor[0, 0], wanted)


def test_a_uint8_tensor_without_scale_holds_the_pixels():
    spec = InputSpec(60, 40, mean=(0.5,), std=(0.25,))
    tensor, _ = Preprocess(spec, TensorSpec("x", (1, 1, 40, 60), "uint8"))(GREY)
    assert np.array_equal(tensor[0, 0], GREY)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@given(width=SIDE, height=SIDE, wide=SIDE, high=SIDE)
def test_every_size_of_frame_and_input_gives_the_input_shape(resize, width, height, wide, high):
    frame = np.full((high, wide), 9, np.uint8)
    tensor, geometry = Preprocess(InputSpec(width, height, resize=resize, pad_value=9, dtype="uint8"))(frame)
    assert tensor.shape == (1, 1, height, width)
    assert (tensor == 9).all()
    assert min(geometry.scale_x, geometry.scale_y) > 0


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize("axis", [0, 1])
@given(width=st.integers(4, 60), height=st.integers(4, 60), left=st.integers(0, 20), top=st.integers(0, 20))
def test_a_model_pixel_shows_the_frame_where_its_geometry_says(resize, axis, width, height, left, top):
    # A ramp names its own place: pixel i has the value i, so its left edge is at value - 0.5.
    ramp = np.broadcast_to(
        np.arange(100, dtype=np.uint8)[:, None] if axis == 0 else np.arange(100, dtype=np.uint8), (100, 100)
    )
    spec = InputSpec(width, height, resize=resize, pad_value=255, dtype="uint8")
    tensor, geometry = Preprocess(spec)(ramp, (left, top, left + 70, top + 50))
    rows, columns = np.nonzero(tensor[0, 0] != 255)
    if axis == 0:
        place = (rows + 0.5) * geometry.scale_y + geometry.offset_y
        first, last = top, top + 50
    else:
        place = (columns + 0.5) * geometry.scale_x + geometry.offset_x
        first, last = left, left + 70
    assert ((place >= first - 1e-6) & (place <= last + 1e-6)).all()
    assert np.abs(tensor[0, 0, rows, columns] - np.clip(place - 0.5, first, last - 1)).max() <= 1


def test_a_letterbox_keeps_the_proportions_and_fills_the_rest():
    tensor, geometry = Preprocess(InputSpec(40, 40, resize="letterbox", pad_value=7, dtype="uint8"))(
        np.full((20, 80), 99, np.uint8)
    )
    assert (tensor[0, 0, 15:25] == 99).all()
    assert (tensor[0, 0, :15] == 7).all()
    assert (tensor[0, 0, 25:] == 7).all()
    assert (geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y) == (2, 2, 0, -30)


def test_a_crop_keeps_the_middle():
    frame = np.zeros((20, 80), np.uint8)
    frame[:, 30:50] = 99
    tensor, geometry = Preprocess(InputSpec(10, 10, resize="crop", dtype="uint8"))(frame)
    assert (tensor == 99).all()
    assert (geometry.scale_x, geometry.scale_y, geometry.offset_x, geometry.offset_y) == (2, 2, 30, 0)


@pytest.mark.parametrize(
    ("roi", "shown"),
    [
        ((10, 5, 30, 25), (10, 5, 30, 25)),
        ((10.7, 5.9, 30.7, 25.9), (10, 5, 30, 25)),
        ((-9, -9, 20, 10), (0, 0, 20, 10)),
        ((50, 30, 999, 999), (50, 30, 60, 40)),
        ((12, 13, 12, 13), (12, 13, 13, 14)),
        ((30, 20, 10, 5), (30, 20, 31, 21)),
        ((900, 900, 950, 950), (59, 39, 60, 40)),
        ((-50, -50, -9, -9), (0, 0, 1, 1)),
    ],
)
def test_a_region_is_cut_to_the_frame_and_is_at_least_one_pixel(roi, shown):
    x1, y1, x2, y2 = shown
    tensor, geometry = Preprocess(InputSpec(x2 - x1, y2 - y1, dtype="uint8"))(GREY, roi)
    assert np.array_equal(tensor[0, 0], GREY[y1:y2, x1:x2])
    assert (geometry.offset_x, geometry.offset_y) == (x1, y1)


@given(wide=SIDE, high=SIDE, width=SIDE, height=SIDE, colour=st.booleans(), seed=st.integers(0, 99))
def test_the_resize_without_opencv_equals_it_within_one_grey_level(wide, high, width, height, colour, seed):
    cv2 = pytest.importorskip("cv2")
    shape = (high, wide, 3) if colour else (high, wide)
    frame = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    theirs = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    assert np.abs(bilinear_numpy(frame, width, height).astype(int) - theirs).max() <= 1


def test_without_opencv_the_tensor_is_the_same_within_one_grey_level(monkeypatch):
    spec = InputSpec(31, 17, colour="rgb", resize="letterbox", dtype="uint8")
    with_opencv = Preprocess(spec)(COLOUR)[0].astype(int)
    monkeypatch.setattr(preprocess, "cv2", None)
    assert np.abs(Preprocess(spec)(COLOUR)[0] - with_opencv).max() <= 1


@pytest.mark.parametrize(
    "frame",
    [GREY.astype(np.float32), GREY[0], GREY[..., None], np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_a_frame_of_another_kind_is_refused(frame):
    with pytest.raises(DatasetError, match=r"a frame is .*wanted uint8 \[h, w\] or \[h, w, 3\]"):
        Preprocess(RAW)(frame)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_region_that_is_not_finite_is_refused(value):
    with pytest.raises(DatasetError, match=r"which is no place"):
        Preprocess(RAW)(GREY, (0, 0, value, 9))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layout": "NCWH"}, "no layout called 'NCWH', did you mean 'NCHW'"),
        ({"colour": "grey"}, "did you mean 'gray'"),
        ({"resize": "fit"}, "no resize called 'fit'"),
        ({"width": 0}, "width = 0; allowed: 1 or more|width = 0"),
        ({"mean": (0.5, 0.5)}, r"mean = \(0.5, 0.5\).*1 or 1 values"),
        ({"std": (0.0,)}, "std = .*none of them 0"),
        ({"scale": 0}, "scale = 0"),
        ({"pad_value": 300}, "pad_value = 300"),
        ({"dtype": "floating"}, "an input of type 'floating'"),
    ],
)
def test_a_spec_that_cannot_be_right_is_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Preprocess(replace(RAW, **changes))


def test_an_int8_input_without_quantisation_takes_the_cards_normalisation_rounded_and_saturated():
    spec = InputSpec(width=3, height=1, dtype="int8", scale=1.0, mean=(128.0,))
    tensor, _ = Preprocess(spec)(np.array([[0, 128, 255]], np.uint8))
    assert tensor.dtype == np.int8
    assert tensor.ravel().tolist() == [-128, 0, 127]
