"""What a fuel gauge or a charger measures (Documentation/ABI/testing/sysfs-class-power). Never run on the device.

What UCSI and TCPM tell is what a USB-PD source and the board agreed on (drivers/usb/typec/ucsi/psy.c, tcpm/tcpm.c).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from harness.probes import Reading
from harness.probes.rails import Rail, RailProbe
from harness.probes.sysfs import ValueFile, below, text_of
from harness.telemetry import Channel

FOLDER = "sys/class/power_supply"
NEGOTIATED = ("ucsi", "tcpm")
FACTS = ("type", "status", "scope", "model_name")


class Battery(Rail):
    """What is drawn from a battery, positive whatever sign its driver gives to a current that flows out."""

    def __init__(self, channel: Channel, file: Path, divisor: float, voltage: Optional[Path]) -> None:
        super().__init__(channel, file, divisor, voltage)
        self._status = ValueFile(file.with_name("status"))

    def read(self) -> Reading:
        status, fault = self._status.content()
        if fault or status != "Discharging":
            return fault or f"{self._status.path}: {status}; only a battery that is discharging tells the board's power"
        reading = super().read()
        return reading if isinstance(reading, str) else abs(reading)

    def close(self) -> None:
        super().close()
        self._status.close()


class PowerSupply(RailProbe):
    """A channel for each supply that measures, named as its folder."""

    rate_hz = 5.0

    def __init__(self, *, root: str = "/") -> None:
        super().__init__()
        self._root = root
        self._refused: Dict[str, str] = {}

    def __enter__(self) -> PowerSupply:
        folders = below(self._root, f"{FOLDER}/*")
        reasons = {folder: refusal(folder) for folder in folders}
        self._refused = {folder.name: reason for folder, reason in reasons.items() if reason}
        self._keep(
            [_rail(folder) for folder in folders if not reasons[folder]],
            "; ".join(self._refused.values()) or "this machine has no power supply that measures",
            where=str(Path(self._root) / FOLDER),
            remedy="measure with an external meter (kind = \"meter\"), or leave this probe out of the profile",
        )  # fmt: skip
        return self

    def facts(self) -> Dict[str, Any]:
        """supplies: what each is. refused: why the others are not read."""
        return {"supplies": {one.name: self._supply(one.name) for one in self.channels}, "refused": dict(self._refused)}

    def _supply(self, name: str) -> Dict[str, str]:
        told = {fact: text_of(Path(self._root) / FOLDER / name / fact) for fact in FACTS}
        return {fact: text for fact, text in told.items() if text}


def refusal(folder: Path) -> str:
    """Why a supply does not tell the power of the board; empty where it may."""
    if folder.name.startswith(NEGOTIATED):
        return f"{folder.name} tells negotiated USB-PD values, not measurements"
    if text_of(folder / "scope") == "Device":
        return f"{folder.name} is the battery of a peripheral, not of the board"
    if _files(folder):
        return ""
    return f"{folder.name} has neither power_now nor voltage_now and current_now"


def _files(folder: Path) -> List[Path]:
    for names in (["power_now"], ["current_now", "voltage_now"]):
        if all((folder / name).exists() for name in names):
            return [folder / name for name in names]
    return []


def _rail(folder: Path) -> Rail:
    files = _files(folder)
    # Microwatts, or microamperes times microvolts.
    divisor, voltage = (1e9, files[1]) if len(files) > 1 else (1e3, None)
    kind = Battery if text_of(folder / "type") == "Battery" else Rail
    return kind(Channel(folder.name, "mW"), files[0], divisor, voltage)
