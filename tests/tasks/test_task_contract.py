"""Every member of the TASKS table keeps the Task protocol."""

from __future__ import annotations

import numpy as np
import pytest

from harness.case import InputSpec, TaskSpec
from harness.errors import ConfigError, DatasetError, EngineError
from harness.tasks import TASKS, Score, open_task

NAN = float("nan")
BOXES = {"boxes": np.ones((1, 32, 4)), "scores": np.full((1, 32, 2), 2.0)}
BOX_OPTIONS = {"classes": ["face", "phone"], "strides": [8]}
BOX_TRUTH = np.float32([[4, 4, 12, 12, 0]])
DOUBLED = f"{__name__}:doubled"
MEAN_SCORE = f"{__name__}:mean_score"


def doubled(outputs, geometry):
    return 2 * outputs["features"]


def mean_score(predictions, truths):
    return 100.0 * float(np.mean([prediction.mean() for prediction in predictions]))


# name -> options, outputs by name, shape of the prediction, one truth (None: the task has no score)
MEMBERS = {
    "classification": (
        {"classes": ["open", "closed"]},
        {"scores": np.float32([[0.2, 0.8]])},
        (1, 2),
        np.float32([[1]]),
    ),
    "detection": (BOX_OPTIONS, BOXES, (None, 6), BOX_TRUTH),
    "counting": (BOX_OPTIONS, BOXES, (None, 6), BOX_TRUTH),
    "landmarks": (
        {"points": 5},
        {"landmarks": np.arange(10.0)[None]},
        (5, 2),
        np.arange(10, dtype=np.float32).reshape(5, 2),
    ),
    "gaze": ({}, {"gaze": np.float32([[5, -3]])}, (1, 2), np.float32([[5, -3]])),
    "raw": ({}, {"a": np.ones((1, 3)), "b": np.zeros((1, 2, 2))}, (1, 8), None),
    "custom": (
        {"function": DOUBLED, "score_function": MEAN_SCORE},
        {"features": np.ones((1, 3))},
        (1, 3),
        np.ones((1, 1)),
    ),
}
SPEC = InputSpec(64, 32)


def opened(name):
    return open_task(TaskSpec(name, MEMBERS[name][0]), input=SPEC)


def test_every_task_of_the_table_is_tried_here():
    assert set(MEMBERS) == set(TASKS)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_prediction_is_one_2d_float32_array(name, unit):
    _, outputs, (rows, columns), _ = MEMBERS[name]
    prediction = opened(name).post(dict(outputs), unit)
    assert prediction.dtype == np.float32
    assert prediction.ndim == 2
    assert prediction.shape[1] == columns
    assert rows in (None, len(prediction))


@pytest.mark.parametrize("name", MEMBERS)
def test_post_leaves_the_outputs_as_they_were(name, unit):
    outputs = {key: value.copy() for key, value in MEMBERS[name][1].items()}
    prediction = opened(name).post(outputs, unit)
    prediction[...] = 77
    assert all(np.array_equal(outputs[key], value) for key, value in MEMBERS[name][1].items())


@pytest.mark.parametrize("name", MEMBERS)
def test_nan_outputs_do_not_crash_and_stay_visible(name, unit):
    outputs = {key: np.full(value.shape, NAN, np.float32) for key, value in MEMBERS[name][1].items()}
    assert np.isnan(opened(name).post(outputs, unit)).any()


@pytest.mark.parametrize("name", MEMBERS)
def test_infinite_outputs_do_not_crash(name, unit):
    outputs = {key: np.full(value.shape, np.inf, np.float32) for key, value in MEMBERS[name][1].items()}
    assert opened(name).post(outputs, unit).ndim == 2


