"""One frame through pre, infer and post, each timed, and the frame timed by readings of its own."""

from __future__ import annotations

from typing import IO, Any, Callable, Dict, Iterable, List, Sequence, Tuple, Union

import numpy as np

from harness.case import Array, InputSpec, Job, TensorSpec
from harness.errors import EngineError, unknown
from harness.frames import Frame
from harness.runtimes import Runtime
from harness.tasks import Geometry, Task
from harness.tasks.preprocess import Preprocess

Clock = Callable[[], int]
Tensors = Dict[str, Array]
Record = Tuple[int, ...]
# A record of `push`; at the camera's pace three more stand before it: number, due, lateness (harness/camera/pacing.py).
RECORD = 9
CAMERA_RECORD = 3 + RECORD
CAMERA_COLUMNS = ("index", "due_ns", "lateness_ns")


class Pipeline:
    """pre, infer and post of one job on one loaded runtime.

    EngineError where the card's input and the model's input cannot be brought together.
    """

    def __init__(self, job: Job, runtime: Runtime, task: Task) -> None:
        self._runtime = runtime
        self._task = task
        self._image = _image_input(job, runtime.inputs)
        self._preprocess = Preprocess(job.input, self._image)
        self._extras = _constants(job, runtime.inputs, self._image)
        self._tensor_to_output = {tensor: name for name, tensor in job.outputs.items()}
        self._outputs = {spec.name: spec for spec in runtime.outputs}
        self.infer = runtime.infer

    def pre(self, frame: Frame) -> Tuple[Tensors, Geometry]:
        """Camera frame to feeds; a prepared picture is only normalised."""
        if frame.geometry is not None:
            tensor, geometry = self._preprocess.tensor(frame.pixels), frame.geometry
        else:
            tensor, geometry = self._preprocess(frame.pixels, frame.roi)
        return {self._image.name: tensor, **self._extras}, geometry

    def outputs(self, frame: Frame) -> Tensors:
        """The engine's raw outputs for one frame."""
        return self.infer(self.pre(frame)[0])

    def post(self, outputs: Tensors, geometry: Geometry) -> Array:
        """The engine's outputs to a prediction, under the task's names and as floats."""
        named = {}
        for tensor, value in outputs.items():
            spec = self._outputs[tensor]
            real = (value.astype(np.float32) - spec.zero_point) * spec.scale if spec.scale else value
            named[self._tensor_to_output.get(tensor, tensor)] = real
        return self._task.post(named, geometry)


def push(frames: Iterable[Frame], pipeline: Any, clock: Clock, cpu_clock: Clock) -> List[Record]:
    """Push frames back to back.

    A record is: frame start, pre start and end, infer start and end, post start and end, frame end
    (all of `clock`), and the calling thread's CPU nanoseconds since the frame before. The CPU clock
    is a system call, so it is read once a frame and outside of it.
    """
    records: List[Record] = []
    keep = records.append
    pre, infer, post = pipeline.pre, pipeline.infer, pipeline.post
    cpu_before = cpu_clock()
    for frame in frames:
        start = clock()
        pre_start = clock()
        feeds, geometry = pre(frame)
        pre_end = clock()
        infer_start = clock()
        outputs = infer(feeds)
        infer_end = clock()
        post_start = clock()
        post(outputs, geometry)
        post_end = clock()
        end = clock()
        cpu = cpu_clock()
        keep((start, pre_start, pre_end, infer_start, infer_end, post_start, post_end, end, cpu - cpu_before))
        cpu_before = cpu
    return records


def write_records(records: Sequence[Record], file: IO[bytes]) -> bytes:
    """Append records to a binary file; what was written."""
    content = np.asarray(records, np.int64).tobytes()
    file.write(content)
    return content


def read_records(file: IO[bytes], columns: int = RECORD) -> Array:
    """All records of a file as int64 [frames, columns]."""
    file.seek(0)
    return table_of(file.read(), columns)


