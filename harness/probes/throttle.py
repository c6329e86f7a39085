"""How often the hardware slowed itself down since it was started; what counts as too often is decided elsewhere.

Jetson Orin and Thor, hwmon soctherm_oc (NVIDIA's kernel module tegra23x-oc-event): events of OC1 under-voltage, OC2
average power, OC3 instantaneous power; OC3 counts in good health too. Jetson cooling devices *-throttle-alert: 0 is
quiet. Intel (kernel drivers/thermal/intel/therm_throt.c): times that a core or a package was too hot. Never run on
the device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.sysfs import ValueFile, below, distinct, number_of, text_of
from harness.telemetry import Channel

OVER_CURRENT = "soctherm_oc"
ALERT = "-throttle-alert"
INTEL = "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle"
# Files of one group count the same events; the groups of a channel are added up.
Groups = Sequence[Sequence[ValueFile]]


class Throttle:
    """Channels oc1 to oc3, one for each alert by its type (0 is quiet), core_throttle and package_throttle."""

    rate_hz = 2.0

    def __init__(self, *, root: str = "/") -> None:
        self._root = root
        self._channels: Dict[Channel, Groups] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return tuple(self._channels)

    def __enter__(self) -> Throttle:
        self._channels = {**_over_current(self._root), **_alerts(self._root), **_intel(self._root)}
        readings = self._readings()
        if not any(isinstance(one, float) for one in readings):
            self.__exit__()
            raise ProbeError(
                str(readings[0]) if readings else "this machine does not count how often it throttles",
                where=f"hwmon {OVER_CURRENT}, cooling devices *{ALERT}, {INTEL}",
                remedy="leave the throttle probe out of the profile",
            )
        return self

    def __exit__(self, *error: object) -> None:
        for groups in self._channels.values():
            for file in (file for group in groups for file in group):
                file.close()

    def read(self) -> Sequence[Sample]:
        return polled(self._readings())

    def facts(self) -> Dict[str, Any]:
        """oc1_throt_en ...: does this event slow the chip down at all."""
        enabled = {one.name: number_of(one) for one in _hwmon(self._root, "oc[0-9]*_throt_en")}
        return {name: bool(number) for name, number in enabled.items() if number is not None}

    def _readings(self) -> List[Reading]:
        return [_count(groups) for groups in self._channels.values()]


def _count(groups: Groups) -> Reading:
    total = 0.0
    for group in groups:
        readings = [file.read() for file in group]
        for one in readings:
            # A sum without one of its parts would fall, and rise again later.
            if isinstance(one, str):
                return one
        total += max(one for one in readings if isinstance(one, float))
    return total


def _hwmon(root: str, pattern: str) -> List[Path]:
    folders = [one for one in below(root, "sys/class/hwmon/hwmon*") if text_of(one / "name") == OVER_CURRENT]
    return [path for folder in folders for path in below(str(folder), pattern)]


def _over_current(root: str) -> Dict[Channel, Groups]:
    files = _hwmon(root, "oc[0-9]*_event_cnt")
    return {Channel(path.name.replace("_event_cnt", ""), "events"): [[ValueFile(path)]] for path in files}


def _alerts(root: str) -> Dict[Channel, Groups]:
    folders = [(text_of(one / "type") or "", one) for one in below(root, "sys/class/thermal/cooling_device*")]
    found = [(kind, one) for kind, one in folders if kind.endswith(ALERT)]
    names = distinct([(kind, one.name) for kind, one in found])
    return {Channel(name, "state"): [[ValueFile(one / "cur_state")]] for name, (_, one) in zip(names, found)}


def _intel(root: str) -> Dict[Channel, Groups]:
    cores = below(root, f"{INTEL}/core_throttle_count")
    packages: Dict[str, List[ValueFile]] = {}
    for path in below(root, f"{INTEL}/package_throttle_count"):
        # Every core of a package counts the package's events.
        package = text_of(path.parent.parent / "topology/physical_package_id") or ""
        packages.setdefault(package, []).append(ValueFile(path))
    found: Dict[str, Groups] = {
        "core_throttle": [[ValueFile(path)] for path in cores],
        "package_throttle": list(packages.values()),
    }
    return {Channel(name, "events"): groups for name, groups in found.items() if groups}
