"""What a worker takes of its device, noted around its phases: memory, and how much others used its cores."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

from harness.probes import load as core_load
from harness.probes import memory as process_memory
from harness.probes.nvml import process_memory_bytes
from harness.probes.state import free_disk_bytes, state, swap_used_bytes


class Footprint:
    """Collects marks and facts by name. A runtime with an own `memory` or `load` sensor is asked for these.

    What the processes of its `process_ids` take is the engine's too.

    gpu: number of the NVIDIA GPU whose memory is told apart; None for none.
    """

    def __init__(self, runtime: Any, gpu: Optional[int] = None) -> None:
        self._gpu = gpu
        self._others: Callable[[], Sequence[int]] = lambda: getattr(runtime, "process_ids", ())
        self._real = not hasattr(runtime, "memory")
        self._memory: Any = process_memory.Together(self._others) if self._real else runtime.memory
        self._load: Any = getattr(runtime, "load", core_load.Together(self._others))
        self.marks: Dict[str, float] = {}
        self.facts: Dict[str, Any] = {}
        self._nvmap_before = process_memory.nvmap_device_bytes() if self._real else None
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
        self.mark_peak("peak_warmup_bytes")
        self.new_peak()
        self.weigh("rss_before_frames_bytes")
        with self.background("background_ns", "capacity_ns"), process_memory.timed_window():
            yield
        self.weigh("rss_steady_bytes")
        self.mark_peak("peak_steady_bytes")
        if self._real:
            self._whole(system)

    @contextmanager
    def background(self, used: str, of: str) -> Iterator[None]:
        """Add what others did on our cores meanwhile, and how much they could, to two marks."""
        before = self._load.read()
        yield
        found = self._load.since(before)
        if found is not None:
            for mark, spent_ns in zip((used, of), found):
                self.marks[mark] = self.marks.get(mark, 0) + spent_ns

    def _whole(self, system: Dict[str, Any]) -> None:
        """What is too slow to be read while frames are timed."""
        self._set("pss_bytes", self._memory.pss_bytes())
        self._set("cgroup_peak_bytes", process_memory.cgroup_peak_bytes())
        self._set("nvmap_bytes", self._nvmap())
        if self._gpu is not None:
            told = [process_memory_bytes(pid, self._gpu) for pid in (os.getpid(), *self._others())]
            on_gpu = [one for one in told if one is not None and not isinstance(one, str)]
            self._set("gpu_bytes", sum(on_gpu) if on_gpu else None)
        swap = [one for one in (system.pop("swap_used_bytes", None), swap_used_bytes()) if one is not None]
        self._set("swap_used_bytes", max(swap, default=None))
        free = [
            one
            for one in (system.pop("free_disk_bytes", None), free_disk_bytes(tempfile.gettempdir()))
            if one is not None
        ]
        self._set("free_disk_bytes", min(free, default=None))
        self.facts["system"] = system

    def _nvmap(self) -> Optional[int]:
        """Of this process where root may see it, otherwise what all of them took more since the start."""
        told = [process_memory.nvmap_process_bytes(pid) for pid in (os.getpid(), *self._others())]
        own = [one for one in told if one is not None]
        if own or self._nvmap_before is None:
            return sum(own) if own else None
        now = process_memory.nvmap_device_bytes()
        if now is None:
            return None
        self.facts["nvmap_from"] = "rise of NvMapMemUsed, since only root sees single processes"
        return max(now - self._nvmap_before, 0)

    def _set(self, mark: str, value: Any) -> None:
        if value is not None:
            self.marks[mark] = value
