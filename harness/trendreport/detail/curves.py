"""The frames of a run for drawing: stretches of neighbours over time, stages as medians. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.case import STAGES, Array, Run

# Of a whole session, so that three processes weigh no more than one.
STRETCHES = 300
MARKED = {"load": "load_ns", "harness": "harness_cost_median_ns"}
NOTHING = np.zeros(0)
MS = 1e6


def rounded(values: Array, digits: int = 4) -> list[float]:
    """With so many digits that count in the median, so that the largest has more."""
    typical = float(np.median(np.abs(values))) if len(values) else 0.0
    decimals = digits - 1 - math.floor(math.log10(typical)) if typical else digits
    told: list[float] = np.round(values, min(max(decimals, 0), 9)).tolist()
    return told


def seconds_since(times_ns: Array, start_ns: float) -> Array:
    """Seconds, to a thousandth of the whole: finer is not seen."""
    seconds: Array = (times_ns - start_ns) / 1e9
    span = float(seconds[-1] - seconds[0]) if len(seconds) else 0.0
    decimals = 3 - math.floor(math.log10(span)) if span > 0 else 3
    return np.round(seconds, min(max(decimals, 0), 9))


def stretches(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Per process: how many frames, and the smallest and largest of each stretch of neighbours, so that spikes stay."""
    return [_stretched(run, max(STRETCHES // len(runs), 1)) for run in runs]


def _stretched(run: Run, most: int) -> dict[str, Any]:
    count = len(run.frame_ns)
    if not count:
        return {"count": 0, "seconds": [], "low_ms": [], "high_ms": []}
    firsts = np.linspace(0, count, min(most, count), endpoint=False).astype(np.int64)
    low, high = (extreme.reduceat(run.frame_ns, firsts) / MS for extreme in (np.minimum, np.maximum))
    starts_ns = frame_starts(run)
    seconds = seconds_since(starts_ns[firsts], float(starts_ns[0]))
    return {"count": count, "seconds": seconds.tolist(), "low_ms": rounded(low), "high_ms": rounded(high)}


def frame_starts(run: Run) -> Array:
    """When each frame began; where nobody kept that, as if each had followed the one before at once."""
    known = len(run.start_ns) == len(run.frame_ns)
    starts: Array = run.start_ns if known else np.cumsum(run.frame_ns) - run.frame_ns
    return starts


def stages(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Medians in ms: of the load, of each stage of a frame, and of what the harness itself adds to one."""
    marked = {name: np.array([run.marks[mark] for run in runs if mark in run.marks]) for name, mark in MARKED.items()}
    frames = {name: np.concatenate([NOTHING, *(run.stages.get(name, NOTHING) for run in runs)]) for name in STAGES}
    found = {"load": marked["load"], **frames, "harness": marked["harness"]}
    return [{"name": name, "ms": float(f"{np.median(values) / MS:.4g}")} for name, values in found.items()
            if len(values)]  # fmt: skip
