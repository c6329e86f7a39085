"""Suppression of overlaps inside an engine against that of the host: the same boxes come out of the task.

The plug-in EfficientNMS_TRT cannot run here: what it gives is made by a slow greedy loop, in the layout and order that
NVIDIA's plugin/efficientNMSPlugin/README.md documents.
"""

from __future__ import annotations

import numpy as np
import pytest

from harness.case import InputSpec, TaskSpec
from harness.tasks import Geometry, open_task

INPUT = InputSpec(320, 240)
CLASSES = ["face", "phone"]
THRESHOLD, OVERLAP, ROOM = 0.3, 0.5, 20
SHARED = {"classes": CLASSES, "score_threshold": THRESHOLD, "iou_threshold": OVERLAP, "max_detections": ROOM}


def overlap(one, other):
    width, height = (min(one[2 + at], other[2 + at]) - max(one[at], other[at]) for at in (0, 1))
    both = max(width, 0) * max(height, 0)
    return both / (sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - both)


def in_engine(boxes, scores, class_agnostic=False):
    """num_detections, detection_boxes (as y1 x1 y2 x2), detection_scores and detection_classes, padded with zeros."""
    rows = [(scores[at, kind], kind, boxes[at]) for at, kind in zip(*np.nonzero(scores > THRESHOLD))]
    kept = []
    for score, kind, box in sorted(rows, key=lambda row: -row[0]):
        rivals = [row for row in kept if class_agnostic or row[1] == kind]
        if len(kept) < ROOM and all(overlap(box, row[2]) <= OVERLAP for row in rivals):
            kept.append((score, kind, box))
    outputs = {
        "count": np.array([[len(kept)]], np.int32), "boxes": np.zeros((1, ROOM, 4), np.float32),
        "scores": np.zeros((1, ROOM), np.float32), "classes": np.zeros((1, ROOM), np.int32),
    }  # fmt: skip
    for at, (score, kind, box) in enumerate(kept):
        outputs["boxes"][0, at], outputs["scores"][0, at], outputs["classes"][0, at] = box[[1, 0, 3, 2]], score, kind
    return outputs


def candidates(seed, both_classes):
    """Corners as fractions, in clusters that overlap, with scores of two classes."""
    chance = np.random.default_rng(seed)
    centres = np.repeat(chance.uniform(0.2, 0.8, (8, 2)), 12, axis=0) + chance.normal(0, 0.01, (96, 2))
    half = np.repeat(chance.uniform(0.03, 0.12, (8, 2)), 12, axis=0)
    scores = chance.uniform(0.35, 0.99, (96, 2))
    if not both_classes:
        scores[np.arange(96), chance.integers(0, 2, 96)] = 0.01
    return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32), scores.astype(np.float32)


def detected(outputs, **options):
    task = open_task(TaskSpec("detection", {**SHARED, **options}), INPUT)
    return task.post(outputs, Geometry(2.0, 2.0, 0.0, 0.0))


def on_host(boxes, scores):
    outputs = {"boxes": boxes[None], "scores": scores[None]}
    return detected(outputs, decoder="ssd", activation="none", background=False)


EFFICIENT = {"decoder": "efficient_nms", "units": "fraction"}


@pytest.mark.parametrize("options", [{"decoder": "tflite_postprocess"}, {**EFFICIENT, "order": "yxyx"}], ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_the_engine_s_boxes_are_those_of_the_host(seed, options):
    boxes, scores = candidates(seed, both_classes=False)
    host, engine = on_host(boxes, scores), detected(in_engine(boxes, scores), **options)
    assert 8 <= len(host) <= ROOM
    np.testing.assert_allclose(engine, host, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_one_decoder_takes_the_net_with_the_plug_in_and_without(seed):
    boxes, scores = candidates(seed, both_classes=False)
    raw = detected({"boxes": boxes[None], "scores": scores[None]}, **EFFICIENT)
    inside = in_engine(boxes, scores)
    inside["boxes"] = inside["boxes"][..., [1, 0, 3, 2]]
    np.testing.assert_allclose(detected(inside, **EFFICIENT), raw, atol=1e-3)


def test_a_box_that_passes_for_two_classes_comes_twice_from_the_engine_and_once_from_the_host():
    boxes, scores = candidates(1, both_classes=True)
    host, engine = on_host(boxes, scores), detected(in_engine(boxes, scores), decoder="tflite_postprocess")
    assert len(engine) > len(host)


def test_suppression_over_all_classes_is_another_answer():
    boxes, scores = candidates(2, both_classes=False)
    agnostic = in_engine(boxes, scores, class_agnostic=True)
    assert len(detected(agnostic, decoder="tflite_postprocess")) < len(on_host(boxes, scores))


def test_what_stands_behind_the_count_is_no_detection():
    boxes, scores = candidates(3, both_classes=False)
    outputs = in_engine(boxes, scores)
    expected = detected(outputs, decoder="tflite_postprocess")
    outputs["scores"][0, int(outputs["count"][0, 0]) :] = 0.9
    np.testing.assert_array_equal(detected(outputs, decoder="tflite_postprocess"), expected)
