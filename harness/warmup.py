"""Frames before the timed ones, until their times have settled."""

from __future__ import annotations

import itertools
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from harness.case import Array, Plan
from harness.frames import Frame
from harness.pipeline import Clock, Pipeline, push, split_records

Say = Callable[[str, int, int], None]
LONGEST_CHUNK_FRAMES = 60
CHUNK_NS = 1_000_000_000


def warm_up(pipeline: Pipeline, frames: Sequence[Frame], plan: Plan, clock: Clock, say: Say) -> Tuple[Array, bool]:
    """Windows of frames until two in a row have medians within the tolerance, or the cap is reached.

    Gives the frame times in ns, and whether they became steady.
    """
    source = itertools.cycle(frames)
    windows: List[Array] = []
    steady = False
    while not steady and len(windows) * plan.warmup_window < plan.warmup_cap_frames:
        done = len(windows) * plan.warmup_window
        window: List[Array] = []
        for taken in _chunks(plan.warmup_window, chunk_frames(windows[-1] if windows else None)):
            say("warm-up", done, plan.warmup_cap_frames)
            records = push(itertools.islice(source, taken), pipeline, clock, _no_clock)
            window.append(split_records(records)["frame"])
        windows.append(np.concatenate(window))
        steady = len(windows) > 1 and _agree(windows[-2], windows[-1], plan.warmup_tolerance)
    return (np.concatenate(windows) if windows else np.zeros(0, np.int64)), steady


def most_warmup_frames(plan: Plan) -> int:
    """As many frames as warm up where the times never settle: whole windows."""
    return -(-plan.warmup_cap_frames // plan.warmup_window) * plan.warmup_window


def frames_until_steady(times_ns: Array, plan: Plan) -> Tuple[int, bool]:
    """The same rule over times that are there already: how many frames warm up, and whether they became steady."""
    size, most = plan.warmup_window, min(most_warmup_frames(plan), len(times_ns))
    for end in range(2 * size, most + 1, size):
        if _agree(times_ns[end - 2 * size : end - size], times_ns[end - size : end], plan.warmup_tolerance):
            return end, True
    return most, False


def chunk_frames(seen_ns: Optional[Array]) -> int:
    """Frames to push between two words to the host: about a second's worth."""
    if seen_ns is None or not len(seen_ns):
        return 1
    return int(min(max(CHUNK_NS // max(int(np.median(seen_ns)), 1), 1), LONGEST_CHUNK_FRAMES))


def _agree(before: Array, after: Array, tolerance: float) -> bool:
    old, new = float(np.median(before)), float(np.median(after))
    return abs(new - old) <= tolerance * old


def _chunks(total: int, size: int) -> Iterator[int]:
    return (min(size, total - done) for done in range(0, total, size))


def _no_clock() -> int:
    return 0
