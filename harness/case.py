"""What is measured, how often, and what comes back; everything here crosses the wire as JSON and npz."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from harness.telemetry import Array as Array
from harness.telemetry import Telemetry, Trace, pack_traces, unpack_traces

STAGES = ("pre", "infer", "post")
CAMERA = "camera_"


@dataclass(frozen=True)
class Case:
    """One thing to measure; its key names it in reports, paths and baselines."""

    device: str
    model: str
    variant: str
    runtime: str

    @property
    def key(self) -> str:
        return f"{self.device}/{self.model}/{self.variant}/{self.runtime}"


QUEUE, DROP_STALE, BLOCK = "queue", "drop-stale", "block"


@dataclass(frozen=True)
class Arrivals:
    """When frames come, and what becomes of those that find the consumer busy.

    `fps`: a fixed rate. `timestamps`: a recording's instead, ns from its first frame. `policy`: "queue" keeps every
    frame in order; "drop-stale" keeps the newest in one waiting slot; "block" lets the camera wait, so that its
    schedule slips.
    """

    fps: float = 30.0
    policy: str = DROP_STALE
    timestamps: Tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How long to measure. `frames` are per run, a run is one fresh worker process.

    arrivals: the camera that sends the frames, `frames` and more until `minimum_s` of its schedule are through; None:
    frames go back to back.
    """

    name: str
    frames: int
    runs: int = 1
    warmup_window: int = 25
    warmup_cap_frames: int = 400
    warmup_tolerance: float = 0.01
    minimum_s: float = 0.0
    distinct_frames: int = 16
    accuracy_frames: int = 2000
    judges_speed: bool = True
    deadline_s: float = 120.0
    seed: int = 0
    arrivals: Optional[Arrivals] = None

    def __post_init__(self) -> None:
        """JSON knows mappings and lists only."""
        if isinstance(self.arrivals, Mapping):
            found = {**self.arrivals, "timestamps": tuple(self.arrivals.get("timestamps", ()))}
            object.__setattr__(self, "arrivals", Arrivals(**found))


@dataclass(frozen=True)
class InputSpec:
    """How a camera frame becomes the model's image input.

    The pixels are cropped to the frame's `roi` (a named region, None for the whole frame), resized
    to `width` x `height` (`stretch`, `letterbox` with `pad_value`, or `crop` to the centre), turned into `colour`
    (`gray`, `rgb`, `bgr`), and normalised as (pixel / scale - mean) / std. Without
    quantisation in the file, `dtype` uint8 means raw pixels and int8 the normalised value, rounded.
    """

    width: int
    height: int
    name: str = ""
    layout: str = "NCHW"
    colour: str = "gray"
    resize: str = "stretch"
    roi: Optional[str] = None
    pad_value: int = 114
    scale: float = 255.0
    mean: Tuple[float, ...] = (0.0,)
    std: Tuple[float, ...] = (1.0,)
    dtype: str = "float32"

    @property
    def channels(self) -> int:
        return 1 if self.colour == "gray" else 3


@dataclass(frozen=True)
class ExtraInput:
    """A second input that the harness fills with one constant."""

    name: str
    shape: Tuple[int, ...]
    dtype: str = "float32"
    value: float = 0.0


@dataclass(frozen=True)
class TaskSpec:
    """A task of harness/tasks by name, with its options as plain data."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TensorSpec:
    """An input or output as the engine declares it; `scale` and `zero_point` where it is quantised.

    A dimension that the file leaves open is -1.
    """

    name: str
    shape: Tuple[int, ...]
    dtype: str
    scale: Optional[float] = None
    zero_point: int = 0


@dataclass(frozen=True)
class Job:
    """All that the worker needs for one run; paths are the worker's own.

    `outputs` maps the task's output names to the file's tensor names. `weight_dtype` is the type of
    most of the file's weights: what a file is called proves nothing. `file_bytes`: of all files of
    the model. `stateful`: an answer may depend on the frames before. `timed`: push the camera frames
    back to back and time them. `labelled_path`: where it is given, predict every frame of
    that prepared pack afterwards, untimed, and keep the predictions. `number` counts the fresh processes
    of a case from 0. `telemetry`: which sensors are sampled meanwhile.
    """

    case: Case
    plan: Plan
    engine: str
    options: Mapping[str, Any]
    model_path: str
    model_sha256: str
    frames_path: str
    input: InputSpec
    task: TaskSpec
    outputs: Mapping[str, str] = field(default_factory=dict)
    extra_inputs: Tuple[ExtraInput, ...] = ()
    weight_dtype: str = ""
    file_bytes: int = 0
    stateful: bool = False
    timed: bool = True
    labelled_path: str = ""
    cpu_cores: Tuple[int, ...] = ()
    memory_limit_bytes: int = 0
    number: int = 0
    telemetry: Telemetry = field(default_factory=Telemetry)

    def to_json(self) -> str:
        """The Job as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Job:
        """Rebuild the Job that `to_json` gave."""
        raw = json.loads(text)
        raw["case"] = Case(**raw["case"])
        raw["plan"] = Plan(**raw["plan"])
        raw["input"] = InputSpec(
            **{**raw["input"], "mean": tuple(raw["input"]["mean"]), "std": tuple(raw["input"]["std"])}
        )
        raw["task"] = TaskSpec(**raw["task"])
        raw["extra_inputs"] = tuple(ExtraInput(**{**one, "shape": tuple(one["shape"])}) for one in raw["extra_inputs"])
        raw["cpu_cores"] = tuple(raw["cpu_cores"])
        raw["telemetry"] = Telemetry.from_wire(raw["telemetry"])
        return Job(**raw)


