"""Calibration, tuning and training frames: by seed, over all conditions, as the pipeline sees them."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.datasets import DATASETS
from harness.errors import ConfigError, DatasetError
from harness.model import read_card
from harness.tasks.preprocess import Preprocess
from harness.variants.frames import Frames
from harness.variants.frames.degrade import blurred, darkened
from harness.variants.frames.strata import shares, stratified
from harness.zoo import data
from harness.zoo.recipes import RECIPES
from tests.variants.rawmodel import CALIBRATION, LIGHTS, raw_model

UNLABELLED = '[calibration]\ndataset = { path = "calibration.y8", labels = "", classes = [], truth = "" }'
SHIPPED = Path(__file__).parents[2] / "suites" / "models"


@pytest.fixture
def over(tmp_path):
    """Frames of a raw model; the keywords go to Frames, `model` to the model."""

    def make(model: dict | None = None, **changes) -> Frames:
        card = read_card(raw_model(tmp_path / "eyes", **(model or {})))
        return Frames(**{"card": card, "cache": tmp_path / "cache", "calibration_frames": 300, **changes})

    return make


def conditions(frames) -> Counter:
    return Counter(tuple(one["slices"].values()) for one in frames.samples)


def test_every_condition_has_its_share_of_the_calibration_frames(over):
    found = conditions(over().calibration)
    assert len(found) == len(LIGHTS) * 2
    assert sum(found.values()) == 300
    for light in LIGHTS:
        assert found[light, "none"] == pytest.approx(300 / 3 * 6 / 7, abs=1)
        assert found[light, "clear"] == pytest.approx(300 / 3 / 7, abs=1)


def test_a_rare_condition_is_there_all_the_same():
    samples = [{"slices": {"light": "night" if row == 77 else "day"}} for row in range(4000)]
    assert 77 in stratified(samples, 20, seed=5)


def test_a_gaze_far_aside_is_a_condition_where_the_data_set_knows_the_gaze():
    samples = [{"slices": {}, "yaw_deg": 40.0 if row in (3, 4) else 2.0} for row in range(1000)]
    assert {3, 4} & set(stratified(samples, 10, seed=1))


def test_frames_without_any_condition_are_drawn_too():
    assert len(stratified([{}] * 50, 10, seed=1)) == 10


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.data())
def test_shares_add_up_stay_within_their_groups_and_leave_none_out(sizes, draw):
    count = draw.draw(st.integers(1, sum(sizes)))
    given_frames = shares(sizes, count)
    assert sum(given_frames) == count
    assert all(0 <= taken <= size for taken, size in zip(given_frames, sizes, strict=True))
    assert count < len(sizes) or min(given_frames) >= 1


def test_the_same_seed_gives_the_same_frames_and_another_seed_others(over):
    first, again, other = over().calibration, over().calibration, over(seed=2).calibration
    assert first.key == again.key
    assert first.key != other.key


def test_tuning_frames_are_labelled_and_none_of_them_is_calibrated_on(over):
    frames = over(tuning_frames=80)
    assert len(frames.tuning) == len(frames.tuning.truths) == 80
    assert not frames.tuning.hashes & frames.calibration.hashes
    wanted = [[[float(one.mean() > 127)]] for one in frames.tuning.pictures]
    assert [one.tolist() for one in frames.tuning.truths] == wanted


def test_a_tensor_is_what_the_pipeline_makes_of_the_camera_frame(over):
    frames = over({"normalised": "mean = [0.4]\nstd = [0.2]"})
    spec = frames.card.input_spec("sim")
    sample = frames.calibration.samples[5]
    recording = np.fromfile(frames.card.folder / "calibration.y8", np.uint8).reshape(-1, spec.height, spec.width)
    wanted, _ = Preprocess(spec)(recording[sample["index"]])
    assert np.array_equal(list(frames.calibration.tensors(spec))[5], wanted)


@pytest.mark.parametrize(("percent", "changed"), [(0, 0), (10, 30), (33.4, 100), (100, 300)])
def test_a_share_of_the_calibration_frames_is_made_worse_on_request(over, percent, changed):
    plain, worse = over().calibration, over(degraded_percent=percent).calibration
    differing = [row for row in range(300) if not np.array_equal(plain.pictures[row], worse.pictures[row])]
    assert len(differing) == changed
    assert differing == [row for row, one in enumerate(worse.samples) if one.get("degraded")]
    assert worse.key == over(degraded_percent=percent).calibration.key


def test_how_many_frames_and_how_many_of_them_are_made_worse_stands_in_the_card(over):
    more = CALIBRATION.replace("}", "}\nframes = 310\ndegraded_percent = 10")
    found = over({"more": more}, calibration_frames=None).calibration
    assert len(found) == 310
    assert sum(bool(one.get("degraded")) for one in found.samples) == 31
    plain = over({"more": more}, calibration_frames=None, degraded_percent=0.0).calibration
    assert not any(one.get("degraded") for one in plain.samples)


def test_a_dark_picture_has_less_light_and_a_blurred_one_less_contrast():
    picture = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
    assert darkened(picture, 0.25).mean() == pytest.approx(picture.mean() / 4, rel=0.02)
    soft = blurred(picture, 0.03)
    assert soft.mean() == pytest.approx(picture.mean(), rel=0.02)
    assert soft.std() < picture.std() / 2


@pytest.mark.parametrize("wanted", [1, 299, 801])
def test_too_few_and_too_many_calibration_frames_are_refused(over, wanted):
    with pytest.raises(DatasetError, match=f"{wanted} calibration frames, 300 to 800 are taken.*; take 300 to 800"):
        _ = over(calibration_frames=wanted).calibration


def test_no_calibration_frame_at_all_is_refused(over):
    with pytest.raises(DatasetError, match="the calibration set is empty"):
        _ = over(calibration_frames=0).calibration


def test_a_data_set_with_fewer_frames_than_wanted_is_refused(over):
    with pytest.raises(DatasetError, match=r"holds 310 frames and 400 are wanted.*calibrate on fewer \(300 at least\)"):
        _ = over({"calibrated": 310}, calibration_frames=400).calibration


def test_a_data_set_that_is_used_up_leaves_none_to_tune_on(over):
    with pytest.raises(DatasetError, match="all 300 frames of the calibration data set are calibrated on"):
        _ = over({"calibrated": 300}).tuning


class Nothing:
    """A data set without a frame."""

    fingerprint = "nothing"

    def __init__(self, folder: Path) -> None: ...

    def __len__(self) -> int:
        return 0


def test_a_data_set_without_a_frame_is_refused(over, monkeypatch):
    monkeypatch.setitem(DATASETS, "nothing", f"{__name__}:Nothing")
    frames = over({"more": '[calibration]\ndataset = { kind = "nothing" }'})
    with pytest.raises(DatasetError, match=r"the calibration set is empty.*model.toml, \[calibration\]"):
        _ = frames.calibration


def test_calibration_frames_need_no_labels_but_a_search_does(over):
    frames = over({"more": UNLABELLED})
    assert len(frames.calibration) == 300
    assert frames.calibration.truths == ()
    assert not frames.tunable
    with pytest.raises(DatasetError, match=r"without labels.*label them and name their truth"):
        _ = frames.tuning


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('path = "calibration.y8", label = "a.csv"', r"no option called 'label', did you mean 'labels'.*"),
        ('kind = "rwa"', r"no data set kind called 'rwa', did you mean 'raw'.*"),
        ('path = "calibration.y8", labels = "calibration.csv", truth = "eyes"', "no truth called 'eyes'.*"),
    ],
)
def test_a_wrong_calibration_data_set_is_refused_with_its_place_in_the_card(over, options, said):
    frames = over({"more": f"[calibration]\ndataset = {{ {options} }}"})
    with pytest.raises((ConfigError, DatasetError), match=said + r"model.toml, \[calibration\] dataset"):
        _ = frames.calibration


def test_more_than_all_frames_cannot_be_made_worse(over):
    with pytest.raises(ConfigError, match=r"110 % of the calibration frames .*; give 0 to 100"):
        _ = over(degraded_percent=110).calibration


@pytest.mark.parametrize("table", ["calibration", "training"])
def test_a_data_set_that_is_no_cabin_must_say_what_it_does_not_evaluate_on(over, table):
    frames = over({"more": ""})
    with pytest.raises(ConfigError, match=f"does not say where {table} frames come from") as caught:
        getattr(frames, table)
    line = caught.value.remedy.split("top of the card: ")[1]
    assert tomllib.loads(line) == {table: {"dataset": {"path": f"{table}/frames.y8", "labels": f"{table}/frames.csv"}}}
    path = frames.card.folder / "model.toml"
    path.write_text(f"{line}\n{path.read_text()}")
    assert getattr(read_card(frames.card.folder), table).dataset


def test_training_frames_are_taken_from_their_own_table(over):
    more = f'{CALIBRATION}[training]\ndataset = {{ path = "calibration.y8", labels = "calibration.csv" }}'
    frames = over({"more": more}, training_frames=100)
    assert [one["index"] for one in frames.training.samples] == list(range(0, 400, 4))
    assert len(frames.training.truths) == 100


def test_all_pictures_stay_in_their_file_until_they_are_read(over):
    frames = over({"more": CALIBRATION.replace("calibration]", "training]")}, training_frames=100)
    assert isinstance(frames.training.pictures, np.memmap)


def test_the_shipped_nets_are_tuned_on_the_pictures_that_they_were_trained_on(tmp_path):
    pytest.importorskip("cv2")
    recipe, trained_on = RECIPES["eye_state"], data.TRAIN.open()
    frames = Frames(card=read_card(SHIPPED / "eye_state"), cache=tmp_path, training_frames=8).training
    for row in (0, 3, 7):
        sample = trained_on[row * data.TRAIN.step]
        picture, target = data.example(recipe, Preprocess(recipe.input), sample)
        assert np.array_equal(frames.pictures[row, ..., 0], picture)
        assert np.array_equal(frames.truths[row][0], target)


def test_the_cabin_calibrates_on_its_own_drivers_each_recording_once(tmp_path):
    pytest.importorskip("cv2")
    card = read_card(SHIPPED / "eye_state")
    frames = Frames(card=card, cache=tmp_path, calibration_frames=5, tuning_frames=5, evaluation_frames=10, fewest=1)
    frames.require_disjoint()
    clips = [one["clip"] for one in frames.calibration.samples]
    assert len(set(clips)) == 5
    assert all(one.startswith("calibration-") for one in clips)
    assert all("yaw_deg" in one for one in frames.calibration.samples)
