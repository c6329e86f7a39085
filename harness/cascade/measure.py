"""One run of a cascade in one fresh process: load, warm up, push frames, keep the raw readings."""

from __future__ import annotations

import itertools
import time
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence

import numpy as np

from harness.cascade import SERIAL, CascadeJob
from harness.cascade.crew import Crew, loaded
from harness.cascade.execution import executed, rebased
from harness.cascade.records import STAMPS, Answers, CascadeRun, Flight
from harness.case import Array
from harness.errors import DatasetError
from harness.frames import Frame, read_pack
from harness.owncost import garbage_collector_off
from harness.pipeline import CAMERA_COLUMNS
from harness.warmup import CHUNK_NS, Say


def measure_cascade(job: CascadeJob, say: Say) -> CascadeRun:
    """Carry out `job`; `say` is told (phase, frames done, frames in all) at least about once a second.

    Raises EngineError, DatasetError or what an engine itself raises, in a thread or not.
    """
    frames = camera_frames(job)
    say("loading", 0, 1)
    with loaded(job) as crew:
        return run_frames(job, crew, frames, say)


def camera_frames(job: CascadeJob) -> Sequence[Frame]:
    """The whole camera frames of `job`; DatasetError where there are none, or they are prepared for one model."""
    frames = read_pack(Path(job.frames_path))
    if not frames or any(one.geometry for one in frames):
        what = "the pack holds pictures prepared for one model" if frames else "the pack holds no frame"
        raise DatasetError(what, where=job.frames_path, remedy="pack whole camera frames")
    return frames


def run_frames(job: CascadeJob, crew: Crew, frames: Sequence[Frame], say: Say) -> CascadeRun:
    """Warm up, then the plan's frames, `frames` over and over, through a crew that is loaded already."""
    for number, _ in enumerate(executed(job, crew, flights_of(job, frames, job.plan.warmup_window))):
        say("warm-up", number, job.plan.warmup_window)
    kept = Kept(job)
    with garbage_collector_off():
        said_ns = 0
        for flight in executed(job, crew, flights_of(job, frames, job.plan.frames, job.plan.minimum_s)):
            kept.add(flight)
            if time.monotonic_ns() - said_ns > CHUNK_NS:
                said_ns, done = time.monotonic_ns(), flight.index + 1
                say("measuring", done, max(done, job.plan.frames))
    return kept.run(crew, {})


def flights_of(job: CascadeJob, frames: Sequence[Frame], count: int, least_s: float = 0.0) -> Iterator[Flight]:
    """`count` camera frames and more until `least_s` are over, `frames` over and over."""
    until = time.monotonic() + least_s
    for index, frame in enumerate(itertools.cycle(frames)):
        if index >= count and time.monotonic() >= until:
            return
        yield Flight(index, frame.pixels, len(job.stages))


class Kept:
    """What stays of each flight; its pixels do not."""

    def __init__(self, job: CascadeJob) -> None:
        self._job = job
        # Eight bytes for each reading: a long run must not measure its own records.
        self._stamps, self._states, self._admitted, self._camera = array("q"), array("b"), array("q"), array("q")
        self._answers: List[Dict[str, Any]] = []

    def add(self, flight: Flight) -> None:
        self._stamps.extend(flight.stamps)
        self._states.extend(flight.states)
        self._admitted.append(flight.admitted_ns)
        self._camera.extend((flight.number, flight.due_ns, flight.lateness_ns))
        if self._job.keep_predictions:
            self._answers.append(flight.answers)

    @property
    def camera(self) -> Dict[str, Array]:
        """What the flights tell of the camera, as in Run.camera."""
        return dict(zip(CAMERA_COLUMNS, np.array(self._camera, np.int64).reshape(-1, len(CAMERA_COLUMNS)).T))

    def run(self, crew: Crew, camera: Mapping[str, Array]) -> CascadeRun:
        """camera: as in Run.camera."""
        stages = len(self._job.stages)
        stamps = np.array(self._stamps, np.int64).reshape(-1, stages, STAMPS)
        admitted = np.array(self._admitted, np.int64)
        if crew.simulated and self._job.execution.mode != SERIAL:
            stamps, admitted = rebased(self._job, crew, stamps)
        return CascadeRun(
            after={stage.name: stage.after for stage in self._job.stages},
            stamps=stamps,
            states=np.array(self._states, np.int8).reshape(-1, stages),
            admitted_ns=admitted,
            predictions=self._predictions(),
            facts={"engines": crew.facts, "execution": asdict(self._job.execution), "simulated": crew.simulated},
            camera=camera,
        )

    def _predictions(self) -> Dict[str, Answers]:
        if not self._job.keep_predictions:
            return {}
        return {stage.name: tuple(one[stage.name] for one in self._answers) for stage in self._job.stages}
