"""Where the two drivers of the INA3221 keep the inputs of a chip; never run on the device.

JetPack 5 and later: Linux, drivers/hwmon/ina3221.c. JetPack 4: NVIDIA's Linux 4.9, drivers/staging/iio/meter/ina3221.c.
The chip's steps and its moving average: data sheet SBOS576.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from harness.probes.rails import HWMON, Rail, channel_names, chips, milliseconds, whole
from harness.probes.sysfs import text_of
from harness.telemetry import Channel

SHUNT_STEP_UV = 40.0
# The second is what JetPack 4 prints for an input that the device tree leaves out.
NOT_CONNECTED = ("NC", "(null)")
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


class Input(NamedTuple):
    """One input of a chip; `number` is what the driver calls it."""

    layout: Layout
    folder: Path
    number: int

    def path(self, name: str) -> Path:
        return self.folder / name.format(self.number)

    def rail(self, channel: Channel) -> Rail:
        voltage = self.path(self.layout.voltage) if self.layout.voltage else None
        return Rail(channel, self.path(self.layout.value), self.layout.divisor, voltage)

    def setting(self, name: str) -> Optional[int]:
        return whole(self.path(name)) if name else None

    def resolution_mw(self) -> Optional[float]:
        """Power of the smallest step of the current, at the voltage of this moment; the driver rounds to 1 mA."""
        shunt_uohm = self.setting(self.layout.shunt) or 0
        voltage_mv = self.setting(self.layout.voltage) or 0
        if shunt_uohm <= 0 or voltage_mv <= 0:
            return None
        return max(SHUNT_STEP_UV * 1000 / shunt_uohm, 1.0) * voltage_mv / 1000


def inputs(root: str) -> Dict[str, Input]:
    """The connected inputs of all chips by their labels."""
    found: List[Tuple[str, Input]] = []
    for layout in LAYOUTS:
        for folder in chips(root, layout.folders):
            if layout.chip in ("", text_of(folder / "name")):
                there = [Input(layout, folder, number) for number in layout.inputs]
                found += [(text_of(one.path(layout.label)) or "NC", one) for one in there]
    rails = [(label, one) for label, one in found if label not in NOT_CONNECTED]
    names = channel_names([(label, one.folder) for label, one in rails])
    return {name: one for name, (_, one) in zip(names, rails)}


def averaged_over_ms(folder: Path, root: str) -> Optional[float]:
    """The time that a value is a moving average of.

    It is `samples` conversions of all inputs; since Linux 5.14 update_interval is the time of one of them, before it
    was that of all.
    """
    interval_ms, samples = milliseconds(folder / "update_interval"), whole(folder / "samples")
    version = re.match(r"(\d+)\.(\d+)", text_of(Path(root) / "proc/sys/kernel/osrelease") or "")
    if interval_ms is None or samples is None:
        return interval_ms
    counted = version is not None and (int(version.group(1)), int(version.group(2))) < INTERVAL_WITHOUT_SAMPLES
    return interval_ms if counted else max(interval_ms, 1.0) * samples
