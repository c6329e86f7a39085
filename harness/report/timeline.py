"""What lies on the time axis of one run: latency, the sensors by quantity, throttle events, idle phases. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.camera import arrivals_of
from harness.camera.pacing import paced_of_run
from harness.cameratimes import response_ns
from harness.case import Array, Run
from harness.fpsstability import fps_stability
from harness.powersensor import LONGEST_GAP_PERIODS, rails_of
from harness.telemetry import Trace

POINTS = 2000
LIMITS = (".min", ".max")
# Quantity, its unit in a figure, and what one step of the sensor's unit is in that.
QUANTITIES = (
    ("power", "W", {"mW": 1e-3, "mJ": 1e-3}),
    ("temperature", "°C", {"C": 1.0}),
    ("clock", "MHz", {"kHz": 1e-3}),
    ("utilisation", "%", {"%": 1.0}),
    ("memory", "MB", {"bytes": 1e-6}),
)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line over time; NaN breaks it. limit: a bound that the others keep within, such as the lowest clock."""

    name: str
    seconds: Array
    values: Array
    limit: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The series of one quantity, in one unit."""

    quantity: str
    unit: str
    series: tuple[Series, ...]


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """A counter of throttle events rose by `count` between the sample before and the one at `at_ns`."""

    name: str
    at_ns: int
    count: float


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """In seconds since the run's first event; `panels` only where there is something to see.

    throttles: name of the counter -> when it rose. phases: name -> start and end.
    """

    panels: tuple[Panel, ...]
    throttles: dict[str, Array]
    phases: dict[str, tuple[float, float]]
    seconds: float


@dataclass(frozen=True)
class _Column:
    """The samples of one channel that the sensor did give."""

    name: str
    unit: str
    time_ns: Array
    values: Array
    period_ns: float


def timeline(run: Run) -> Timeline:
    """All of a run that changes over time, ready to be drawn."""
    origin_ns, end_ns = span_ns(run)
    rises = [one for trace in run.traces for one in throttles(trace)]
    return Timeline(
        panels=tuple(one for one in (_latency(run, origin_ns), *_pace(run, origin_ns), *_sensors(run, origin_ns))
                     if one.series),
        throttles={name: _seconds(np.array([one.at_ns for one in rises if one.name == name]), origin_ns)
                   for name in dict.fromkeys(one.name for one in rises)},
        phases={name: ((start - origin_ns) / 1e9, (end - origin_ns) / 1e9)
                for name, (start, end) in run.facts.get("phases", {}).items()},
        seconds=(end_ns - origin_ns) / 1e9,
    )  # fmt: skip


def span_ns(run: Run) -> tuple[int, int]:
    """The first and the last event of a run on the monotonic clock; zeros where nothing happened."""
    times = [run.start_ns, run.start_ns + run.frame_ns, *(one.time_ns for one in run.traces)]
    times.append(np.array(list(run.facts.get("phases", {}).values()), np.int64).ravel())
    known = np.concatenate(times)
    return (int(known.min()), int(known.max())) if len(known) else (0, 0)


def throttles(trace: Trace) -> Iterator[Throttle]:
    """Every rise of a counter of throttle events."""
    for column in _columns(trace):
        if column.unit == "events":
            rises = np.diff(column.values)
            for index in np.flatnonzero(rises > 0):
                name = f"{trace.probe}/{column.name}"
                yield Throttle(name=name, at_ns=int(column.time_ns[index + 1]), count=float(rises[index]))


def thinned(values: Array, limit: int = POINTS) -> Array:
    """Indices, in order, of at most `limit` values that look like all: of every bin the extremes and a break."""
    if len(values) <= limit:
        return np.arange(len(values))
    kept: set[int] = set()
    for indices in np.array_split(np.arange(len(values)), max(limit // 3, 1)):
        known = np.isfinite(values[indices])
        inside = indices[known]
        if len(inside):
            kept |= {int(inside[values[inside].argmin()]), int(inside[values[inside].argmax()])}
        kept.update(indices[~known][:1].tolist())
    return np.array(sorted(kept))


def _latency(run: Run, origin_ns: int) -> Panel:
    """At the camera's pace from the scheduled arrival, with the service time that a closed loop would tell."""
    service = _line("frame", run.start_ns, run.frame_ns, origin_ns)
    paced = paced_of_run(run)
    if paced is None:
        return Panel(quantity="latency", unit="ms", series=(service,) if len(run.frame_ns) else ())
    lines = (_line("response", paced.due_ns, response_ns(paced), origin_ns), replace(service, name="service"))
    return Panel(quantity="latency", unit="ms", series=lines if len(run.frame_ns) else ())


def _line(name: str, time_ns: Array, values_ns: Array, origin_ns: int) -> Series:
    kept = thinned(values_ns)
    return Series(name=name, seconds=_seconds(time_ns[kept], origin_ns), values=values_ns[kept] / 1e6)


