from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ConfigError, DatasetError, EngineError


def rows(*values):
    return [np.float32([value]) for value in values]


@pytest.fixture
def eyes(opened):
    return opened("classification", classes=["open", "closed"])


@pytest.mark.parametrize("shape", [(2,), (1, 2), (1, 2, 1, 1), (1, 1, 1, 2)])
def test_axes_of_length_one_mean_nothing(shape, eyes, unit):
    assert eyes.post({"scores": np.reshape([0.25, 0.75], shape)}, unit).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (1, 0)])
def test_another_number_of_scores_is_refused(shape, eyes, unit):
    with pytest.raises(EngineError, match=r"wanted \[1, 2\]"):
        eyes.post({"scores": np.zeros(shape)}, unit)


def test_softmax_makes_probabilities(opened, unit):
    task = opened("classification", classes=["a", "b"], softmax=True)
    assert task.post({"scores": np.float32([[0, np.log(3)]])}, unit) == pytest.approx(np.float32([[0.25, 0.75]]))


def test_the_named_output_is_read(opened, unit):
    task = opened("classification", classes=["a", "b"], output="gate")
    assert task.post({"scores": np.zeros((1, 2)), "gate": np.ones((1, 2))}, unit).tolist() == [[1, 1]]


def test_accuracy_is_the_share_of_right_frames(eyes):
    score = eyes.score(rows([0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1]), rows([0], [1], [1], [0]))
    assert score.value == 75
    assert score.per_frame.tolist() == [1, 1, 0, 1]
    assert score.trivial == 50
    assert score.extras["recall_open_percent"] == 100
    assert score.extras["recall_closed_percent"] == 50
    assert score.extras["balanced_accuracy_percent"] == 75


def test_the_trivial_value_is_the_most_frequent_class(eyes):
    assert eyes.score(rows([1, 0], [1, 0], [1, 0], [1, 0]), rows([0], [0], [0], [1])).trivial == 75


def test_a_class_that_does_not_occur_has_no_recall(eyes):
    assert "recall_closed_percent" not in eyes.score(rows([1, 0]), rows([0])).extras


def test_nan_is_wrong_whatever_the_truth(eyes):
    score = eyes.score(rows([np.nan, 0.1], [np.nan, np.nan], [1, 0]), rows([0], [0], [0]))
    assert score.per_frame.tolist() == [0, 0, 1]
    assert score.extras["invalid_frames"] == 2


@pytest.mark.parametrize("value", [2, -1, 0.5, np.nan])
def test_a_true_class_that_is_not_known_is_refused(value, eyes):
    with pytest.raises(DatasetError, match=r"the true class is .*frame 0.*known are 0 open, 1 closed"):
        eyes.score(rows([1, 0]), rows([value]))


def test_perclos_is_compared_clip_by_clip(opened):
    task = opened("classification", classes=["open", "closed"], closed="closed")
    seen = rows([0, 1], [0, 1], [1, 0], [1, 0], [1, 0], [1, 0])
    true = rows([1], [0], [0], [0], [1], [1])
    extras = task.score(seen, true, clips=["a", "a", "a", "a", "b", "b"]).extras
    # Clip a: 50 % seen closed, 25 % really; clip b: none seen, 100 % really.
    assert extras["perclos_error_points"] == pytest.approx((25 + 100) / 2)
    assert extras["perclos_clips"] == 2


def test_the_closed_class_must_be_one_of_the_classes(opened):
    with pytest.raises(ConfigError, match="closed"):
        opened("classification", classes=["open", "shut"], closed="closed")


@pytest.mark.parametrize(
    ("first", "second", "changed"),
    [([0.9, 0.1], [0.6, 0.4], False), ([0.9, 0.1], [0.4, 0.6], True), ([np.nan, 0.1], [0.9, 0.1], True)],
)
def test_an_answer_changes_where_another_class_wins(first, second, changed, eyes):
    assert eyes.changed(rows(first), rows(second), rows([0])).tolist() == [changed]
