"""The synthetic cabin gives the same frames for the same seed, and says the truth about them."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.datasets import Sample, open_dataset
from harness.datasets.cabin import Cabin, camera, head, parts, scene, script, truth
from harness.datasets.cabin.subjects import SPLITS, subject
from harness.errors import ConfigError, DatasetError

cv2 = pytest.importorskip("cv2")

HERE = Path()
SIZE = (800, 1280)
SPREAD = range(0, 2000, 97)
ANGLES = st.floats(-60, 60)


@pytest.fixture(scope="module")
def cabin() -> Cabin:
    return Cabin(HERE)


@pytest.fixture(scope="module")
def samples(cabin: Cabin) -> list[Sample]:
    return [cabin[index] for index in SPREAD]


def test_a_frame_is_the_same_whenever_and_in_whatever_order_it_is_read(cabin: Cabin, samples: list[Sample]) -> None:
    other = Cabin(HERE)
    for index, sample in reversed(list(zip(SPREAD, samples, strict=True))):
        again = other[index]
        assert np.array_equal(again.frame, sample.frame)
        assert again.rois == sample.rois
        assert all(np.array_equal(again.truths[name], sample.truths[name]) for name in sample.truths)


def test_a_longer_data_set_begins_with_the_same_frames(cabin: Cabin) -> None:
    assert np.array_equal(Cabin(HERE, frames=8000)[1999].frame, cabin[1999].frame)


def test_another_seed_gives_other_frames(cabin: Cabin) -> None:
    assert not np.array_equal(Cabin(HERE, seed=8)[0].frame, cabin[0].frame)


def test_the_fingerprint_tells_seed_split_and_length_apart(cabin: Cabin) -> None:
    others = [Cabin(HERE, seed=8), Cabin(HERE, split="train"), Cabin(HERE, frames=10), Cabin(HERE, clip_frames=5)]
    assert Cabin(HERE).fingerprint == cabin.fingerprint
    assert len({cabin.fingerprint, *(one.fingerprint for one in others)}) == 5


def test_frames_are_grey_pictures_neither_black_nor_white(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.frame.shape == SIZE
        assert sample.frame.dtype == np.uint8
        assert 8 < sample.frame.mean() < 240
        assert sample.frame.std() > 8


def test_splits_share_no_subject() -> None:
    numbers = [number for numbers in SPLITS.values() for number in numbers]
    assert len(numbers) == len(set(numbers)) >= 60
    assert len(SPLITS["eval"]) >= 24


@pytest.mark.parametrize("split", SPLITS)
def test_a_sample_shows_subjects_of_its_split_only(split: str) -> None:
    cabin = Cabin(HERE, split=split, frames=4000)
    for index in range(0, 4000, 133):
        seen = cabin.scene(index)
        assert all(person.subject.number in SPLITS[split] for person in seen.people)
        assert script.subject_of(7, split, index // cabin.clip_frames) == seen.driver.subject


def test_all_evaluation_subjects_drive() -> None:
    cabin = Cabin(HERE)
    drivers = {cabin.scene(index).driver.subject.number for index in range(0, len(cabin), cabin.clip_frames)}
    assert drivers == set(SPLITS["eval"])


def test_looks_are_persistent_and_differ() -> None:
    assert subject(7, 3) == subject(7, 3)
    assert len({subject(7, number).face_length for number in range(60)}) == 60


def test_truths_have_the_documented_forms(samples: list[Sample]) -> None:
    shapes = {"eye_state": (1, 1), "gaze": (1, 2), "distraction": (1, 1)}
    for sample in samples:
        assert all(one.dtype == np.float32 and one.ndim == 2 for one in sample.truths.values())
        assert all(sample.truths[name].shape == shape for name, shape in shapes.items())
        assert all(sample.truths[name].shape[1] == 5 for name in ("faces", "heads"))


def test_boxes_and_regions_lie_inside_the_frame(samples: list[Sample]) -> None:
    for sample in samples:
        boxes = np.concatenate([sample.truths["faces"][:, :4], sample.truths["heads"][:, :4], [*sample.rois.values()]])
        assert (boxes[:, 2:] - boxes[:, :2] > 8).all()
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= (SIZE[1], SIZE[0])).all()


def test_every_face_belongs_to_a_head(samples: list[Sample]) -> None:
    for sample in samples:
        heads = sample.truths["heads"]
        for x1, y1, x2, y2, _ in sample.truths["faces"]:
            middle = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
            assert ((heads[:, :2] < middle) & (middle < heads[:, 2:4])).all(axis=1).any()


def test_the_driver_is_always_seen_and_the_face_region_holds_the_face(cabin: Cabin, samples: list[Sample]) -> None:
    for index, sample in zip(SPREAD, samples, strict=True):
        seen = cabin.scene(index)
        assert seen.driver in truth.visible(seen, cv2)
        face, region = truth.face_box(seen.driver, seen), sample.rois["face"]
        width = min(face[2], region[2]) - max(face[0], region[0])
        height = min(face[3], region[3]) - max(face[1], region[1])
        assert width * height > 0.85 * (face[2] - face[0]) * (face[3] - face[1])


def test_an_eye_is_closed_exactly_where_its_opening_is_below_the_threshold(cabin: Cabin) -> None:
    for index in range(200):
        seen = cabin.scene(index)
        closed = bool(truth.truths(seen, cv2)["eye_state"][0, 0])
        assert closed == (seen.driver.opening < parts.CLOSED_BELOW)


def test_a_closed_eye_shows_no_white(cabin: Cabin) -> None:
    shut = dataclasses.replace(cabin.scene(0).driver, opening=0.0)
    wide = dataclasses.replace(shut, opening=1.0)
    assert np.ptp(head.eye(shut, 1)["white"][:, 1]) < 0.2 * np.ptp(head.eye(wide, 1)["white"][:, 1])


def test_closures_last_so_that_perclos_over_a_clip_means_something() -> None:
    cabin = Cabin(HERE, frames=2000)
    states = np.array([cabin.scene(index).driver.opening < parts.CLOSED_BELOW for index in range(2000)])
    clips = states.reshape(-1, cabin.clip_frames)
    perclos = clips.mean(axis=1)
    assert (np.diff(clips.astype(int), axis=1) != 0).mean() < 0.2
    assert (perclos < 0.15).sum() > 10
    assert (perclos > 0.5).sum() > 10


def test_consecutive_frames_of_a_clip_move_little_and_clips_differ() -> None:
    cabin = Cabin(HERE)
    for start in range(0, 400, cabin.clip_frames):
        people = [cabin.scene(start + step).driver for step in range(cabin.clip_frames)]
        steps = [math.hypot(a.x - b.x, a.y - b.y) for a, b in itertools.pairwise(people)]
        assert max(steps) < 30
    assert cabin.scene(0).driver.subject != cabin.scene(cabin.clip_frames).driver.subject


def test_samples_name_their_subject_clip_and_conditions(samples: list[Sample]) -> None:
    for index, sample in zip(SPREAD, samples, strict=True):
        assert sample.subject.startswith("s")
        assert sample.clip == f"eval-{index // 20:05d}"
        assert sample.slices["light"] in parts.LIGHTS
        assert sample.slices["occlusion"] in ("none", "hand", "mask")
        assert sample.slices["glasses"] in ("none", "clear", "sunglasses")


def test_every_class_count_and_condition_occurs() -> None:
    cabin = Cabin(HERE)
    scenes = [cabin.scene(index) for index in range(0, 2000, 7)]
    assert {one.activity for one in scenes} == set(parts.ACTIVITIES)
    assert {one.light.kind for one in scenes} == set(parts.LIGHTS)
    assert {len(one.people) for one in scenes} >= {1, 2, 3, 4}


def test_only_a_gaze_beyond_the_limit_without_another_activity_is_looking_away() -> None:
    cabin = Cabin(HERE)
    for index in range(0, 2000, 11):
        seen = cabin.scene(index)
        far = math.hypot(*scene.gaze_deg(seen.driver)) > parts.LOOKING_AWAY_DEG
        if seen.activity in ("attentive", "looking_away"):
            assert far == (seen.activity == "looking_away")


@given(yaw=ANGLES, pitch=st.floats(-40, 40), roll=ANGLES)
def test_with_straight_eyes_the_gaze_is_the_head_pose(yaw: float, pitch: float, roll: float) -> None:
    person = _person(yaw=yaw, pitch=pitch, roll=roll)
    assert scene.gaze_deg(person) == pytest.approx((yaw, pitch), abs=1e-6)


@given(eye_yaw=st.floats(-30, 30), eye_pitch=st.floats(-20, 20))
def test_with_a_straight_head_the_gaze_is_the_eyes_direction(eye_yaw: float, eye_pitch: float) -> None:
    person = dataclasses.replace(_person(), eye_yaw=eye_yaw, eye_pitch=eye_pitch)
    assert scene.gaze_deg(person) == pytest.approx((eye_yaw, eye_pitch), abs=1e-6)


@settings(max_examples=50)
@given(yaw=st.floats(-115, 115), pitch=st.floats(-40, 40), roll=ANGLES)
def test_the_box_of_an_outline_holds_the_ellipsoid_exactly(yaw: float, pitch: float, roll: float) -> None:
    person = _person(yaw=yaw, pitch=pitch, roll=roll)
    points = np.random.default_rng(1).standard_normal((20_000, 3))
    surface = points / np.linalg.norm(points, axis=1, keepdims=True) * head.SKULL_AXES + head.SKULL_CENTRE
    flat = (surface @ scene.rotation(person).T)[:, :2] * person.half_width + (person.x, person.y)
    box = head.ellipse_box(head.skull(person))
    assert np.allclose([*flat.min(axis=0), *flat.max(axis=0)], box, atol=0.03 * person.half_width)


def test_a_hidden_head_is_not_counted(cabin: Cabin) -> None:
    seen = dataclasses.replace(cabin.scene(0), arms=())
    driver = seen.driver
    hidden = dataclasses.replace(driver, seat="rear0", half_width=30.0)
    beside = dataclasses.replace(hidden, x=driver.x + 400)
    kept = truth.visible(dataclasses.replace(seen, people=(hidden, beside, driver)), cv2)
    assert kept == [beside, driver]


def test_a_head_turned_away_has_no_face(cabin: Cabin) -> None:
    assert truth.has_face(_person(yaw=50))
    assert not truth.has_face(_person(yaw=-90))


def test_sunglasses_darken_the_eyes(cabin: Cabin) -> None:
    still = dataclasses.replace(cabin.scene(0), arms=())
    bare, dark = (_eye_mean(still, glasses) for glasses in ("none", "sunglasses"))
    assert dark < 0.8 * bare


def test_frames_of_an_open_data_set_come_by_its_name() -> None:
    assert len(open_dataset("cabin", {"split": "calibration", "frames": 3}, HERE)) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "test"}, "no cabin split called 'test'"),
        ({"frames": 0}, "frames must be a whole number"),
        ({"frames": 2.5}, "frames must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"clip_frames": True}, "clip_frames must be a whole number"),
        ({"colour": "red"}, "no option called .colour."),
    ],
)
def test_an_option_that_cannot_be_right_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_dataset("cabin", options, HERE)


@pytest.mark.parametrize("index", [-1, 2000])
def test_a_frame_beyond_the_end_is_refused(cabin: Cabin, index: int) -> None:
    with pytest.raises(IndexError, match="counted from 0"):
        cabin[index]


def test_without_opencv_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(DatasetError, match=r"pip install 'dms-harness\[host\]'"):
        Cabin(HERE)[0]


def _person(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> parts.Person:
    return parts.Person(
        subject=subject(7, 0), seat="driver", x=400.0, y=400.0, half_width=80.0, yaw=yaw, pitch=pitch, roll=roll
    )


def _eye_mean(seen: parts.Scene, glasses: str) -> float:
    from harness.datasets.cabin import draw

    driver = dataclasses.replace(seen.driver, glasses=glasses, lens=0.7, yaw=0.0, pitch=0.0, roll=0.0)
    frame = draw.paint(dataclasses.replace(seen, people=(driver,)), cv2, list(camera.shades(7)))
    x, y = int(driver.x + seen.shift[0]), int(driver.y + seen.shift[1])
    half = int(0.6 * driver.half_width)
    return float(frame[y - half // 2 : y + half // 3, x - half : x + half].mean())
