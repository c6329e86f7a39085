"""What the sensors told in a piece of a soak. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.powersensor import PowerSensor, Window, rails_of
from harness.soak import Soak
from harness.surroundings import CELSIUS, EVENTS, RATED_EVENTS, STATE
from harness.telemetry import Trace

KILOHERTZ, BYTES, PROCESS = "kHz", "bytes", "process"
MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, kw_only=True)
class Column:
    """The known samples of one channel. name: "probe/channel"."""

    name: str
    time_ns: Array
    values: Array

    def within(self, start_ns: float, end_ns: float) -> Array:
        """The values from `start_ns` to before `end_ns`."""
        return self.values[(self.time_ns >= start_ns) & (self.time_ns < end_ns)]

    def mean(self, start_ns: float, end_ns: float) -> float | None:
        """None where it told nothing in between."""
        inside = self.within(start_ns, end_ns)
        return float(inside.mean()) if len(inside) else None


def covers(column: Column, soak: Soak) -> bool:
    """Whether it told something in every minute: a sensor that fell silent shows nothing of what came after."""
    edges = np.append(np.arange(soak.start_ns, soak.end_ns - MINUTE_NS / 2, MINUTE_NS), soak.end_ns)
    return len(edges) > 1 and bool((np.diff(np.searchsorted(column.time_ns, edges)) > 0).all())


def columns_of(soak: Soak, unit: str) -> tuple[Column, ...]:
    """The channels of a unit that told anything."""
    found = (
        _column(trace, index) for trace in soak.traces for index, one in enumerate(trace.channels) if one.unit == unit
    )
    return tuple(one for one in found if len(one.values))


def hottest(soak: Soak) -> Column | None:
    """The thermometer that told the highest temperature."""
    return max(columns_of(soak, CELSIUS), key=lambda one: float(one.values.max()), default=None)


def memory(soak: Soak) -> Column | None:
    """The resident memory of the process that pushes the frames (channel "process" of the probe device_memory)."""
    return next((one for one in columns_of(soak, BYTES) if one.name.endswith(f"/{PROCESS}")), None)


def throttled_share(soak: Soak, start_ns: float, end_ns: float) -> float | None:
    """Share of the samples in which a throttle was on or its counter rose; None where nobody watched."""
    marks = [inside for inside in (one.within(start_ns, end_ns) for one in throttles(soak)) if len(inside)]
    return max((float(one.mean()) for one in marks), default=None)


def throttles(soak: Soak) -> tuple[Column, ...]:
    """Of every throttle's state or counter, 1 in the samples that show it at work."""
    states = [Column(name=one.name, time_ns=one.time_ns, values=(one.values > 0).astype(float))
              for one in columns_of(soak, STATE)]  # fmt: skip
    counters = [
        Column(
            name=one.name,
            time_ns=one.time_ns,
            values=(np.diff(one.values, prepend=one.values[:1]) > 0).astype(float),
        )
        for one in columns_of(soak, EVENTS)
        if not RATED_EVENTS.search(one.name)
    ]
    return (*states, *counters)


def mean_w(soak: Soak, start_ns: float, end_ns: float) -> float | None:
    """The mean power; None where no sensor covers the time."""
    if soak.power is None:
        return None
    rule = soak.power
    trace = next((one for one in soak.traces if one.probe == rule.probe and not one.missing), None)
    sensor = rails_of(trace, rule.rails) if trace else ""
    window = Window(start_ns=start_ns, end_ns=end_ns)
    return sensor.mean_w(window) if isinstance(sensor, PowerSensor) and not sensor.fault(window) else None


def _column(trace: Trace, index: int) -> Column:
    known = np.isfinite(trace.values[:, index])
    name = f"{trace.probe}/{trace.channels[index].name}"
    return Column(name=name, time_ns=trace.time_ns[known], values=trace.values[known, index])
