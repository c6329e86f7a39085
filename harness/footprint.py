"""What a worker takes of its device, noted around its phases: memory, and how much others used its cores."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Optional

from harness.probes import load as core_load
from harness.probes import memory as process_memory
from harness.probes.nvml import process_memory_bytes
from harness.probes.state import state, swap_used_bytes


class Footprint:
    """Collects marks and facts by name. A runtime with an own `memory` or `load` sensor is asked for these.

    gpu: number of the NVIDIA GPU whose memory is told apart; None for none.
    """

    def __init__(self, runtime: Any, gpu: Optional[int] = None) -> None:
        self._gpu = gpu
        self._memory: Any = getattr(runtime, "memory", process_memory)
        self._load: Any = getattr(runtime, "load", core_load)
        self._real = self._memory is process_memory
        self.marks: Dict[str, float] = {}
        self.facts: Dict[str, Any] = {}
        self._set("device_memory_bytes", process_memory.device_bytes())

    def weigh(self, mark: str) -> None:
        """The resident memory now."""
        self._set(mark, self._memory.resident_bytes())

    def new_peak(self) -> None:
        """Start a new high-water mark."""
        self.facts["peak_reset"] = self._memory.reset_peak()

    def mark_peak(self, mark: str) -> None:
        """The high-water mark since the last start of one."""
        self._set(mark, self._memory.peak_bytes())

    @contextmanager
    def timed_frames(self) -> Iterator[None]:
        """Weigh before and after the frames, and see what others did on our cores, of how much they could.

        Nothing slow is read between the two.
        """
        system = state(tempfile.gettempdir()) if self._real else {}
        self.new_peak()
        self.weigh("rss_before_frames_bytes")
        before = self._load.read()
        with process_memory.timed_window():
            yield
        found = self._load.since(before)
        if found is not None:
            self.marks["background_ns"], self.marks["capacity_ns"] = found
        self.weigh("rss_steady_bytes")
        self.mark_peak("peak_steady_bytes")
        if self._real:
            self._whole(system)

    def _whole(self, system: Dict[str, Any]) -> None:
        """What is too slow to be read while frames are timed."""
        self._set("pss_bytes", process_memory.pss_bytes())
        self._set("cgroup_peak_bytes", process_memory.cgroup_peak_bytes())
        self._set("nvmap_bytes", process_memory.nvmap_process_bytes(os.getpid()))
        if self._gpu is not None:
            on_gpu = process_memory_bytes(os.getpid(), self._gpu)
            self._set("gpu_bytes", None if isinstance(on_gpu, str) else on_gpu)
        swap = [one for one in (system.pop("swap_used_bytes", None), swap_used_bytes()) if one is not None]
        self._set("swap_used_bytes", max(swap, default=None))
        self._set("free_disk_bytes", system.pop("free_disk_bytes", None))
        self.facts["system"] = system

    def _set(self, mark: str, value: Any) -> None:
        if value is not None:
            self.marks[mark] = value
