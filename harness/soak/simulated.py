"""Soaks that are made, not measured: realistic noise, and faults that are planted. Seeded.

Noise as in the benchmarks of the verdict: log-normal frames of 2 %, an AR(1) course of 0.9 from frame to frame and
another over seconds, 1 % of frames with an exponential spike of mean 30 %, rarer ones of a Pareto tail, and other load
in bursts that come at random, last for seconds and make every frame slower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.telemetry import Channel, Trace

SECOND_NS = 1_000_000_000
BOOTED_NS = 10**12


@dataclass(frozen=True, kw_only=True)
class Planted:
    """What a simulated soak suffers from; nothing by default.

    slower: relative, from `slower_from_s` to the end. drift: relative, over the whole run. sensors: whether any tells.
    """

    leak_kb: float = 0.0
    slower: float = 0.0
    slower_from_s: float = 300.0
    drift: float = 0.0
    stall_ms: float = 0.0
    stall_every_s: float = 20.0
    stalls_at_s: tuple[float, ...] = ()
    sensors: bool = True


CLEAN = Planted()


def simulated_soak(
    seed: int, planted: Planted = CLEAN, *, minutes: float = 10.0, fps: float = 30.0, service_ms: float = 20.0
) -> Soak:
    """A soak at the camera's pace that drops stale frames, with thermometer, clock, throttle state and memory."""
    random = np.random.default_rng(seed)
    due_s = np.arange(int(minutes * 60 * fps)) / fps
    service_s = service_ms / 1e3 * _noise(random, due_s, fps) * _slower(due_s, planted)
    service_s = np.maximum(service_s, _stalls(due_s, planted))
    taken, end_s = _drop_stale(due_s, service_s)
    due_ns = BOOTED_NS + np.round(due_s * SECOND_NS).astype(np.int64)
    end_ns = BOOTED_NS + np.round(end_s * SECOND_NS).astype(np.int64)
    return Soak(
        due_ns=due_ns[taken], latency_ns=end_ns - due_ns[taken], dropped_ns=due_ns[~taken],
        traces=_traces(random, planted, minutes * 60, fps) if planted.sensors else (),
    )  # fmt: skip


def course(random: np.random.Generator, size: int, correlation: float, innovation: float) -> Array:
    """An AR(1) course from zero."""
    from scipy.signal import lfilter

    values: Array = lfilter([1.0], [1.0, -correlation], innovation * random.standard_normal(size))
    return values


def _noise(random: np.random.Generator, due_s: Array, fps: float) -> Array:
    size, seconds = len(due_s), int(due_s[-1]) + 2
    slow = np.interp(due_s, np.arange(seconds), course(random, seconds, 0.95, 0.003))
    logs = 0.02 * random.standard_normal(size) + course(random, size, 0.9, 0.005) + slow
    spikes = (random.random(size) < 0.01) * random.exponential(0.3, size)
    rare = (random.random(size) < 0.0005) * 0.3 * random.pareto(3.0, size)
    return np.exp(logs) * (1 + spikes + rare) * _load(random, due_s)


def _load(random: np.random.Generator, due_s: Array) -> Array:
    """Other load: every two minutes or so for 8 s or so, at most 45, by 5 to 40 % and with spikes of its own."""
    factor, size = np.ones(len(due_s)), len(due_s)
    at_s = random.exponential(120.0)
    while at_s < due_s[-1]:
        lasts_s = min(random.exponential(8.0), 45.0)
        inside = (due_s >= at_s) & (due_s < at_s + lasts_s)
        factor[inside] = random.uniform(1.05, 1.4) * (
            1 + ((random.random(size) < 0.1) * random.exponential(0.2, size))[inside]
        )
        at_s += lasts_s + random.exponential(120.0)
    return factor


def _slower(due_s: Array, planted: Planted) -> Array:
    factor: Array = (1 + planted.slower * (due_s >= planted.slower_from_s)) * (1 + planted.drift * due_s / due_s[-1])
    return factor


def _stalls(due_s: Array, planted: Planted) -> Array:
    """The least service time in seconds of each frame."""
    least = np.zeros(len(due_s))
    times = np.array(planted.stalls_at_s or np.arange(planted.stall_every_s / 2, due_s[-1], planted.stall_every_s))
    least[np.searchsorted(due_s, times).clip(max=len(due_s) - 1)] = planted.stall_ms / 1e3
    return least


def _drop_stale(due_s: Array, service_s: Array) -> tuple[Array, Array]:
    """Which frames were taken, bool [frames], and when each was done: one waiting slot, the newest frame in it."""
    taken, ends, end, index, count = np.zeros(len(due_s), bool), [], -1.0, 0, len(due_s)
    dues, services = due_s.tolist(), service_s.tolist()
    while index < count:
        while index + 1 < count and dues[index + 1] <= end:
            index += 1
        end = max(end, dues[index]) + services[index]
        taken[index] = True
        ends.append(end)
        index += 1
    return taken, np.array(ends)


def _traces(random: np.random.Generator, planted: Planted, seconds: float, fps: float) -> tuple[Trace, ...]:
    at_s = np.arange(0.0, seconds, 0.5)
    slow = planted.slower * (at_s >= planted.slower_from_s)
    celsius = 55 - 12 * np.exp(-at_s / 150) + course(random, len(at_s), 0.9, 0.1)
    khz = 1.2e6 / (1 + slow) * (1 - 0.01 * (random.random(len(at_s)) < 0.05))
    return (
        _trace("thermal", {Channel("soc", "C"): np.round(2 * celsius) / 2}, at_s),
        _trace("clocks", {Channel("cpu0", "kHz"): khz}, at_s),
        _trace("throttle", {Channel("thermal", "state"): (slow > 0).astype(float)}, at_s),
        _trace("device_memory", {Channel("process", "bytes"): _memory(random, at_s, fps, planted)}, at_s),
    )


def _memory(random: np.random.Generator, at_s: Array, fps: float, planted: Planted) -> Array:
    """A step while it warms up, a sawtooth of an allocator that gives back, a heap that wanders, and the leak."""
    warm = 30e6 * (1 - np.exp(-at_s / 20))
    tooth_s = random.uniform(5, 80)
    sawtooth = 8e6 * ((at_s / tooth_s + random.random()) % 1)
    wandering = np.cumsum(4096 * random.integers(-3, 4, len(at_s)))
    held = 150e6 + warm + sawtooth + wandering + 1e3 * planted.leak_kb * fps * at_s
    return np.floor(held / 4096) * 4096


def _trace(probe: str, columns: dict[Channel, Array], at_s: Array) -> Trace:
    time_ns = BOOTED_NS + np.round(at_s * SECOND_NS).astype(np.int64)
    return Trace(probe, tuple(columns), time_ns, np.stack(list(columns.values()), axis=1), SECOND_NS // 2)
