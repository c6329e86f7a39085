"""Temperatures: the kernel's thermal zones (Documentation/ABI/testing/sysfs-class-thermal), or hwmon on an x86 host.

On a Jetson the zones are tj-thermal (the hottest of the chip), cpu-thermal, gpu-thermal and so on. Its PMIC knows
alarms only: the kernel's drivers/thermal/max77620_thermal.c tells 100 C until the first. Never run on the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from harness.errors import unknown
from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.sysfs import ValueFile, below, distinct, number_of, text_of
from harness.telemetry import Channel

SWITCHED_OFF = (-256_000, -256)
LOWEST_C, HIGHEST_C = -50, 200
CPU_SENSORS = ("coretemp", "k10temp")
CONSTANT = "a PMIC tells a constant until it is too hot; to read it all the same name it in `zones`"
Source = Tuple[str, Path]


class Thermal:
    """A channel for each zone, named by its type.

    zones: the types to read; none named: all but those of a PMIC.
    """

    rate_hz = 2.0

    def __init__(self, *, root: str = "/", zones: Tuple[str, ...] = ()) -> None:
        self._root, self._wanted = root, tuple(zones)
        self._files: Dict[str, ValueFile] = {}
        self._left_out: Dict[str, str] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return tuple(Channel(name, "C") for name in self._files)

    def __enter__(self) -> Thermal:
        reasons: List[str] = []
        for sources in (_zones(self._root), _cpu_sensors(self._root)):
            reasons += self._open(self._picked(sources))
            if self._files:
                return self
        raise ProbeError(
            reasons[0] if reasons else "this machine shows no temperature, as most virtual machines",
            where=str(Path(self._root) / "sys/class/thermal"),
            remedy="leave the thermal probe out of the profile, or load the sensor's driver (modprobe coretemp)",
        )

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self) -> Sequence[Sample]:
        return polled([celsius(file.read(), file.path) for file in self._files.values()])

    def facts(self) -> Dict[str, Any]:
        """trip_points_c: zone -> kind (passive, hot, critical ...) -> the lowest one, where the zone has any.

        left_out: why a zone is not read.
        """
        points = {name: _trip_points(file.path.parent) for name, file in self._files.items()}
        told = {name: found for name, found in points.items() if found}
        return {"trip_points_c": told, "left_out": dict(self._left_out)}

    def _open(self, sources: Sequence[Source]) -> List[str]:
        """Keep these sources if one of them tells a temperature; else why they tell none."""
        files = {name: ValueFile(path) for name, path in sources}
        readings = [celsius(file.read(), file.path) for file in files.values()]
        if any(isinstance(one, float) for one in readings):
            self._files = files
            return []
        for file in files.values():
            file.close()
        return [one for one in readings if isinstance(one, str)]

    def _picked(self, sources: Sequence[Source]) -> Sequence[Source]:
        if not self._wanted:
            pmics = [name for name, _ in sources if name.lower().startswith("pmic")]
            self._left_out.update(dict.fromkeys(pmics, CONSTANT))
            return [(name, path) for name, path in sources if name not in pmics]
        names = [name for name, _ in sources]
        strange = [one for one in self._wanted if one not in names]
        if sources and strange:
            raise ProbeError(unknown("thermal zone", strange[0], names), remedy="correct `zones` of the thermal probe")
        return [(name, path) for name, path in sources if name in self._wanted]


def celsius(reading: Reading, path: Path) -> Reading:
    """Millidegrees as degrees; a value that no working sensor of a board gives is a reason."""
    if isinstance(reading, str):
        return reading
    if reading in SWITCHED_OFF:
        return f"{path}: the sensor is switched off (-256 C)"
    if not LOWEST_C <= reading / 1000 <= HIGHEST_C:
        return f"{path}: no temperature between {LOWEST_C} and {HIGHEST_C} C"
    return reading / 1000


def _zones(root: str) -> List[Source]:
    folders = [(text_of(one / "type"), one) for one in below(root, "sys/class/thermal/thermal_zone*")]
    found = [(kind, one) for kind, one in folders if kind]
    names = distinct([(kind, one.name.replace("thermal_", "")) for kind, one in found])
    return [(name, one / "temp") for name, (_, one) in zip(names, found)]


def _cpu_sensors(root: str) -> List[Source]:
    folders = [one for one in below(root, "sys/class/hwmon/hwmon*") if text_of(one / "name") in CPU_SENSORS]
    files = [path for folder in folders for path in below(str(folder), "temp*_input")]
    labels = [text_of(path.with_name(path.name.replace("_input", "_label"))) for path in files]
    named = [(label or path.name.replace("_input", ""), path.parent.name) for label, path in zip(labels, files)]
    return list(zip(distinct(named), files))


def _trip_points(zone: Path) -> Dict[str, float]:
    found: Dict[str, float] = {}
    for path in below(str(zone), "trip_point_*_temp"):
        kind, number = text_of(path.with_name(path.name.replace("_temp", "_type"))), number_of(path)
        point = celsius("not told" if number is None else float(number), path)
        if kind and isinstance(point, float):
            found[kind] = min(point, found.get(kind, point))
    return found