def _pace(run: Run, origin_ns: int) -> Iterator[Panel]:
    """At the camera's pace, how many results came and were due in each second."""
    paced, arrivals = paced_of_run(run), arrivals_of(run)
    stability = fps_stability(paced, arrivals) if paced is not None and arrivals is not None else None
    if paced is None or stability is None:
        return
    kept = thinned(stability.completed)
    seconds = _seconds(paced.due_ns[:1], origin_ns) + kept + 0.5
    counted = (("results", stability.completed, False), ("due", stability.expected, True))
    yield Panel(quantity="results", unit="1/s", series=tuple(
        Series(name=name, seconds=seconds, values=values[kept].astype(float), limit=limit)
        for name, values, limit in counted
    ))  # fmt: skip


def _sensors(run: Run, origin_ns: int) -> Iterator[Panel]:
    names = Counter(channel.name for trace in run.traces for channel in trace.channels)
    columns = list(_total(run))
    for trace in run.traces:
        for one in _columns(trace):
            columns.append(one if names[one.name] == 1 else replace(one, name=f"{trace.probe}/{one.name}"))
    for quantity, unit, scales in QUANTITIES:
        series = [_series(one, scales[one.unit], origin_ns) for one in columns if one.unit in scales]
        yield _readable(Panel(quantity=quantity, unit=unit, series=_merged([one for one in series if _tells(one)])))


def _columns(trace: Trace) -> Iterator[_Column]:
    for index, channel in enumerate(trace.channels):
        known = np.isfinite(trace.values[:, index])
        values = trace.values[known, index]
        yield _Column(channel.name, channel.unit, trace.time_ns[known], values, trace.period_ns)


def _total(run: Run) -> Iterator[_Column]:
    """The power that the results speak of, where it is the sum of several rails."""
    rule = run.facts.get("power")
    trace = next((one for one in run.traces if rule and one.probe == rule["probe"]), None)
    if rule is None or trace is None or len(rule["rails"]) < 2:
        return
    rails = rails_of(trace, tuple(rule["rails"]))
    if not isinstance(rails, str):
        unit = rails.channels[0].unit
        yield _Column(f"total ({rule['scope']})", unit, rails.time_ns, rails.total, rails.period_ns)


def _series(column: _Column, scale: float, origin_ns: int) -> Series:
    column = _with_breaks(_power_of(column) if column.unit == "mJ" else column)
    kept = thinned(column.values)
    return Series(
        name=column.name, seconds=_seconds(column.time_ns[kept], origin_ns), values=scale * column.values[kept],
        limit=column.name.endswith(LIMITS),
    )  # fmt: skip


def _power_of(column: _Column) -> _Column:
    """Power in mW between the changes of an energy counter: read more often than it is renewed, it stands still."""
    moved = np.flatnonzero(np.diff(column.values, prepend=np.nan) != 0)
    time_ns, steps = column.time_ns[moved], np.diff(column.values[moved])
    apart_ns = np.diff(time_ns)
    # A counter that fell was set back: what it had counted before is not known.
    rose = steps > 0
    period_ns = max(column.period_ns, float(np.median(apart_ns))) if len(apart_ns) else column.period_ns
    return replace(column, time_ns=time_ns[1:][rose], values=steps[rose] / apart_ns[rose] * 1e9, period_ns=period_ns)


def _with_breaks(column: _Column) -> _Column:
    """NaN wherever two samples are too far apart for a line from one to the other."""
    apart_ns = np.diff(column.time_ns)
    after = np.flatnonzero(apart_ns > LONGEST_GAP_PERIODS * column.period_ns) + 1
    if not column.period_ns or not len(after):
        return column
    middles = column.time_ns[after - 1] + apart_ns[after - 1] // 2
    return replace(
        column, time_ns=np.insert(column.time_ns, after, middles), values=np.insert(column.values, after, np.nan)
    )


def _tells(series: Series) -> bool:
    """False without a value, and for a limit that nobody moved."""
    known = series.values[np.isfinite(series.values)]
    return len(known) > 0 and not (series.limit and known.min() == known.max())


def _merged(series: list[Series]) -> tuple[Series, ...]:
    """Lines that would hide each other, such as the clocks of one cluster's cores, as one."""
    alike: dict[tuple[bytes, bytes], list[Series]] = {}
    for one in series:
        alike.setdefault((one.seconds.tobytes(), one.values.tobytes()), []).append(one)
    return tuple(replace(first, name=f"{first.name} (+{len(rest)} alike)" if rest else first.name)
                 for first, *rest in alike.values())  # fmt: skip


def _readable(panel: Panel) -> Panel:
    """Clocks in GHz where one of them reaches that."""
    if panel.quantity != "clock" or not any(np.nanmax(one.values) >= 1e3 for one in panel.series):
        return panel
    return replace(panel, unit="GHz", series=tuple(replace(one, values=one.values / 1e3) for one in panel.series))


def _seconds(time_ns: Array, origin_ns: int) -> Array:
    seconds: Array = (time_ns - origin_ns) / 1e9
    return seconds
