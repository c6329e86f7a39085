"""A cascade: models chained as a driver-monitoring system chains them, frame by frame; what crosses the wire.

A stage is one model on one engine. It starts when the stages that it comes `after` are through with the frame, looks
at the whole frame or at a crop around a box that an earlier stage found, and runs on every n-th frame; in between its
last answer holds. Where no box is found there is nothing to look at: the stage is skipped for that frame.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from harness.case import Job

SERIAL, STAGES, STEPS, STREAMS = "serial", "stages", "steps", "streams"
LARGEST, BEST = "largest", "best"
BOX_TASKS = ("detection", "counting")
TASK = "cascade"
OWN = ("stages", "execution", "keep_predictions")


@dataclass(frozen=True)
class Crop:
    """Where a stage looks: a box of the stage `stage`, grown by `margin`.

    box: the `largest` one or the one with the `best` score. label: the index of its class, None for any.
    margin: left, top, right, bottom in widths and heights of the box; a negative one cuts.
    """

    stage: str
    box: str = LARGEST
    label: Optional[int] = None
    margin: Tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Stage:
    """One model in the cascade. after: names of stages, that of the crop among them. every: it runs on each n-th frame.

    The frames of its job are those of the cascade.
    """

    name: str
    job: Job
    after: Tuple[str, ...] = ()
    crop: Optional[Crop] = None
    every: int = 1


@dataclass(frozen=True)
class Execution:
    """How frames go through the graph; every mode gives the same answers in the same order.

    serial: one stage after the other in one thread. stages: a thread for each stage, so that successive frames are in
    different stages at once. steps: the same with a thread each for pre, infer and post. streams: so many whole
    cascades with engines of their own, which take turns in taking frames.
    """

    mode: str = SERIAL
    streams: int = 2


@dataclass(frozen=True)
class CascadeJob(Job):
    """All that the worker needs for one run of a cascade; `stages` in an order in which each comes after what it needs.

    frames_path: a pack of whole camera frames. plan: its frames, minimum_s, arrivals and deadline_s count. input: that
    of no stage means anything here. task: what is chained how, for whoever compares. keep_predictions: of every frame;
    a long run has no room for them.
    """

    stages: Tuple[Stage, ...] = ()
    execution: Execution = field(default_factory=Execution)
    keep_predictions: bool = True

    @property
    def name(self) -> str:
        return self.case.model

    def to_json(self) -> str:
        """That of a Job, and what makes it a cascade under "cascade"."""
        raw = asdict(self)
        own = {name: raw.pop(name) for name in OWN}
        return json.dumps({**raw, "cascade": own}, indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> CascadeJob:
        """Rebuild what `to_json` gave."""
        raw = json.loads(text)
        own = raw.pop("cascade")
        return CascadeJob(
            **vars(Job.from_json(json.dumps(raw))),
            stages=tuple(map(_stage, own["stages"])),
            execution=Execution(**own["execution"]),
            keep_predictions=own["keep_predictions"],
        )


def _stage(raw: Mapping[str, Any]) -> Stage:
    values: Dict[str, Any] = {**raw, "after": tuple(raw["after"]), "job": Job.from_json(json.dumps(raw["job"]))}
    if raw["crop"]:
        values["crop"] = Crop(**{**raw["crop"], "margin": tuple(raw["crop"]["margin"])})
    return Stage(**values)
