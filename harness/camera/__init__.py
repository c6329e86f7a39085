"""Frames that come when the camera sends them: when each is due, and what became of it.

A frame is due at its scheduled arrival, whatever the machine does meanwhile. Its response time runs from there to its
result, its service time from its start; a loop that starts the next frame when the last one ended sees the second only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from harness.camera.schedule import check_fps, check_timestamps, fixed_rate, repeated
from harness.case import BLOCK as BLOCK
from harness.case import DROP_STALE as DROP_STALE
from harness.case import QUEUE as QUEUE
from harness.case import Array, Run
from harness.case import Arrivals as Arrivals

NS = 1e9


@dataclass(frozen=True)
class Paced:
    """What became of the frames of a camera, in the order in which they were taken; ns on one clock.

    due_ns, start_ns, end_ns, index: int64 [frames taken]; `index` is the number of the camera's frame. With "block"
    `due_ns` is when the frame was captured, after the schedule had slipped. dropped: numbers of the frames that a newer
    one displaced. lateness_ns: how late an idle consumer was woken, for each frame that it waited for.
    """

    due_ns: Array
    start_ns: Array
    end_ns: Array
    index: Array
    dropped: Array
    lateness_ns: Array


def arrivals_of(run: Run) -> Optional[Arrivals]:
    """The camera of a run; None where frames went back to back."""
    said = run.facts.get("arrivals")
    return Arrivals(**{**said, "timestamps": tuple(said["timestamps"])}) if said else None


def due_ns(arrivals: Arrivals, count: int) -> Array:
    """When the first `count` frames are due, int64 [count] from 0; a recording starts again after its last frame.

    ConfigError for a rate or a recording that cannot be.
    """
    if arrivals.timestamps:
        check_timestamps(arrivals.timestamps)
        return repeated(arrivals.timestamps, count)
    check_fps(arrivals.fps)
    return fixed_rate(arrivals.fps, count)


def period_ns(arrivals: Arrivals) -> float:
    """The mean time between two frames; ConfigError as `due_ns`."""
    if arrivals.timestamps:
        check_timestamps(arrivals.timestamps)
        stamps = arrivals.timestamps
        return (stamps[-1] - stamps[0]) / (len(stamps) - 1)
    check_fps(arrivals.fps)
    return NS / arrivals.fps


def frames_within(arrivals: Arrivals, seconds: float) -> int:
    """How many frames are due within the first so many seconds."""
    # A millionth of a frame is the rounding of the division, and no frame.
    return max(int(np.ceil(seconds * NS / period_ns(arrivals) - 1e-6)), 1)
