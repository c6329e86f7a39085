"""What an OpenVINO target promises, which devices are there, and which one really runs.

Sources: docs.openvino.ai, "Inference Devices and Modes", "Automatic Device Selection" (a name in brackets is a
device that only helps until the chosen one is ready), "Configurations for Intel GPU / NPU". GPU and NPU were never run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, List, Sequence, Tuple

from harness.errors import EngineError

MODES = ("AUTO", "MULTI", "HETERO", "BATCH")
DRIVERS = {
    "GPU": "install Intel's compute runtime (intel-opencl-icd with ocl-icd-libopencl1)",
    "NPU": "install Intel's linux-npu-driver (intel-fw-npu, intel-level-zero-npu, intel-driver-compiler-npu)",
}
ACCESS = ", and add the user to the group render"


@dataclass(frozen=True)
class Target:
    """A target taken apart: the mode ("" for a plain device) and its devices in order of preference."""

    mode: str
    devices: Tuple[str, ...]
    left_out: Tuple[str, ...] = ()

    @staticmethod
    def of(text: str) -> Target:
        """HETERO:NPU,CPU -> HETERO of NPU and CPU; devices that AUTO leaves out ("-GPU") are none."""
        head, _, rest = text.partition(":")
        mode = head if head in MODES else ""
        listed = [re.sub(r"\(.*\)$", "", one.strip()) for one in (rest if mode else text).split(",")]
        devices = tuple(one for one in listed if one and not one.startswith("-"))
        return Target(mode, () if devices == (mode,) else devices, tuple(one[1:] for one in listed if one[:1] == "-"))

    @property
    def promised(self) -> str:
        """The device that the entry promises; "" where AUTO may choose."""
        return self.devices[0] if self.devices else ""

    def may_use(self, device: str) -> bool:
        """Whether the device is named, or AUTO may choose it."""
        return device in self.devices or (not self.devices and device not in self.left_out)


def same(device: str, promised: str) -> bool:
    """GPU.0 is a GPU."""
    return device == promised or device.startswith(f"{promised}.")


def refuse_absent(core: Any, target: Target, cpu_fallback: bool, where: str) -> None:
    """EngineError where the promised device, or any without `cpu_fallback`, is not on this machine."""
    absent = absent_devices(core, target)
    if absent and not (cpu_fallback and len(absent) < len(target.devices)):
        there = ", ".join(map(str, core.available_devices)) or "nothing"
        raise EngineError(
            f"OpenVINO refuses the model: there is no {absent[0]} here, only {there}",
            where=where, remedy=driver_of(absent[0]),
        )  # fmt: skip


def absent_devices(core: Any, target: Target) -> List[str]:
    """The devices of the target that this machine does not have."""
    if set(target.devices) <= {"CPU"}:
        return []
    there = [str(one) for one in core.available_devices]
    return [one for one in target.devices if not any(same(device, one) for device in there)]


def driver_of(device: str) -> str:
    """What to do where a device is not there."""
    driver = DRIVERS.get(device.split(".")[0], "")
    return f"{driver}{ACCESS}" if driver else "name a device that is there"


def executing(compiled: Any) -> Tuple[str, ...]:
    """The devices that a compiled model runs on."""
    return tuple(str(one).strip("()") for one in compiled.get_property("EXECUTION_DEVICES"))


def refuse_fallback(target: Target, real: Sequence[str], cpu_fallback: bool, where: str) -> None:
    """EngineError where whole frames run elsewhere than on the promised device; HETERO shares each frame out."""
    promised = target.promised
    if not promised or cpu_fallback:
        return
    met = [same(device, promised) for device in real]
    if not any(met) or (target.mode != "HETERO" and not all(met)):
        raise EngineError(
            f"OpenVINO runs on {', '.join(real)} where {promised} is promised", where=where,
            remedy="check the device's driver, or allow cpu_fallback in runtimes.* of the device profile",
        )  # fmt: skip
