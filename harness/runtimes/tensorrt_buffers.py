"""Memory of a tensor on both sides of the copy, and the times of copies and computing by CUDA events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

import numpy as np

from harness.case import Array
from harness.runtimes.cudart import Cuda

PARTS = ("h2d", "compute", "d2h")
# The last frames whose times are kept: a fixed piece of memory, however long the run is.
KEPT_FRAMES = 4096
MS_NS = 1e6
PERCENTILES = (50, 99)


@dataclass(frozen=True)
class Buffer:
    """Addresses on the GPU and of the page-locked twin on the host, which `host` shows in its dtype and shape."""

    device: int
    pinned: int
    size_bytes: int
    host: Array


def make_buffer(cuda: Cuda, shape: Tuple[int, ...], dtype: str) -> Buffer:
    """Room for one tensor; of an empty one for a byte, since CUDA gives no address for none."""
    size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pinned = cuda.pinned(max(size_bytes, 1))
    host = pinned[:size_bytes].view(dtype).reshape(shape)
    return Buffer(cuda.allocate(max(size_bytes, 1)), pinned.ctypes.data, size_bytes, host)


def free_buffer(cuda: Cuda, buffer: Buffer) -> None:
    """Both sides; the array that shows the host's side must not be read any more."""
    cuda.free(buffer.device)
    cuda.free_pinned(buffer.pinned)


class EventClock:
    """Times of the parts of a frame by the GPU's own clock: four events in the order of the stream."""

    def __init__(self, cuda: Cuda, stream: int) -> None:
        self._cuda, self._stream = cuda, stream
        self._events = [cuda.event() for _ in range(len(PARTS) + 1)]
        self._times_ms = np.zeros((KEPT_FRAMES, len(PARTS)), np.float32)
        self._frames = 0

    def mark(self, place: int) -> None:
        """The end of the part before `place`."""
        self._cuda.record(self._events[place], self._stream)

    def count(self) -> None:
        """Wait for the last mark, and keep the times of this frame."""
        self._cuda.wait_event(self._events[-1])
        row = self._times_ms[self._frames % KEPT_FRAMES]
        for place in range(len(PARTS)):
            row[place] = self._cuda.elapsed_ms(self._events[place], self._events[place + 1])
        self._frames += 1

    def percentiles_ns(self) -> Dict[str, float]:
        """h2d_p50_ns and so on over the last frames; empty before the first."""
        known = self._times_ms[: min(self._frames, KEPT_FRAMES)]
        if not len(known):
            return {}
        return {
            f"{part}_p{percent}_ns": float(np.percentile(known[:, place], percent)) * MS_NS
            for place, part in enumerate(PARTS) for percent in PERCENTILES
        }  # fmt: skip

    def close(self) -> None:
        """Give the events back."""
        for event in self._events:
            self._cuda.free_event(event)
