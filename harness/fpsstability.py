"""How evenly results come at the camera's pace: frames per second in windows of 1 s, and intervals. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.camera import Arrivals, Paced, due_ns, period_ns
from harness.cameratimes import response_ns
from harness.case import Array

MS, NS = 1e6, 1e9
ROLLING = 5
CONVERGED_WINDOWS, CONVERGED_WITHIN = 3, 0.1
# What is due at whole ns may lack one of a whole second.
ROUNDING_NS = 1000


@dataclass(frozen=True, kw_only=True)
class Stability:
    """completed, expected: results, and frames of the camera's schedule, int64 [windows of 1 s].

    worst_share: the least completed / expected of a window, in which no more than `worst_fps` results came.
    fluctuation_percent: standard deviation over mean of these shares. interval_cv_percent: the same of the times
    between results. rolling_sd: standard deviation of five intervals in a row. converged_s: after so many seconds three
    windows in a row lay within 10 % of their mean; None: they never did.
    """

    completed: Array
    expected: Array
    mean_fps: float
    worst_fps: float
    worst_share: float
    fluctuation_percent: float | None
    interval_cv_percent: float
    rolling_sd_max_ms: float
    rolling_sd_mean_ms: float
    converged_s: int | None


def fps_stability(paced: Paced, arrivals: Arrivals) -> Stability | None:
    """None for less than one second of schedule, or fewer than six results."""
    completed, expected = windows(paced, arrivals)
    intervals_ms = np.diff(paced.end_ns) / MS
    if not expected.any() or len(intervals_ms) < ROLLING:
        return None
    shares = completed[expected > 0] / expected[expected > 0]
    rolling = np.lib.stride_tricks.sliding_window_view(intervals_ms, ROLLING).std(axis=1, ddof=1)
    return Stability(
        completed=completed, expected=expected, mean_fps=float(completed.mean()), worst_fps=float(completed.min()),
        worst_share=float(shares.min()), fluctuation_percent=_cv_percent(shares) if len(shares) > 1 else None,
        interval_cv_percent=_cv_percent(intervals_ms), rolling_sd_max_ms=float(rolling.max()),
        rolling_sd_mean_ms=float(rolling.mean()), converged_s=converged_s(completed),
    )  # fmt: skip


def windows(paced: Paced, arrivals: Arrivals) -> tuple[Array, Array]:
    """Results, and frames that the camera's schedule has, in each whole second: int64 [windows] both.

    The seconds begin half a period before the first frame is due, and before its result would typically be there, so
    that a frame of a steady stream lies in the middle of its place and no jitter moves it into the next window.
    """
    empty = np.zeros(0, np.int64)
    if not len(paced.index):
        return empty, empty
    schedule, half_ns = due_ns(arrivals, int(paced.index[-1]) + 1), period_ns(arrivals) / 2
    seconds = int((schedule[-1] + 2 * half_ns + ROUNDING_NS) // NS)
    response, first_due_ns = response_ns(paced), paced.due_ns[0] - schedule[paced.index[0]]
    typical_ns = min(float(np.median(response)), float(response[0]))
    return _counted(paced.end_ns - first_due_ns - typical_ns + half_ns, seconds), _counted(schedule + half_ns, seconds)


def converged_s(completed: Array) -> int | None:
    """After how many seconds three windows in a row lay within 10 % of their mean; None: never."""
    for end in range(CONVERGED_WINDOWS, len(completed) + 1):
        last = completed[end - CONVERGED_WINDOWS : end]
        if last.any() and np.abs(last - last.mean()).max() <= CONVERGED_WITHIN * last.mean():
            return end
    return None


def _counted(times_ns: Array, seconds: int) -> Array:
    return np.histogram(times_ns, bins=seconds, range=(0.0, seconds * NS))[0] if seconds else np.zeros(0, np.int64)


def _cv_percent(values: Array) -> float:
    mean = float(values.mean())
    return 100 * float(values.std(ddof=1)) / mean if mean else float("inf")