@pytest.mark.parametrize("name", [name for name, member in MEMBERS.items() if member[3] is not None])
def test_a_score_is_in_per_cent_and_finite(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    task = opened(name)
    score = task.score([task.post(dict(outputs), unit)] * 3, [truth] * 3)
    assert isinstance(score, Score)
    assert np.isfinite([score.value, score.trivial, *score.extras.values()]).all()
    assert 0 <= score.trivial <= 100
    if score.per_frame is not None:
        assert score.value == pytest.approx(100 * score.per_frame.mean())
        assert len(score.per_frame) == 3


@pytest.mark.parametrize("name", [name for name, member in MEMBERS.items() if member[3] is not None])
def test_frames_without_partner_are_refused(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    prediction = opened(name).post(dict(outputs), unit)
    with pytest.raises(DatasetError, match=r"1 predictions for 2 truths"):
        opened(name).score([prediction], [truth, truth])
    with pytest.raises(DatasetError, match=r"no frame to score"):
        opened(name).score([], [])


@pytest.mark.parametrize("name", MEMBERS)
def test_no_answer_changes_between_equal_predictions_with_or_without_nan(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    task = opened(name)
    broken = {key: np.full(value.shape, NAN, np.float32) for key, value in outputs.items()}
    predictions = [task.post(dict(one), unit) for one in (outputs, broken, outputs)]
    changed = task.changed(predictions, [one.copy() for one in predictions], [truth] * 3)
    assert (changed is None) == (name in ("raw", "custom"))
    assert changed is None or (changed.dtype == bool and changed.tolist() == [False] * 3)


@pytest.mark.parametrize("name", ["classification", "detection", "counting", "landmarks", "gaze"])
def test_nan_in_one_of_the_two_predictions_is_another_answer(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    task = opened(name)
    broken = {key: np.full(value.shape, NAN, np.float32) for key, value in outputs.items()}
    sound, nan = (task.post(dict(one), unit) for one in (outputs, broken))
    assert task.changed([sound, nan], [nan, sound], [truth] * 2).tolist() == [True, True]


@pytest.mark.parametrize("name", ["classification", "detection", "counting", "landmarks", "gaze"])
def test_a_truth_of_another_shape_is_refused_with_its_frame(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    prediction = opened(name).post(dict(outputs), unit)
    with pytest.raises(DatasetError, match=r"the truth has shape \[2, 7\], wanted \[.*frame 1"):
        opened(name).score([prediction] * 2, [truth, np.zeros((2, 7), np.float32)])


@pytest.mark.parametrize("name", ["classification", "detection", "counting"])
def test_a_truth_of_an_unknown_class_is_refused_with_its_frame(name, unit):
    _, outputs, _, truth = MEMBERS[name]
    prediction = opened(name).post(dict(outputs), unit)
    strange = truth.copy()
    strange[:, -1] = 2
    with pytest.raises(DatasetError, match=r"the true class is 2 \(frame 1\); known are 0 .*, 1 "):
        opened(name).score([prediction] * 2, [truth, strange])


@pytest.mark.parametrize("name", [name for name in MEMBERS if name not in ("raw", "custom")])
def test_a_missing_output_names_those_that_are_there_and_the_key_to_set(name, unit):
    outputs = {"Identity": np.zeros((1, 7)), "Identity_1": np.zeros((1, 9))}
    with pytest.raises(EngineError, match=r"'Identity' \[1, 7\], 'Identity_1' \[1, 9\].*\[formats.<format>\]"):
        opened(name).post(outputs, unit)


@pytest.mark.parametrize("name", ["classification", "landmarks", "gaze"])
def test_the_only_output_is_taken_whatever_its_name(name, unit):
    (output,) = MEMBERS[name][1].values()
    named = opened(name).post(MEMBERS[name][1], unit)
    assert np.array_equal(opened(name).post({"StatefulPartitionedCall:0": output}, unit), named)


@pytest.mark.parametrize("name", ["classification", "detection", "counting", "landmarks", "gaze"])
def test_an_output_of_another_shape_is_refused_with_both_shapes(name, unit):
    outputs = {key: np.zeros((1, 3, 11)) for key in MEMBERS[name][1]}
    with pytest.raises(EngineError, match=r"has shape \[1, 3, 11\], wanted \[1, "):
        opened(name).post(outputs, unit)


@pytest.mark.parametrize("name", MEMBERS)
def test_an_unknown_option_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=r"no option of .* called 'tolerence'.*known: "):
        open_task(TaskSpec(name, {**MEMBERS[name][0], "tolerence": 3}), SPEC)


@pytest.mark.parametrize("name", ["classification", "detection", "counting", "landmarks", "custom"])
def test_a_missing_option_is_asked_for(name):
    with pytest.raises(ConfigError, match=r"needs the option '(classes|points|function)'"):
        open_task(TaskSpec(name), SPEC)


def test_the_input_is_no_option():
    with pytest.raises(ConfigError, match=r"no option of task 'gaze' called 'input'"):
        open_task(TaskSpec("gaze", {"input": 3}), SPEC)


def test_an_unknown_task_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"no task called 'detektion', did you mean 'detection'"):
        open_task(TaskSpec("detektion"), SPEC)


BAD_OPTIONS = [
    ("classification", {"classes": []}, "classes = "),
    ("classification", {"classes": "open"}, "classes = 'open'"),
    ("classification", {"classes": ["open", "open"]}, "different names"),
    ("classification", {"classes": ["a"], "softmax": "yes"}, "softmax = 'yes'.*true or false"),
    ("classification", {"classes": ["a"], "output": ""}, "output = ''"),
    ("detection", {"classes": ["a"], "score_threshold": 1.5}, "score_threshold = 1.5.*at least 0 and below 1"),
    ("detection", {"classes": ["a"], "score_threshold": NAN}, "score_threshold = nan"),
    ("detection", {"classes": ["a"], "iou_threshold": 0}, "iou_threshold = 0.*above 0 and at most 1"),
    ("detection", {"classes": ["a"], "max_detections": 0}, "max_detections = 0.*at least 1"),
    ("detection", {"classes": ["a"], "max_detections": True}, "max_detections = True"),
    ("detection", {"classes": ["a"], "decoder": "yolov9"}, "no decoder called 'yolov9'"),
    ("detection", {"classes": ["a"], "decoder": ["yolov5"]}, "no decoder called"),
    ("detection", {"classes": ["a"], "strides": [8, 0]}, r"strides = \[8, 0\]"),
    ("detection", {"classes": ["a"], "strides": 8}, "strides = 8"),
    ("detection", {"classes": ["a"], "decoder": "yolov8", "units": "percent"}, "units = 'percent'.*pixels, fraction"),
    (
        "detection",
        {"classes": ["a"], "decoder": "yolov8", "strides": [8]},
        "no option of decoder 'yolov8' called 'strides'",
    ),
    ("detection", {"classes": ["a"], "score_treshold": 0.1}, "did you mean 'score_threshold'"),
    ("counting", {"classes": ["a"], "score_threshold": "high"}, "score_threshold = 'high'"),
    ("landmarks", {"points": 0}, "points = 0"),
    ("landmarks", {"points": 7}, "eyes = None.*two different points below 7"),
    ("landmarks", {"points": 68, "eyes": [36, 68]}, r"eyes = \[36, 68\]"),
    ("landmarks", {"points": 68, "eyes": [36, 36]}, r"eyes = \[36, 36\]"),
    ("landmarks", {"points": 68, "eyes": "ab"}, "eyes = 'ab'"),
    ("landmarks", {"points": 5, "normalise": "iris"}, "normalise = 'iris'.*inter_ocular, box"),
    ("landmarks", {"points": 5, "nme_threshold_percent": -1}, "nme_threshold_percent = -1"),
    ("gaze", {"tolerance_deg": 0}, "tolerance_deg = 0.*above 0 and at most 180"),
    ("gaze", {"units": "deg"}, "units = 'deg'.*degrees, radians"),
    ("gaze", {"order": "xy"}, "order = 'xy'"),
    ("custom", {"function": "nothing"}, "function = 'nothing'.*package.module:function"),
    ("custom", {"function": 3}, "function = 3"),
]


@pytest.mark.parametrize(("name", "options", "sentence"), BAD_OPTIONS)
def test_an_option_that_cannot_be_right_is_refused_with_its_value(name, options, sentence):
    with pytest.raises(ConfigError, match=sentence):
        open_task(TaskSpec(name, options), SPEC)
