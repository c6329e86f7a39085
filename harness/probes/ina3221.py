"""The power monitor of a Jetson's rails, INA3221: its drivers drivers/hwmon/ina3221.c (JetPack 5 and later) and
NVIDIA's drivers/staging/iio/meter/ina3221.c (JetPack 4), data sheet SBOS576. Never run on the device.
"""

from __future__ import annotations

import errno
import re
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from harness.probes import Reading
from harness.probes.rails import HWMON, Rail, RailProbe, chips, milliseconds, place
from harness.probes.sysfs import REASONS, number_of, text_of
from harness.probes.thermal import distinct
from harness.telemetry import Channel

FASTEST_HZ = 20.0
SEARCH_NS = 1_000_000_000
SHUNT_STEP_UV = 40.0
# What JetPack 4 prints for an input that the device tree leaves out is the second one.
NOT_CONNECTED = ("NC", "(null)")
GONE = (REASONS[errno.ENOENT], REASONS[errno.ENODEV])
INTERVAL_WITHOUT_SAMPLES = (5, 14)


class Layout(NamedTuple):
    """How a driver lays out its files; {} is the number of an input."""

    folders: Tuple[str, ...]
    chip: str
    inputs: Tuple[int, ...]
    label: str
    value: str
    divisor: float
    voltage: str
    shunt: str
    warning: str
    critical: str


LAYOUTS = (
    Layout(
        folders=(*HWMON, "sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*"), chip="ina3221", inputs=(1, 2, 3),
        label="in{}_label", value="curr{}_input", divisor=1000.0, voltage="in{}_input", shunt="shunt{}_resistor",
        warning="curr{}_max", critical="curr{}_crit",
    ),
    Layout(
        folders=("sys/bus/i2c/drivers/ina3221x/*/iio[:_]device*",), chip="", inputs=(0, 1, 2),
        label="rail_name_{}", value="in_power{}_input", divisor=1.0, voltage="", shunt="",
        warning="warn_current_limit_{}", critical="crit_current_limit_{}",
    ),
)  # fmt: skip


class Source(NamedTuple):
    """One input of a chip."""

    layout: Layout
    folder: Path
    number: int

    def path(self, name: str) -> Path:
        return self.folder / name.format(self.number)

    def rail(self, channel: Channel) -> Rail:
        voltage = self.path(self.layout.voltage) if self.layout.voltage else None
        return Rail(channel, self.path(self.layout.value), self.layout.divisor, voltage)

    def whole(self, name: str) -> Optional[int]:
        """A setting; JetPack 4 writes a unit behind it."""
        found = re.match(r"-?\d+", text_of(self.path(name)) or "") if name else None
        return int(found.group()) if found else None

    def resolution_mw(self) -> Optional[float]:
        """Power of the smallest step of the current, at the voltage of this moment; the driver rounds to 1 mA."""
        shunt_uohm = self.whole(self.layout.shunt) or 0
        voltage_mv = self.whole(self.layout.voltage) or 0
        if shunt_uohm <= 0 or voltage_mv <= 0:
            return None
        return max(SHUNT_STEP_UV * 1000 / shunt_uohm, 1.0) * voltage_mv / 1000


