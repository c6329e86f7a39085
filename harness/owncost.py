"""What the harness itself adds to a frame, measured with a pipeline that does nothing."""

from __future__ import annotations

import gc
import itertools
from contextlib import contextmanager
from typing import Dict, Iterator

import numpy as np

from harness.case import Array
from harness.frames import Frame
from harness.pipeline import Clock, NullPipeline, push, split_records

COST_FRAMES = 2000


def own_cost(frame: Frame, clock: Clock, cpu_clock: Clock) -> Dict[str, float]:
    """Marks by name: the cost of a frame, the part of it that lies outside its stages, and the clock's step."""
    with garbage_collector_off():
        columns = split_records(push(itertools.repeat(frame, COST_FRAMES), NullPipeline(), clock, cpu_clock))
    residual: Array = columns["frame"] - columns["pre"] - columns["infer"] - columns["post"]
    return {
        "harness_cost_median_ns": float(np.median(columns["frame"])),
        "harness_cost_p99_ns": float(np.percentile(columns["frame"], 99)),
        "harness_residual_median_ns": float(np.median(residual)),
        "harness_residual_p99_ns": float(np.percentile(residual, 99)),
        "timer_resolution_ns": timer_resolution_ns(clock),
    }


@contextmanager
def garbage_collector_off() -> Iterator[None]:
    """No collection inside; one full collection before."""
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def timer_resolution_ns(clock: Clock) -> int:
    """The smallest step above zero between two readings, of 1000."""
    steps = (abs(clock() - clock()) for _ in range(1000))
    return min((step for step in steps if step > 0), default=0)
