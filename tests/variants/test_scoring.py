"""What a file answers in this process is what the measured worker answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.case import Case
from harness.errors import ConfigError, DatasetError
from harness.model import read_card
from harness.stats.proportions import tango_interval
from harness.variants import scoring
from harness.variants.frames import Frames
from harness.variants.frames.frameset import FrameSet
from harness.variants.study.graphs import feeds
from tests.simulated import session_over
from tests.variants.rawmodel import raw_model

SHIPPED = Path(__file__).parents[2] / "suites" / "models"


def test_the_score_is_the_one_that_the_pipeline_measures(make_model, tmp_path):
    folder = make_model()
    session = session_over(tmp_path, folder)
    card = read_card(folder)
    frames = Frames(card=card, cache=tmp_path / "cache", evaluation_frames=session.setup.plan.accuracy_frames)
    measured = session.with_accuracy(Case("simulated", "eyes", "int8", "simulated")).score
    answers = scoring.predict(card.file("int8", "sim"), "simulated", card, frames.evaluation, {"seed": 0})
    mine = scoring.score(answers, card, frames.evaluation)
    assert (mine.value, mine.extras, mine.frames) == (measured.value, measured.extras, measured.frames)


def test_boxes_are_judged_in_the_pixels_of_the_camera_frame(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("cv2")
    card = read_card(SHIPPED / "head_counting")
    frames = Frames(card=card, cache=tmp_path, calibration_frames=2, tuning_frames=8, fewest=1).tuning
    answers = scoring.predict(card.file("int8", "onnx"), "onnxruntime", card, frames)
    assert scoring.score(answers, card, frames).value > 80
    unplaced = FrameSet(name="tuning", pictures=frames.pictures, truths=frames.truths)
    moved = scoring.predict(card.file("int8", "onnx"), "onnxruntime", card, unplaced)
    scale, offset = frames.geometries[0].scale_x, frames.geometries[0].offset_x
    assert answers[0][:, 0] == pytest.approx(moved[0][:, 0] * scale + offset, abs=0.01)


def test_ready_tensors_reach_the_file_as_they_are(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from tests.variants.onnxnets import bench, net, saved

    path = saved(net(), tmp_path / "fp32.onnx")
    work = bench(tmp_path, {"onnx": path})
    between = (work.frames.calibration.pictures.transpose(0, 3, 1, 2) + np.float32(0.4)) / np.float32(255)
    frames = replace(work.frames.calibration, ready=between)
    session = onnxruntime.InferenceSession(str(path))
    wanted = [session.run(None, {"image": one[None]})[0] for one in between]
    found = scoring.predict(path, "onnxruntime", work.card, frames)
    given = [one["image"] for one in feeds(path, work.card, frames)]
    assert np.array_equal(np.concatenate(given), between)
    assert np.concatenate(found) == pytest.approx(np.concatenate(wanted), abs=1e-5)
    assert np.concatenate(found) != pytest.approx(
        np.concatenate(scoring.predict(path, "onnxruntime", work.card, work.frames.calibration)), abs=1e-5
    )


def frames_of(count: int) -> FrameSet:
    truths = tuple(np.array([[row % 2]], np.float32) for row in range(count))
    return FrameSet(name="tuning", pictures=np.zeros((count, 10, 16, 1), np.uint8), truths=truths)


def test_the_loss_is_counted_frame_by_frame_with_the_interval_of_a_verdict(tmp_path):
    card, frames = read_card(raw_model(tmp_path / "eyes")), frames_of(2000)
    right = [np.eye(2, dtype=np.float32)[[int(one[0, 0])]] for one in frames.truths]
    worse = [one[:, ::-1] if row < 40 else one for row, one in enumerate(right)]
    found = scoring.loss(right, worse, card, frames)
    assert (found.loss_points, found.flips) == (2.0, 40)
    low, high = scoring.loss_interval(found)
    assert (low, high) == pytest.approx([100 * one for one in tango_interval(40, 0, 2000)])
    assert low < 2.0 < high


def test_frames_without_labels_cannot_be_scored(tmp_path):
    card = read_card(raw_model(tmp_path / "eyes"))
    bare = FrameSet(name="calibration", pictures=np.zeros((1, 10, 16, 1), np.uint8))
    with pytest.raises(DatasetError, match="the calibration frames have no labels"):
        scoring.score([np.zeros((1, 2), np.float32)], card, bare)


@pytest.mark.parametrize(
    ("engine", "file", "said"),
    [
        ("onnxruntime", "model.tflite", "onnxruntime takes onnx files"),
        ("onnxruntim", "model.onnx", "no runtime called 'onnxruntim', did you mean 'onnxruntime'"),
    ],
)
def test_a_file_that_the_engine_does_not_take_is_refused(tmp_path, engine, file, said):
    card = read_card(raw_model(tmp_path / "eyes"))
    with pytest.raises(ConfigError, match=said):
        scoring.predict(tmp_path / file, engine, card, frames_of(1))
