"""What sensors are asked and what they told, on the clock of the frames; crosses the wire as JSON and npz.

A value that a sensor did not give is NaN in a trace, with its reason counted: never 0, never a guess.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Channel:
    """One quantity of a sensor, as the device names it.

    unit: "mW", "mJ" (a counter that only grows), "C", "kHz", "events" (a counter), "%", "bytes", "state" (0 is
    quiet) or "processes".
    resolution: the smallest step of a value; interval_ms: how often the sensor renews it; both where it is known.
    """

    name: str
    unit: str
    resolution: Optional[float] = None
    interval_ms: Optional[float] = None


@dataclass(frozen=True)
class PowerRule:
    """How the power of a board is told from its rails, and what that power covers.

    name: how results refer to the rule. probe: entry of the profile's probes. rails: the channels to add.
    scope: "module", "board input", "CPU package", ... gain_percent: the sensor's own gain error, from its data
    sheet or a calibration. beside: further "probe/channel" whose energy is told beside: the board's input, a counter.
    """

    name: str
    probe: str
    rails: Tuple[str, ...]
    scope: str
    gain_percent: float = 0.0
    beside: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Telemetry:
    """What the sampler reads: probe entry -> kind, rate_hz and the probe's options; nothing is sampled without one.

    power: given where energy is asked for; then frames are pushed for `window_s` at least, between two idle
    phases of `idle_s`.
    """

    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    power: Optional[PowerRule] = None
    window_s: float = 0.0
    idle_s: float = 0.0

    @property
    def gpu(self) -> Optional[int]:
        """Number of the discrete GPU whose sensors are asked; None where none is."""
        asked = (options for entry, options in self.probes.items() if options.get("kind", entry) == "nvml")
        return next((int(options.get("gpu", 0)) for options in asked), None)

    @staticmethod
    def from_wire(raw: Mapping[str, Any]) -> Telemetry:
        """Rebuild what dataclasses.asdict made of one."""
        rule = raw["power"]
        lists = {name: tuple(rule[name]) for name in ("rails", "beside")} if rule else {}
        power = PowerRule(**{**rule, **lists}) if rule else None
        return Telemetry(**{**raw, "power": power})


@dataclass(frozen=True)
class Trace:
    """The samples of one probe.

    time_ns: int64 [samples], monotonic. values: float64 [samples, channels], NaN where the sensor told nothing.
    period_ns: what was asked for. reasons: why values are missing -> how many. facts: the sensor's settings and
    states that are no numbers, at the start and, as `facts_after`, at the end. missing: why the probe could not be
    opened. ended: why its samples ended early; both are empty where all went well.
    """

    probe: str
    channels: Tuple[Channel, ...]
    time_ns: Array
    values: Array
    period_ns: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    facts_after: Mapping[str, Any] = field(default_factory=dict)
    missing: str = ""
    ended: str = ""

    def column(self, name: str) -> Array:
        """float64 [samples] of one channel; KeyError where the probe has none of this name."""
        names = [one.name for one in self.channels]
        if name not in names:
            raise KeyError(name)
        found: Array = self.values[:, names.index(name)]
        return found

    def to_wire(self) -> Dict[str, Any]:
        """All but the arrays, as plain JSON values."""
        return {
            "probe": self.probe, "channels": [asdict(one) for one in self.channels], "period_ns": self.period_ns,
            "reasons": dict(self.reasons), "facts": dict(self.facts), "facts_after": dict(self.facts_after),
            "missing": self.missing, "ended": self.ended,
        }  # fmt: skip

    @staticmethod
    def from_wire(raw: Mapping[str, Any], time_ns: Array, values: Array) -> Trace:
        """Rebuild what `to_wire` gave; ValueError where the arrays do not fit the channels."""
        channels = tuple(Channel(**one) for one in raw["channels"])
        if values.shape != (len(time_ns), len(channels)):
            raise ValueError(f"a trace of {raw['probe']} has values of the shape {values.shape}")
        return Trace(**{**raw, "channels": channels}, time_ns=time_ns, values=values)


def empty_trace(probe: str, missing: str, ended: str = "") -> Trace:
    """The trace of a probe that could not be opened; ended: where the whole sampler was not there."""
    return Trace(probe, (), np.zeros(0, np.int64), np.zeros((0, 0)), 0, missing=missing, ended=ended)


def pack_traces(traces: Sequence[Trace]) -> Tuple[List[Dict[str, Any]], Dict[str, Array]]:
    """Traces as plain JSON values, and their arrays by name."""
    arrays: Dict[str, Array] = {}
    for index, trace in enumerate(traces):
        arrays[f"trace_{index}_time"], arrays[f"trace_{index}_values"] = trace.time_ns, trace.values
    return [one.to_wire() for one in traces], arrays


def unpack_traces(wires: Sequence[Mapping[str, Any]], arrays: Mapping[str, Array]) -> Tuple[Trace, ...]:
    """The inverse of `pack_traces`; KeyError or ValueError where it is not whole."""
    return tuple(
        Trace.from_wire(one, arrays[f"trace_{index}_time"], arrays[f"trace_{index}_values"])
        for index, one in enumerate(wires)
    )