@dataclass(frozen=True)
class Run:
    """What one worker process measured, still raw.

    stages: stage name -> int64 nanoseconds, one per frame, in frame order.
    frame_ns, start_ns, cpu_ns: the frame's own clock, its start on the monotonic clock, and the
        calling thread's CPU time; `cpu_ns` is empty where the engine computes in other threads.
    marks: scalar measurements by name with the unit in the name (load_ns, rss_steady_bytes, ...).
    facts: what really ran: engine version, precision, threads, providers, placement, hashes.
    predictions: one 2-D float32 array per frame (empty where the run keeps none).
    camera: of a run at the camera's pace, int64 [frames] each: "index", the number of the camera's frame; "due_ns",
        when it was due on the monotonic clock; "lateness_ns", how late an idle consumer was woken for it, -1 where
        nobody waited. Empty where frames went back to back.
    traces: what the sensors told meanwhile, one per probe. facts["phases"] has the start and the end of "frames" and
        of the idle phases "idle_before" and "idle_after" on the same monotonic clock.
    """

    stages: Mapping[str, Array]
    frame_ns: Array
    start_ns: Array
    cpu_ns: Array
    warmup_ns: Array
    marks: Mapping[str, float]
    facts: Mapping[str, Any]
    predictions: Tuple[Array, ...] = ()
    traces: Tuple[Trace, ...] = ()
    camera: Mapping[str, Array] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write run.npz, predictions.npz where there are any, and run.json, which comes last."""
        if self.predictions:
            save_predictions(self.predictions, folder)
        arrays: Dict[str, Any] = {f"stage_{name}": column for name, column in self.stages.items()}
        arrays.update({f"{CAMERA}{name}": column for name, column in self.camera.items()})
        wires, columns = pack_traces(self.traces)
        arrays.update(columns)
        np.savez(
            folder / "run.npz",
            frame_ns=self.frame_ns,
            start_ns=self.start_ns,
            cpu_ns=self.cpu_ns,
            warmup_ns=self.warmup_ns,
            **arrays,
        )
        said = {"marks": dict(self.marks), "facts": dict(self.facts), "traces": wires}
        (folder / "run.json").write_text(json.dumps(said, indent=1, sort_keys=True), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Run:
        """Read what `save` wrote; OSError, ValueError or KeyError where it is not whole."""
        raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        arrays = read_arrays(folder / "run.npz")
        return Run(
            stages={name: arrays[f"stage_{name}"] for name in STAGES},
            frame_ns=arrays["frame_ns"],
            start_ns=arrays["start_ns"],
            cpu_ns=arrays["cpu_ns"],
            warmup_ns=arrays["warmup_ns"],
            marks=raw["marks"],
            facts=raw["facts"],
            predictions=load_predictions(folder),
            traces=unpack_traces(raw["traces"], arrays),
            camera=camera_columns(arrays),
        )


def camera_columns(arrays: Mapping[str, Array]) -> Dict[str, Array]:
    """Run.camera among arrays that are called camera_NAME."""
    return {name[len(CAMERA) :]: column for name, column in arrays.items() if name.startswith(CAMERA)}


def save_predictions(predictions: Tuple[Array, ...], folder: Path) -> None:
    """Write predictions.npz into `folder`; a reader sees the whole file or none."""
    temporary = folder / "predictions.part.npz"
    values, counts = pack_ragged(predictions)
    np.savez(temporary, values=values, counts=counts)
    temporary.replace(folder / "predictions.npz")


def load_predictions(folder: Path) -> Tuple[Array, ...]:
    """What `save_predictions` wrote, or nothing where it wrote nothing; OSError, ValueError or KeyError if damaged."""
    path = folder / "predictions.npz"
    if not path.is_file():
        return ()
    arrays = read_arrays(path)
    return unpack_ragged(arrays["values"], arrays["counts"])


def read_arrays(path: Path) -> Dict[str, Array]:
    """The arrays of an .npz file by name; OSError or ValueError where it is not whole."""
    try:
        # numpy leaves a file open that it opened and found damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError:
        raise
    except Exception as error:
        # Damage raises whatever it hits first: BadZipFile, EOFError, KeyError, struct.error and more.
        raise ValueError(f"{path.name} is not whole: {error}") from error


def pack_ragged(arrays: Tuple[Array, ...]) -> Tuple[Array, Array]:
    """2-D float32 arrays of one width as (all rows, row count of each); widths must agree."""
    if not arrays:
        return np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
    return np.concatenate(arrays).astype(np.float32), np.array([len(one) for one in arrays], np.int64)


def unpack_ragged(values: Array, counts: Array) -> Tuple[Array, ...]:
    """The inverse of `pack_ragged`; ValueError where `counts` do not add up to the rows."""
    if int(counts.sum()) != len(values):
        raise ValueError(f"{int(counts.sum())} rows are counted and {len(values)} are there")
    ends = np.cumsum(counts)
    pieces: List[Array] = [values[end - count : end] for end, count in zip(ends, counts)]
    return tuple(pieces)
