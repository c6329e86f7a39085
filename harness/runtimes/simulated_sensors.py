"""Sensors of the simulated device, on the virtual clock of its engine: what they told is worked out at the end.

The .sim file says how: `idle_mw`, `infer_mj` that each frame takes on top, `power_step_mw` of the sensor,
`temperature_c` at the start, `warming_c_per_s` until the last inference and `cooling_c_per_s` after it, and a
`sensor_fault`: "missing", "dies" half-way, "gaps", "throttled" (the over-current counter rises), "reclocked" (the
lowest clock falls). A throttle that simulated_wear.py plants is seen too. A probe of the kind device_memory tells the
memory that the engine pretends to take.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

from harness.runtimes.simulated_wear import Wear
from harness.telemetry import Array, Channel, Telemetry, Trace, empty_trace

DEFAULTS: Dict[str, Any] = {
    "idle_mw": 3000.0, "infer_mj": 5.0, "power_step_mw": 20.0, "temperature_c": 45.0, "warming_c_per_s": 0.0,
    "cooling_c_per_s": 0.0,
    "sensor_fault": "",
}  # fmt: skip
FAULTS = ("", "missing", "dies", "gaps", "throttled", "reclocked")
RATE_HZ = 20.0
KIND, MEMORY_KIND, MEMORY_RATE_HZ = "simulated", "device_memory", 5.0
PINNED_KHZ, LOW_KHZ = 2_000_000.0, 700_000.0
FACTS = {"power_mode": "SIMULATED", "online_cores": [0], "governors": "simulated", "pinned": {"cpu": True}}


class SimulatedSampling:
    """As harness.sampling.Sampling, but on a virtual clock. ended_ns: when each inference ended. held_bytes: what the
    engine takes now; None where its memory is that of this very process.
    """

    core = None

    def __init__(
        self, telemetry: Telemetry, clock: Any, model: Mapping[str, Any], ended_ns: List[int], *,
        held_bytes: Optional[int], wear: Wear,
    ) -> None:  # fmt: skip
        self._telemetry, self._clock, self._model, self._ended_ns = telemetry, clock, model, ended_ns
        self._held_bytes, self._inferences, self._wear = held_bytes, len(ended_ns), wear

    def start(self) -> None:
        """From now on."""
        self._start_ns = self._clock()

    def pause(self) -> None:
        """The virtual sampler costs nothing."""

    def resume(self) -> None:
        """See `pause`."""

    def stop(self) -> Tuple[Trace, ...]:
        """What the sensors would have told since the start."""
        return tuple(self._trace(name, options) for name, options in self._telemetry.probes.items())

    def _trace(self, name: str, options: Mapping[str, Any]) -> Trace:
        fault, kind = self._model["sensor_fault"], options.get("kind", name)
        if kind == MEMORY_KIND and self._held_bytes is not None:
            return self._memory(name, options, self._held_bytes)
        if kind != KIND:
            return empty_trace(name, f"the simulated device has no {kind}")
        if fault == "missing":
            return empty_trace(name, "the simulated sensor cannot be opened")
        period_ns = round(1e9 / float(options.get("rate_hz") or RATE_HZ))
        time_ns = self._times(period_ns, fault)
        columns = {
            Channel("VDD_SIM", "mW", self._model["power_step_mw"] or None, period_ns / 1e6): self._power_mw(time_ns),
            Channel("temp", "C"): self._celsius(time_ns),
            Channel("cpu0.cur", "kHz"): PINNED_KHZ / (1 + self._wear.slower * self._throttled(time_ns)),
            Channel("cpu0.min", "kHz"): _second_half(time_ns, PINNED_KHZ, LOW_KHZ if fault == "reclocked" else None),
            Channel("cpu0.max", "kHz"): np.full(len(time_ns), PINNED_KHZ),
            Channel("oc1", "events"): _second_half(time_ns, 0.0, 3.0 if fault == "throttled" else None)
            + np.cumsum(self._throttled(time_ns)),
        }
        return Trace(
            name, tuple(columns), time_ns, np.stack(list(columns.values()), axis=1), period_ns,
            facts=FACTS, facts_after=FACTS, ended="the simulated sampler died" if fault == "dies" else "",
        )  # fmt: skip

    def _celsius(self, time_ns: Array) -> Array:
        """It warms from the first sample on, and cools no further down than it was."""
        last_ns = self._ended_ns[-1] if self._model["cooling_c_per_s"] and self._ended_ns else time_ns[-1]
        warming_s, cooling_s = (np.minimum(time_ns, last_ns) - time_ns[0]) / 1e9, (time_ns - last_ns).clip(0) / 1e9
        above: Array = self._model["warming_c_per_s"] * warming_s - self._model["cooling_c_per_s"] * cooling_s
        celsius: Array = self._model["temperature_c"] + (above.clip(0) if self._model["cooling_c_per_s"] else above)
        return celsius

    def _throttled(self, time_ns: Array) -> Array:
        """1 in the samples from a planted throttle on."""
        from_ns = self._wear.throttled_from_ns
        throttled: Array = np.zeros(len(time_ns)) if from_ns is None else (time_ns >= from_ns).astype(float)
        return throttled

    def _memory(self, name: str, options: Mapping[str, Any], held_bytes: int) -> Trace:
        """What each inference leaks, on top of what was taken before the first sample."""
        period_ns = round(1e9 / float(options.get("rate_hz") or MEMORY_RATE_HZ))
        time_ns = self._times(period_ns, self._model["sensor_fault"])
        done = np.searchsorted(np.array(self._ended_ns[self._inferences :], np.int64), time_ns, side="right")
        values = (held_bytes + float(self._model["leak_bytes"]) * done)[:, np.newaxis]
        return Trace(name, (Channel("process", "bytes"),), time_ns, values, period_ns, facts={"simulated": True})

    def _times(self, period_ns: int, fault: str) -> Array:
        now_ns = self._clock()
        times = np.append(np.arange(self._start_ns, now_ns, period_ns, dtype=np.int64), now_ns)
        if fault == "dies":
            return times[: max(len(times) // 2, 1)]
        middle = len(times) // 2
        return np.delete(times, slice(middle, middle + len(times) // 4)) if fault == "gaps" else times

    def _power_mw(self, time_ns: Array) -> Array:
        """Idle power, and the energy of each inference in the sample after its end, in steps of the sensor."""
        done = np.searchsorted(np.array(self._ended_ns, np.int64), time_ns, side="right")
        between_s = np.diff(time_ns, prepend=time_ns[0] - (time_ns[1] - time_ns[0] if len(time_ns) > 1 else 1)) / 1e9
        frames = np.diff(done, prepend=done[0])
        power: Array = self._model["idle_mw"] + self._model["infer_mj"] * frames / between_s
        step = self._model["power_step_mw"]
        return np.round(power / step) * step if step else power


def _second_half(time_ns: Array, before: float, after: Optional[float]) -> Array:
    values = np.full(len(time_ns), before)
    if after is not None:
        values[len(values) // 2 :] = after
    return values
