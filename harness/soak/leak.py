"""Does memory grow with every frame? Pure.

Memory that is given back later is no leak: what counts is the retained floor, the least that any later moment holds.
The frames are cut into windows of equal number; what each adds to the floor are the increments. Their Hodges-Lehmann
estimate, with the interval that inverts Wilcoxon's signed-rank test (harness.stats.paired), is the growth. A single
step moves neither (the estimate breaks down at 29 % of the increments), and neither does a heap that wanders up and
down, which a slope through the levels would take for growth.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from harness.case import Array
from harness.soak import Soak
from harness.soak.sensors import memory
from harness.stats.paired import hodges_lehmann, signed_rank_bounds

LIMIT_KB = 1.0
ALPHA_LEAK, ALPHA_NONE = 0.001, 0.05
WINDOWS, FEWEST_WINDOWS, SAMPLES_PER_WINDOW = 30, 14, 3
STILL_GROWING = 0.5
SHORTEST_S = 290.0
KB = 1e3


@dataclass(frozen=True, kw_only=True)
class Leak:
    """Growth of the process's memory in kB (1000 bytes) per frame.

    kind: "leak" where the lower bound is above the limit and the last third grew on, "settling" where it ebbed,
    "none" where the upper bound is within the limit, "unclear" between, "unmeasured" with the reason.
    low, high: one-sided bounds, at 99.9 % and 95 %.
    """

    kind: Literal["leak", "settling", "none", "unclear", "unmeasured"]
    limit_kb: float = LIMIT_KB
    slope_kb: float | None = None
    low_kb: float | None = None
    high_kb: float | None = None
    retained_mb: float | None = None
    frames: int = 0
    reason: str = ""


def leak_of(soak: Soak, limit_kb: float = LIMIT_KB) -> Leak:
    """The growth over the frames of a soak whose traces hold the process's memory."""
    told = memory(soak)
    if told is None:
        reason = "nobody sampled the memory of the process (probe device_memory with its pid)"
        return Leak(kind="unmeasured", limit_kb=limit_kb, reason=reason)
    if soak.seconds < SHORTEST_S:
        reason = f"{soak.seconds:.0f} s are too short to tell a leak from warming up, needs {SHORTEST_S:.0f} s"
        return Leak(kind="unmeasured", limit_kb=limit_kb, reason=reason)
    done = np.searchsorted(np.sort(soak.due_ns + soak.latency_ns), told.time_ns, side="right")
    running = (told.time_ns >= soak.start_ns) & (told.time_ns <= soak.end_ns)
    return growth(done[running], told.values[running], limit_kb)


def growth(frames: Array, used_bytes: Array, limit_kb: float = LIMIT_KB) -> Leak:
    """The growth of `used_bytes` [samples] that were told after so many finished `frames`, ascending."""
    count = min(WINDOWS, len(frames) // SAMPLES_PER_WINDOW)
    total = int(frames[-1] - frames[0]) if len(frames) else 0
    if count < FEWEST_WINDOWS or total < count:
        reason = f"{len(frames)} samples over {total} frames, needs {FEWEST_WINDOWS * SAMPLES_PER_WINDOW}"
        return Leak(kind="unmeasured", limit_kb=limit_kb, frames=total, reason=reason)
    lows = _lowest(frames, used_bytes, count)
    floor, per_frame = np.minimum.accumulate(lows[::-1])[::-1], total / count * KB
    kept = np.diff(floor) / per_frame
    slope, low = hodges_lehmann(kept), signed_rank_bounds(kept, ALPHA_LEAK)[0]
    high = signed_rank_bounds(kept, ALPHA_NONE)[1]
    lately = float(np.mean(kept[-(len(kept) // 3) :]))
    return Leak(
        kind=_kind(low, high, limit_kb, lately >= max(STILL_GROWING * slope, limit_kb)), limit_kb=limit_kb,
        slope_kb=slope, low_kb=low, high_kb=high, retained_mb=float(floor[-1] - floor[0]) / 1e6, frames=total,
    )  # fmt: skip


def _lowest(frames: Array, used_bytes: Array, count: int) -> Array:
    """The least of each window of equal number of frames; a window without a sample has that of the one before."""
    edges = np.searchsorted(frames, np.linspace(frames[0], frames[-1] + 1, count + 1))
    lows = [float(used_bytes[start:end].min()) if end > start else np.nan for start, end in pairwise(edges)]
    known = np.maximum.accumulate(np.where(np.isfinite(lows), np.arange(count), 0))
    return np.array(lows)[known]


def _kind(low: float, high: float, limit_kb: float, grew_on: bool) -> Literal["leak", "settling", "none", "unclear"]:
    if low > limit_kb:
        return "leak" if grew_on else "settling"
    return "none" if high <= limit_kb else "unclear"
