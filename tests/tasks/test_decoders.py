"""One scene, written in the form of each decoder, comes back from the detection task."""

from __future__ import annotations

import numpy as np
import pytest

from harness.case import InputSpec
from harness.errors import ConfigError, EngineError
from harness.tasks.candidates import sigmoid, softmax
from harness.tasks.decoders import DECODERS, cell_centres, prior_boxes

WIDTH, HEIGHT = 64, 32
SIZE = np.float32([WIDTH, HEIGHT, WIDTH, HEIGHT])
CLASSES = ["face", "phone"]
# x1 y1 x2 y2 score class, in pixels of the input, best first
SCENE = np.float32([[4, 6, 20, 26, 0.9, 0], [36, 2, 50, 14, 0.6, 1]])
LOW = np.float32([[8, 8, 16, 16, 0.2, 0]])  # below the default threshold
PRIORS = {"strides": [8, 16], "sizes": [[0.2], [0.3, [0.4, 0.5]]]}
SPEC = InputSpec(WIDTH, HEIGHT)


def logit(share):
    return np.log(share / (1 - share))


def centre_size(boxes):
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:4]) / 2, boxes[:, 2:4] - boxes[:, :2]], axis=1)


def columns(rows, others=0.01):
    """Scores [n, classes] with the row's own at its class."""
    table = np.full((len(rows), len(CLASSES)), others, np.float32)
    table[np.arange(len(rows)), rows[:, 5].astype(int)] = rows[:, 4]
    return table


def anchor_free(rows):
    centres, strides = np.concatenate([cell_centres(SPEC, 8), cell_centres(SPEC, 16)]), [8.0] * 32 + [16.0] * 8
    boxes, scores = np.ones((1, 40, 4), np.float32), np.full((1, 40, 2), -9, np.float32)
    for row, cell in zip(rows, (9, 33, 5), strict=False):
        boxes[0, cell] = np.append(centres[cell] - row[:2], row[2:4] - centres[cell]) / strides[cell]
        scores[0, cell] = logit(columns(row[None])[0])
    return {"boxes": boxes, "scores": scores}


def yolov5(rows, size=1.0):
    objectness = np.full((len(rows), 1), 0.95, np.float32)
    return {"detections": np.concatenate([centre_size(rows) / size, objectness, columns(rows) / 0.95], axis=1)[None]}


def yolov8(rows, size=1.0):
    return {"detections": np.concatenate([centre_size(rows) / size, columns(rows)], axis=1).T[None]}


def end_to_end(rows):
    return {"output": np.concatenate([np.zeros((len(rows), 1)), rows[:, :4], rows[:, 5:6], rows[:, 4:5]], axis=1)}


def ssd(rows, order=(0, 1, 2, 3), linear=False, activation="softmax"):
    priors = prior_boxes(SPEC, PRIORS)
    codes, probabilities = np.zeros((1, len(priors), 5), np.float32), np.full((len(priors), 3), 0.01)
    probabilities[:, 0] = 0.98
    for row, prior in zip(rows, (3, 40, 7), strict=False):
        wanted, (cx, cy, w, h) = centre_size(row[None])[0] / SIZE, priors[prior]
        size = wanted[2:] / (w, h)
        code = np.append((wanted[:2] - (cx, cy)) / (w, h) / 0.1, (size if linear else np.log(size)) / 0.2)
        codes[0, prior, :4] = code[list(order)]
        probabilities[prior, 1:] = columns(row[None])[0]
        probabilities[prior, 0] = 1 - probabilities[prior, 1:].sum()
    scores = {"softmax": np.log(probabilities) + 3, "sigmoid": logit(probabilities), "none": probabilities}[activation]
    return {"boxes": codes, "scores": scores[None].astype(np.float32)}


def corner_fractions(rows):
    return {"boxes": (rows[:, :4] / SIZE)[None], "scores": columns(rows)[None]}


def tflite_postprocess(rows):
    padded = np.concatenate([rows, np.float32([[0, 0, 9, 9, 0.99, 1]])])
    boxes = (padded[:, :4] / SIZE)[:, [1, 0, 3, 2]]
    count = np.float32([len(rows)])
    return {"boxes": boxes[None], "scores": padded[None, :, 4], "classes": padded[None, :, 5], "count": count}


