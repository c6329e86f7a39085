"""Camera frames through a loaded cascade: one after the other, or overlapped with equal answers in equal order."""

from __future__ import annotations

from functools import partial
from typing import Callable, Iterable, Iterator, Sequence, Tuple

import numpy as np

from harness.cascade import SERIAL, STAGES, STEPS, STREAMS, CascadeJob
from harness.cascade.crew import Crew
from harness.cascade.flow import Node, edges_of, flow, lanes
from harness.cascade.records import STAMPS, Flight
from harness.cascade.station import Station
from harness.cascade.timeline import graph_times, lane_times
from harness.case import Array
from harness.errors import ConfigError, unknown
from harness.frames import Frame
from harness.pipeline import Clock


class Cascade:
    """The serial execution of one frame after the other; for whoever has frames of his own, at a pace of his own."""

    def __init__(self, stations: Sequence[Station], clock: Clock) -> None:
        self._stations, self._clock = stations, clock
        self._index = 0

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
        for station in self._stations:
            station.forget(flight.index)


class CascadePipeline:
    """A cascade in the shape of a Pipeline, for a loop that takes one: `infer` is the whole cascade.

    finished: told of each flight after its frame.
    """

    def __init__(self, cascade: Cascade, finished: Callable[[Flight], None] = lambda flight: None) -> None:
        self.infer, self._finished = cascade.push, finished

    def pre(self, frame: Frame) -> Tuple[Array, None]:
        return frame.pixels, None

    def post(self, flight: Flight, nothing: None) -> Flight:
        self._finished(flight)
        return flight


def through(stations: Sequence[Station], flight: Flight) -> None:
    """All stages, one after the other."""
    for station in stations:
        station.whole(flight)


def executed(job: CascadeJob, crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    """Each of `flights` when it is through, in order, as the job's execution says; ConfigError for an unknown mode.

    On simulated engines an overlapped flight's readings are those of each engine's own clock: see `rebased`.
    """
    known = {SERIAL: _serial, STAGES: _stages, STEPS: _steps, STREAMS: _streams}
    mode = job.execution.mode
    if mode not in known:
        raise ConfigError(unknown("execution", mode, known))
    crew.shelf.start_anew()
    return known[mode](crew, flights)


def _serial(crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    assert crew.clock is not None
    cascade = Cascade(crew.lanes[0], crew.clock)
    for flight in flights:
        cascade.carry(flight)
        yield flight


def _stages(crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    return _forgetting(crew, flow(_nodes(STAGES, crew.lanes[0]), _admitted(crew, flights), crew.shelf.give_up))


def _steps(crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    return _forgetting(crew, flow(_nodes(STEPS, crew.lanes[0]), _admitted(crew, flights), crew.shelf.give_up))


def _streams(crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    works = [partial(through, stations) for stations in crew.lanes]
    return _forgetting(crew, lanes(works, _admitted(crew, flights), crew.shelf.give_up))


def _admitted(crew: Crew, flights: Iterable[Flight]) -> Iterator[Flight]:
    """The time is taken when the frame is there, before it waits for a place in a queue."""
    for flight in flights:
        flight.admitted_ns = crew.clock() if crew.clock else 0
        yield flight


def _forgetting(crew: Crew, flights: Iterator[Flight]) -> Iterator[Flight]:
    for flight in flights:
        for station in crew.lanes[0]:
            station.forget(flight.index)
        yield flight


def _nodes(mode: str, stations: Sequence[Station]) -> Tuple[Node, ...]:
    if mode == STAGES:
        return tuple(Node(one.stage.name, one.stage.after, one.whole) for one in stations)
    return tuple(node for one in stations for node in _step_nodes(one))


def _step_nodes(station: Station) -> Iterator[Node]:
    name = station.stage.name
    yield Node(f"{name}.pre", tuple(f"{one}.post" for one in station.stage.after), station.pre)
    yield Node(f"{name}.infer", (f"{name}.pre",), station.infer)
    yield Node(f"{name}.post", (f"{name}.infer",), station.post)


def rebased(job: CascadeJob, crew: Crew, stamps: Array) -> Tuple[Array, Array]:
    """Readings of clocks of their own [frames, stages, 6] on one common time, and the admissions [frames]."""
    if job.execution.mode == STREAMS:
        duration_ns = stamps[:, :, STAMPS - 1] - stamps[:, :, 0]
        starts, admitted = lane_times(len(crew.lanes), _needs(job, len(stamps)), duration_ns)
        return stamps - stamps[:, :, :1] + starts[:, :, None], admitted
    nodes = _nodes(job.execution.mode, crew.lanes[0])
    # A node is a run of readings in a row: all six of a stage, or the two of a step.
    run = stamps.shape[1] * STAMPS // len(nodes)
    table = stamps.reshape(len(stamps), len(nodes), run)
    names = [node.name for node in nodes]
    starts, admitted = graph_times(names, edges_of(nodes), table[:, :, -1] - table[:, :, 0])
    return (table - table[:, :, :1] + starts[:, :, None]).reshape(stamps.shape), admitted


def _needs(job: CascadeJob, frames: int) -> Array:
    """Of each frame and stage the frame whose answer must be there first, -1 for none."""
    numbers = np.arange(frames)[:, None]
    held = numbers % np.array([stage.every for stage in job.stages])
    return np.where(held > 0, numbers - held, -1)
