"""What one run of a cascade leaves: six readings of the clock for each stage of each frame, still raw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.cascade.graph import critical_paths
from harness.case import CAMERA, Array, camera_columns, pack_ragged, read_arrays, unpack_ragged

SKIPPED, RAN, HELD = 0, 1, 2
PRE_START, PRE_END, INFER_START, INFER_END, POST_START, POST_END = range(6)
STAMPS = 6
Answers = Tuple[Optional[Array], ...]


@dataclass
class Flight:
    """One camera frame on its way; each stage writes its own column, and after it nobody does.

    index: how many were taken before it; `every` counts these. number, due_ns, lateness_ns: as in Run.camera.
    answers: stage -> prediction, None where the stage was skipped. stamps: six readings for each stage in a row.
    """

    index: int
    pixels: Array
    stages: int
    number: int = 0
    due_ns: int = 0
    lateness_ns: int = 0
    admitted_ns: int = 0
    answers: Dict[str, Optional[Array]] = field(default_factory=dict)
    stamps: List[int] = field(default_factory=list)
    states: List[int] = field(default_factory=list)
    between: Dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stamps = [0] * (STAMPS * self.stages)
        self.states = [SKIPPED] * self.stages


@dataclass(frozen=True)
class CascadeRun:
    """after: stage -> the stages that it comes after, in order. One clock for all readings.

    stamps: int64 [frames, stages, 6], start and end of pre, infer and post; all equal where the stage did not run.
    states: int8 [frames, stages] of SKIPPED, RAN, HELD (the answer of an earlier frame still holds).
    admitted_ns: int64 [frames], when the frame was there. predictions: stage -> one per frame, None where skipped;
    empty where none are kept. facts: of each stage's engine, under "engines"; "execution"; "simulated".
    camera: as in Run.camera, empty where frames went back to back.
    """

    after: Mapping[str, Sequence[str]]
    stamps: Array
    states: Array
    admitted_ns: Array
    predictions: Mapping[str, Answers]
    facts: Mapping[str, Any]
    camera: Mapping[str, Array] = field(default_factory=dict)

    @property
    def names(self) -> Tuple[str, ...]:
        return tuple(self.after)

    @property
    def finished_ns(self) -> Array:
        """int64 [frames]: when the last stage was through with the frame and, since answers come in order, with all
        before it: streams may overtake each other.
        """
        return np.asarray(np.maximum.accumulate(np.max(self.stamps[:, :, POST_END], axis=1)))

    @property
    def end_to_end_ns(self) -> Array:
        """int64 [frames], from the frame in memory to the last answer, waiting included."""
        return np.asarray(self.finished_ns - self.admitted_ns)

    def step_ns(self, step: str) -> Array:
        """int64 [frames, stages] of `pre`, `infer` or `post`; 0 where the stage did not run."""
        first = {"pre": PRE_START, "infer": INFER_START, "post": POST_START}[step]
        return np.asarray(self.stamps[:, :, first + 1] - self.stamps[:, :, first])

    @property
    def work_ns(self) -> Array:
        """int64 [frames, stages]: pre, infer and post together."""
        return np.asarray(self.step_ns("pre") + self.step_ns("infer") + self.step_ns("post"))

    @property
    def waiting_ns(self) -> Array:
        """int64 [frames, stages]: from where a stage had all that it needs to its end, less its work."""
        ready = np.stack([self._ready_ns(before) for before in self.after.values()], axis=1)
        return np.asarray(self.stamps[:, :, POST_END] - ready - self.work_ns)

    def critical_paths(self) -> Tuple[Array, List[Tuple[str, ...]]]:
        """Of each frame the longest chain of stages: its nanoseconds int64 [frames], and its stages."""
        return critical_paths(self.after, self.work_ns)

    @property
    def frames_per_s(self) -> float:
        """Frames over the time from the first one admitted to the last one finished."""
        return len(self.stamps) * 1e9 / float(self.finished_ns[-1] - self.admitted_ns[0])

    def save(self, folder: Path) -> None:
        """Write cascade.npz, and cascade.json, which comes last."""
        columns: Dict[str, Any] = {"stamps": self.stamps, "states": self.states, "admitted_ns": self.admitted_ns}
        columns.update({f"{CAMERA}{name}": column for name, column in self.camera.items()})
        for number, name in enumerate(self.names if self.predictions else ()):
            kept = tuple(one for one in self.predictions[name] if one is not None)
            columns[f"values_{number}"], columns[f"counts_{number}"] = pack_ragged(kept)
        np.savez(folder / "cascade.npz", **columns)
        said = {
            "after": [[name, list(before)] for name, before in self.after.items()],
            "facts": dict(self.facts),
            "predictions": bool(self.predictions),
        }
        (folder / "cascade.json").write_text(json.dumps(said, indent=1, sort_keys=True), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> CascadeRun:
        """Read what `save` wrote; OSError, ValueError or KeyError where it is not whole."""
        raw = json.loads((folder / "cascade.json").read_text(encoding="utf-8"))
        arrays = read_arrays(folder / "cascade.npz")
        after = {name: tuple(before) for name, before in raw["after"]}
        states = arrays["states"]
        predictions = {
            name: _spread(unpack_ragged(arrays[f"values_{number}"], arrays[f"counts_{number}"]), states[:, number])
            for number, name in enumerate(after if raw["predictions"] else ())
        }
        camera = camera_columns(arrays)
        return CascadeRun(after, arrays["stamps"], states, arrays["admitted_ns"], predictions, raw["facts"], camera)

    def _ready_ns(self, before: Sequence[str]) -> Array:
        ends = [self.stamps[:, self.names.index(one), POST_END] for one in before]
        return np.asarray(np.max([self.admitted_ns, *ends], axis=0))


def _spread(kept: Sequence[Array], states: Array) -> Answers:
    """An answer for each frame, None where its stage was skipped."""
    left = iter(kept)
    return tuple(None if state == SKIPPED else next(left) for state in states)


def first_difference(one: CascadeRun, other: CascadeRun) -> str:
    """A sentence about the first answer in which two runs over the same frames differ; empty where none does.

    Equal are the same states, shapes and values to the last bit; NaN equals NaN.
    """
    if one.names != other.names or len(one.states) != len(other.states):
        return f"{len(one.states)} frames of {list(one.names)} and {len(other.states)} of {list(other.names)}"
    for frame in range(len(one.states)):
        for number, name in enumerate(one.names):
            if one.states[frame, number] != other.states[frame, number]:
                return f"frame {frame}: {name} ran, was skipped or held in one run only"
            if not _equal(one.predictions[name][frame], other.predictions[name][frame]):
                return f"frame {frame}: the answers of {name} differ"
    return ""


def _equal(one: Optional[Array], other: Optional[Array]) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)
