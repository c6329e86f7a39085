"""One run of a cascade recorded as that of a model: its phases, sensors, liveness, and the stages of every frame.

A frame is end to end. Its pre, infer and post are those of its stages together; where stages overlap, those of its
longest chain of stages, and what is left of the frame is waiting.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from harness.camera import due_ns, frames_within
from harness.cascade import SERIAL, CascadeJob
from harness.cascade.admission import admitted
from harness.cascade.crew import Engines
from harness.cascade.execution import executed, gates_of
from harness.cascade.flow import Gate
from harness.cascade.measure import Kept, camera_frames, flights_of
from harness.cascade.records import HELD, RAN, SKIPPED, CascadeRun, Flight
from harness.cascade.serial import CascadePipeline, EveryStage, residual_marks
from harness.case import STAGES, Array, Job, Run
from harness.errors import ConfigError
from harness.frames import Frame
from harness.measure import Recorded, Recording, begin_run
from harness.owncost import garbage_collector_off
from harness.pipeline import CAMERA_COLUMNS
from harness.telling import told_meanwhile
from harness.warmup import CHUNK_NS, Say

FACT = "cascade"
FEWEST_FOR_P99 = 100
Keep = Callable[[Run, CascadeRun], None]


def carry_out(text: str, out: Path, say: Say, recorded: Recorded, confine: Callable[[Job], None]) -> None:
    """The kind of job that has a cascade: see harness.agent."""
    job = CascadeJob.from_json(text)

    def keep(run: Run, cascade: CascadeRun) -> None:
        cascade.save(out)
        run.save(out)  # last: where it is, all is

    confine(job)
    record_cascade(job, say, keep, recorded)


def record_cascade(job: CascadeJob, say: Say, keep: Keep, recorded: Recorded) -> None:
    """Carry out `job` and hand its run to `keep`, as that of a model and stage by stage.

    `say` and `recorded` are told as harness.measure.measure tells them; of an overlapped cascade nothing is recorded
    before its end. Raises EngineError, DatasetError or what an engine itself raises, in a thread or not.
    """
    if not job.timed or job.labelled_path:
        what = "a cascade has no single answer for a frame: it is timed, and never scored against labels"
        raise ConfigError(what, where=job.case.key, remedy="score the models of its stages")
    frames, engines = camera_frames(job), Engines(job)
    if engines.simulated and job.execution.mode != SERIAL and job.plan.arrivals is not None:
        what = "simulated engines have a clock each where stages overlap: no camera's time passes for all of them"
        raise ConfigError(what, where=job.case.key, remedy="execute the cascade serially, or take real engines")
    as_runtime: Any = engines
    begin_run(as_runtime, job.number, say)
    recording = _CascadeRecording(job, engines, frames, say, recorded)
    with recording.loaded() as pipeline:
        run = recording.timed(pipeline)
        assert recording.found is not None
        keep(run, recording.found)


class _CascadeRecording(Recording):
    """found: the cascade's own run, once its frames are timed."""

    def __init__(
        self, job: CascadeJob, engines: Engines, frames: Sequence[Frame], say: Say, recorded: Recorded
    ) -> None:
        as_runtime: Any = engines
        super().__init__(job, as_runtime, frames, say, recorded)
        self._cascade, self._engines = job, engines
        self.found: Optional[CascadeRun] = None

    def _pipeline(self, runtime: Any) -> CascadePipeline:
        crew = self._engines.crew
        return CascadePipeline(crew.lanes[0], self._clock, crew.runtimes)

    def _look_for_cache(self, pipeline: Any) -> None:
        every_stage: Any = EveryStage(pipeline)
        super()._look_for_cache(every_stage)

    def _timed_frames(self, pipeline: Any, chunk: int) -> Dict[str, Array]:
        kept, serial = Kept(self._cascade), self._cascade.execution.mode == SERIAL
        columns = self._one_by_one(pipeline, chunk, kept) if serial else self._overlapped(kept)
        camera = {name: columns[name] for name in CAMERA_COLUMNS if name in columns}
        self.found = found = kept.run(self._engines.crew, camera)
        self._facts[FACT] = {"execution": self._cascade.execution.mode, "stages": stage_facts(found)}
        if serial:
            return {**columns, **_sums(found)}
        columns.update(start=found.admitted_ns, frame=found.end_to_end_ns, cpu=np.zeros_like(found.admitted_ns))
        steps = _along_critical_paths(found)
        self._marks.update(_waiting_marks(columns["frame"] - sum(steps.values())))
        return {**columns, **steps}

    def _one_by_one(self, pipeline: Any, chunk: int, kept: Kept) -> Dict[str, Array]:
        job, crew = self._cascade, self._engines.crew
        self._marks.update(residual_marks(job, self._frames[0], self._clock, Kept(job).add, crew.simulated))
        pipeline.begin(kept.add)
        columns = super()._timed_frames(pipeline, chunk)
        pipeline.begin(lambda flight: None)
        return columns

    def _overlapped(self, kept: Kept) -> Dict[str, Array]:
        """What the camera's columns are, where one sends the frames."""
        job, crew, plan = self._cascade, self._engines.crew, self._cascade.plan
        for number, _ in enumerate(executed(job, crew, flights_of(job, self._frames, plan.warmup_window))):
            self._say("warm-up", number, plan.warmup_window)
        flights, gates, count = self._entering()
        with self._footprint.timed_frames(), self._watch.phase("frames"), garbage_collector_off():
            self._carry(executed(job, crew, flights, gates), kept, count)
        return kept.camera if plan.arrivals is not None else {}

    def _entering(self) -> Tuple[Iterator[Flight], Tuple[Gate, ...], int]:
        """The frames to time, the gates that they wait at, and how many there are at least."""
        job, plan = self._cascade, self._cascade.plan
        least_s = max(plan.minimum_s, self._watch.least_s)
        if plan.arrivals is None:
            return flights_of(job, self._frames, plan.frames, least_s), (), plan.frames
        self._facts["arrivals"] = asdict(plan.arrivals)
        count, gates = max(plan.frames, frames_within(plan.arrivals, least_s)), gates_of(job)
        schedule, policy = due_ns(plan.arrivals, count), plan.arrivals.policy
        return admitted(self._frames, len(job.stages), schedule, policy, gates), gates, count

    def _carry(self, flights: Iterator[Flight], kept: Kept, count: int) -> None:
        said_ns = 0
        with told_meanwhile() as tell:
            for flight in flights:
                kept.add(flight)
                if time.monotonic_ns() - said_ns > CHUNK_NS:
                    said_ns, done = time.monotonic_ns(), max(flight.index, flight.number) + 1
                    tell(self._say, "measuring", done, max(done, count))


