"""Average precision against a slow and plain implementation, and its properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import InputSpec, TaskSpec
from harness.errors import DatasetError
from harness.tasks import open_task
from harness.tasks.average_precision import best_f1_threshold, class_average_precision, match

TASK = open_task(TaskSpec("detection", {"classes": ["face", "phone"]}), InputSpec(64, 64))
BOX = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 12), st.integers(1, 12), st.integers(0, 1))


@st.composite
def frames(draw):
    """Predictions and truths of a few frames; half of the predictions are truths moved a little."""
    predictions, truths = [], []
    for _ in range(draw(st.integers(1, 4))):
        truth = [(x, y, x + w, y + h, c) for x, y, w, h, c in draw(st.lists(BOX, max_size=3))]
        moved = [(x + draw(st.integers(-1, 1)), y, *rest) for x, y, *rest in truth if draw(st.booleans())]
        free = [(x, y, x + w, y + h, c) for x, y, w, h, c in draw(st.lists(BOX, max_size=3))]
        scored = [(*box[:4], draw(st.integers(1, 9)) / 10, box[4]) for box in moved + free]
        predictions.append(np.array(scored, np.float32).reshape(-1, 6))
        truths.append(np.array(truth, np.float32).reshape(-1, 5))
    if not any(len(truth) for truth in truths):
        truths[0] = np.float32([[0, 0, 5, 5, 0]])
    return predictions, truths


def overlap(a, b):
    inter = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def slow_hits(boxes, truths):
    """Which boxes find a truth of one class in one frame, best score first."""
    free, hits = list(truths), []
    for box in sorted(boxes, key=lambda box: (-box[4], *box[:4])):
        best = max(free, key=lambda truth: overlap(box, truth), default=None)
        hit = best is not None and overlap(box, best) >= 0.5
        if hit:
            free = [truth for truth in free if truth is not best]
        hits.append((box[4], hit))
    return hits


def slow_average_precision(predictions, truths, label):
    """One point of the curve per score threshold, then the best precision at 101 recalls."""
    hits, wanted = [], 0
    for prediction, truth in zip(predictions, truths, strict=True):
        real = [tuple(map(float, row[:4])) for row in truth if row[4] == label]
        wanted += len(real)
        hits += slow_hits([tuple(map(float, row[:5])) for row in prediction if row[5] == label], real)
    if not wanted:
        return None
    points = []
    for threshold in {score for score, _ in hits}:
        shown = [hit for score, hit in hits if score >= threshold]
        points.append((sum(shown) / wanted, sum(shown) / len(shown)))
    levels = [[precision for recall, precision in points if recall >= level / 100 - 1e-9] for level in range(101)]
    return sum(max(level, default=0) for level in levels) / 101


def slow_ap50(predictions, truths):
    values = [slow_average_precision(predictions, truths, label) for label in (0, 1)]
    return 100 * np.mean([value for value in values if value is not None])


@given(frames())
def test_it_is_that_of_the_slow_definition(data):
    assert TASK.score(*data).value == pytest.approx(slow_ap50(*data), abs=1e-6)


@given(frames())
def test_perfect_predictions_score_100(data):
    _, truths = data
    perfect = [np.insert(truth, 4, 0.9, axis=1) for truth in truths]
    score = TASK.score(perfect, truths)
    assert score.value == pytest.approx(100)
    assert score.extras["recall_percent"] == score.extras["precision_percent"] == 100


@given(frames(), st.randoms(use_true_random=False))
def test_the_order_of_boxes_and_of_frames_means_nothing(data, random):
    predictions, truths = data
    value = TASK.score(predictions, truths).value
    shuffled = [one[random.sample(range(len(one)), len(one))] for one in predictions]
    assert TASK.score(shuffled, truths).value == pytest.approx(value, abs=1e-9)
    order = random.sample(range(len(truths)), len(truths))
    reordered = TASK.score([predictions[i] for i in order], [truths[i] for i in order])
    assert reordered.value == pytest.approx(value, abs=1e-9)


@given(frames())
def test_no_constant_box_beats_its_own_trivial_value(data):
    _, truths = data
    trivial = TASK.score([np.zeros((0, 6), np.float32)] * len(truths), truths).trivial
    first = next(row for truth in truths for row in truth)
    constant = np.float32([[*first[:4], 0.5, first[4]]])
    assert TASK.score([constant] * len(truths), truths).value <= trivial + 1e-6


@given(frames(), st.integers(1, 3))
def test_weighting_a_frame_is_repeating_it(data, times):
    predictions, truths = data
    weights = np.ones(len(truths))
    weights[0] = times
    repeated = match([predictions[0]] * (times - 1) + predictions, [truths[0]] * (times - 1) + truths)
    for label in (0, 1):
        weighted = class_average_precision(match(predictions, truths), label, weights)
        assert weighted == pytest.approx(class_average_precision(repeated, label))


@given(frames(), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_score_of_weighted_frames_is_that_of_frames_shown_as_often(data, times):
    times = times[: len(data[0])]
    repeated = [[one for one, count in zip(side, times, strict=True) for _ in range(count)] for side in data]
    value = TASK.reweighed(*data)
    if any(len(truth) for truth in repeated[1]):
        assert value(np.array(times, float)) == pytest.approx(TASK.score(*repeated).value)
    else:
        with pytest.raises(DatasetError, match=r"no frame holds a box"):
            value(np.array(times, float))


@given(frames())
def test_the_best_f1_is_that_of_trying_every_score(data):
    def f1(threshold):
        shown = match([one[one[:, 4] >= threshold] for one in data[0]], data[1])
        return 2 * shown.correct.sum() / (len(shown.correct) + len(shown.truth_classes))

    matches = match(*data)
    tried = [f1(score) for score in np.unique(matches.scores)]
    assert f1(best_f1_threshold(matches)) == max(tried, default=0)


def test_no_predictions_score_0_and_have_no_precision():
    score = TASK.score([np.zeros((0, 6), np.float32)], [np.float32([[0, 0, 9, 9, 0]])])
    assert score.value == 0
    assert "precision_percent" not in score.extras


def test_a_second_box_on_one_truth_is_wrong():
    truth = np.float32([[0, 0, 10, 10, 0]])
    twice = np.float32([[0, 0, 10, 10, 0.9, 0], [0, 0, 10, 11, 0.8, 0]])
    score = TASK.score([twice], [truth])
    assert score.extras["precision_percent"] == 50
    assert score.value == pytest.approx(100)


def test_a_box_of_another_class_is_wrong():
    assert TASK.score([np.float32([[0, 0, 10, 10, 0.9, 1]])], [np.float32([[0, 0, 10, 10, 0]])]).value == 0


def test_a_class_without_truth_does_not_count():
    score = TASK.score([np.float32([[0, 0, 10, 10, 0.9, 0], [0, 0, 9, 9, 0.9, 1]])], [np.float32([[0, 0, 10, 10, 0]])])
    assert score.value == pytest.approx(100)
    assert set(score.extras) == {"ap50_face_percent", "recall_percent", "precision_percent"}


def test_a_row_of_nan_is_no_box():
    rows = np.float32([[0, 0, 10, 10, 0.9, 0], [np.nan] * 6])
    assert TASK.score([rows], [np.float32([[0, 0, 10, 10, 0]])]).extras["precision_percent"] == 100


def test_frames_without_any_truth_are_refused():
    with pytest.raises(DatasetError, match=r"no frame holds a box of the model's classes"):
        TASK.score([np.zeros((0, 6), np.float32)], [np.zeros((0, 5), np.float32)])


def test_one_place_in_half_of_the_frames_is_what_a_blind_predictor_finds():
    box, empty = np.float32([[10, 10, 20, 20, 0]]), np.zeros((0, 5), np.float32)
    score = TASK.score([np.zeros((0, 6), np.float32)] * 4, [box, empty, box, empty])
    assert score.trivial == pytest.approx(50)
