"""A case at the camera's pace, all its processes as one: what a report says of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.camera import Arrivals, Paced, arrivals_of, period_ns
from harness.camera.pacing import paced_of_run
from harness.cameratimes import (
    BUDGET_MS,
    CameraTimes,
    Misses,
    Tail,
    camera_frames,
    camera_times,
    response_ns,
    service_ns,
    tail,
)
from harness.case import Run
from harness.fpsstability import Stability, fps_stability
from harness.stats.bounds import rate_bounds

MS = 1e6
# Less is the harness's own work between arrival and start.
APART, LEAST_APART_MS = 1.1, 1.0


@dataclass(frozen=True, kw_only=True)
class CameraSummary:
    """times: percentiles and misses of the frames of all processes together, gaps, ages, utilisation, backlog and
    lateness of the worst process. stabilities: one per process, None where it was too short.

    back_to_back_late: frames whose service alone took longer than the budget, which is all that a loop without a camera
    would find.
    """

    arrivals: Arrivals
    processes: int
    times: CameraTimes
    stabilities: tuple[Stability | None, ...]
    back_to_back_late: int

    @property
    def stability(self) -> Stability | None:
        """Of the process with the worst second."""
        known = [one for one in self.stabilities if one is not None]
        return min(known, key=lambda one: (one.worst_share, one.mean_fps), default=None)

    @property
    def hint(self) -> str:
        """What percentiles of frames back to back would have hidden; empty where they tell the same."""
        times, found = self.times, self.times.misses
        apart = any(_apart(*pair) for pair in _pairs(times.response, times.service))
        if found.missed <= self.back_to_back_late and not apart:
            return ""
        service, response = (_tail_text(one) for one in (times.service, times.response))
        return (
            f"back to back, the same work shows {service} and {self.back_to_back_late:,} of {times.service.frames:,} "
            f"frames over {found.budget_ms:g} ms; at the camera's pace {response}, and {found.missed:,} of "
            f"{found.frames:,} frames had no result in time: percentiles of service times hide stalls"
        )


def camera_summary(runs: Sequence[Run], budget_ms: float = BUDGET_MS) -> CameraSummary | None:
    """None where no run completed a frame of a camera."""
    told = list(_told(runs))
    if not told:
        return None
    paced, arrivals = [one for one, _ in told], told[0][1]
    return CameraSummary(
        arrivals=arrivals, processes=len(told), times=_together(paced, arrivals, budget_ms),
        stabilities=tuple(fps_stability(one, arrivals) for one in paced),
        back_to_back_late=sum(int((service_ns(one) > budget_ms * MS).sum()) for one in paced),
    )  # fmt: skip


def arrivals_text(arrivals: Arrivals) -> str:
    """The camera in words: "30 fps, drop-stale"."""
    rate = f"{1e9 / period_ns(arrivals):.4g} fps"
    recorded = f", {len(arrivals.timestamps):,} recorded timestamps" if arrivals.timestamps else ""
    return f"{rate}{recorded}, {arrivals.policy}"


def _told(runs: Iterable[Run]) -> Iterator[tuple[Paced, Arrivals]]:
    for run in runs:
        paced, arrivals = paced_of_run(run), arrivals_of(run)
        if paced is not None and arrivals is not None and len(paced.index):
            yield paced, arrivals


def _together(paced: Sequence[Paced], arrivals: Arrivals, budget_ms: float) -> CameraTimes:
    each = [found for one in paced if (found := camera_times(one, arrivals, budget_ms))]
    dropped, frames = sum(len(one.dropped) for one in paced), sum(camera_frames(one) for one in paced)
    ages = [one.age_of_result for one in each if one.age_of_result]
    return CameraTimes(
        response=tail(np.concatenate([response_ns(one) for one in paced])),
        service=tail(np.concatenate([service_ns(one) for one in paced])),
        misses=_missed([one.misses for one in each]), dropped_per_10000=1e4 * dropped / frames,
        longest_gap_ms=_largest(one.longest_gap_ms for one in each),
        longest_gap_periods=_largest(one.longest_gap_periods for one in each),
        age_at_output=max((one.age_at_output for one in each), key=lambda one: one.max_ms),
        age_of_result=max(ages, key=lambda one: one.max_ms, default=None),
        utilisation=max(one.utilisation for one in each), backlog=max(one.backlog for one in each),
        lateness_p99_ms=_largest(one.lateness_p99_ms for one in each),
        generator_fault=next((one.generator_fault for one in each if one.generator_fault), ""),
    )  # fmt: skip


def _missed(each: Sequence[Misses]) -> Misses:
    late, dropped, frames = (sum(getattr(one, name) for one in each) for name in ("late", "dropped", "frames"))
    lower, upper = rate_bounds(late + dropped, frames)
    return Misses(
        budget_ms=each[0].budget_ms, late=late, dropped=dropped, frames=frames, lower=lower, upper=upper,
    )  # fmt: skip


def _largest(values: Iterable[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


def _pairs(response: Tail, service: Tail) -> tuple[tuple[float, float], ...]:
    return (response.p99_ms, service.p99_ms), (response.p999_ms, service.p999_ms)


def _apart(response_ms: float, service_ms: float) -> bool:
    return response_ms > APART * service_ms and response_ms > service_ms + LEAST_APART_MS


def _tail_text(found: Tail) -> str:
    return f"P99 {found.p99_ms:.1f} ms, P99.9 {found.p999_ms:.1f} ms"
