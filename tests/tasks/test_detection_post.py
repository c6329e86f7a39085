from __future__ import annotations

import numpy as np
import pytest

from harness.tasks import Geometry

CLASSES = ["face"]


def yolo(*rows):
    """YOLOv8 output of rows cx cy w h score, one class."""
    return {"output0": np.array(rows, np.float32).reshape(-1, 5).T[None]}


@pytest.fixture
def detector(opened):
    return lambda **options: opened("detection", classes=CLASSES, decoder="yolov8", **options)


def test_boxes_are_given_in_pixels_of_the_frame(detector):
    rows = detector().post(yolo((16, 16, 8, 8, 0.9)), Geometry(2.0, 3.0, 100.0, 50.0))
    assert rows == pytest.approx(np.float32([[124, 86, 140, 110, 0.9, 0]]))


def test_boxes_are_cut_at_the_edge_of_the_input(detector, unit):
    rows = detector().post(yolo((0, 30, 20, 20, 0.9)), unit)
    assert rows[0, :4].tolist() == [0, 20, 10, 32]


def test_overlaps_are_suppressed_and_the_best_stands_first(detector, unit):
    rows = detector().post(yolo((16, 16, 8, 8, 0.5), (16, 16, 8, 9, 0.9), (40, 16, 8, 8, 0.7)), unit)
    assert rows[:, 4] == pytest.approx([0.9, 0.7])


def test_no_more_boxes_than_allowed_are_given(detector, unit):
    many = [(x, 16, 2, 2, 0.5 + x / 200) for x in range(4, 60, 4)]
    rows = detector(max_detections=3).post(yolo(*many), unit)
    assert rows[:, 0].tolist() == [55, 51, 47]


def test_a_score_at_the_threshold_does_not_pass(detector, unit):
    rows = detector(score_threshold=0.5).post(yolo((16, 16, 8, 8, 0.5), (40, 16, 8, 8, 0.51)), unit)
    assert len(rows) == 1


def test_what_the_model_has_suppressed_is_not_suppressed_again(opened, unit):
    end_to_end = opened("detection", classes=CLASSES, decoder="yolov7", max_detections=2)
    same = [[0, 4, 4, 12, 12, 0, score] for score in (0.5, 0.9, 0.7)]
    assert end_to_end.post({"output": np.float32(same)}, unit)[:, 4] == pytest.approx([0.9, 0.7])


def test_a_box_that_is_nan_leaves_one_row_of_nan_behind_the_others(detector, unit):
    rows = detector().post(yolo((np.nan, 16, 8, 8, 0.9), (40, 16, 8, 8, 0.7), (1, 1, np.nan, 1, 0.8)), unit)
    assert rows[0, 4] == pytest.approx(0.7)
    assert rows.shape == (2, 6)
    assert np.isnan(rows[1]).all()


def test_nan_below_the_threshold_is_no_candidate(detector, unit):
    assert detector().post(yolo((np.nan, 16, 8, 8, 0.1)), unit).shape == (0, 6)


ONE, OTHER, FAR = [4, 4, 12, 12], [5, 4, 13, 12], [40, 4, 48, 12]
TRUTH = np.float32([[*ONE, 0]])


def rows(*boxes):
    """Boxes x1 y1 x2 y2, score, class."""
    return np.float32([[*corners, score, label] for corners, score, label in boxes]).reshape(-1, 6)


@pytest.mark.parametrize(
    ("first", "second", "changed"),
    [
        (rows((ONE, 0.9, 0)), rows((OTHER, 0.8, 0)), False),
        (rows((ONE, 0.9, 0)), rows((FAR, 0.9, 0)), True),
        (rows((ONE, 0.9, 0)), rows((ONE, 0.9, 1)), True),
        (rows((ONE, 0.9, 0)), rows((ONE, 0.9, 0), (FAR, 0.9, 0)), True),
        (rows((ONE, 0.9, 0)), rows((ONE, 0.9, 0), (OTHER, 0.9, 0)), True),
        (rows((ONE, 0.9, 0)), rows(), True),
        (rows(), rows((ONE, 0.9, 0)), True),
        (rows(), rows(), False),
        (rows((ONE, 0.9, 0), (FAR, 0.2, 0)), rows((ONE, 0.9, 0), (FAR, 0.6, 0)), False),
        (rows((ONE, 0.9, 0)), rows((ONE, 0.9, 0), (FAR, 0.3, 0)), False),
    ],
)
def test_an_answer_changes_where_the_boxes_do_not_pair_off(first, second, changed, opened):
    task = opened("detection", classes=["face", "phone"])
    sure = rows((ONE, 0.7, 0))  # the score from which on the first model's F1 is best
    assert task.changed([first, sure], [second, sure], [TRUTH] * 2).tolist() == [changed, False]
