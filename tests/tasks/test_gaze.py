from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DatasetError
from harness.tasks.gaze import angle_deg, direction

ANGLES = st.tuples(st.floats(-89, 89), st.floats(-89, 89))


def rows(*values):
    return [np.float32([value]) for value in values]


@pytest.mark.parametrize(
    ("options", "output", "answer"),
    [
        ({}, [10, -5], [10, -5]),
        ({"order": "pitch_yaw"}, [-5, 10], [10, -5]),
        ({"units": "radians"}, [math.radians(10), math.radians(-5)], [10, -5]),
        ({"units": "radians", "order": "pitch_yaw"}, [math.radians(-5), math.radians(10)], [10, -5]),
    ],
)
def test_the_answer_is_yaw_and_pitch_in_degrees(options, output, answer, opened, unit):
    assert opened("gaze", **options).post({"gaze": np.float32([output])}, unit)[0] == pytest.approx(answer)


@pytest.mark.parametrize(
    ("first", "second", "angle"),
    [
        ((0, 0), (6, 0), 6),
        ((0, 0), (0, 6), 6),
        ((0, 0), (180, 0), 180),
        ((0, 80), (90, 80), 14.1060),  # near the pole yaw counts little
        ((0, 0), (1e-5, 0), 1e-5),
    ],
)
def test_the_error_is_the_angle_between_the_two_directions(first, second, angle):
    assert angle_deg(direction(np.array([first])), direction(np.array([second]))) == pytest.approx(angle, rel=1e-4)


@given(ANGLES, ANGLES)
def test_the_angle_is_that_of_the_spherical_law_of_cosines(first, second):
    (yaw, pitch), (other_yaw, other_pitch) = np.radians(first), np.radians(second)
    cosine = np.sin(pitch) * np.sin(other_pitch) + np.cos(pitch) * np.cos(other_pitch) * np.cos(yaw - other_yaw)
    angle = angle_deg(direction(np.array([first])), direction(np.array([second])))[0]
    assert np.cos(np.radians(angle)) == pytest.approx(cosine, abs=1e-9)


def test_frames_within_the_tolerance_are_right(opened):
    score = opened("gaze", tolerance_deg=5).score(rows([4, 0], [6, 0], [0, -5]), rows([0, 0], [0, 0], [0, 0]))
    assert score.per_frame.tolist() == [1, 0, 1]
    assert score.extras["angular_error_mean_deg"] == pytest.approx(5)


def test_the_95th_percentile_is_given(opened):
    predictions, truths = rows(*[[i, 0] for i in range(101)]), rows(*[[0, 0]] * 101)
    assert opened("gaze").score(predictions, truths).extras["angular_error_p95_deg"] == pytest.approx(95)


def test_the_trivial_value_is_that_of_the_mean_direction(opened):
    predictions = rows([0, 0], [0, 0], [0, 0])
    assert opened("gaze").score(predictions, rows([20, 0], [24, 0], [22, 0])).trivial == 100
    assert opened("gaze").score(predictions, rows([-20, 0], [20, 0], [0, 0])).trivial == pytest.approx(100 / 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_wrong_and_counted(value, opened):
    score = opened("gaze").score(rows([value, 0], [1, 0]), rows([0, 0], [0, 0]))
    assert score.per_frame.tolist() == [0, 1]
    assert score.extras["invalid_frames"] == 1
    assert score.extras["angular_error_mean_deg"] == pytest.approx(1)


def test_an_error_of_no_frame_is_absent(opened):
    assert opened("gaze").score(rows([np.nan, 0]), rows([0, 0])).extras == {"invalid_frames": 1}


def test_a_truth_that_is_not_finite_is_refused_with_its_frame(opened):
    with pytest.raises(DatasetError, match=r"the true gaze is not finite.*frame 1"):
        opened("gaze").score(rows([0, 0], [0, 0]), rows([0, 0], [np.nan, 0]))


@pytest.mark.parametrize(
    ("first", "second", "changed"),
    [
        ([0, 0], [2.9, 0], False),
        ([0, 0], [3.1, 0], True),
        ([0, 0], [np.inf, 0], True),
        ([np.nan] * 2, [np.nan] * 2, False),
    ],
)
def test_an_answer_changes_where_the_direction_moves_by_half_the_tolerance(first, second, changed, opened):
    assert opened("gaze").changed(rows(first), rows(second), rows([40, 0])).tolist() == [changed]
