"""Tasks: from a camera frame to the model's input, and from its outputs to a prediction and a score.

`pre` and `post` run on the device (standard library, numpy, OpenCV where present); `score` runs on
the host. A prediction is always one 2-D float32 array:
classification [1, classes] scores; detection and counting [n, 6] x1 y1 x2 y2 score class, in pixels
of the frame; landmarks [points, 2] in pixels of the frame; gaze [1, 2] yaw and pitch in degrees.
A truth is one 2-D float32 array too: classification [1, 1] class index; detection and counting
[n, 5] x1 y1 x2 y2 class; landmarks [points, 2] (NaN where unlabelled); gaze [1, 2].
raw and custom give any table of one width. NaN in a model's outputs stays visible in its prediction:
boxes, which are filtered by score, then end with one row of NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Mapping, Optional, Protocol, Sequence, runtime_checkable

from harness.case import Array, InputSpec, TaskSpec
from harness.members import member
from harness.tasks.options import build

TASKS = {
    "classification": "harness.tasks.classification:Classification",
    "detection": "harness.tasks.detection:Detection",
    "counting": "harness.tasks.counting:Counting",
    "landmarks": "harness.tasks.landmarks:Landmarks",
    "gaze": "harness.tasks.gaze:Gaze",
    "raw": "harness.tasks.raw:Raw",
    "custom": "harness.tasks.custom:Custom",
}


@dataclass(frozen=True)
class Geometry:
    """Where model pixels lie in the frame: frame = model * scale + offset, per axis."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float


@dataclass(frozen=True)
class Score:
    """How well a task was solved: `value` in per cent (larger is better).

    per_frame: one number per frame (1 right, 0 wrong) where the score is a share of frames, else
        None. trivial: the best value of a predictor that never looks at the frame, in per cent.
    extras: further figures by name with the unit in the name. frames, of_frames: how many were scored,
        of how many in the data set.
    """

    name: str
    value: float
    trivial: float
    per_frame: Optional[Array]
    extras: Mapping[str, float]
    frames: int = 0
    of_frames: int = 0


class Task(Protocol):
    """One kind of answer that a model gives."""

    def post(self, outputs: Dict[str, Array], geometry: Geometry) -> Array:
        """Decode float outputs by name (batch of one) into one prediction."""
        ...

    def score(self, predictions: Sequence[Array], truths: Sequence[Array], clips: Sequence[str] = ()) -> Score:
        """Compare predictions with truths, frame by frame; `clips` names each frame's recording, where known."""
        ...

    def changed(self, first: Sequence[Array], second: Sequence[Array], truths: Sequence[Array]) -> Optional[Array]:
        """Frames whose answer differs between two models, bool [frames]; None where an answer is no label."""
        ...


@runtime_checkable
class Reweighable(Protocol):
    """A task whose score is no mean over frames, but can be had for frames that count differently."""

    def reweighed(self, predictions: Sequence[Array], truths: Sequence[Array]) -> Callable[[Array], float]:
        """From how often each frame counts, [frames], to the value of `score`; checked as `score` checks."""
        ...


def open_task(spec: TaskSpec, input: InputSpec) -> Task:
    """The task that `spec` names, configured with its options, for a model with this image input.

    ConfigError for an unknown task, an unknown or missing option, or a value that cannot be right.
    """
    maker = member("task", spec.name, TASKS, "`task` in the model card")
    task: Task = build("task", spec.name, maker, spec.options, fixed={"input": input})
    return task
