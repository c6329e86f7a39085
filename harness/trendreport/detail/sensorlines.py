"""What the sensors told while frames ran, as thin lines on the clock of the frames. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.case import Array, Run
from harness.errors import printable
from harness.telemetry import Trace
from harness.trendreport.detail.curves import frame_starts, rounded, seconds_since

# Points of a whole session, so that three processes weigh no more than one; of a line; lines of a process.
TRACE_POINTS, LINE_POINTS, FEWEST_LINE_POINTS, MOST_LINES = 600, 200, 12, 12
# Unit of a sensor -> unit that is shown, and one of these in that; in the order in which lines are kept.
SHOWN = {"C": ("C", 1.0), "mW": ("W", 1e-3), "mJ": ("W", 1e-3), "kHz": ("MHz", 1e-3)}
LIMITS = (".min", ".max")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One quantity of one process over time; seconds since its first frame."""

    process: int
    name: str
    unit: str
    seconds: Array
    values: Array


def lines(runs: Sequence[Run]) -> tuple[list[Line], list[str]]:
    """Temperatures, powers and clocks while frames ran, and a sentence about each process that has too many of them."""
    by_process = [_merged(list(_lines(process, run))) for process, run in enumerate(runs)]
    kept = [one for found in by_process for one in found[:MOST_LINES]]
    left_out = [len(found) - MOST_LINES for found in by_process]
    notes = [f"process {process}: {count} more channels are left out"
             for process, count in enumerate(left_out) if count > 0]  # fmt: skip
    most = min(max(TRACE_POINTS // max(len(kept), 1), FEWEST_LINE_POINTS), LINE_POINTS)
    return [_thinned(one, most) for one in kept], notes


def _lines(process: int, run: Run) -> Iterator[Line]:
    if not len(run.frame_ns):
        return
    starts = frame_starts(run)
    window = (float(starts[0]), float(starts[-1] + run.frame_ns[-1]))
    shown = [one for unit in SHOWN for trace in run.traces for one in _channels(trace, unit)]
    for name, unit, times_ns, values in shown:
        chosen = _while(times_ns, window)
        if len(times_ns[chosen]):
            label, scale = SHOWN[unit]
            yield Line(
                process=process, name=name, unit=label, values=scale * values[chosen],
                seconds=seconds_since(times_ns[chosen], window[0]),
            )  # fmt: skip


def _channels(trace: Trace, unit: str) -> Iterator[tuple[str, str, Array, Array]]:
    """Name, unit, times and known values of every channel of a unit; not the limits of a clock, which stand still."""
    for index, channel in enumerate(trace.channels):
        if channel.unit == unit and not channel.name.endswith(LIMITS):
            known = np.isfinite(trace.values[:, index])
            times_ns, values = trace.time_ns[known], trace.values[known, index]
            yield channel.name, unit, *(power_of(times_ns, values) if unit == "mJ" else (times_ns, values))


def power_of(times_ns: Array, values: Array) -> tuple[Array, Array]:
    """mW between renewals of a counter of mJ, at the later one; where it fell, it was set back and tells nothing."""
    renewed = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
    times_ns, steps = times_ns[renewed], np.diff(values[renewed])
    rose = steps > 0
    return times_ns[1:][rose], (steps / np.maximum(np.diff(times_ns), 1) * 1e9)[rose]


def _while(times_ns: Array, window: tuple[float, float]) -> slice:
    """The samples of the window, and one on either side of it."""
    first = int(np.searchsorted(times_ns, window[0], side="right")) - 1
    last = int(np.searchsorted(times_ns, window[1])) + 1
    return slice(max(first, 0), last)


def _merged(found: Sequence[Line]) -> list[Line]:
    """Lines that would hide each other, such as the clocks of one cluster's cores, as one."""
    alike: dict[tuple[str, bytes, bytes], list[Line]] = {}
    for one in found:
        alike.setdefault((one.unit, one.seconds.tobytes(), one.values.tobytes()), []).append(one)
    return [replace(first, name=f"{first.name} (+{len(rest)} alike)" if rest else first.name)
            for first, *rest in alike.values()]  # fmt: skip


def _thinned(line: Line, most: int) -> Line:
    """Without what lies on a level stretch, then the smallest and the largest of each bin."""
    level = line.values[1:-1]
    turns = np.flatnonzero((level != line.values[:-2]) | (level != line.values[2:])) + 1
    kept = np.unique([0, *turns.tolist(), len(line.values) - 1])
    if len(kept) > most:
        bins = np.array_split(kept, most // 2)
        kept = np.unique([one[pick(line.values[one])] for one in bins for pick in (np.argmin, np.argmax)])
    return replace(line, seconds=line.seconds[kept], values=line.values[kept])


def line_table(line: Line) -> dict[str, Any]:
    """The line as it stands in the detail of a session."""
    return {
        "process": line.process, "name": printable(line.name), "unit": line.unit,
        "seconds": line.seconds.tolist(), "value": rounded(line.values),
    }  # fmt: skip
