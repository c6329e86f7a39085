"""Recreated trees of boards with power monitors, in the layout of their drivers; every number is made up."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.probes.trees import plant


@dataclass(frozen=True)
class Hwmon:
    """An INA3221 as JetPack 5 and later show it; rails are (label, mV, mA) of the inputs 1 to 3."""

    address: str
    rails: tuple[tuple[str, int, int], ...]
    settings: dict[str, object] = field(default_factory=dict)

    def build(self, root: Path, number: int) -> None:
        files: dict[str, object] = {"name": "ina3221", "in7_label": "sum of shunt voltages", "in7_input": 4440}
        for index, (label, millivolts, milliamperes) in enumerate(self.rails, 1):
            files |= {f"in{index}_label": label, f"in{index}_input": millivolts, f"curr{index}_input": milliamperes}
            files |= {f"in{index + 3}_input": 40 * index}
        add_hwmon(root, self.address, number, {**files, "curr4_input": 777, **self.settings}, driver="ina3221")


@dataclass(frozen=True)
class Iio:
    """An INA3221 as JetPack 4 shows it; rails are (label, mW) of the inputs 0 to 2."""

    address: str
    rails: tuple[tuple[str, int], ...]

    def build(self, root: Path, number: int) -> None:
        device = f"sys/devices/3160000.i2c/i2c-{self.address[0]}/{self.address}"
        files: dict[str, object] = {"name": "ina3221x"}
        for index, (label, milliwatts) in enumerate(self.rails):
            files |= {f"rail_name_{index}": label, f"in_power{index}_input": milliwatts}
            files |= {f"crit_current_limit_{index}": "6200 ma", f"in_power{index}_trigger_input": 0}
        plant(root, {f"{device}/iio:device{number}/{name}": value for name, value in files.items()})
        link(root / f"sys/bus/i2c/drivers/ina3221x/{self.address}", root / device)


BOARDS: dict[str, tuple[Any, ...]] = {
    "Nano, JetPack 4": (Iio("6-0040", (("POM_5V_IN", 2375), ("POM_5V_GPU", 118), ("POM_5V_CPU", 633))),),
    "TX2, JetPack 4": (
        Iio("0-0040", (("VDD_SYS_GPU", 229), ("VDD_SYS_SOC", 688), ("VDD_4V0_WIFI", 0))),
        Iio("0-0041", (("VDD_IN", 4311), ("VDD_SYS_CPU", 535), ("VDD_SYS_DDR", 902))),
        Iio("0-0042", (("VDD_MUX", 4203), ("VDD_5V0_IO_SYS", 761), ("VDD_3V3_SYS", 484))),
        Iio("0-0043", (("VDD_3V3_IO_SLP", 0), ("VDD_1V8_IO", 269), ("NC", 3))),
    ),
    "Xavier NX, JetPack 4": (Iio("7-0040", (("VDD_IN", 3650), ("VDD_CPU_GPU_CV", 569), ("VDD_SOC", 1174))),),
    "Xavier NX, JetPack 5": (
        Hwmon("7-0040", (("VDD_IN", 4976, 752), ("VDD_CPU_GPU_CV", 4976, 104), ("VDD_SOC", 4968, 248))),
    ),
    "AGX Xavier": (
        Hwmon("1-0040", (("GPU", 19000, 20), ("CPU", 19000, 60), ("SOC", 19000, 110))),
        Hwmon("1-0041", (("CV", 19000, 0), ("VDDRQ", 19000, 30), ("SYS5V", 5000, 500))),
    ),
    "Orin Nano": (Hwmon("1-0040", (("VDD_IN", 5024, 1240), ("VDD_CPU_GPU_CV", 5024, 208), ("VDD_SOC", 5016, 336))),),
    "AGX Orin": (
        Hwmon("1-0040", (("VDD_GPU_SOC", 12000, 340), ("VDD_CPU_CV", 12000, 60), ("VIN_SYS_5V0", 5000, 910))),
        Hwmon("1-0041", (("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 5000, 120), ("NC", 8, 4))),
    ),
    "AGX Thor, JetPack 7": (
        Hwmon("2-0040", (("VDD_GPU", 12000, 500), ("VDD_CPU_SOC_MSS", 12000, 900), ("VIN_SYS_5V0", 5000, 1600))),
    ),
}  # fmt: skip


def build(root: Path, board: str, number: int = 3) -> Path:
    """Plant a board; its chips are hwmon or iio devices from `number` on."""
    for index, chip in enumerate(BOARDS[board]):
        chip.build(root, number + index)
    return root


def add_hwmon(root: Path, address: str, number: int, files: dict[str, object], driver: str = "") -> None:
    """Plant one hwmon chip on an I2C bus, and the links that lead to it."""
    device = f"sys/devices/platform/bus@0/c240000.i2c/i2c-{address[0]}/{address}"
    plant(root, {f"{device}/hwmon/hwmon{number}/{name}": value for name, value in files.items()})
    link(root / f"{device}/hwmon/hwmon{number}/device", root / device)
    link(root / f"sys/class/hwmon/hwmon{number}", root / device / f"hwmon/hwmon{number}")
    link(root / f"sys/bus/i2c/devices/{address}", root / device)
    if driver:
        link(root / f"sys/bus/i2c/drivers/{driver}/{address}", root / device)


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to(target)


def unbind(root: Path) -> None:
    """Take all devices away, as unloading their drivers does."""
    shutil.rmtree(root / "sys")


def like_kernfs(monkeypatch: Any) -> None:
    """An open file whose device has gone gives ENODEV; a file system of the disk would go on reading it."""
    pread = os.pread

    def checked(descriptor: int, length: int, offset: int) -> bytes:
        if os.fstat(descriptor).st_nlink == 0:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", checked)


def failing_with(monkeypatch: Any, number: int, name: str) -> None:
    """Files called `name` give this error when they are read."""
    pread = os.pread

    def failing(descriptor: int, length: int, offset: int) -> bytes:
        if Path(os.readlink(f"/proc/self/fd/{descriptor}")).name == name:
            raise OSError(number, os.strerror(number))
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", failing)
