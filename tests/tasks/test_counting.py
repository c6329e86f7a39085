from __future__ import annotations

import numpy as np
import pytest

NONE, NAN = np.zeros((0, 6), np.float32), np.full((1, 6), np.nan, np.float32)


def found(*classes):
    return np.float32([[0, 0, 5, 5, 0.9, label] for label in classes]).reshape(-1, 6)


def real(*classes):
    return np.float32([[9, 9, 20, 20, label] for label in classes]).reshape(-1, 5)


# predictions, truths, value, trivial, mean absolute error
SCORES = {
    "exact": ([found(0, 0), NONE], [real(0, 0), real()], 100, 50, 0),
    "one too many": ([found(0, 0), found(0)], [real(0), real(0)], 50, 100, 0.5),
    "right sum of wrong classes": ([found(0, 0)], [real(0, 1)], 0, 100, 2),
    "empty frames": ([NONE] * 4, [real(), real(), real(), real(1)], 75, 75, 0.25),
    "nan is wrong where nothing is": ([NAN, NONE], [real(), real()], 50, 100, 0),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_frame_is_right_where_every_class_is_counted_exactly(name, opened):
    predictions, truths, value, trivial, error = SCORES[name]
    score = opened("counting", classes=["adult", "child"]).score(predictions, truths)
    assert (score.value, score.trivial, score.extras["mean_absolute_error_count"]) == (value, trivial, error)


def test_nan_frames_are_counted(opened):
    score = opened("counting", classes=["adult"]).score([NAN, NONE], [real(), real()])
    assert score.per_frame.tolist() == [0, 1]
    assert score.extras["invalid_frames"] == 1


def test_boxes_are_those_of_the_detection_task(opened, unit):
    output = {"output0": np.float32([[16, 16, 8, 8, 0.9], [40, 16, 8, 8, 0.6]]).T[None]}
    options = {"classes": ["adult"], "decoder": "yolov8", "score_threshold": 0.7}
    rows = opened("counting", **options).post(output, unit)
    assert rows.tolist() == opened("detection", **options).post(output, unit).tolist()
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("first", "second", "changed"),
    [
        (found(0, 0), found(0, 0), False),
        (found(0, 1), found(1, 0), False),
        (found(0, 0), found(0), True),
        (found(0), found(1), True),
        (NONE, NONE, False),
        (NONE, NAN, True),
    ],
)
def test_an_answer_changes_where_a_count_does(first, second, changed, opened):
    task = opened("counting", classes=["adult", "child"])
    assert task.changed([first], [second], [real()]).tolist() == [changed]
