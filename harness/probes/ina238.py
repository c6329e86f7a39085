"""The power of a Jetson Thor's board input, INA238: drivers/hwmon/ina238.c. Never run on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence

from harness.probes.rails import HWMON, Rail, RailProbe, channel_names, chips, milliseconds, whole
from harness.probes.sysfs import text_of
from harness.telemetry import Channel

CHIP = "ina238"
LABELS = ("power1_label", "in1_label")
UNLABELLED = "VIN"
# The driver sets the mean of 16 conversions of voltage, current and temperature, 1.052 ms each.
DRIVERS_INTERVAL_MS = 16 * 3 * 1.052


class Ina238(RailProbe):
    """VIN, or what the chip is labelled; the chip has no sign for a power that flows back."""

    def __init__(self, *, root: str = "/") -> None:
        super().__init__()
        self._root = root
        self._folders: Dict[str, Path] = {}

    def __enter__(self) -> Ina238:
        folders = [one for one in chips(self._root, HWMON) if text_of(one / "name") == CHIP]
        self._folders = dict(zip(channel_names([(_label(one), one) for one in folders]), folders))
        self._keep(
            [_rail(name, folder) for name, folder in self._folders.items()], "this machine has no INA238",
            where=str(Path(self._root) / "sys/class/hwmon/*/name"),
            remedy="measure with another probe (ina3221, meter), or leave this one out of the profile",
        )  # fmt: skip
        return self

    def facts(self) -> Dict[str, Any]:
        """chips: for each its path, and its settings where the driver tells them."""
        return {"chips": {name: _settings(folder, ("samples", "update_interval", "shunt_resistor"))
                          for name, folder in self._folders.items()}}  # fmt: skip


def _label(folder: Path) -> str:
    return next(filter(None, (text_of(folder / name) for name in LABELS)), UNLABELLED)


def _rail(name: str, folder: Path) -> Rail:
    interval_ms = milliseconds(folder / "update_interval") or DRIVERS_INTERVAL_MS
    return Rail(Channel(name, "mW", interval_ms=interval_ms), folder / "power1_input", divisor=1000.0)


def _settings(folder: Path, names: Sequence[str]) -> Dict[str, Any]:
    found = {name: whole(folder / name) for name in names}
    return {"path": str(folder), **{name: number for name, number in found.items() if number is not None}}
