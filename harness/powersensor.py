"""The samples of a power sensor over windows of time: do they cover a window, and what energy do they tell? Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.case import Array, Run
from harness.telemetry import Channel, PowerRule, Trace

LEAST_COVERED, LONGEST_GAP_PERIODS = 0.95, 3.0
POWER, COUNTER = "mW", "mJ"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A piece of time on the monotonic clock; frames: how many lie whole within."""

    start_ns: float
    end_ns: float
    frames: int = 0

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


@dataclass(frozen=True, kw_only=True)
class PowerSensor:
    """The rails of a rule: their valid samples in mW, or in mJ where they are counters. [samples, rails]"""

    channels: tuple[Channel, ...]
    time_ns: Array
    values: Array
    period_ns: int
    reason: str

    @property
    def counts(self) -> bool:
        """True for counters of energy, False for power of the moment."""
        return self.channels[0].unit == COUNTER

    @property
    def interval_s(self) -> float:
        """How often the slowest rail is renewed; 0 where nobody knows."""
        return max((one.interval_ms or 0.0) for one in self.channels) / 1e3

    @property
    def total(self) -> Array:
        """All rails added; [samples]."""
        total: Array = self.values.sum(axis=1)
        return total

    def within(self, window: Window) -> Array:
        """Which samples lie in a window; bool [samples]."""
        inside: Array = (self.time_ns >= window.start_ns) & (self.time_ns <= window.end_ns)
        return inside

    def longest_gap_ns(self, window: Window) -> float:
        """The longest time without a sample, the edges of the window too."""
        edges = np.concatenate([[window.start_ns], self.time_ns[self.within(window)], [window.end_ns]])
        return float(np.diff(edges).max())

    def fault(self, window: Window) -> str:
        """Why the samples do not cover a window; empty where they do."""
        if window.seconds <= 0:
            return "power: an idle time is shorter than the sensor takes to settle (idle_s of the profile's [power])"
        expected, received = self.expected(window), int(self.within(window).sum())
        gap_s, allowed_s = self.longest_gap_ns(window) / 1e9, LONGEST_GAP_PERIODS * self.period_ns / 1e9
        if received >= LEAST_COVERED * expected and gap_s <= allowed_s:
            return ""
        because = f" ({self.reason})" if self.reason else ""
        return (
            f"power: {received} of {expected} samples came, the longest gap is {gap_s:.2f} s; "
            f"{100 * LEAST_COVERED:.0f} % and at most {allowed_s:.2f} s are needed{because}"
        )

    def expected(self, window: Window) -> int:
        """How many samples the window should have."""
        return int(window.seconds * 1e9 / self.period_ns)

    def joules(self, window: Window, column: Array) -> float:
        """Energy in a window by one column of values, both edges interpolated."""
        if self.counts:
            start, end = np.interp([window.start_ns, window.end_ns], self.time_ns, column)
            return float(end - start) / 1e3
        inside = self.within(window)
        times = np.concatenate([[window.start_ns], self.time_ns[inside], [window.end_ns]])
        start, end = np.interp([window.start_ns, window.end_ns], self.time_ns, column)
        return float(np.trapezoid(np.concatenate([[start], column[inside], [end]]), times)) / 1e12

    def mean_w(self, window: Window) -> float:
        """Mean power of a window."""
        return self.joules(window, self.total) / window.seconds

    def shrunk(self, window: Window) -> Window:
        """From the first to the last sample within; empty where there are fewer than two."""
        inside = self.time_ns[self.within(window)]
        return Window(start_ns=inside[0], end_ns=inside[-1]) if len(inside) > 1 else Window(start_ns=0, end_ns=0)

    def watts(self, window: Window) -> Array:
        """Single values of total power in a window; none of a counter that may not be renewed between two samples."""
        inside = self.within(window)
        total = self.total[inside]
        if not self.counts:
            watts: Array = total / 1e3
            return watts
        if not 0 < self.interval_s * 1e9 <= self.period_ns:
            return total[:0]
        between: Array = np.diff(total) / 1e3 / (np.diff(self.time_ns[inside]) / 1e9)
        return between

    def steps(self) -> Array | None:
        """The smallest step of each rail, in the unit of its values; None where it cannot be told.

        A rail that never moved is taken to resolve no better than the others.
        """
        told = [smallest_step(one, self.values[:, index]) for index, one in enumerate(self.channels)]
        known = [step for step in told if step is not None]
        return np.array([max(known) if step is None else step for step in told]) if known else None


def sensor_of(run: Run, rule: PowerRule) -> PowerSensor | str:
    """The rails that a rule adds up, or why the run has no samples of them."""
    trace = next((one for one in run.traces if one.probe == rule.probe), None)
    if trace is None or trace.missing:
        return f"power: {trace.missing if trace else f'nobody sampled {rule.probe}'}"
    if trace.ended:
        return f"power: {trace.ended}"
    found = rails_of(trace, rule.rails)
    return f"power: {found}" if isinstance(found, str) else found


def rails_of(trace: Trace, rails: tuple[str, ...]) -> PowerSensor | str:
    """Some channels of a trace as one sensor; samples in which one of them is missing are left out."""
    names = [one.name for one in trace.channels]
    absent = [name for name in rails if name not in names]
    if absent:
        return f"{trace.probe} has no {', '.join(absent)}, it has {', '.join(names) or 'nothing'}"
    columns = [names.index(name) for name in rails]
    channels = tuple(trace.channels[index] for index in columns)
    units = {one.unit for one in channels}
    if len(units) > 1 or not units <= {POWER, COUNTER}:
        shown = ", ".join(f"{one.name} in {one.unit}" for one in channels)
        return f"{trace.probe} has {shown}, and power is told in {POWER} or {COUNTER}"
    values = trace.values[:, columns]
    valid = np.isfinite(values).all(axis=1)
    reason = max(trace.reasons, key=lambda one: trace.reasons[one], default="")
    return PowerSensor(
        channels=channels, time_ns=trace.time_ns[valid], values=values[valid], period_ns=trace.period_ns, reason=reason
    )


def smallest_step(channel: Channel, values: Array) -> float | None:
    """What a sensor resolves, in its unit; None where it does not say and never moved."""
    if channel.resolution:
        return channel.resolution
    distinct = np.unique(np.round(values, 6))
    return float(np.diff(distinct).min()) if len(distinct) > 1 else None
