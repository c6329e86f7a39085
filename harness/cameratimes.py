"""What a camera's frames waited and took: response and service times, misses, drops, gaps, the age of results. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.camera import Arrivals, Paced, period_ns
from harness.case import Array
from harness.stats.bounds import nearest_rank, quantile_upper_bound, rate_bounds

MS = 1e6
BUDGET_MS = 50.0
LATENESS_LIMIT_MS = 0.2


@dataclass(frozen=True, kw_only=True)
class Tail:
    """Percentiles by nearest rank over completed frames, in ms.

    p99_upper_ms, p999_upper_ms: above the percentile with 95 % confidence for independent frames; None: too few frames.
    """

    frames: int
    p50_ms: float
    p99_ms: float
    p99_upper_ms: float | None
    p999_ms: float
    p999_upper_ms: float | None
    max_ms: float


@dataclass(frozen=True, kw_only=True)
class Misses:
    """Camera frames without a result within the budget: too late, or dropped. lower, upper: 95 % bounds of the share,
    one-sided each.
    """

    budget_ms: float
    late: int
    dropped: int
    frames: int
    lower: float
    upper: float

    @property
    def missed(self) -> int:
        return self.late + self.dropped


@dataclass(frozen=True, kw_only=True)
class Age:
    """How old something is, in ms: at most, and on average over time."""

    max_ms: float
    mean_ms: float


@dataclass(frozen=True, kw_only=True)
class CameraTimes:
    """All figures of one run at the camera's pace; None where too few frames were completed to tell.

    age_at_output: of the frame whose result is current, when that result was there. age_of_result: of that frame, until
    the next result is there (age of information: Kaul, Yates and Gruteser, INFOCOM 2012). gap: between two results.
    backlog: see backlog_at_end.
    """

    response: Tail
    service: Tail
    misses: Misses
    dropped_per_10000: float
    longest_gap_ms: float | None
    longest_gap_periods: float | None
    age_at_output: Age
    age_of_result: Age | None
    utilisation: float
    backlog: int
    lateness_p99_ms: float | None
    generator_fault: str


def camera_times(paced: Paced, arrivals: Arrivals, budget_ms: float = BUDGET_MS) -> CameraTimes | None:
    """All figures; None where no frame was completed."""
    if not len(paced.index):
        return None
    gap_ms, period = longest_gap_ms(paced), period_ns(arrivals)
    return CameraTimes(
        response=tail(response_ns(paced)), service=tail(service_ns(paced)), misses=misses(paced, budget_ms),
        dropped_per_10000=1e4 * len(paced.dropped) / camera_frames(paced),
        longest_gap_ms=gap_ms, longest_gap_periods=None if gap_ms is None else gap_ms * MS / period,
        age_at_output=age_at_output(paced), age_of_result=age_of_result(paced),
        utilisation=float(service_ns(paced).mean()) / period, backlog=backlog_at_end(paced),
        lateness_p99_ms=lateness_p99_ms(paced), generator_fault=generator_fault(paced),
    )  # fmt: skip


def response_ns(paced: Paced) -> Array:
    """From the scheduled arrival to the result, of completed frames."""
    return paced.end_ns - paced.due_ns


def service_ns(paced: Paced) -> Array:
    """From the start to the result, of completed frames."""
    return paced.end_ns - paced.start_ns


def camera_frames(paced: Paced) -> int:
    """Completed and dropped ones."""
    return len(paced.index) + len(paced.dropped)


def censored_response_ns(paced: Paced) -> Array:
    """Response times of all camera frames in their order, float64; infinite for a dropped one, which never had any."""
    found: Array = np.full(camera_frames(paced), np.inf)
    found[paced.index] = response_ns(paced)
    return found


def tail(times_ns: Array) -> Tail:
    """Percentiles of at least one time."""
    p99_upper, p999_upper = (quantile_upper_bound(times_ns, share) for share in (0.99, 0.999))
    return Tail(
        frames=len(times_ns), p50_ms=nearest_rank(times_ns, 0.5) / MS,
        p99_ms=nearest_rank(times_ns, 0.99) / MS, p99_upper_ms=None if p99_upper is None else p99_upper / MS,
        p999_ms=nearest_rank(times_ns, 0.999) / MS, p999_upper_ms=None if p999_upper is None else p999_upper / MS,
        max_ms=float(times_ns.max()) / MS,
    )  # fmt: skip


def missed(paced: Paced, budget_ms: float = BUDGET_MS) -> Array:
    """Which camera frames had no result within the budget, bool in their order: what a gate over frames counts."""
    found: Array = censored_response_ns(paced) > budget_ms * MS
    return found


def misses(paced: Paced, budget_ms: float = BUDGET_MS) -> Misses:
    """How many of at least one camera frame had no result within the budget."""
    dropped, frames = len(paced.dropped), camera_frames(paced)
    late = int(missed(paced, budget_ms).sum()) - dropped
    lower, upper = rate_bounds(late + dropped, frames)
    return Misses(budget_ms=budget_ms, late=late, dropped=dropped, frames=frames, lower=lower, upper=upper)


def longest_gap_ms(paced: Paced) -> float | None:
    """The longest time between two successive results; None with fewer than two."""
    gaps = np.diff(paced.end_ns)
    return float(gaps.max()) / MS if len(gaps) else None


def age_at_output(paced: Paced) -> Age:
    """Response time of the frame whose result is current, each as long as it is current; the last one for no time."""
    response, lasting = response_ns(paced), np.diff(paced.end_ns)
    mean = np.average(response[:-1], weights=lasting) if lasting.any() else response.mean()
    return Age(max_ms=float(response.max()) / MS, mean_ms=float(mean) / MS)


def age_of_result(paced: Paced) -> Age | None:
    """How long ago the current result's frame was due, growing until the next result; None with fewer than two."""
    lasting = np.diff(paced.end_ns)
    if not lasting.any():
        return None
    youngest, oldest = response_ns(paced)[:-1], paced.end_ns[1:] - paced.due_ns[:-1]
    mean = np.average((youngest + oldest) / 2, weights=lasting)
    return Age(max_ms=float(oldest.max()) / MS, mean_ms=float(mean) / MS)


def backlog_at_end(paced: Paced) -> int:
    """Frames due before the last one and not finished when that was due: 0 where the machine keeps up."""
    return int((paced.end_ns[:-1] > paced.due_ns[-1]).sum())


def lateness_p99_ms(paced: Paced) -> float | None:
    """How late an idle consumer was woken; None where it never waited."""
    return nearest_rank(paced.lateness_ns, 0.99) / MS if len(paced.lateness_ns) else None


def generator_fault(paced: Paced, limit_ms: float = LATENESS_LIMIT_MS) -> str:
    """Why the frames did not come as scheduled, so that nothing here means anything: INVALID; empty where they did.

    A consumer that never waited has nothing to be woken for: then the generator cannot be at fault.
    """
    late_ms = lateness_p99_ms(paced)
    if late_ms is None or late_ms < limit_ms:
        return ""
    return (
        f"the frames did not come at the camera's pace: a waiting consumer was woken {late_ms:.2f} ms late at P99, and "
        f"{limit_ms:g} ms is the limit: stop what else runs there, or give the run a core of its own"
    )
