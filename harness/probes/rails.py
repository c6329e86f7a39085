"""What the probes of power supplies share: a rail is a channel and the files of the kernel that tell it.

Documentation/hwmon/sysfs-interface.rst.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.sysfs import ValueFile, below, distinct, text_of
from harness.telemetry import Channel

HWMON = ("sys/class/hwmon/hwmon*", "sys/bus/i2c/devices/*/hwmon/hwmon*")
VOLTAGE_NS = 1_000_000_000


class Rail:
    """A number in a file, multiplied by a voltage where the file tells a current, divided to get the channel's unit.

    The current is read every time, the voltage once in a second: it hardly moves, and each reading costs a wait for
    the chip.
    """

    def __init__(self, channel: Channel, file: Path, divisor: float = 1.0, voltage: Optional[Path] = None) -> None:
        self.channel = channel
        self._file, self._divisor = ValueFile(file), divisor
        self._voltage = ValueFile(voltage) if voltage else None
        self._voltage_now: Reading = "not read yet"
        self._voltage_ns = 0

    def read(self) -> Reading:
        number = self._file.read()
        if isinstance(number, str) or self._voltage is None:
            return number if isinstance(number, str) else number / self._divisor
        voltage = self._voltage_of_this_second(self._voltage)
        return voltage if isinstance(voltage, str) else voltage * number / self._divisor

    def close(self) -> None:
        for file in filter(None, (self._file, self._voltage)):
            file.close()

    def _voltage_of_this_second(self, file: ValueFile) -> Reading:
        now_ns = time.monotonic_ns()
        if isinstance(self._voltage_now, str) or now_ns - self._voltage_ns >= VOLTAGE_NS:
            self._voltage_now, self._voltage_ns = file.read(), now_ns
        return self._voltage_now


class RailProbe:
    """A probe made of rails; its subclass finds them and tells its facts."""

    rate_hz = 10.0

    def __init__(self) -> None:
        self._rails: List[Rail] = []

    @property
    def channels(self) -> Tuple[Channel, ...]:
        return tuple(rail.channel for rail in self._rails)

    def __exit__(self, *error: object) -> None:
        for rail in self._rails:
            rail.close()

    def read(self) -> Sequence[Sample]:
        return polled(self._readings())

    def _readings(self) -> List[Reading]:
        return [rail.read() for rail in self._rails]

    def _keep(self, rails: Sequence[Rail], absent: str, where: str, remedy: str) -> None:
        """These are the rails until the probe is left; ProbeError where none of them gives a number."""
        self._rails = list(rails)
        readings = self._readings()
        if not any(isinstance(one, float) for one in readings):
            self.__exit__()
            raise ProbeError(str(readings[0]) if readings else absent, where=where, remedy=remedy)


def chips(root: str, patterns: Sequence[str]) -> List[Path]:
    """The folders that fit, a chip that several links lead to once, in the order of their places."""
    found: Dict[Path, Path] = {}
    for folder in (folder for pattern in patterns for folder in below(root, pattern)):
        found.setdefault(folder.resolve(), folder)
    return sorted(found.values(), key=place)


def place(folder: Path) -> str:
    """The device that a class's folder belongs to (1-0040, nvme0): unlike the number of hwmon3, it outlives a boot."""
    if (folder / "device").exists():
        return (folder / "device").resolve().name
    holder = folder.resolve().parent
    holder = holder.parent if holder.name == "hwmon" else holder
    return folder.name if holder.name in ("class", "virtual") else holder.name


def channel_names(labelled: Sequence[Tuple[str, Path]]) -> List[str]:
    """A name for each label of a chip's folder: the label, or with the chip's place where an earlier one has it."""
    names = distinct([(label, place(folder)) for label, folder in labelled])
    # A chip may carry one label more than twice, and no two channels may become one.
    return distinct([(name, str(position)) for position, name in enumerate(names)])


def whole(path: Path) -> Optional[int]:
    """A setting that is read once, as JetPack 4 writes it with a unit behind; None where it is none, or negative."""
    found = re.match(r"[0-9]{1,15}(?![0-9])", text_of(path) or "")
    return int(found.group()) if found else None


def milliseconds(path: Path) -> Optional[float]:
    """An interval that a driver tells, None where it tells none."""
    number = whole(path)
    return None if number is None else float(number)
