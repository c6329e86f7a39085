"""The shipped pipeline with its INT8 models on rendered cabin frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.cascade import Execution
from harness.cascade.batching import measure_batch
from harness.cascade.crew import loaded
from harness.cascade.crops import region
from harness.cascade.execution import Cascade
from harness.cascade.measure import camera_frames, measure_cascade
from harness.cascade.records import HELD, RAN, SKIPPED, first_difference
from harness.errors import EngineError
from harness.frames import Frame, write_pack
from harness.tasks.boxes import iou_matrix
from harness.tasks.gaze import angle_deg, direction

FACE, EYES, GAZE, DISTRACTION, HEADS = range(5)
OVERLAPS = ("stages", "steps", "streams")


@pytest.fixture(scope="module")
def serial(cabin_job):
    """The serial run over the rendered frames."""
    return measure_cascade(cabin_job, lambda *words: None)


@pytest.mark.parametrize("mode", OVERLAPS)
def test_overlapped_engines_give_the_serial_answers_bit_by_bit(cabin_job, run, serial, mode):
    assert first_difference(serial, run(replace(cabin_job, execution=Execution(mode)))) == ""


def test_every_stage_is_timed_and_heads_are_counted_on_every_third_frame(serial):
    assert serial.names == ("face", "eyes", "gaze", "distraction", "heads")
    assert set(serial.states[::3, HEADS].tolist()) == {RAN}
    assert set(serial.states[1::3, HEADS].tolist()) == {HELD}
    assert (serial.work_ns[serial.states == RAN] > 0).all()
    assert (serial.work_ns[serial.states != RAN] == 0).all()
    lengths, chains = serial.critical_paths()
    assert (lengths <= serial.end_to_end_ns).all()
    assert {chain[0] for chain in chains} <= {"face", "heads"}


def true_box(sample):
    """The driver's face: the largest one whose middle lies in the region of the face; None where none is seen."""
    x1, y1, x2, y2 = sample.rois["face"]
    inside = [
        box for box in sample.truths["faces"]
        if x1 < (box[0] + box[2]) / 2 < x2 and y1 < (box[1] + box[3]) / 2 < y2
    ]  # fmt: skip
    return max(inside, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), default=None)


@pytest.fixture(scope="module")
def by_the_true_box(cabin_job, samples, serial):
    """Of each frame with a driver's face that was found: what was answered, and what the crop by the true box gives."""
    found = []
    with loaded(cabin_job) as crew:
        for number, sample in enumerate(samples):
            box = true_box(sample)
            faces = serial.predictions["face"][number]
            if box is None or not len(faces):
                continue
            given = np.array([[*box[:4], 1.0, 0.0]], np.float32)
            answers = {}
            for column in (EYES, GAZE):
                station = crew.lanes[0][column]
                where = region(given, station.stage.crop, sample.frame.shape)
                feeds, geometry = station.pipeline.pre(Frame(sample.frame, where))
                answers[station.stage.name] = station.pipeline.post(station.pipeline.infer(feeds), geometry)
            found.append((number, box, answers))
    return found


def test_the_largest_face_found_is_the_drivers(serial, by_the_true_box):
    best = []
    for number, box, _ in by_the_true_box:
        faces = serial.predictions["face"][number][:, :4]
        largest = max(faces, key=lambda one: (one[2] - one[0]) * (one[3] - one[1]))
        best.append(float(iou_matrix(box[None, :4], largest[None])[0, 0]))
    assert len(best) >= 15
    assert np.mean(np.array(best) > 0.5) >= 0.85


def test_the_crop_of_the_detected_face_gives_the_answers_of_the_crop_by_the_true_box(serial, by_the_true_box):
    eyes = [
        serial.predictions["eyes"][number].argmax() == answers["eyes"].argmax()
        for number, _, answers in by_the_true_box
    ]
    one = np.concatenate([serial.predictions["gaze"][number] for number, _, _ in by_the_true_box])
    other = np.concatenate([answers["gaze"] for _, _, answers in by_the_true_box])
    apart_deg = angle_deg(direction(one), direction(other))
    assert np.mean(eyes) >= 0.8
    assert np.median(apart_deg) < 4


def test_the_answers_are_right_most_of_the_time(serial, samples):
    seen = [number for number, one in enumerate(samples) if serial.predictions["eyes"][number] is not None]
    right = [serial.predictions["eyes"][n].argmax() == samples[n].truths["eye_state"][0, 0] for n in seen]
    gaze = np.concatenate([serial.predictions["gaze"][n] for n in seen])
    errors = angle_deg(direction(gaze), direction(np.concatenate([samples[n].truths["gaze"] for n in seen])))
    assert np.mean(right) > 0.7
    assert np.median(errors) < 8


@pytest.mark.parametrize("mode", ["serial", *OVERLAPS])
def test_a_frame_without_a_face_skips_what_looks_at_it_and_nothing_else(cabin_job, run, samples, tmp_path, mode):
    black = np.zeros_like(samples[0].frame)
    write_pack(tmp_path / "frames", [Frame(samples[0].frame), Frame(black), Frame(black), Frame(black)])
    job = replace(
        cabin_job, frames_path=str(tmp_path / "frames"), plan=replace(cabin_job.plan, frames=5),
        execution=Execution(mode),
    )  # fmt: skip
    found = run(job)
    assert found.states[:, FACE].tolist() == [RAN] * 5
    assert found.states[:, EYES].tolist() == [RAN, SKIPPED, SKIPPED, SKIPPED, RAN]
    assert found.states[:, HEADS].tolist() == [RAN, HELD, HELD, RAN, HELD]
    assert found.predictions["eyes"][1] is None
    assert found.critical_paths()[1][1] == ("face",)
    found.save(tmp_path)
    assert first_difference(type(found).load(tmp_path), found) == ""


def opened(path, target):
    """The same model with an open batch dimension."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(path)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    onnx.save(model, target)
    return str(target)


def with_open_batch(job, name, folder):
    stages = tuple(
        replace(one, job=replace(one.job, model_path=opened(one.job.model_path, folder / f"{name}.onnx")))
        if one.name == name else one
        for one in job.stages
    )  # fmt: skip
    return replace(job, stages=stages)


def test_the_crops_of_several_frames_go_through_a_model_with_an_open_batch_at_once(cabin_job, tmp_path):
    job = with_open_batch(cabin_job, "eyes", tmp_path)
    with loaded(job) as crew:
        times = measure_batch(job, crew, camera_frames(job), "eyes", 4, 6)
        flight = Cascade(crew.lanes[0], crew.clock).push(camera_frames(job)[0].pixels)
    assert flight.answers["eyes"] is not None
    assert (times.stage, times.size) == ("eyes", 4)
    assert len(times.single_ns) == len(times.batch_ns) == 6
    assert (times.batch_ns > 0).all()
    assert times.largest_difference < 1e-4


def test_a_model_for_one_picture_cannot_be_batched_and_says_so(cabin_job):
    said = r"stage eyes: the model takes one picture at a time, its batch dimension is fixed: 'image' \[1, 1, 96, 96\]"
    with loaded(cabin_job) as crew, pytest.raises(EngineError, match=said) as caught:
        measure_batch(cabin_job, crew, camera_frames(cabin_job), "eyes", 4, 2)
    assert "open first dimension" in caught.value.remedy


def test_a_batch_larger_than_the_pictures_there_are_is_refused(cabin_job, tmp_path):
    job = with_open_batch(cabin_job, "gaze", tmp_path)
    with loaded(job) as crew, pytest.raises(EngineError, match="and a batch needs 500"):
        measure_batch(job, crew, camera_frames(job), "gaze", 500, 2)
