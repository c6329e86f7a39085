"""How busy the processor, the GPU and the memory controller are.

proc.rst (stat); NVIDIA's drivers nvgpu (load, in 1/1000) and actmon (mc_all, the busy kHz of the memory's clock).
What is read of a Jetson was never run on the device; Thor has neither file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.load import COUNTED_COLUMNS, IDLE_COLUMNS
from harness.probes.sysfs import ValueFile, below, reason
from harness.telemetry import Channel

# Named after its chip (gpu, gp10b, gv11b, ga10b); other engines, such as vic, have a file `load` of their own.
GPU_LOADS = (
    "sys/class/devfreq/*.g[apv]*/device/load",
    "sys/devices/gpu.0/load",
    "sys/devices/platform/gpu.0/load",
    "sys/devices/platform/bus@0/*.gpu/load",
)
ACTIVITIES_KHZ = ("sys/kernel/actmon_avg_activity/mc_all", "sys/kernel/debug/cactmon/mc_all")
CLOCKS_HZ = ("sys/kernel/debug/bpmp/debug/clk/emc/rate", "sys/kernel/debug/clk/emc/clk_rate")
CORE = re.compile(rf"^(cpu[0-9]*)((?: +[0-9]{{1,19}}){{{COUNTED_COLUMNS}}})(?: |$)", re.MULTILINE)

Ticks = Tuple[int, int]


class Utilisation:
    """Busy share since the last reading of all cores and of each that is online, of the GPU and of the memory."""

    rate_hz = 5.0

    def __init__(self, root: str = "/") -> None:
        self._root = root
        self._stat = Path(root) / "proc/stat"
        self._cores: List[str] = []
        self._before: Dict[str, Ticks] = {}
        self._gpu: Optional[ValueFile] = None
        self._memory: Optional[Tuple[ValueFile, ValueFile]] = None
        self._left_out: Dict[str, str] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        told = [Channel(core, "%") for core in self._cores]
        gpu = [Channel("gpu", "%", resolution=0.1)] if self._gpu else []
        return (*told, *gpu, *([Channel("memory_controller", "%")] if self._memory else []))

    def __enter__(self) -> Utilisation:
        self._before, fault = self._ticks()
        self._cores = list(self._before)
        if not self._cores:
            what = fault or "no times of the processor's cores"
            raise ProbeError(what, where=str(self._stat), remedy="mount /proc, or leave this probe out")
        self._gpu = self._readable("gpu", GPU_LOADS)
        self._memory = self._memory_files()
        return self

    def __exit__(self, *error: object) -> None:
        for file in (self._gpu, *(self._memory or ())):
            if file:
                file.close()

    def read(self) -> Sequence[Sample]:
        after, fault = self._ticks()
        readings = [fault or busy_percent(self._before.get(core), after.get(core)) for core in self._cores]
        self._before = self._before if fault else after
        if self._gpu:
            readings.append(_per_mille(self._gpu.read()))
        if self._memory:
            readings.append(_busy_clock(*(file.read() for file in self._memory)))
        return polled(readings)

    def facts(self) -> Dict[str, Any]:
        """files: where a channel comes from. left_out: why one is missing whose file is there."""
        files = {"gpu": self._gpu, "memory_controller": self._memory and self._memory[0]}
        return {
            "files": {name: str(file.path) for name, file in files.items() if file},
            "left_out": dict(self._left_out),
        }

    def _ticks(self) -> Tuple[Dict[str, Ticks], str]:
        try:
            return core_ticks(self._stat.read_bytes().decode("utf-8", "replace")), ""
        except OSError as error:
            return {}, reason(error, self._stat)

    def _readable(self, channel: str, patterns: Sequence[str]) -> Optional[ValueFile]:
        """The first of the files that gives a number."""
        for path in (path for pattern in patterns for path in below(self._root, pattern)):
            file = ValueFile(path)
            told = file.read()
            if isinstance(told, float):
                self._left_out.pop(channel, None)
                return file
            self._left_out[channel] = told
            file.close()
        return None

    def _memory_files(self) -> Optional[Tuple[ValueFile, ValueFile]]:
        activity = self._readable("memory_controller", ACTIVITIES_KHZ)
        if activity is None:
            return None
        clock = self._readable("memory_controller", CLOCKS_HZ)
        if clock is None:
            self._left_out.setdefault("memory_controller", "its clock is told to root only")
            activity.close()
            return None
        return activity, clock


def core_ticks(text: str) -> Dict[str, Ticks]:
    """Ticks that each core of /proc/stat was busy (stolen time too) and idle (waiting too); `cpu` is all of them."""
    found = {}
    for name, columns in CORE.findall(text):
        ticks = list(map(int, columns.split()))
        idle = sum(ticks[index] for index in IDLE_COLUMNS)
        found[name] = sum(ticks) - idle, idle
    return found


def busy_percent(before: Optional[Ticks], after: Optional[Ticks]) -> Reading:
    """The busy share of the ticks between two readings of a core."""
    if after is None:
        return "the core is offline"
    if before is None:
        return "first reading"
    # The time of waiting for a disk may fall (proc.rst), and idle time with it.
    busy, idle = after[0] - before[0], max(after[1] - before[1], 0)
    if busy < 0:
        return "the times of the core went backwards"
    return 100.0 * busy / (busy + idle) if busy + idle else "no tick of the kernel since the last reading"


def _per_mille(load: Reading) -> Reading:
    if isinstance(load, float):
        return load / 10.0 if 0 <= load <= 1000 else f"a load of {load:g} is not in 1/1000"
    return load


def _busy_clock(activity_khz: Reading, clock_hz: Reading) -> Reading:
    if isinstance(activity_khz, str) or isinstance(clock_hz, str):
        return activity_khz if isinstance(activity_khz, str) else clock_hz
    return 100_000.0 * activity_khz / clock_hz if clock_hz > 0 else "the memory's clock is off"