FORMS = {
    "anchor_free": ({"decoder": "anchor_free", "strides": [8, 16]}, anchor_free),
    "yolov5": ({"decoder": "yolov5"}, yolov5),
    "yolov5 in fractions": ({"decoder": "yolov5", "units": "fraction"}, lambda rows: yolov5(rows, SIZE)),
    "yolov7": ({"decoder": "yolov7"}, yolov5),
    "yolov7 end to end": ({"decoder": "yolov7"}, end_to_end),
    "yolov8": ({"decoder": "yolov8"}, yolov8),
    "yolov8 in fractions": ({"decoder": "yolov8", "units": "fraction"}, lambda rows: yolov8(rows, SIZE)),
    "ssd": ({"decoder": "ssd", "priors": PRIORS}, ssd),
    "ssd, priors as a list": ({"decoder": "ssd", "priors": prior_boxes(SPEC, PRIORS).tolist()}, ssd),
    "ssd of TensorFlow": (
        {"decoder": "ssd", "priors": PRIORS, "order": "yxhw", "activation": "sigmoid"},
        lambda rows: ssd(rows, order=(1, 0, 3, 2), activation="sigmoid"),
    ),
    "ssd of BlazeFace": (
        {"decoder": "ssd", "priors": PRIORS, "size_code": "linear", "activation": "none"},
        lambda rows: ssd(rows, linear=True, activation="none"),
    ),
    "ssd, decoded": ({"decoder": "ssd", "activation": "none", "background": False}, corner_fractions),
    "tflite_postprocess": ({"decoder": "tflite_postprocess"}, tflite_postprocess),
    "efficient_nms": ({"decoder": "efficient_nms", "units": "fraction", "order": "yxyx"}, tflite_postprocess),
    "efficient_nms, left to the host": ({"decoder": "efficient_nms", "units": "fraction"}, corner_fractions),
}


def detector(opened, form, **options):
    return opened("detection", WIDTH, HEIGHT, classes=CLASSES, **{**FORMS[form][0], **options})


def test_every_decoder_of_the_table_is_tried_here():
    assert {options["decoder"] for options, _ in FORMS.values()} == set(DECODERS)


@pytest.mark.parametrize("form", FORMS)
def test_a_scene_comes_back(form, opened, unit):
    outputs = FORMS[form][1](np.concatenate([SCENE, LOW]))
    assert detector(opened, form).post(outputs, unit) == pytest.approx(SCENE, abs=2e-3)


@pytest.mark.parametrize("form", FORMS)
def test_a_lower_threshold_shows_more(form, opened, unit):
    outputs = FORMS[form][1](np.concatenate([SCENE, LOW]))
    assert len(detector(opened, form, score_threshold=0.1).post(outputs, unit)) == 3


@pytest.mark.parametrize("form", FORMS)
def test_a_threshold_of_zero_passes_every_candidate(form, opened, unit):
    outputs = FORMS[form][1](SCENE)
    assert len(detector(opened, form, score_threshold=0, iou_threshold=1.0).post(outputs, unit)) >= 2


@pytest.mark.parametrize("form", FORMS)
def test_nothing_above_the_threshold_is_an_empty_table(form, opened, unit):
    assert detector(opened, form, score_threshold=0.99).post(FORMS[form][1](SCENE), unit).shape == (0, 6)


@pytest.mark.parametrize("form", FORMS)
def test_one_nan_is_seen_and_the_rest_still_decoded(form, opened, unit):
    outputs = {name: np.array(values, np.float32) for name, values in FORMS[form][1](SCENE).items()}
    spoiled = outputs.get("scores", next(iter(outputs.values())))
    spoiled[(0, 1) if spoiled.ndim == 2 else (0, -1, -1)] = np.nan
    rows = detector(opened, form).post(outputs, unit)
    assert np.isnan(rows[-1]).all()
    assert not np.isnan(rows[:-1]).any()


