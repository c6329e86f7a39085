"""Energy of whole x86 processors: the kernel's powercap zones of Intel RAPL, under the same names on AMD.

Facts: Documentation/power/powercap/powercap.rst and drivers/powercap/intel_rapl_common.c. The files are readable for
root only since CVE-2020-8694: they tell other users of the machine what it computes.
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
# Cores and uncore are inside a package, DRAM is beside it, psys is above: they never add up with it.
PACKAGE = re.compile(r"package-\d+(-die-\d+)?")
LARGEST_COUNT = 0xFFFF_FFFF
RENEWED_MS = 1.0
MOST_W, SLACK_S = 1000.0, 0.1


class EnergyCounter:
    """Microjoules that start again at 0 above `largest`, made into millijoules that only grow.

    Once a step is more than MOST_W could have done, every further reading is a reason: what a reset took is not
    known, and two readings around it must not be subtracted.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._last, self._last_ns, self._wrapped = 0, -1, 0
        self._fault = "" if largest > 0 else "the kernel does not tell at which energy the counter starts again"

    def grown(self, microjoules: int, at_ns: int) -> Reading:
        """The next reading; `at_ns` is when it was taken."""
        if self._fault:
            return self._fault
        if not 0 <= microjoules <= self._largest:
            return f"{microjoules} uJ is outside the counter's range of {self._largest} uJ"
        if self._last_ns >= 0:
            self._follow(microjoules, at_ns)
        self._last, self._last_ns = microjoules, at_ns
        return self._fault or (self._wrapped + microjoules) / 1e3

    def _follow(self, microjoules: int, at_ns: int) -> None:
        step = microjoules - self._last
        if step < 0:
            step += self._largest
            self._wrapped += self._largest
        possible = 1e6 * MOST_W * ((at_ns - self._last_ns) / 1e9 + SLACK_S)
        if step > possible:
            self._fault = "the counter was reset"
        elif possible >= self._largest + SLACK_S * 1e6 * MOST_W:
            self._fault = "the counter may have started again more than once between two readings"


class Rapl:
    """A channel for each package, "package-0", or for each die, "package-0-die-0", where the processor has several."""

    rate_hz = 10.0

    def __init__(self, *, root: str = "/") -> None:
        self._root = root
        self._files: Dict[str, ValueFile] = {}
        self._ranges: Dict[str, int] = {}
        self._counters: Dict[str, EnergyCounter] = {}
        self._left_out: Dict[str, str] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        units_mj = {name: largest / LARGEST_COUNT / 1e3 for name, largest in self._ranges.items()}
        return tuple(Channel(name, "mJ", units_mj[name] or None, RENEWED_MS) for name in self._files)

    def __enter__(self) -> Rapl:
        for zone in below(self._root, ZONES):
            name = text_of(zone / "name") or ""
            if not PACKAGE.fullmatch(name):
                self._left_out[zone.name] = name
                continue
            self._files[name] = ValueFile(zone / "energy_uj")
            self._ranges[name] = number_of(zone / "max_energy_range_uj") or 0
        first = self._begin()
        # What was read here is forgotten: minutes may pass until the first sample.
        self._begin_counting()
        if not any(isinstance(one, float) for one in first):
            self.__exit__()
            raise _unusable(self._root, first)
        return self
