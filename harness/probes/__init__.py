"""Probes: a sensor each. Enter = find and open its files, read = what it says now, exit = close them.

A sensor that tells nothing says why, in words: a reading is a number or a reason, never 0 and never a guess.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Mapping, Protocol, Sequence, Tuple, Union

from harness.errors import ConfigError, HarnessError
from harness.members import member
from harness.telemetry import Channel

PROBES = {
    "ina3221": "harness.probes.ina3221:Ina3221",
    "ina238": "harness.probes.ina238:Ina238",
    "tegrastats": "harness.probes.tegrastats:Tegrastats",
    "jtop": "harness.probes.jtop:Jtop",
    "nvml": "harness.probes.nvml:Nvml",
    "rapl": "harness.probes.rapl:Rapl",
    "hwmon": "harness.probes.hwmon:Hwmon",
    "power_supply": "harness.probes.power_supply:PowerSupply",
    "meter": "harness.probes.meter:Meter",
    "device_memory": "harness.probes.device_memory:DeviceMemory",
    "thermal": "harness.probes.thermal:Thermal",
    "clocks": "harness.probes.clocks:Clocks",
    "throttle": "harness.probes.throttle:Throttle",
    "processes": "harness.probes.processes:Processes",
    "utilisation": "harness.probes.utilisation:Utilisation",
    "simulated": "harness.probes.simulated:Simulated",
}

Reading = Union[float, str]
Sample = Tuple[int, Sequence[Reading]]


class ProbeError(HarnessError):
    """A sensor that this device does not have, or that this user may not read."""


class Probe(Protocol):
    """One sensor with one or more channels, usable as a context manager.

    The constructor only keeps its arguments; entering finds the sensor and raises ProbeError (what is missing,
    which file, what to do) where it cannot give a single real reading. `rate_hz` is how often it is read unless
    the profile says otherwise. `channels` stay as they are from entering on.
    """

    rate_hz: float

    @property
    def channels(self) -> Tuple[Channel, ...]: ...

    def __enter__(self) -> Probe: ...

    def __exit__(self, *error: object) -> None: ...

    def read(self) -> Sequence[Sample]:
        """What came since the last call: (monotonic ns, a number or a reason for each channel); never raises.

        A sensor that is polled gives one sample, one that sends of itself as many as arrived, with their times.
        """
        ...

    def facts(self) -> Dict[str, Any]:
        """Settings and states that are no numbers over time: averaging, governor, mode; JSON values. Never raises."""
        ...


def polled(readings: Sequence[Reading]) -> List[Sample]:
    """The one sample of a sensor that was just read."""
    return [(time.monotonic_ns(), readings)]


def open_probe(kind: str, options: Mapping[str, Any]) -> Probe:
    """The probe `kind`, not yet entered; ConfigError for an unknown kind or option."""
    maker = probe_class(kind)
    try:
        probe: Probe = maker(**options)
    except TypeError as error:
        raise ConfigError(f"probe options do not fit {kind!r}: {error}") from error
    return probe


def probe_class(kind: str) -> Any:
    """The class of the probe `kind`; its keyword arguments are the probe's options. ConfigError if unknown."""
    return member("probe", kind, PROBES)