@pytest.mark.parametrize("form", [form for form in FORMS if form != "yolov7 end to end"])
def test_a_batch_of_two_is_refused(form, opened, unit):
    outputs = {name: np.concatenate([values] * 2) for name, values in FORMS[form][1](SCENE).items()}
    with pytest.raises(EngineError, match=r"has shape \[2, .*wanted \[1"):
        detector(opened, form).post(outputs, unit)


@pytest.mark.parametrize(
    ("form", "outputs", "sentence"),
    [
        (
            "anchor_free",
            {"boxes": np.zeros((1, 39, 4)), "scores": np.zeros((1, 40, 2))},
            r"\[1, 39, 4\], wanted \[1, 40, 4\]",
        ),
        ("anchor_free", {"boxes": np.zeros((1, 40, 4))}, "no output called 'scores' among 'boxes'"),
        ("yolov5", {"out": np.zeros((1, 9, 8))}, r"\[1, 9, 8\], wanted \[1, any, 7\]"),
        ("yolov7", {"out": np.zeros((9, 8))}, r"\[9, 8\], wanted \[n, 7\] or \[1, N, 7\]"),
        ("yolov8", {"out": np.zeros((1, 9, 6))}, r"\[1, 9, 6\], wanted \[1, 6, any\]"),
        ("ssd", {"boxes": np.zeros((1, 48, 3)), "scores": np.zeros((1, 48, 3))}, "4 or more"),
        ("ssd", {"boxes": np.zeros((1, 48, 4)), "scores": np.zeros((1, 48, 2))}, r"wanted \[1, 48, 3\]"),
        ("tflite_postprocess", {**tflite_postprocess(SCENE), "count": np.zeros(2)}, "'count' has shape"),
        ("tflite_postprocess", {"boxes": np.zeros((1, 9, 4))}, "no output called 'scores'"),
    ],
)
def test_another_shape_is_refused_with_both_shapes(form, outputs, sentence, opened, unit):
    with pytest.raises(EngineError, match=sentence):
        detector(opened, form).post(outputs, unit)


@pytest.mark.parametrize(
    ("priors", "sentence"),
    [
        ([], "priors = "),
        ("all", "priors = 'all'"),
        ([[0.5, 0.5, 1]], "priors = "),
        ({"strides": [8]}, "priors = "),
        ({"strides": [8], "sizes": [[0.1], [0.2]]}, "one list of sides for each of the 1 strides"),
        ({"strides": [8], "sizes": [0.1]}, "priors.sizes = 0.1"),
        ({"strides": [8], "sizes": [[0]]}, "priors.sizes = 0"),
        ({"strides": [8], "sizes": [[[1, 2, 3]]]}, "two numbers above 0"),
    ],
)
def test_priors_that_cannot_be_right_are_refused(priors, sentence, opened):
    with pytest.raises(ConfigError, match=sentence):
        opened("detection", classes=CLASSES, decoder="ssd", priors=priors)


def test_priors_of_blazeface_stand_as_mediapipe_makes_them():
    # face_detection_short_range: 16 x 16 cells with 2 anchors, 8 x 8 cells with 6 (SsdAnchorsCalculator)
    priors = prior_boxes(InputSpec(128, 128), {"strides": [8, 16], "sizes": [[1, 1], [1] * 6]})
    assert priors.shape == (896, 4)
    assert priors[[0, 1, 2, 32]].tolist() == [
        [0.03125, 0.03125, 1, 1],
        [0.03125, 0.03125, 1, 1],
        [0.09375, 0.03125, 1, 1],
        [0.03125, 0.09375, 1, 1],
    ]
    assert priors[512].tolist() == priors[517].tolist() == [0.0625, 0.0625, 1, 1]


def test_cells_stand_row_by_row_and_cover_a_side_that_the_stride_does_not_divide():
    assert cell_centres(InputSpec(20, 16), 8).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_sigmoid_and_softmax_have_their_textbook_values():
    assert sigmoid(np.float32([0, np.log(3)])) == pytest.approx([0.5, 0.75])
    assert softmax(np.float32([[1000, 1000], [0, np.log(3)]])) == pytest.approx(np.float32([[0.5, 0.5], [0.25, 0.75]]))
