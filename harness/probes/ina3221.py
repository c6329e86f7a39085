"""The power of a Jetson's rails by its INA3221 monitors; never run on the device."""

from __future__ import annotations

import errno
import time
from pathlib import Path
from typing import Any, Dict, List, Set

from harness.probes import Reading
from harness.probes.ina3221_inputs import Input, averaged_over_ms, inputs
from harness.probes.rails import RailProbe, whole
from harness.probes.sysfs import REASONS
from harness.telemetry import Channel

FASTEST_HZ = 20.0
SEARCH_NS = 1_000_000_000
GONE = (REASONS[errno.ENOENT], REASONS[errno.ENODEV])


class Ina3221(RailProbe):
    """Power of each rail that has a label; "@" and the chip's address behind a label that an earlier chip has."""

    rate_hz = FASTEST_HZ

    def __init__(self, *, root: str = "/") -> None:
        super().__init__()
        self._root = root
        self._inputs: Dict[str, Input] = {}
        self._known: Set[str] = set()
        self._lost = False
        self._searched_ns = 0

    def __enter__(self) -> Ina3221:
        self._inputs, self._known, self._lost = inputs(self._root), set(), False
        rails = [one.rail(_channel(name, one, self._root)) for name, one in self._inputs.items()]
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
        folders = dict.fromkeys(one.folder for one in self._inputs.values())
        return {"chips": [self._chip(folder) for folder in folders]}

    def _chip(self, folder: Path) -> Dict[str, Any]:
        rails = {name: one for name, one in self._inputs.items() if one.folder == folder}
        told = {
            "samples": whole(folder / "samples"),
            "update_interval_ms": whole(folder / "update_interval"),
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
        found = inputs(self._root)
        for index, rail in enumerate(self._rails):
            name = rail.channel.name
            if name in found:
                rail.close()
                self._rails[index], self._inputs[name] = found[name].rail(rail.channel), found[name]


def _channel(name: str, one: Input, root: str) -> Channel:
    return Channel(name, "mW", one.resolution_mw(), averaged_over_ms(one.folder, root))


def _by_rail(rails: Dict[str, Input], file: str) -> Dict[str, int]:
    found = {name: one.setting(getattr(one.layout, file)) for name, one in rails.items()}
    return {name: number for name, number in found.items() if number is not None}