class Ina3221(RailProbe):
    """Power of each rail that has a label; "@" and the chip's address behind a label that an earlier chip has."""

    rate_hz = FASTEST_HZ

    def __init__(self, *, root: str = "/") -> None:
        super().__init__()
        self._root = root
        self._sources: Dict[str, Source] = {}
        self._known: Set[str] = set()
        self._lost = False
        self._searched_ns = 0

    def __enter__(self) -> Ina3221:
        self._sources, self._known, self._lost = sources(self._root), set(), False
        rails = [source.rail(_channel(name, source, self._root)) for name, source in self._sources.items()]
        start = time.monotonic()
        self._keep(
            rails, "this machine has no INA3221 with a labelled rail",
            where=str(Path(self._root) / "sys/class/hwmon/*/name"),
            remedy="measure with another probe (rapl, power_supply, meter), or leave this one out of the profile",
        )  # fmt: skip
        # Drivers before Linux 5.14 wait in each reading for the chip to go through all its samples.
        self.rate_hz = min(FASTEST_HZ, 1 / max(time.monotonic() - start, 1e-6))
        return self

    def facts(self) -> Dict[str, Any]:
        """chips: for each its path and settings, and by rail its shunt and current limits, as far as they are told."""
        folders = {source.folder: source.layout for source in self._sources.values()}
        return {"chips": [self._chip(folder) for folder in folders]}

    def _chip(self, folder: Path) -> Dict[str, Any]:
        rails = {name: source for name, source in self._sources.items() if source.folder == folder}
        told = {
            "samples": number_of(folder / "samples"),
            "update_interval_ms": number_of(folder / "update_interval"),
            "averaged_over_ms": averaged_over_ms(folder, self._root),
            "shunt_uohm": _by_rail(rails, "shunt"),
            "curr_max_ma": _by_rail(rails, "warning"),
            "curr_crit_ma": _by_rail(rails, "critical"),
        }
        return {"path": str(folder), "rails": list(rails), **{key: one for key, one in told.items() if one}}

    def _readings(self) -> List[Reading]:
        if self._lost:
            self._search_again()
        readings = super()._readings()
        named = list(zip((one.name for one in self.channels), readings))
        self._known |= {name for name, reading in named if isinstance(reading, float)}
        # A rail that never told anything, as one without files, is not worth a search.
        self._lost = any(str(reading).endswith(GONE) and name in self._known for name, reading in named)
        return readings

    def _search_again(self) -> None:
        """A chip that was bound to its driver anew may have another number; its rails keep their channels."""
        now_ns = time.monotonic_ns()
        if now_ns - self._searched_ns < SEARCH_NS:
            return
        self._searched_ns = now_ns
        found = sources(self._root)
        for index, rail in enumerate(self._rails):
            name = rail.channel.name
            if name in found:
                rail.close()
                self._rails[index], self._sources[name] = found[name].rail(rail.channel), found[name]


def sources(root: str) -> Dict[str, Source]:
    """The connected inputs of all chips by their labels."""
    found: List[Tuple[str, Source]] = []
    for layout in LAYOUTS:
        for folder in chips(root, layout.folders):
            if layout.chip in ("", text_of(folder / "name")):
                inputs = [Source(layout, folder, number) for number in layout.inputs]
                found += [(text_of(one.path(layout.label)) or "NC", one) for one in inputs]
    rails = [(label, one) for label, one in found if label not in NOT_CONNECTED]
    names = distinct([(label, place(one.folder)) for label, one in rails])
    return {name: one for name, (_, one) in zip(names, rails)}


def averaged_over_ms(folder: Path, root: str) -> Optional[float]:
    """The time that a value is a moving average of.

    It is `samples` conversions of all inputs; since Linux 5.14 update_interval is the time of one of them, before it
    was that of all.
    """
    interval_ms, samples = milliseconds(folder / "update_interval"), number_of(folder / "samples")
    version = re.match(r"(\d+)\.(\d+)", text_of(Path(root) / "proc/sys/kernel/osrelease") or "")
    if interval_ms is None or samples is None:
        return interval_ms
    whole = version is not None and (int(version.group(1)), int(version.group(2))) < INTERVAL_WITHOUT_SAMPLES
    return interval_ms if whole else max(interval_ms, 1.0) * samples


def _channel(name: str, source: Source, root: str) -> Channel:
    return Channel(name, "mW", source.resolution_mw(), averaged_over_ms(source.folder, root))


def _by_rail(rails: Dict[str, Source], file: str) -> Dict[str, int]:
    found = {name: source.whole(getattr(source.layout, file)) for name, source in rails.items()}
    return {name: number for name, number in found.items() if number is not None}
