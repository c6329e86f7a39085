"""The engines of a cascade, loaded, with the clocks that they are timed by."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from harness.cascade import SERIAL, STEPS, STREAMS, CascadeJob, Execution, Stage
from harness.cascade.station import Shelf, Station
from harness.errors import ConfigError, EngineError
from harness.pipeline import Clock, Pipeline
from harness.runtimes import Runtime, open_runtime
from harness.tasks import open_task
from harness.windows import is_windowed

READING_NS = 40
# What the engines of all stages have in common, being one runtime; the rest stands by stage.
COMMON_FACTS = ("engine", "version", "threads", "session_config", "simulated")
Row = Tuple[Any, ...]


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
    engines = Engines(job)
    engines.begin_run(job.number)
    engines.prepare()
    with engines:
        yield engines.crew


class Engines:
    """All engines of a cascade as one runtime, for who records a run of it; `crew` is there while it is entered.

    Simulated ones pass one time together where they work one after the other, and have sensors as one of them has.
    EngineError where one cannot be part of a cascade.
    """

    def __init__(self, job: CascadeJob) -> None:
        self._job = job
        self._rows: Tuple[Row, ...] = tuple(
            tuple(_opened(one, lane) for one in job.stages) for lane in range(_lanes(job.execution))
        )
        self.simulated = _all_simulated(self._rows)
        first, serial = self._rows[0], job.execution.mode == SERIAL
        self.in_calling_thread = serial and all(one.in_calling_thread for one in first)
        if self.simulated:
            self._pass_one_time()
            self.clock, self.rest, self.load, self.sampling = (
                first[0].clock, first[0].rest, first[0].load, first[0].sampling,
            )  # fmt: skip
            if all(hasattr(one, "memory") for one in first):
                self.memory = _Memories([one.memory for one in first])

    def begin_run(self, number: int) -> None:
        """What comes before any clock runs."""
        for one in self._all:
            begin = getattr(one, "begin_run", None)
            if begin is not None:
                begin(number)

    def prepare(self) -> None:
        """Import all of them."""
        for one in self._all:
            one.prepare()

    def __enter__(self) -> Engines:
        with ExitStack() as stack:
            rows = [[stack.enter_context(one) for one in row] for row in self._rows]
            self.crew = self._made(rows)
            self._loaded = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._loaded.close()

    @property
    def marks(self) -> Dict[str, float]:
        """Those that the engines of the stages tell, added up."""
        found: Dict[str, float] = {}
        for one in self._rows[0]:
            for name, value in getattr(one, "marks", {}).items():
                found[name] = found.get(name, 0) + value
        return found

    def facts(self) -> Dict[str, Any]:
        """What all stages have in common, and of each what its own engine tells."""
        told = self.crew.facts
        first = next(iter(told.values()))
        precisions = dict.fromkeys(str(one["precision"]) for one in told.values() if "precision" in one)
        common = {name: first[name] for name in COMMON_FACTS if name in first}
        return {**common, "precision": " ".join(precisions), "engines": told}

    @property
    def _all(self) -> Iterator[Any]:
        return (one for row in self._rows for one in row)

    def _pass_one_time(self) -> None:
        if self._job.execution.mode in (SERIAL, STREAMS):
            for first, *others in self._rows:
                for one in others:
                    one.clock = first.clock

    def _made(self, rows: List[List[Runtime]]) -> Crew:
        job, shelf, clock = self._job, Shelf(), time.perf_counter_ns
        lanes = tuple(_stations(job, row, shelf) for row in rows)
        own = self.clock if job.execution.mode == SERIAL and self.simulated else None
        facts = {one.name: dict(runtime.facts()) for one, runtime in zip(job.stages, rows[0])}
        return Crew(lanes, shelf, own if self.simulated else clock, self.simulated, facts, tuple(rows[0]))


class _Memories:
    """The pretended memory of several engines as that of one process."""

    def __init__(self, memories: Sequence[Any]) -> None:
        self._memories = memories

    def resident_bytes(self) -> int:
        return sum(one.resident_bytes() for one in self._memories)

    def peak_bytes(self) -> int:
        return sum(one.peak_bytes() for one in self._memories)

    def reset_peak(self) -> bool:
        told = [one.reset_peak() for one in self._memories]
        return all(told)


def _lanes(execution: Execution) -> int:
    count = execution.streams if execution.mode == STREAMS else 1
    if count < 1:
        raise ConfigError(f"execution.streams = {count}", remedy="allowed: 1 or more")
    return count


def _opened(stage: Stage, lane: int) -> Runtime:
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
    return runtime


def _all_simulated(rows: Sequence[Row]) -> bool:
    """True where every engine has a clock of its own; EngineError where only some do."""
    owned = {hasattr(one, "clock") for row in rows for one in row}
    if len(owned) > 1:
        raise EngineError("simulated and real engines share no clock", remedy="let all stages be of one kind")
    return owned == {True}


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
