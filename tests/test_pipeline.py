"""One frame through pre, infer and post: what the engine is fed, what the task gets, what is timed."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from harness.case import ExtraInput, InputSpec, TaskSpec, TensorSpec
from harness.errors import EngineError
from harness.frames import Frame
from harness.pipeline import NullPipeline, Pipeline, push, read_records, split_records, write_records
from harness.runtimes.simulated import VirtualClock
from harness.tasks import Geometry, open_task

IMAGE = TensorSpec("image", (1, 1, 20, 32), "float32")
MASK = TensorSpec("mask", (1, 3), "float32")
SCORES = TensorSpec("scores", (1, 2), "float32")
CONSTANT = ExtraInput("mask", (1, 3), "float32", 0.5)
FLAT = Frame(np.full((20, 32), 128, np.uint8))


class Engine:
    """An engine that gives back what it was made with and keeps what it was fed."""

    def __init__(self, inputs, outputs=(SCORES,), answer=None):
        self.inputs, self.outputs = inputs, outputs
        self._answer = answer or {"scores": np.array([[0.25, 0.75]], np.float32)}
        self.fed = None

    def infer(self, feeds):
        self.fed = feeds
        return self._answer


@pytest.fixture
def build(make_job):
    """The pipeline of a job with these changes, over this engine."""

    def build_it(engine, **changes):
        job = make_job(**changes)
        return Pipeline(job, engine, open_task(job.task, job.input))

    return build_it


def feeds(pipeline, frame=FLAT):
    return pipeline.pre(frame)[0]


@pytest.mark.parametrize(
    ("spec", "inputs", "extras"),
    [
        (InputSpec(32, 20), [IMAGE], ()),
        (InputSpec(32, 20, name="image"), [IMAGE], ()),
        (InputSpec(32, 20), [IMAGE, MASK], (CONSTANT,)),
        (InputSpec(32, 20), [MASK, IMAGE], (CONSTANT,)),
        (InputSpec(32, 20, name="image"), [MASK, IMAGE], (CONSTANT,)),
        (InputSpec(32, 20), [replace(IMAGE, shape=(-1, 1, -1, -1))], ()),
        (InputSpec(32, 20, layout="NHWC"), [replace(IMAGE, shape=(1, 20, 32, 1))], ()),
        (InputSpec(32, 20, colour="rgb"), [replace(IMAGE, shape=(1, 3, 20, 32))], ()),
    ],
)
def test_the_image_input_is_found_and_filled(build, spec, inputs, extras):
    fed = feeds(build(Engine(inputs), input=spec, extra_inputs=extras))
    assert set(fed) == {one.name for one in inputs}
    assert fed["image"].shape == (1, *((20, 32, 1) if spec.layout == "NHWC" else (spec.channels, 20, 32)))
    assert fed["image"] == pytest.approx(128 / 255)


@pytest.mark.parametrize(
    ("spec", "inputs", "extras", "said"),
    [
        (InputSpec(32, 20), [IMAGE, MASK], (), "the image input is not clear: the model has 'image' float32"),
        (InputSpec(32, 20), [], (), "the image input is not clear"),
        (InputSpec(32, 20, name="image"), [IMAGE, MASK], (), r"nothing fills the model's inputs \['mask'\]"),
        (InputSpec(32, 20), [IMAGE], (CONSTANT,), r"the model has no further input \['mask'\]"),
        (InputSpec(32, 20, name="mask"), [MASK], (CONSTANT,), r"takes 'mask' \[1, 3\] but the card makes"),
        (
            InputSpec(32, 20, name="image"),
            [IMAGE],
            (ExtraInput("image", (1, 1, 20, 32)),),
            r"no further input \['image'\]",
        ),
        (InputSpec(20, 32), [IMAGE], (), r"'image' \[1, 1, 20, 32\] but the card makes \[1, 1, 32, 20\] NCHW"),
        (InputSpec(32, 20, colour="rgb"), [IMAGE], (), r"but the card makes \[1, 3, 20, 32\]"),
        (InputSpec(32, 20, layout="NHWC"), [IMAGE], (), r"but the card makes \[1, 20, 32, 1\] NHWC"),
        (InputSpec(32, 20), [replace(IMAGE, shape=(8, 1, 20, 32))], (), r"takes 'image' \[8, 1, 20, 32\]"),
        (InputSpec(32, 20), [replace(IMAGE, shape=(1, 640))], (), r"takes 'image' \[1, 640\]"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_with_the_key_to_correct(build, spec, inputs, extras, said):
    with pytest.raises(EngineError, match=said) as caught:
        build(Engine(inputs), input=spec, extra_inputs=extras)
    assert "card" in caught.value.remedy
    assert "model.sim" in caught.value.where


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("imgae", r"no input called 'imgae', did you mean 'image'\? known: image, mask"),
        ("picture", "no input called 'picture'; known: image, mask"),
    ],
)
def test_a_wrong_input_name_is_answered_with_those_of_the_model(build, name, said):
    with pytest.raises(EngineError, match=said) as caught:
        build(Engine([IMAGE, MASK]), input=InputSpec(32, 20, name=name), extra_inputs=(CONSTANT,))
    assert caught.value.where.endswith("model.sim, [input] name of its card")


@pytest.mark.parametrize(("dtype", "value"), [("float32", 0.5), ("int64", 3), ("bool", 1), ("float16", 0.25)])
def test_a_further_input_is_filled_with_its_constant(build, dtype, value):
    mask = replace(MASK, dtype=dtype)
    fed = feeds(build(Engine([IMAGE, mask]), extra_inputs=(ExtraInput("mask", (1, 3), dtype, value),)))
    assert fed["mask"].dtype == dtype
    assert fed["mask"].tolist() == [[value] * 3]


# a float pixel of 128 / 255 in steps of 1/64 around zero
@pytest.mark.parametrize(("dtype", "zero_point", "fed"), [("int8", -10, 22), ("uint8", 100, 132), ("int8", 120, 127)])
def test_a_quantised_input_gets_quantised_pixels(build, dtype, zero_point, fed):
    image = replace(IMAGE, dtype=dtype, scale=1 / 64, zero_point=zero_point)
    tensor = feeds(build(Engine([image])))["image"]
    assert tensor.dtype == dtype
    assert set(tensor.ravel().tolist()) == {fed}


def test_a_uint8_input_without_scale_gets_raw_pixels(build):
    image = replace(IMAGE, dtype="uint8")
    assert set(feeds(build(Engine([image]), input=InputSpec(32, 20, dtype="uint8")))["image"].ravel().tolist()) == {128}


@pytest.mark.parametrize(
    ("spec", "raw", "real"),
    [
        (replace(SCORES, dtype="int8", scale=0.5, zero_point=-4), np.array([[-4, 10]], np.int8), [0.0, 7.0]),
        (replace(SCORES, dtype="uint8", scale=1 / 256), np.array([[0, 255]], np.uint8), [0.0, 255 / 256]),
        (replace(SCORES, dtype="int32"), np.array([[3, 4]], np.int32), [3.0, 4.0]),
        (SCORES, np.array([[0.5, 1.5]], np.float32), [0.5, 1.5]),
    ],
)
def test_the_task_gets_real_numbers(build, spec, raw, real):
    pipeline = build(Engine([IMAGE], [spec]))
    prediction = pipeline.post({"scores": raw}, Geometry(1, 1, 0, 0))
    assert prediction.dtype == np.float32
    assert prediction.tolist() == [pytest.approx(real)]


def test_the_task_gets_its_own_names(build):
    engine = Engine([IMAGE], [replace(SCORES, name="Identity:0"), replace(SCORES, name="Identity_1:0")])
    pipeline = build(engine, outputs={"scores": "Identity_1:0"})
    outputs = {"Identity:0": np.zeros((1, 9), np.float32), "Identity_1:0": np.array([[1, 2]], np.float32)}
    assert pipeline.post(outputs, Geometry(1, 1, 0, 0)).tolist() == [[1, 2]]


def test_a_camera_frame_is_cropped_to_its_region_and_a_prepared_picture_is_only_normalised(build):
    camera = np.zeros((100, 200), np.uint8)
    camera[40:60, 100:132] = 255
    pipeline = build(Engine([IMAGE]))
    cropped, geometry = pipeline.pre(Frame(camera, (100.0, 40.0, 132.0, 60.0)))
    assert set(cropped["image"].ravel().tolist()) == {1.0}
    assert geometry == Geometry(1, 1, 100, 40)
    kept = Geometry(2.0, 2.0, 5.0, 6.0)
    prepared, geometry = pipeline.pre(Frame(np.full((20, 32, 1), 51, np.uint8), None, kept))
    assert prepared["image"] == pytest.approx(0.2)
    assert geometry is kept


class Diary:
    """A pipeline and two clocks that write down what is called."""

    def __init__(self):
        self.events = []

    def note(self, event, answer):
        self.events.append(event)
        return answer

    def clock(self):
        return self.note("clock", len(self.events))

    def cpu_clock(self):
        return self.note("cpu", len(self.events))

    def pre(self, frame):
        return self.note("pre", ({}, None))

    def infer(self, feeds):
        return self.note("infer", {})

    def post(self, outputs, geometry):
        return self.note("post", None)


def test_each_stage_stands_between_two_readings_and_the_cpu_clock_outside_the_frame():
    diary = Diary()
    records = push([FLAT, FLAT], diary, diary.clock, diary.cpu_clock)
    stages = [event for stage in ("pre", "infer", "post") for event in ("clock", stage, "clock")]
    assert diary.events == ["cpu", *["clock", *stages, "clock", "cpu"] * 2]
    assert len(records) == 2
    assert records[0] == (1, 2, 4, 5, 7, 8, 10, 11, 12)
    assert records[1] == (13, 14, 16, 17, 19, 20, 22, 23, 12)


def test_records_become_columns_of_nanoseconds():
    columns = split_records([(10, 11, 14, 15, 25, 26, 28, 30, 7), (40, 41, 42, 43, 45, 46, 49, 50, 8)])
    assert {name: column.tolist() for name, column in columns.items()} == {
        "start": [10, 40], "pre": [3, 1], "infer": [10, 2], "post": [2, 3], "frame": [20, 10], "cpu": [7, 8],
    }  # fmt: skip
    assert all(column.dtype == np.int64 for column in columns.values())


def test_records_that_went_through_a_file_in_chunks_come_back_in_order():
    records = [tuple(range(9 * number, 9 * number + 9)) for number in range(7)]
    file = io.BytesIO()
    for chunk in (records[:3], records[3:4], [], records[4:]):
        write_records(chunk, file)
    table = read_records(file)
    assert table.dtype == np.int64
    assert [tuple(row) for row in table.tolist()] == records
    assert all(np.array_equal(split_records(table)[name], column) for name, column in split_records(records).items())


def test_nanoseconds_of_a_clock_that_ran_for_a_century_are_kept_exactly():
    century_ns = 100 * 365 * 86400 * 10**9
    file = io.BytesIO()
    write_records([(century_ns, *range(7), century_ns + 1)], file)
    assert read_records(file)[0, [0, 8]].tolist() == [century_ns, century_ns + 1]


def test_a_file_without_records_gives_empty_columns():
    assert {len(column) for column in split_records(read_records(io.BytesIO())).values()} == {0}


def test_no_records_become_empty_columns():
    assert {name: len(column) for name, column in split_records([]).items()} == dict.fromkeys(
        ("start", "pre", "infer", "post", "frame", "cpu"), 0
    )


def test_the_null_pipeline_costs_its_readings_only():
    clock = VirtualClock()
    columns = split_records(push([FLAT] * 3, NullPipeline(), clock, lambda: 0))
    assert set(columns["frame"].tolist()) == {280}
    assert set((columns["pre"] + columns["infer"] + columns["post"]).tolist()) == {120}


def test_a_failing_stage_is_not_hidden(build):
    class Broken(Engine):
        def infer(self, feeds):
            raise RuntimeError("the engine fails")

    with pytest.raises(RuntimeError, match="the engine fails"):
        push([FLAT], build(Broken([IMAGE])), VirtualClock(), lambda: 0)


def test_an_output_of_another_size_is_refused_with_both_shapes(build):
    engine = Engine([IMAGE], answer={"scores": np.zeros((1, 7), np.float32)})
    pipeline = build(engine, task=TaskSpec("classification", {"classes": ["a", "b"]}))
    with pytest.raises(EngineError, match=r"has shape \[1, 7\], wanted \[1, 2\]"):
        push([FLAT], pipeline, VirtualClock(), lambda: 0)