def stage_facts(run: CascadeRun) -> Dict[str, Dict[str, Any]]:
    """Of each stage its times in ms over the frames on which it ran (None: too few), how often it ran, held and was
    skipped, and the share of frames whose longest chain of stages it is part of.
    """
    chains = run.critical_paths()[1]
    found = {}
    for column, name in enumerate(run.names):
        ran = run.states[:, column] == RAN
        found[name] = {
            **{f"{step}_p50_ms": _percentile_ms(run.step_ns(step)[ran, column], 0.5, 1) for step in STAGES},
            "p99_ms": _percentile_ms(run.work_ns[ran, column], 0.99, FEWEST_FOR_P99),
            **{
                label: int((run.states[:, column] == state).sum())
                for label, state in (("ran", RAN), ("held", HELD), ("skipped", SKIPPED))
            },
            "critical_share": sum(name in chain for chain in chains) / len(chains) if chains else None,
        }
    return found


def _percentile_ms(times_ns: Array, share: float, fewest: int) -> Optional[float]:
    """By nearest rank."""
    if len(times_ns) < fewest:
        return None
    return float(np.sort(times_ns)[math.ceil(share * len(times_ns)) - 1]) / 1e6


def _sums(run: CascadeRun) -> Dict[str, Array]:
    return {step: run.step_ns(step).sum(axis=1) for step in STAGES}


def _along_critical_paths(run: CascadeRun) -> Dict[str, Array]:
    """Of each frame the steps of the stages in its longest chain."""
    chains: List[Tuple[str, ...]] = run.critical_paths()[1]
    member = np.array([[name in chain for name in run.names] for chain in chains]).reshape(len(chains), -1)
    return {step: (run.step_ns(step) * member).sum(axis=1) for step in STAGES}


def _waiting_marks(waiting_ns: Array) -> Dict[str, float]:
    """What overlapped frames wait in queues is known, and nothing that was lost."""
    return {
        "harness_residual_median_ns": float(np.median(waiting_ns)),
        "harness_residual_p99_ns": float(np.percentile(waiting_ns, 99)),
    }
