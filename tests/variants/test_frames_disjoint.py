"""A frame that is evaluated on makes no variant: found by its content, whatever it is called."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DatasetError
from harness.model import read_card
from harness.variants.frames import Frames
from tests.variants.rawmodel import pictures, raw_model, record

SAME = '[calibration]\ndataset = { path = "frames.y8", labels = "frames.csv" }\n'


def frames_over(tmp_path, *, shared: int = 0, **changes) -> Frames:
    """Frames of a raw model whose first `shared` calibration frames are evaluation frames under another name."""
    folder = raw_model(tmp_path / "eyes", evaluated=100)
    both = np.concatenate([pictures(100, seed=1)[:shared], pictures(100, seed=2)[shared:]])
    record(folder, "calibration", both)
    defaults = {"calibration_frames": 50, "tuning_frames": 50, "fewest": 1}
    return Frames(card=read_card(folder), cache=tmp_path / "cache", **{**defaults, **changes})


def test_sets_that_share_no_frame_are_taken(tmp_path):
    frames_over(tmp_path).require_disjoint()


def test_frames_without_labels_are_checked_as_far_as_there_are_any(tmp_path):
    more = SAME.replace('"frames.csv"', '"", classes = [], truth = ""')
    folder = raw_model(tmp_path / "eyes", evaluated=300, more=more)
    with pytest.raises(DatasetError, match="the calibration set is the evaluation set"):
        Frames(card=read_card(folder), cache=tmp_path / "cache", calibration_frames=300).require_disjoint()


@pytest.mark.parametrize("degraded_percent", [0, 100])
def test_shared_frames_are_counted_and_named_even_where_they_are_blurred_for_calibration(tmp_path, degraded_percent):
    frames = frames_over(tmp_path, shared=40, degraded_percent=degraded_percent)
    known = [one["index"] for one in frames.calibration.samples if one["index"] < 40]
    with pytest.raises(DatasetError) as caught:
        frames.require_disjoint("calibration")
    assert f"{len(known)} of 50 calibration frames are evaluation frames too" in caught.value.what
    assert f"frame {known[0]} of calibration, frame {known[1]} of calibration" in caught.value.what
    assert caught.value.where.endswith("model.toml, [calibration]")
    assert "other drivers" in caught.value.remedy


def test_one_tuning_frame_that_is_evaluated_on_is_one_too_many(tmp_path):
    frames = frames_over(tmp_path)
    index = frames.tuning.samples[7]["index"]
    both = pictures(100, seed=2)
    both[index] = pictures(100, seed=1)[3]
    record(frames.card.folder, "calibration", both)
    fresh = frames_over_card(frames, tmp_path)
    with pytest.raises(
        DatasetError, match=f"1 of 50 .* frames are evaluation frames too: frame {index} of calibration"
    ):
        fresh.require_disjoint()


def frames_over_card(frames: Frames, tmp_path) -> Frames:
    return Frames(card=frames.card, cache=tmp_path / "cache", calibration_frames=50, tuning_frames=50, fewest=1)


def test_the_evaluation_set_itself_is_said_to_be_it(tmp_path):
    folder = raw_model(tmp_path / "eyes", evaluated=300, more=SAME)
    frames = Frames(card=read_card(folder), cache=tmp_path / "cache", calibration_frames=300)
    with pytest.raises(DatasetError, match="the calibration set is the evaluation set: all 300 frames are the same"):
        frames.require_disjoint("calibration")


def test_training_frames_are_checked_when_asked_for(tmp_path):
    folder = raw_model(tmp_path / "eyes", more=SAME.replace("calibration", "training"))
    frames = Frames(card=read_card(folder), cache=tmp_path / "cache")
    with pytest.raises(DatasetError, match=r"the training set is the evaluation set.*\[training\]"):
        frames.require_disjoint("training")


def test_ready_tensors_of_evaluation_frames_are_found_by_their_pixels(tmp_path):
    frames = frames_over(tmp_path)
    np.savez(tmp_path / "ready.npz", images=np.float32(pictures(100, seed=1)[:50, None] / 255))
    ready = Frames(card=frames.card, cache=tmp_path / "cache", tensors=tmp_path / "ready.npz", fewest=1)
    with pytest.raises(DatasetError, match="50 of 50 calibration frames are evaluation frames too: frame 0, frame 1"):
        ready.require_disjoint("calibration")
