from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DatasetError
from harness.tasks import Geometry

FACE = np.float32([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]])  # eyes 20 apart, box 20 x 20


def moved(x, y=0.0):
    return FACE + np.float32([x, y])


@pytest.fixture
def faces(opened):
    return lambda **options: opened("landmarks", points=5, **options)


@pytest.mark.parametrize("shape", [(1, 10), (1, 5, 2), (1, 10, 1, 1), (10,)])
def test_points_come_in_any_arrangement_of_axes(shape, faces, unit):
    assert faces().post({"points": FACE.reshape(shape)}, unit).tolist() == FACE.tolist()


def test_a_third_value_per_point_is_left_alone(faces, unit):
    assert faces().post({"points": np.insert(FACE, 2, 7, axis=1)[None]}, unit).tolist() == FACE.tolist()


def test_points_are_given_in_pixels_of_the_frame(faces):
    geometry = Geometry(2.0, 3.0, 100.0, 50.0)
    assert faces().post({"points": FACE}, geometry)[0].tolist() == [120, 80]
    fractions = FACE / np.float32([64, 32])
    assert faces(units="fraction").post({"points": fractions}, geometry)[0] == pytest.approx([120, 80])


@pytest.mark.parametrize(("shift", "right"), [(0, True), (1.5, True), (1.7, False)])
def test_a_frame_is_right_below_the_threshold(shift, right, faces):
    assert faces().score([moved(shift)], [FACE]).value == 100 * right


@pytest.mark.parametrize("options", [{"normalise": "inter_ocular"}, {"normalise": "box"}, {"eyes": [1, 0]}])
def test_errors_are_relative_to_the_size_of_the_face(options, faces):
    assert faces(**options).score([moved(3, 4)], [FACE]).extras["nme_mean_percent"] == pytest.approx(25)


def test_a_point_without_truth_does_not_count(faces):
    truth = FACE.copy()
    truth[2] = np.nan
    prediction = moved(1)
    prediction[2] = 999
    score = faces().score([prediction], [truth])
    assert score.extras["nme_mean_percent"] == pytest.approx(5)
    assert score.trivial == 100


def test_nan_is_wrong_and_counted(faces):
    score = faces().score([FACE * np.nan, FACE], [FACE, FACE])
    assert score.per_frame.tolist() == [0, 1]
    assert score.extras == {"invalid_frames": 1, "nme_mean_percent": 0}


def test_a_mean_error_of_no_frame_is_absent(faces):
    assert faces().score([FACE * np.nan], [FACE]).extras == {"invalid_frames": 1}


def test_the_trivial_value_is_that_of_the_mean_face(faces):
    assert faces().score([FACE] * 2, [moved(-1), moved(1)]).trivial == 100
    assert faces().score([FACE] * 2, [moved(-9), moved(9)]).trivial == 0


@pytest.mark.parametrize("normalise", ["inter_ocular", "box"])
@pytest.mark.parametrize("truth", [FACE * 0, FACE * np.nan])
def test_a_truth_without_size_is_refused_with_its_frame(truth, normalise, faces):
    with pytest.raises(DatasetError, match=rf"no size to divide errors by \({normalise}.*frame 1"):
        faces(normalise=normalise).score([FACE] * 2, [FACE, truth.astype(np.float32)])


@pytest.mark.parametrize(
    ("first", "second", "changed"),
    [
        (FACE, moved(0.7), False),
        (moved(50), moved(50.7), False),
        (FACE, moved(0.9), True),
        (FACE, FACE * np.nan, True),
        (FACE * np.inf, FACE * np.inf, False),
    ],
)
def test_an_answer_changes_where_the_points_move_by_half_the_threshold(first, second, changed, faces):
    assert faces().changed([first], [second], [FACE]).tolist() == [changed]


def test_a_point_without_truth_changes_no_answer(faces):
    truth, second = FACE.copy(), FACE.copy()
    truth[2], second[2] = np.nan, 999
    assert faces().changed([FACE], [second], [truth]).tolist() == [False]
