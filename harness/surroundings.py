"""Heat, throttling and utilisation while a run's frames ran, as its sensors told. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.case import Array, Run
from harness.telemetry import Trace

CELSIUS, EVENTS, STATE = "C", "events", "state"
# Over-current events of this kind come at full load and cost next to nothing: only their rate says something.
RATED_EVENTS = re.compile(r"(^|\.)oc3$")
# The same quantity under the names that the probes have for it.
UTILISATION = {
    "cpu": ("cpu",),
    "gpu": ("gpu", "gpu.load", "gpu0.load"),
    "memory_controller": ("memory_controller", "emc.load", "gpu0.memory_controller"),
}


@dataclass(frozen=True, kw_only=True)
class Temperatures:
    """Of the hottest place while frames ran; the slope by least squares."""

    start_c: float
    end_c: float
    slope_c_per_min: float


def temperatures(run: Run) -> Temperatures | None:
    """None where no sensor told a temperature."""
    known = [(minutes, celsius) for trace, column in columns(run.traces, CELSIUS)
             for minutes, celsius in [_finite(trace, column, during(trace, run))] if len(celsius)]  # fmt: skip
    if not known:
        return None
    minutes, celsius = max(known, key=lambda one: float(one[1].max()))
    slope = round(float(np.polyfit(minutes - minutes[0], celsius, 1)[0]), 6) + 0.0 if len(celsius) > 2 else 0.0
    return Temperatures(start_c=float(celsius[0]), end_c=float(celsius[-1]), slope_c_per_min=slope)


def start_c(run: Run) -> float | None:
    """The hottest of the first readings, before anything ran; None where nobody told one."""
    firsts = [
        float(known[0]) for _, column in columns(run.traces, CELSIUS) if len(known := column[np.isfinite(column)])
    ]
    return max(firsts, default=None)


def utilisation_percent(run: Run, what: str) -> float | None:
    """The mean utilisation of "cpu", "gpu" or "memory_controller" while frames ran; None where nobody told."""
    for trace in run.traces:
        for index, channel in enumerate(trace.channels):
            if channel.name in UTILISATION[what] and channel.unit == "%":
                _, known = _finite(trace, trace.values[:, index], during(trace, run))
                return float(known.mean()) if len(known) else None
    return None


def throttled_share(run: Run) -> float | None:
    """Share of the samples in which a throttle was on or its counter rose; None where nobody watched."""
    shares = [
        float(marks.mean())
        for trace in run.traces
        for index, channel in enumerate(trace.channels)
        if channel.unit in (EVENTS, STATE) and not RATED_EVENTS.search(channel.name)
        and len(marks := _throttled(trace, trace.values[:, index], channel.unit, run))
    ]  # fmt: skip
    return max(shares, default=None)


def columns(traces: Iterable[Trace], unit: str) -> Iterator[tuple[Trace, Array]]:
    """Every channel of a unit: its trace and its values."""
    for trace in traces:
        for index, channel in enumerate(trace.channels):
            if channel.unit == unit:
                yield trace, trace.values[:, index]


def during(trace: Trace, run: Run) -> Array:
    """Which samples were taken while frames ran; bool [samples]."""
    start_ns, end_ns = run.facts.get("phases", {}).get("frames", (0, 0))
    inside: Array = (trace.time_ns >= start_ns) & (trace.time_ns <= end_ns)
    return inside


def _throttled(trace: Trace, column: Array, unit: str, run: Run) -> Array:
    """Of the known samples while frames ran, which show a throttle."""
    known = np.isfinite(column)
    values = column[known]
    marks = values > 0 if unit == STATE else np.diff(values, prepend=values[:1]) > 0
    inside: Array = marks[during(trace, run)[known]]
    return inside


def _finite(trace: Trace, column: Array, inside: Array) -> tuple[Array, Array]:
    """Minutes and values of the samples inside that are numbers."""
    chosen = inside & np.isfinite(column)
    return trace.time_ns[chosen] / 6e10, column[chosen]
