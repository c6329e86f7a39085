"""The runs of a case as a Chrome Trace Event file, which ui.perfetto.dev opens.

Facts: the document "Trace Event Format", and what Perfetto's importer makes of it (src/trace_processor/importers/json).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import STAGES, Array, Run
from harness.errors import printable
from harness.report.files import write_atomically
from harness.report.plain import plain
from harness.report.timeline import span_ns, throttles
from harness.telemetry import Trace

ENGINE_FACTS = ("engine", "version", "precision", "threads", "providers", "placement", "model_sha256")

Event = dict[str, Any]


def write_trace(runs: Sequence[Run], case: str, path: Path) -> Path:
    """Write `trace_of` as strict JSON; HarnessError where the file cannot be written."""
    # Older importers know no \u escapes; names are printable by now.
    text = json.dumps(trace_of(runs, case), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return write_atomically(path, text + "\n")


def trace_of(runs: Sequence[Run], case: str) -> dict[str, Any]:
    """A process per run, on the one clock of the device; it starts with the first event of all.

    Frames, the stages in them and the phases are slices, each channel of each sensor is a counter, and each rise of
    a throttle counter is an instant.
    """
    origin_ns = min((span_ns(run)[0] for run in runs), default=0)
    events = [event for number, run in enumerate(runs) for event in _process(run, number, case, origin_ns)]
    # The importer wants what is not the events within the file's first piece.
    return {"displayTimeUnit": "ms", "otherData": _other(runs, case), "traceEvents": events}


def _other(runs: Sequence[Run], case: str) -> dict[str, Any]:
    found: dict[str, Any] = plain(
        {
            "case": printable(case),
            "simulated": any(bool(run.facts.get("simulated")) for run in runs),
            "runs": [_facts(run) for run in runs],
        }
    )
    return found


def _facts(run: Run) -> dict[str, Any]:
    """What really ran, and the sensors that told nothing, or not to the end, with the reason."""
    faults = {one.probe: one.missing or one.ended for one in run.traces if one.missing or one.ended}
    return {**{name: run.facts.get(name) for name in ENGINE_FACTS}, "sensor_faults": faults}


def _process(run: Run, number: int, case: str, origin_ns: int) -> Iterator[Event]:
    # Thread numbers are of the whole file, and process 0 is the idle one.
    frames_id, phases_id = 2 * number + 1, 2 * number + 2
    simulated = " [SIMULATED]" if run.facts.get("simulated") else ""
    yield _metadata("process_name", frames_id, frames_id, name=f"{printable(case)}, run {number + 1}{simulated}")
    yield _metadata("process_sort_index", frames_id, frames_id, sort_index=number)
    yield _metadata("thread_name", frames_id, frames_id, name="frames")
    yield from _frames(run, frames_id, origin_ns)
    if run.facts.get("phases"):
        yield _metadata("thread_name", frames_id, phases_id, name="phases")
        yield from _phases(run, frames_id, phases_id, origin_ns)
    for trace in run.traces:
        yield from _counters(trace, frames_id, origin_ns)
        yield from _instants(trace, frames_id, origin_ns)


def _metadata(what: str, pid: int, tid: int, **arguments: Any) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": arguments}


def _frames(run: Run, pid: int, origin_ns: int) -> Iterator[Event]:
    columns = [zip(ts, dur) for ts, dur in _spans(run, origin_ns)]
    for number, row in enumerate(zip(*columns)):
        for name, (ts, dur) in zip(("frame", *STAGES), row):
            yield {"ph": "X", "name": name, "pid": pid, "tid": pid, "ts": ts, "dur": dur, "args": {"number": number}}


def _spans(run: Run, origin_ns: int) -> Iterator[tuple[list[float], list[float]]]:
    """Start and duration of every frame, which comes before the stages in it, then of every stage."""
    at_ns = run.start_ns - origin_ns
    yield _microseconds(at_ns), _microseconds(run.frame_ns)
    for stage in STAGES:
        yield _microseconds(at_ns), _microseconds(run.stages[stage])
        at_ns = at_ns + run.stages[stage]


def _phases(run: Run, pid: int, tid: int, origin_ns: int) -> Iterator[Event]:
    for name, (start, end) in run.facts["phases"].items():
        (ts, dur) = _microseconds(np.array([start - origin_ns, end - start]))
        yield {"ph": "X", "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur}


def _counters(trace: Trace, pid: int, origin_ns: int) -> Iterator[Event]:
    for index, channel in enumerate(trace.channels):
        name = printable(f"{trace.probe}/{channel.name}")
        kept = _changes(trace.values[:, index])
        times, values = _microseconds(trace.time_ns[kept] - origin_ns), trace.values[kept, index].tolist()
        for ts, value in zip(times, values):
            yield {"ph": "C", "name": name, "pid": pid, "tid": pid, "ts": ts, "args": {channel.unit: value}}


def _changes(values: Array) -> Array:
    """Where a channel told something new, and its last value: between two of these a counter stands as it is."""
    known = np.flatnonzero(np.isfinite(values))
    new = np.diff(values[known], prepend=np.nan) != 0
    new[-1:] = True
    kept: Array = known[new]
    return kept


def _instants(trace: Trace, pid: int, origin_ns: int) -> Iterator[Event]:
    for one in throttles(trace):
        (ts,) = _microseconds(np.array([one.at_ns - origin_ns]))
        yield {"ph": "i", "s": "p", "name": printable(one.name), "pid": pid, "tid": pid, "ts": ts,
               "args": {"count": one.count}}  # fmt: skip


def _microseconds(ns: Array) -> list[float]:
    """In microseconds, never a hair too small: the importer cuts fractions of a nanosecond off.

    A stage that would so begin or end one nanosecond beside its frame would be dropped.
    """
    micros = ns / 1e3
    short = (micros * 1e3).astype(np.int64) < ns
    found: list[float] = np.where(short, np.nextafter(micros, np.inf), micros).tolist()
    return found
