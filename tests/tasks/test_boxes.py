from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.tasks import Geometry
from harness.tasks.boxes import corners, iou_matrix, nms, to_frame

SIDE = st.floats(0.5, 40, width=32)
PLACE = st.floats(-20, 120, width=32)


@st.composite
def scored_boxes(draw, most=40):
    """Boxes, scores and classes; scores of few levels, so that ties are common."""
    rows = draw(st.lists(st.tuples(PLACE, PLACE, SIDE, SIDE, st.integers(1, 9), st.integers(0, 2)), max_size=most))
    table = np.array(rows, np.float32).reshape(-1, 6)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    return boxes, table[:, 4] / np.float32(10), table[:, 5].astype(np.int32)


def slow_iou(a, b):
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(wide, 0.0) * max(high, 0.0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def slow_nms(boxes, scores, classes, threshold):
    kept = []
    for index in sorted(range(len(scores)), key=lambda index: -scores[index]):
        rivals = [other for other in kept if classes[other] == classes[index]]
        if all(slow_iou(boxes[index].astype(float), boxes[other].astype(float)) <= threshold for other in rivals):
            kept.append(index)
    return kept


def no_overlap_at(boxes, threshold):
    return not (np.abs(iou_matrix(boxes, boxes) - threshold) < 1e-5).any()


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),
        ((0, 0, 2, 2), (5, 5, 6, 6), 0.0),
        ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),
        ((1, 1, 1, 1), (1, 1, 1, 1), 0.0),
    ],
)
def test_overlap_of_two_boxes(first, second, overlap):
    assert iou_matrix(np.array([first]), np.array([second])) == pytest.approx(overlap)


@given(scored_boxes(), scored_boxes())
def test_overlap_is_symmetric_and_within_0_and_1(first, second):
    overlap = iou_matrix(first[0], second[0])
    assert overlap.shape == (len(first[0]), len(second[0]))
    assert np.allclose(overlap, iou_matrix(second[0], first[0]).T)
    assert ((overlap >= 0) & (overlap <= 1 + 1e-6)).all()
    assert np.allclose(np.diag(iou_matrix(first[0], first[0])), 1)


@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]))
def test_suppression_is_that_of_the_slow_definition(data, threshold):
    assume(no_overlap_at(data[0], threshold))
    assert nms(*data, threshold, 1000).tolist() == slow_nms(*data, threshold)


@given(scored_boxes(), st.sampled_from([0.3, 0.5, 0.7]))
def test_suppression_is_that_of_opencv(data, threshold):
    cv2 = pytest.importorskip("cv2")
    boxes, scores, classes = data
    assume(len(boxes) and no_overlap_at(boxes, threshold))
    corner_size = boxes.astype(np.float64)
    corner_size[:, 2:] -= corner_size[:, :2]
    corner_size[:, :2] += 1e4 * classes[:, None]
    theirs = np.ravel(cv2.dnn.NMSBoxes(corner_size, scores, 0.0, threshold))
    assert nms(boxes, scores, classes, threshold, 1000).tolist() == theirs.tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [60, 2000])
def test_suppression_of_many_boxes_is_the_same_over_windows_and_blocks(seed, spread):
    random = np.random.default_rng(seed)
    corner = random.uniform(0, spread, (1500, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + random.uniform(20, 60, (1500, 2)).astype(np.float32)], axis=1)
    scores = random.integers(1, 100, 1500).astype(np.float32)
    classes = random.integers(0, 2, 1500)
    wanted = slow_nms(boxes, scores, classes, 0.45)
    assert nms(boxes, scores, classes, 0.45, 5000).tolist() == wanted
    assert nms(boxes, scores, classes, 0.45, 7).tolist() == wanted[:7]


@given(scored_boxes())
def test_what_is_kept_is_a_subset_best_first_and_stays_when_suppressed_again(data):
    boxes, scores, classes = data
    kept = nms(boxes, scores, classes, 0.5, 1000)
    assert len(set(kept.tolist())) == len(kept)
    assert (np.diff(scores[kept]) <= 0).all()
    again = nms(boxes[kept], scores[kept], classes[kept], 0.5, 1000)
    assert again.tolist() == list(range(len(kept)))


@given(scored_boxes(), st.integers(1, 5))
def test_a_limit_keeps_the_best_of_what_would_be_kept(data, most):
    assert nms(*data, 0.5, most).tolist() == nms(*data, 0.5, 1000).tolist()[:most]


def test_among_equal_scores_the_first_wins():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 11], [0, 0, 10, 12]])
    assert nms(boxes, np.float32([0.5, 0.5, 0.5]), np.zeros(3), 0.5, 10).tolist() == [0]


def test_boxes_of_other_classes_do_not_suppress():
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10]])
    assert nms(boxes, np.float32([0.5, 0.6]), np.array([0, 1]), 0.5, 10).tolist() == [1, 0]


def test_an_overlap_equal_to_the_threshold_is_kept():
    boxes = np.float32([[0, 0, 2, 1], [0, 0, 1, 1]])
    assert nms(boxes, np.float32([0.9, 0.8]), np.zeros(2), 0.5, 10).tolist() == [0, 1]


@given(arrays.arrays(np.float32, (3, 4), elements=st.floats(0, 64, width=32)))
def test_corners_keep_centre_and_size(centre_size):
    boxes = corners(centre_size)
    assert np.allclose((boxes[:, :2] + boxes[:, 2:]) / 2, centre_size[:, :2], atol=1e-4)
    assert np.allclose(boxes[:, 2:] - boxes[:, :2], centre_size[:, 2:], atol=1e-4)


def test_boxes_and_points_are_mapped_per_axis():
    geometry = Geometry(2.0, 3.0, 10.0, 20.0)
    assert to_frame(np.float32([[1, 1, 2, 2]]), geometry).tolist() == [[12, 23, 14, 26]]
    assert to_frame(np.float32([[1, 1], [2, 2]]), geometry).tolist() == [[12, 23], [14, 26]]
    assert to_frame(np.zeros((0, 4), np.float32), geometry).shape == (0, 4)
