"""The pictures of several frames in one inference: what a frame costs then, and how much later its answer is there."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np

from harness.cascade import CascadeJob
from harness.cascade.crew import Crew
from harness.cascade.records import RAN, Flight
from harness.cascade.station import Station
from harness.case import Array
from harness.errors import EngineError
from harness.frames import Frame
from harness.owncost import garbage_collector_off
from harness.pipeline import Clock, Tensors


@dataclass(frozen=True)
class BatchTimes:
    """single_ns, batch_ns: int64 [repeats], the inference of the same `size` pictures one by one and at once, in turns.

    largest_difference: between an output of both.
    """

    stage: str
    size: int
    single_ns: Array
    batch_ns: Array
    largest_difference: float


@dataclass(frozen=True)
class BatchPrice:
    """gain: how many times less inference a frame needs. The rest is latency at the camera's pace, in ms, beyond that
    of a frame that is inferred at once: of the first frame of a batch, which waits longest, and in the mean.
    """

    gain: float
    added_first_ms: float
    added_mean_ms: float


def price(times: BatchTimes, fps: float) -> BatchPrice:
    """What a batch costs and gives where frames come at `fps`. Picture j of n waits n - 1 - j periods.

    From lower quartiles: what else runs on the machine only ever adds time.
    """
    single_ms = float(np.quantile(times.single_ns, 0.25)) / times.size / 1e6
    batch_ms = float(np.quantile(times.batch_ns, 0.25)) / 1e6
    longer_ms, last_waits = batch_ms - single_ms, times.size - 1
    return BatchPrice(
        gain=single_ms * times.size / batch_ms,
        added_first_ms=longer_ms + last_waits * 1000 / fps,
        added_mean_ms=longer_ms + last_waits / 2 * 1000 / fps,
    )


def measure_batch(
    job: CascadeJob, crew: Crew, frames: Sequence[Frame], stage: str, size: int, repeats: int
) -> BatchTimes:
    """Time a stage on its pictures of `frames`, `size` at a time; EngineError where its model takes one only.

    Frames for which the stage does not run give no picture.
    """
    column = [one.name for one in job.stages].index(stage)
    station, runtime = crew.lanes[0][column], crew.runtimes[column]
    refuse_fixed_batch(station, runtime)
    clock: Clock = getattr(runtime, "clock", time.perf_counter_ns)
    feeds = _feeds(crew.lanes[0], station, frames)
    if len(feeds) < size:
        raise EngineError(f"stage {stage} ran for {len(feeds)} frames and a batch needs {size}", where=job.name)
    groups = itertools.cycle([feeds[at : at + size] for at in range(0, len(feeds) - size + 1, size)])
    with garbage_collector_off():
        rows = [_both(station, next(groups), clock, number % 2 == 1) for number in range(repeats)]
    single, batch, differences = zip(*rows)
    return BatchTimes(stage, size, np.array(single, np.int64), np.array(batch, np.int64), float(max(differences)))


def refuse_fixed_batch(station: Station, runtime: Any) -> None:
    """EngineError where an input or output of the model has a first dimension that is not open."""
    fixed = [one for one in (*runtime.inputs, *runtime.outputs) if not one.shape or one.shape[0] != -1]
    if fixed:
        said = ", ".join(f"{one.name!r} {list(one.shape)}" for one in fixed)
        raise EngineError(
            f"stage {station.stage.name}: the model takes one picture at a time, its batch dimension is fixed: {said}",
            where=station.stage.job.model_path, remedy="export it with an open first dimension to batch it",
        )  # fmt: skip


def _feeds(stations: Sequence[Station], wanted: Station, frames: Sequence[Frame]) -> List[Tensors]:
    """What the stage is fed for each frame."""
    found = []
    for index, frame in enumerate(frames):
        flight = Flight(index, frame.pixels, len(stations))
        for station in stations:
            station.pre(flight)
            if station is wanted:
                break
            station.infer(flight)
            station.post(flight)
        if flight.states[wanted.column] == RAN:
            found.append(flight.between[wanted.column][0])
    return found


def _both(station: Station, feeds: Sequence[Tensors], clock: Clock, batch_first: bool) -> Tuple[int, int, float]:
    infer = station.pipeline.infer

    def one_by_one() -> Tuple[int, Tensors]:
        start = clock()
        outputs = [infer(one) for one in feeds]
        return clock() - start, _joined(outputs)

    def at_once() -> Tuple[int, Tensors]:
        start = clock()
        outputs = infer(_joined(feeds))
        return clock() - start, outputs

    if batch_first:
        batch, single = at_once(), one_by_one()
    else:
        single, batch = one_by_one(), at_once()
    return single[0], batch[0], _largest_difference(single[1], batch[1])


def _joined(tensors: Sequence[Tensors]) -> Tensors:
    """Batches of one as one batch; putting them together is part of its price."""
    return {name: np.concatenate([one[name] for one in tensors]) for name in tensors[0]}


def _largest_difference(one: Dict[str, Array], other: Dict[str, Array]) -> float:
    wrong = [name for name, value in one.items() if value.shape != other[name].shape]
    if wrong:
        raise EngineError(f"a batch gives outputs {wrong} of another shape than its pictures one by one")
    return max(float(np.abs(value.astype(np.float64) - other[name]).max()) for name, value in one.items())
