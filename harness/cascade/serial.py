"""A cascade one stage after the other, in one thread; for whoever has frames of his own, at a pace of his own."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np

from harness.cascade import CascadeJob
from harness.cascade.records import RAN, Flight
from harness.cascade.station import Shelf, Station
from harness.case import Array
from harness.frames import Frame
from harness.owncost import garbage_collector_off
from harness.pipeline import Clock, NullPipeline, Tensors, push, split_records
from harness.runtimes import Runtime

COST_FRAMES, OTHERS_BYTES, REST_S = 100, 32_000_000, 0.01


class Cascade:
    """The serial execution of one frame after the other."""

    def __init__(self, stations: Sequence[Station], clock: Clock) -> None:
        self._stations, self._clock = stations, clock
        self._holding = tuple(one for one in stations if one.stage.every > 1)
        self._index = 0

    def start_anew(self) -> None:
        """The next frame is the first one again: no answer of an earlier frame holds."""
        self._index = 0
        self._stations[0].shelf.start_anew()

    def push(self, pixels: Array) -> Flight:
        """One camera frame through all stages, in this thread."""
        flight = Flight(self._index, pixels, len(self._stations))
        self._index += 1
        self.carry(flight)
        return flight

    def carry(self, flight: Flight) -> None:
        """The same for a frame that has its number."""
        flight.admitted_ns = self._clock()
        through(self._stations, flight)
        for station in self._holding:
            station.forget(flight.index)


class CascadePipeline:
    """A cascade in the shape of a Pipeline, for a loop that takes one: `infer` is the whole cascade.

    runtimes: of the stations, for who asks for raw outputs.
    """

    def __init__(self, stations: Sequence[Station], clock: Clock, runtimes: Sequence[Runtime] = ()) -> None:
        self.cascade = Cascade(stations, clock)
        self.infer: Callable[[Array], Any] = self.cascade.push
        self._stations, self._runtimes = stations, runtimes
        self._finished: Callable[[Flight], None] = _unnoted

    def begin(self, finished: Callable[[Flight], None]) -> None:
        """From here on `finished` is told of each flight after its frame; the next frame is the first one."""
        self.cascade.start_anew()
        self._finished = finished

    def pre(self, frame: Frame) -> Tuple[Array, None]:
        return frame.pixels, None

    def post(self, flight: Flight, nothing: None) -> Flight:
        self._finished(flight)
        return flight

    def outputs(self, frame: Frame) -> Tensors:
        """The raw outputs of every stage for one frame, as "stage.output", as if there was none before; an empty array
        where a stage had nothing to look at.
        """
        self.cascade.start_anew()
        flight = Flight(0, frame.pixels, len(self._stations))
        found: Dict[str, Array] = {}
        for station, runtime in zip(self._stations, self._runtimes):
            station.pre(flight)
            station.infer(flight)
            ran = flight.states[station.column] == RAN
            told = flight.between[station.column][0] if ran else {one.name: np.zeros(0) for one in runtime.outputs}
            found.update({f"{station.stage.name}.{name}": np.array(value) for name, value in told.items()})
            station.post(flight)
        return found


class EveryStage:
    """The same, but every frame is a first one: no stage is left out for what it told of another frame."""

    def __init__(self, pipeline: CascadePipeline) -> None:
        self.pre = pipeline.pre
        self._cascade = pipeline.cascade

    def infer(self, pixels: Array) -> Flight:
        self._cascade.start_anew()
        return self._cascade.push(pixels)


def through(stations: Sequence[Station], flight: Flight) -> None:
    """All stages, one after the other."""
    for station in stations:
        station.whole(flight)


def residual_marks(
    job: CascadeJob, frame: Frame, clock: Clock, note: Callable[[Flight], None], simulated: bool
) -> Dict[str, float]:
    """What the harness itself adds to a frame beside its stages, from the same graph with stages that do nothing.

    note: what is told of each flight, as while frames are timed. simulated: on such a clock rests and caches cost
    nothing.
    """
    shelf, flights = Shelf(), []
    stations = [
        Station(replace(stage, crop=None), column, _null(), (clock,) * 3, shelf)
        for column, stage in enumerate(job.stages)
    ]

    def noted(flight: Flight) -> None:
        flights.append(_work_ns(flight.stamps))
        note(flight)

    pipeline = CascadePipeline(stations, clock)
    pipeline.begin(noted)
    with garbage_collector_off():
        columns = split_records(
            push(
                itertools.repeat(frame, COST_FRAMES) if simulated else _after_others(frame), pipeline, clock, lambda: 0
            )
        )
    residual = columns["frame"] - np.array(flights)
    return {
        "harness_residual_median_ns": float(np.median(residual)),
        "harness_residual_p99_ns": float(residual.max()),  # of so few, the largest bounds it
    }


def _after_others(frame: Frame) -> Iterator[Frame]:
    """Each after what models and rests leave of the processor's caches: a loop that is alone costs a tenth."""
    others = np.zeros(OTHERS_BYTES, np.uint8)
    for _ in range(COST_FRAMES):
        others += 1
        time.sleep(REST_S)
        yield frame


def _null() -> Any:
    return NullPipeline()


def _work_ns(stamps: List[int]) -> int:
    return sum(stamps[1::2]) - sum(stamps[::2])


def _unnoted(flight: Flight) -> None:
    """For who needs no flights."""
