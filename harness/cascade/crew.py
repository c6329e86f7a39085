"""The engines of a cascade, loaded, with the clocks that they are timed by."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Tuple

from harness.cascade import SERIAL, STEPS, STREAMS, CascadeJob, Stage
from harness.cascade.station import Shelf, Station
from harness.errors import ConfigError, EngineError
from harness.pipeline import Clock, Pipeline
from harness.runtimes import Runtime, open_runtime
from harness.tasks import open_task
from harness.windows import is_windowed

READING_NS = 40


@dataclass(frozen=True)
class Crew:
    """lanes: one row of stations, or one for each stream. clock: of all of them; None where simulated engines have one
    each. facts: what each stage's engine tells. runtimes: of the first lane, in the order of the stages.
    """

    lanes: Tuple[Tuple[Station, ...], ...]
    shelf: Shelf
    clock: Optional[Clock]
    simulated: bool
    facts: Dict[str, Any]
    runtimes: Tuple[Runtime, ...]


@contextmanager
def loaded(job: CascadeJob) -> Iterator[Crew]:
    """All engines of `job`, for each stream anew; EngineError where one cannot be part of a cascade."""
    execution, shelf = job.execution, Shelf()
    count = execution.streams if execution.mode == STREAMS else 1
    if count < 1:
        raise ConfigError(f"execution.streams = {count}", remedy="allowed: 1 or more")
    with ExitStack() as stack:
        runtimes = [[_entered(one, lane, stack) for one in job.stages] for lane in range(count)]
        simulated = _all_simulated(runtimes)
        if simulated and execution.mode in (SERIAL, STREAMS):
            for row in runtimes:
                _share_clock(row)
        lanes = tuple(_stations(job, row, shelf) for row in runtimes)
        serial = getattr(runtimes[0][0], "clock", time.perf_counter_ns) if execution.mode == SERIAL else None
        facts = {one.name: dict(runtime.facts()) for one, runtime in zip(job.stages, runtimes[0])}
        yield Crew(lanes, shelf, serial if simulated else time.perf_counter_ns, simulated, facts, tuple(runtimes[0]))


def _entered(stage: Stage, lane: int, stack: ExitStack) -> Runtime:
    job = stage.job
    runtime = open_runtime(job.engine, job.model_path, job.options)
    if is_windowed(runtime):
        raise EngineError(
            f"stage {stage.name}: {job.engine} runs whole windows of frames in a process of its own",
            where=job.case.key, remedy="take an engine that infers one frame in this process",
        )  # fmt: skip
    if lane and job.stateful:
        raise EngineError(
            f"stage {stage.name} remembers the frames before: streams that take turns would each miss some",
            where=job.case.key, remedy="execute it serially, in stages or in steps",
        )  # fmt: skip
    begin = getattr(runtime, "begin_run", None)
    if begin is not None:
        begin(job.number)
    runtime.prepare()
    return stack.enter_context(runtime)


def _all_simulated(runtimes: List[List[Runtime]]) -> bool:
    """True where every engine has a clock of its own; EngineError where only some do."""
    owned = {hasattr(one, "clock") for row in runtimes for one in row}
    if len(owned) > 1:
        raise EngineError("simulated and real engines share no clock", remedy="let all stages be of one kind")
    return owned == {True}


def _share_clock(row: List[Any]) -> None:
    """One after the other, they pass one time."""
    for one in row[1:]:
        one.clock = row[0].clock


def _stations(job: CascadeJob, row: List[Runtime], shelf: Shelf) -> Tuple[Station, ...]:
    made = []
    for column, (stage, runtime) in enumerate(zip(job.stages, row)):
        pipeline = Pipeline(stage.job, runtime, open_task(stage.job.task, stage.job.input))
        made.append(Station(stage, column, pipeline, _clocks(job, runtime), shelf))
    return tuple(made)


def _clocks(job: CascadeJob, runtime: Any) -> Tuple[Clock, Clock, Clock]:
    """Of pre, infer and post: three where the simulated steps run at once."""
    clock = getattr(runtime, "clock", None)
    if clock is None:
        return (time.perf_counter_ns,) * 3
    return (_ticks(), clock, _ticks()) if job.execution.mode == STEPS else (clock,) * 3


def _ticks() -> Clock:
    """A clock on which nothing passes but its readings."""
    return itertools.count(0, READING_NS).__next__
