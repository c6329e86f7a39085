"""Outputs are alive: finite, different for different frames, the same for the same frame."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.frames import Frame
from harness.liveness import look_alive
from harness.tasks import Geometry

CAMERA = [Frame(np.full((4, 6), grey, np.uint8)) for grey in (60, 90)]
REGION, GEOMETRY = (1.0, 1.0, 4.0, 3.0), Geometry(2.0, 2.0, 1.0, 0.0)


def brightness(frame):
    return {"scores": np.array([[frame.pixels.mean() / 255]], np.float32)}


def scores(*values, dtype="float32"):
    return {"scores": np.array([values], dtype)}


def boxes(found: bool):
    return {"boxes": np.ones((int(found), 4), np.float32)}


def broken_for(grey: int, value: float):
    return lambda frame: scores(value if frame.pixels.min() == frame.pixels.max() == grey else 1)


def is_noise(frame) -> bool:
    return frame.pixels.min() != frame.pixels.max()


# what the outputs are, from a frame -> finite, vary, repeat, empty
ANSWERS = {
    "brightness": (brightness, (True, True, True, False)),
    "a constant": (lambda frame: scores(1, 0), (True, False, True, False)),
    "NaN for every frame": (lambda frame: scores(np.nan), (False, False, True, False)),
    "NaN for a white frame": (broken_for(255, np.nan), (False, True, True, False)),
    "infinity for a black frame": (broken_for(0, np.inf), (False, True, True, False)),
    "whole numbers": (lambda frame: scores(frame.pixels[0, 0], dtype="int64"), (True, True, True, False)),
    "a difference in the second": (lambda frame: {"a": np.ones(1), **brightness(frame)}, (True, True, True, False)),
    "a box in noise only": (lambda frame: boxes(is_noise(frame)), (True, True, True, False)),
    "a box in camera frames": (lambda frame: boxes(any(frame is one for one in CAMERA)), (True, True, True, False)),
    "never a box": (lambda frame: boxes(False), (True, False, True, True)),
    "no box but a score": (lambda frame: {**boxes(False), **scores(1)}, (True, False, True, False)),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_what_the_outputs_show_becomes_facts(answer, expected):
    facts = look_alive(answer, CAMERA, stateful=False)
    names = ("outputs_finite", "outputs_vary", "outputs_repeat", "outputs_empty")
    assert tuple(facts[name] for name in names) == expected
    assert set(facts) == set(names)


@pytest.mark.parametrize(("step", "repeats"), [(0, True), (1e-7, True), (1e-3, False), (1.0, False)])
def test_the_same_frame_may_differ_by_rounding_only(step, repeats):
    count = itertools.count()
    facts = look_alive(lambda frame: scores(1 + (step * next(count) if step else 0)), CAMERA, stateful=False)
    assert facts["outputs_repeat"] is repeats


def test_a_growing_number_of_boxes_is_no_repetition():
    count = itertools.count(1)
    answer = lambda frame: {"boxes": np.ones((next(count), 4), np.float32)}  # noqa: E731
    assert look_alive(answer, CAMERA, stateful=False)["outputs_repeat"] is False


@pytest.mark.parametrize("stateful", [False, True])
def test_a_stateful_model_is_not_asked_to_repeat(stateful):
    asked = []

    def answer(frame):
        asked.append(frame)
        return scores(len(asked))

    facts = look_alive(answer, CAMERA, stateful)
    assert ("outputs_repeat" in facts) is not stateful
    assert facts["outputs_finite"]
    assert len(asked) == len(CAMERA) + 3 + (0 if stateful else 2)


def test_an_engine_that_writes_over_its_last_answer_is_seen_to_vary():
    buffer = np.zeros((1, 1), np.float32)

    def answer(frame):
        buffer[:] = frame.pixels.mean()
        return {"scores": buffer}

    facts = look_alive(answer, CAMERA, stateful=False)
    assert facts["outputs_vary"]
    assert facts["outputs_repeat"]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_black_white_and_noise_are_shown_after_the_camera_frames_as_frames_of_their_kind(shape):
    camera = [Frame(np.full(shape, grey, np.uint8), REGION, GEOMETRY) for grey in (60, 90)]
    shown = []

    def answer(frame):
        shown.append(frame)
        return brightness(frame)

    look_alive(answer, camera, stateful=False)
    black, white, noise = shown[2:5]
    assert shown[:2] == camera
    assert (set(black.pixels.ravel().tolist()), set(white.pixels.ravel().tolist())) == ({0}, {255})
    assert len(set(noise.pixels.ravel().tolist())) > 10
    assert {(one.pixels.shape, one.roi, one.geometry) for one in shown} == {(shape, REGION, GEOMETRY)}
    assert [one is camera[0] for one in shown[5:]] == [True, True]


def test_the_noise_is_the_same_every_time():
    shown = []
    for _ in range(2):
        look_alive(lambda frame: shown.append(frame.pixels) or brightness(frame), CAMERA, stateful=True)
    assert np.array_equal(shown[4], shown[9])
