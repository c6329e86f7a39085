"""Power, energy and temperature of any chip of the kernel's hwmon (Documentation/hwmon/sysfs-interface.rst)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from harness.errors import unknown
from harness.probes import ProbeError, Reading
from harness.probes.rails import Rail, RailProbe, channel_names, chips, milliseconds
from harness.probes.sysfs import below, text_of
from harness.probes.thermal import celsius
from harness.telemetry import Channel

QUANTITY = re.compile(r"(power|energy|temp)(\d+)_input|(power)(\d+)_average")
# The files tell microwatts, microjoules and millidegrees.
UNITS = {"power": "mW", "energy": "mJ", "temp": "C"}


class Source(NamedTuple):
    """One quantity of a chip, as power1."""

    chip: str
    quantity: str
    path: Path

    @property
    def average(self) -> bool:
        return self.path.name.endswith("_average")

    def label(self) -> str:
        return text_of(self.path.with_name(f"{self.quantity}_label")) or f"{self.chip}.{self.quantity}"

    def rail(self, name: str) -> Rail:
        interval = f"{self.quantity}_average_interval" if self.average else "update_interval"
        unit = UNITS[self.quantity.rstrip("0123456789")]
        channel = Channel(name, unit, interval_ms=milliseconds(self.path.with_name(interval)) or None)
        return Temperature(channel, self.path) if unit == "C" else Rail(channel, self.path, divisor=1000.0)


class Temperature(Rail):
    """A temperature, or why it cannot be one."""

    def read(self) -> Reading:
        return celsius(super().read(), self._file.path)


class Hwmon(RailProbe):
    """A channel for each powerN, energyN and tempN, named by its label, else by its chip, as amdgpu.power1.

    names: the chips to read, as they name themselves; none named: all.
    """

    def __init__(self, *, root: str = "/", names: Tuple[str, ...] = ()) -> None:
        super().__init__()
        self._root, self._wanted = root, tuple(names)
        self._sources: Dict[str, Source] = {}

    def __enter__(self) -> Hwmon:
        found = _sources(self._picked())
        names = channel_names([(one.label(), one.path.parent) for one in found])
        self._sources = dict(zip(names, found))
        self._keep(
            [one.rail(name) for name, one in self._sources.items()],
            "no chip tells power, energy or temperature",
            where=str(Path(self._root) / "sys/class/hwmon"),
            remedy="load the sensor's driver, correct `names`, or leave the hwmon probe out of the profile",
        )  # fmt: skip
        return self

    def facts(self) -> Dict[str, Any]:
        """files: where a channel comes from. averages: channels that the chip itself averages over their interval."""
        return {
            "files": {name: str(one.path) for name, one in self._sources.items()},
            "averages": [name for name, one in self._sources.items() if one.average],
        }

    def _picked(self) -> Dict[Path, str]:
        folders = chips(self._root, ["sys/class/hwmon/hwmon*"])
        named = {folder: text_of(folder / "name") or folder.name for folder in folders}
        for one in self._wanted:
            if one not in named.values():
                raise ProbeError(unknown("hwmon chip", one, set(named.values())), remedy="correct `names` of the probe")
        return {folder: name for folder, name in named.items() if not self._wanted or name in self._wanted}


def _sources(folders: Dict[Path, str]) -> List[Source]:
    return [Source(name, quantity, path) for folder, name in folders.items()
            for quantity, path in _quantities(folder).items()]  # fmt: skip


def _quantities(folder: Path) -> Dict[str, Path]:
    """An average of a power is told only where the chip has no value of the moment."""
    found: Dict[str, Path] = {}
    for path in (*below(str(folder), "*_input"), *below(str(folder), "*_average")):
        match = QUANTITY.fullmatch(path.name)
        if match:
            found.setdefault("".join(filter(None, match.groups())), path)
    return found
