"""Memory of the whole device and of some processes over time (proc.rst: meminfo, statm; NVIDIA's nvmap: GPU buffers).

NvMapMemUsed was never run on the device.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.memory import byte_fields
from harness.probes.sysfs import ValueFile
from harness.telemetry import Channel

# Channel -> the fields of meminfo that are added and taken away; None: nothing is.
AMOUNTS: Dict[str, Tuple[str, Optional[str]]] = {
    "used": ("MemTotal", "MemAvailable"),
    "swap_used": ("SwapTotal", "SwapFree"),
    "nvmap": ("NvMapMemUsed", None),
}


class DeviceMemory:
    """Memory and swap in use, GPU buffers of a Jetson, and the resident memory of `pid`; those that there are.

    also: further processes, those of an engine that runs outside of `pid`; all of them together are one channel.
    Without a `pid` a worker fills in its own.
    """

    rate_hz = 5.0

    def __init__(self, pid: int = 0, root: str = "/", also: Tuple[int, ...] = ()) -> None:
        self._pids, self._root = (pid, *also) if pid else (), Path(root)
        self._meminfo: Optional[ValueFile] = None
        self._statms: List[ValueFile] = []
        self._names: List[str] = []
        self._totals: Dict[str, int] = {}

    @property
    def channels(self) -> Tuple[Channel, ...]:
        page = float(os.sysconf("SC_PAGE_SIZE"))
        told = [Channel(name, "bytes", resolution=1024.0) for name in self._names]
        return (*told, *([Channel("process", "bytes", resolution=page)] if self._pids else []))

    def __enter__(self) -> DeviceMemory:
        self._meminfo = ValueFile(self._root / "proc/meminfo")
        text, fault = self._meminfo.content()
        self._names, self._totals = list(amounts(text)), byte_fields(text)
        if not self._names:
            self._meminfo.close()
            what = fault or "no memory amounts"
            raise ProbeError(what, where=str(self._meminfo.path), remedy="mount /proc, or leave this probe out")
        self._statms = [ValueFile(self._root / f"proc/{pid}/statm") for pid in self._pids]
        return self

    def __exit__(self, *error: object) -> None:
        for file in filter(None, (self._meminfo, *self._statms)):
            file.close()

    def read(self) -> Sequence[Sample]:
        assert self._meminfo is not None
        text, fault = self._meminfo.content()
        found = amounts(text)
        readings: List[Reading] = [found.get(name, fault or f"meminfo tells no {name}") for name in self._names]
        return polled(readings + ([_together(self._statms)] if self._statms else []))

    def facts(self) -> Dict[str, Any]:
        """total_bytes, swap_total_bytes: what there is in all."""
        names = {"total_bytes": "MemTotal", "swap_total_bytes": "SwapTotal"}
        return {fact: self._totals[name] for fact, name in names.items() if name in self._totals}


def amounts(text: str) -> Dict[str, float]:
    """The channels that a meminfo tells, in bytes."""
    fields = byte_fields(text)
    return {
        name: float(fields[whole] - (fields[less] if less else 0))
        for name, (whole, less) in AMOUNTS.items()
        if whole in fields and (less is None or less in fields)
    }


def _together(statms: Sequence[ValueFile]) -> Reading:
    """The sum, or why one of them tells nothing: a part would look like memory that was given back."""
    told = [_resident(one) for one in statms]
    return next((one for one in told if isinstance(one, str)), sum(one for one in told if isinstance(one, float)))


def _resident(statm: ValueFile) -> Reading:
    text, fault = statm.content()
    pages = text.split()[1:2]
    if fault or not pages or not pages[0].isdecimal():
        return fault or f"{statm.path}: not the size of a process: {text[:40]!r}"
    # A process that has ended, and is not yet waited for, has 0 pages of everything.
    return float(int(pages[0]) * os.sysconf("SC_PAGE_SIZE")) or f"{statm.path}: the process has ended"