def table_of(content: bytes, columns: int = RECORD) -> Array:
    """What `write_records` wrote as int64 [frames, columns]; ValueError where it is not whole."""
    return np.frombuffer(content, np.int64).reshape(-1, columns)


def split_records(records: Union[Sequence[Record], Array]) -> Dict[str, Array]:
    """Records as int64 nanosecond columns: start, pre, infer, post, frame, cpu; of wider ones CAMERA_COLUMNS too."""
    wide = len(records) > 0 and len(records[0]) == CAMERA_RECORD
    table = np.asarray(records, np.int64).reshape(-1, CAMERA_RECORD if wide else RECORD)
    camera = {name: table[:, number] for number, name in enumerate(CAMERA_COLUMNS)} if wide else {}
    table = table[:, -RECORD:]
    return {
        **camera,
        "start": table[:, 0],
        "pre": table[:, 2] - table[:, 1],
        "infer": table[:, 4] - table[:, 3],
        "post": table[:, 6] - table[:, 5],
        "frame": table[:, 7] - table[:, 0],
        "cpu": table[:, 8],
    }


class NullPipeline:
    """Stages that do nothing; pushing frames through it measures the harness itself."""

    def __init__(self) -> None:
        self._nothing: Tuple[Tensors, Geometry] = ({}, Geometry(1.0, 1.0, 0.0, 0.0))

    def pre(self, frame: Frame) -> Tuple[Tensors, Geometry]:
        return self._nothing

    def infer(self, feeds: Tensors) -> Tensors:
        return feeds

    def post(self, outputs: Tensors, geometry: Geometry) -> None:
        return None


def _image_input(job: Job, inputs: Sequence[TensorSpec]) -> TensorSpec:
    names = [one.name for one in inputs]
    if job.input.name and job.input.name not in names:
        raise EngineError(unknown("input", job.input.name, names), where=f"{job.model_path}, [input] name of its card")
    extras = {one.name for one in job.extra_inputs}
    images = [one for one in inputs if one.name == job.input.name or (not job.input.name and one.name not in extras)]
    if len(images) != 1:
        raise EngineError(
            f"the image input is not clear: the model has {_list(inputs)}",
            where=job.model_path,
            remedy="name it in [input] name and give every other one an [extra_inputs.NAME] in the card",
        )
    _check_shape(job.input, images[0], job.model_path)
    if not images[0].scale and images[0].dtype != job.input.dtype:
        raise EngineError(
            f"the model takes {images[0].dtype} but the card says dtype = {job.input.dtype!r}",
            where=job.model_path,
            remedy="correct dtype under [input] of the card",
        )
    return images[0]


def _check_shape(spec: InputSpec, tensor: TensorSpec, model_path: str) -> None:
    sizes = (
        (spec.channels, spec.height, spec.width) if spec.layout == "NCHW" else (spec.height, spec.width, spec.channels)
    )
    wanted = (1, *sizes)
    fits = len(tensor.shape) == 4 and all(a in (-1, b) for a, b in zip(tensor.shape, wanted))
    if not fits:
        raise EngineError(
            f"the model takes {tensor.name!r} {list(tensor.shape)} but the card makes {list(wanted)} {spec.layout}",
            where=model_path,
            remedy="correct width, height, colour or layout under [input] of the card",
        )


def _constants(job: Job, inputs: Sequence[TensorSpec], image: TensorSpec) -> Tensors:
    known = {one.name for one in inputs if one is not image}
    given = {one.name for one in job.extra_inputs}
    if given - known:
        raise EngineError(
            f"the model has no further input {sorted(given - known)}; it has {_list(inputs)}",
            where=job.model_path,
            remedy="correct or remove its [extra_inputs.NAME] in the card",
        )
    if known - given:
        raise EngineError(
            f"nothing fills the model's inputs {sorted(known - given)}; it has {_list(inputs)}",
            where=job.model_path,
            remedy="give each an [extra_inputs.NAME] in the card",
        )
    return {one.name: np.full(one.shape, one.value, one.dtype) for one in job.extra_inputs}


def _list(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{one.name!r} {one.dtype} {list(one.shape)}" for one in tensors)
