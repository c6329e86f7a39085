"""Motion that is a pure function of time: slow wandering, and events with a beginning and an end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Generator = np.random.Generator


@dataclass(frozen=True)
class Wander:
    """A sum of slow sine waves around `centre`."""

    centre: float
    waves: tuple[tuple[float, float, float], ...]

    def at(self, seconds: float) -> float:
        """The value at one time."""
        return self.centre + sum(size * math.sin(rate * seconds + phase) for size, rate, phase in self.waves)


def wander(rng: Generator, centre: float, spread: float, *, fastest_hz: float = 0.5) -> Wander:
    """A random wander; `spread` is about its standard deviation."""
    rates = rng.uniform(0.05, fastest_hz, 3) * 2 * math.pi
    sizes = spread * np.array([1.0, 0.7, 0.5]) * rng.uniform(0.6, 1.2, 3)
    phases = rng.uniform(0, 2 * math.pi, 3)
    return Wander(centre, tuple(zip(sizes.tolist(), rates.tolist(), phases.tolist(), strict=True)))


@dataclass(frozen=True)
class Event:
    """Something that rises at `start_s`, holds, and falls again at `end_s`; 0 before and after, 1 within."""

    start_s: float
    end_s: float
    ramp_s: float

    def at(self, seconds: float) -> float:
        """How far the event has gone, 0..1."""
        rise = _smooth((seconds - self.start_s) / self.ramp_s + 0.5)
        fall = _smooth((self.end_s - seconds) / self.ramp_s + 0.5)
        return min(rise, fall)


def _smooth(share: float) -> float:
    inside = min(max(share, 0.0), 1.0)
    return inside * inside * (3 - 2 * inside)


def closures(rng: Generator, span_s: float, *, drowsy: bool) -> tuple[Event, ...]:
    """When the eyes are shut: short blinks, and long closures of a drowsy driver."""
    events = []
    now = -rng.uniform(0.0, 2.0)
    while now < span_s:
        length = rng.uniform(0.6, 2.6) if drowsy and rng.random() < 0.85 else rng.uniform(0.12, 0.3)
        events.append(Event(now, now + length, 0.18))
        now += length + (rng.uniform(0.3, 1.5) if drowsy else rng.uniform(1.0, 4.0))
    return tuple(events)
