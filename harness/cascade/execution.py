"""Camera frames through a loaded cascade: one after the other, or overlapped with equal answers in equal order."""

from __future__ import annotations

from functools import partial
from typing import Iterable, Iterator, Sequence, Tuple

import numpy as np

from harness.cascade import SERIAL, STAGES, STEPS, STREAMS, CascadeJob
from harness.cascade.crew import Crew
from harness.cascade.flow import Gate, Node, edges_of, flow, lanes
from harness.cascade.records import STAMPS, Flight
from harness.cascade.serial import Cascade, through
from harness.cascade.station import Station
from harness.cascade.timeline import graph_times, lane_times
from harness.case import Array
from harness.errors import ConfigError, unknown

Gates = Sequence[Gate]


def gates_of(job: CascadeJob) -> Tuple[Gate, ...]:
    """A gate for each entrance of an overlapped cascade, which take frames in turn."""
    return tuple(Gate() for _ in range(job.execution.streams if job.execution.mode == STREAMS else 1))


def executed(job: CascadeJob, crew: Crew, flights: Iterable[Flight], gates: Gates = ()) -> Iterator[Flight]:
    """Each of `flights` when it is through, in order, as the job's execution says; ConfigError for an unknown mode.

    gates: for who admits the next one of `flights` when somebody waits for it, and no sooner; not for a serial one.
    On simulated engines an overlapped flight's readings are those of each engine's own clock: see `rebased`.
    """
    known = {SERIAL: _serial, STAGES: _stages, STEPS: _steps, STREAMS: _streams}
    mode = job.execution.mode
    if mode not in known:
        raise ConfigError(unknown("execution", mode, known))
    crew.shelf.start_anew()
    return known[mode](crew, flights, gates)


def _serial(crew: Crew, flights: Iterable[Flight], gates: Gates) -> Iterator[Flight]:
    assert crew.clock is not None
    cascade = Cascade(crew.lanes[0], crew.clock)
    for flight in flights:
        cascade.carry(flight)
        yield flight


def _stages(crew: Crew, flights: Iterable[Flight], gates: Gates) -> Iterator[Flight]:
    nodes = _nodes(STAGES, crew.lanes[0])
    return _forgetting(crew, flow(nodes, _admitted(crew, flights), crew.shelf.give_up, gates))


def _steps(crew: Crew, flights: Iterable[Flight], gates: Gates) -> Iterator[Flight]:
    nodes = _nodes(STEPS, crew.lanes[0])
    return _forgetting(crew, flow(nodes, _admitted(crew, flights), crew.shelf.give_up, gates))


def _streams(crew: Crew, flights: Iterable[Flight], gates: Gates) -> Iterator[Flight]:
    works = [partial(through, stations) for stations in crew.lanes]
    return _forgetting(crew, lanes(works, _admitted(crew, flights), crew.shelf.give_up, gates))


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
