"""Energy of whole x86 processors: the kernel's powercap zones of Intel RAPL, on AMD under the same names.

Facts: kernel Documentation/power/powercap/powercap.rst, drivers/powercap/intel_rapl_common.c. Only root may read the
counters since CVE-2020-8694: they tell what other users of the machine compute. Never run on the device.
"""

from __future__ import annotations

import errno
import re
import time
from typing import Any, Dict, List, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample
from harness.probes.sysfs import REASONS, ValueFile, below, number_of, text_of
from harness.telemetry import Channel

# Not *rapl*: intel-rapl-mmio shows the same packages once more.
ZONES = "sys/class/powercap/intel-rapl:*"
# Cores and uncore are part of a package, DRAM is beside it, psys is above it: they are never added to it.
PACKAGE = re.compile(r"package-\d+(-die-\d+)?")
ENERGY_STATUS_MASK = 0xFFFF_FFFF
RENEWED_MS = 1.0
MOST_W, SLACK_S = 1000, 0.1


class EnergyCounter:
    """Microjoules that start again at 0 after `largest`, made into millijoules that only grow.

    A step that MOST_W cannot do is a reset. From then on every reading is a reason: nobody knows what is missing
    between the readings before and after it.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._last, self._last_ns, self._turns = -1, 0, 0
        self._fault = "" if largest > 0 else "the kernel does not tell where this counter starts again at 0"

    def grown(self, microjoules: int, at_ns: int) -> Reading:
        """The next reading, taken at `at_ns`."""
        if self._fault:
            return self._fault
        if not 0 <= microjoules <= self._largest:
            return f"the value is outside the range of this counter, 0 to {self._largest} uJ"
        if self._last >= 0:
            self._follow(microjoules - self._last, (at_ns - self._last_ns) / 1e9)
        self._last, self._last_ns = microjoules, at_ns
        return self._fault or (self._turns * self._largest + microjoules) / 1e3

    def _follow(self, step: int, seconds: float) -> None:
        if step < 0:
            self._turns += 1
            step += self._largest
        if step > 1e6 * MOST_W * (seconds + SLACK_S):
            self._fault = "the counter was reset"
        elif 1e6 * MOST_W * seconds > self._largest:
            self._fault = f"nobody read the counter for {seconds:.0f} s, in which it may have passed 0 unseen"


class Rapl:
    """A channel for each package, named as its zone: package-0, or package-0-die-0 where a package has several."""

    rate_hz = 10.0

    def __init__(self, *, root: str = "/") -> None:
        self._root = root
        self._files: Dict[str, ValueFile] = {}
        self._largest: Dict[str, int] = {}
        self._counters: Dict[str, EnergyCounter] = {}
        self._left_out: Dict[str, str] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        steps_mj = [self._largest[name] / ENERGY_STATUS_MASK / 1e3 for name in self._files]
        return tuple(Channel(name, "mJ", step or None, RENEWED_MS) for name, step in zip(self._files, steps_mj))

    def __enter__(self) -> Rapl:
        self._find()
        self._start_counting()
        ((_, readings),) = self.read()
        if not any(isinstance(one, float) for one in readings):
            self.__exit__()
            raise _refusal(self._root, [str(one) for one in readings])
        # Minutes may pass until the first sample: it does not follow on the reading above.
        self._start_counting()
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()

    def read(self) -> Sequence[Sample]:
        at_ns = time.monotonic_ns()
        return [(at_ns, [self._reading(name, at_ns) for name in self._files])]

    def facts(self) -> Dict[str, Any]:
        """By channel: zones, their largest energy and how soon 100 W reach it. left_out: zone -> its name."""
        return {
            "zones": {name: str(file.path.parent) for name, file in self._files.items()},
            "max_energy_range_uj": dict(self._largest),
            "wraps_after_s_at_100_w": {name: largest / 1e6 / 100 for name, largest in self._largest.items()},
            "left_out": dict(self._left_out),
        }

    def _find(self) -> None:
        for zone in below(self._root, ZONES):
            name = text_of(zone / "name") or ""
            if not PACKAGE.fullmatch(name) or name in self._files:
                self._left_out[zone.name] = name
                continue
            self._files[name] = ValueFile(zone / "energy_uj")
            self._largest[name] = number_of(zone / "max_energy_range_uj") or 0

    def _start_counting(self) -> None:
        self._counters = {name: EnergyCounter(largest) for name, largest in self._largest.items()}

    def _reading(self, name: str, at_ns: int) -> Reading:
        microjoules = self._files[name].read()
        if isinstance(microjoules, str):
            return microjoules
        found = self._counters[name].grown(int(microjoules), at_ns)
        return f"{name}: {found}" if isinstance(found, str) else found


def _refusal(root: str, reasons: List[str]) -> ProbeError:
    where = f"{root.rstrip('/')}/{ZONES}"
    if not reasons:
        remedy = "modprobe intel_rapl_msr; a virtual machine has none: leave the rapl probe out of the profile"
        return ProbeError("this machine counts no processor energy", where=where, remedy=remedy)
    if REASONS[errno.EACCES] in reasons[0]:
        remedy = f"as root: chmod a+r {where}/energy_uj (udev keeps that over a boot), or run with CAP_DAC_READ_SEARCH"
        return ProbeError(reasons[0], remedy=remedy)
    return ProbeError(reasons[0], where=where, remedy="leave the rapl probe out of the profile")
