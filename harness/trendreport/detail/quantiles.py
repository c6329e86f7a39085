"""Frame times as quantiles, and one session's beside those of its baseline: the shift function. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.case import Array
from harness.stats.autocorrelation import independent_samples
from harness.stats.sessions import FLOOR

ALPHA = 0.05
EVERY_PERCENT = np.arange(101)
SHIFT_PERCENT = np.arange(5, 100, 5)
FEWEST_SESSIONS = 3
# Neighbourhoods are alike all over a run: its beginning tells as much of them as the whole.
JUDGED_FRAMES = 2000


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A session's quantiles over those of its baseline, less 1: above 0 is slower.

    percent: which quantiles. low, high: pointwise 95 % bounds. basis: what these rest on, in words.
    """

    percent: Array
    ratio: Array
    low: Array
    high: Array
    basis: str


def quantiles(ordered: Array, percent: Array = EVERY_PERCENT) -> Array:
    """Nearest ranks of ascending values, at least one: the ceil(p n / 100)-th smallest."""
    ranks = np.maximum(-(-percent * len(ordered) // 100), 1)
    found: Array = ordered[ranks - 1]
    return found


def shift_of(session: Sequence[Array], baseline: Sequence[Sequence[Array]], *, beside: bool = False) -> Shift | None:
    """Quantile by quantile from 5 to 95 %; frame times above 0 by process, and those of the baseline by session.

    Where the baseline has three sessions, the bounds rest on the spread between them: Student's prediction interval of
    the log for one more session, as in harness.stats.sessions. Order statistics of the frames alone would be far too
    narrow, because frames resemble their neighbours, and sessions differ by more than their frames do (Kalibera and
    Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013). Without these sessions, or where both sides ran in
    turns in one process (`beside`), frames are all there is: order statistics at the effective number of frames,
    cautious on both sides, and `basis` says so. Quantiles that so few frames cannot bound are left out; None where none
    is left.
    """
    own, other = pooled(session), pooled([one for each in baseline for one in each])
    if not len(own) or not len(other):
        return None
    sessions = [pooled(one) for one in baseline if any(map(len, one))]
    if len(sessions) >= FEWEST_SESSIONS and not beside:
        return _between_sessions(own, other, sessions)
    return _of_frames(session, [one for each in baseline for one in each], beside)


def _between_sessions(own: Array, other: Array, sessions: Sequence[Array]) -> Shift | None:
    """By Student's prediction interval; no spread is taken to be below the floor of every comparison."""
    from scipy.special import stdtrit

    count, fewest = len(sessions), min(len(own), *map(len, sessions))
    percent = SHIFT_PERCENT[np.minimum(SHIFT_PERCENT, 100 - SHIFT_PERCENT) * fewest >= 100]
    logs = np.log([quantiles(one, percent) for one in sessions])
    spread = np.maximum(logs.std(axis=0, ddof=1), FLOOR)
    reach = float(stdtrit(count - 1, 1 - ALPHA / 2)) * spread * np.sqrt(1 + 1 / count)
    centre = np.log(quantiles(own, percent) / quantiles(other, percent))
    return _shift(percent, centre, centre - reach, centre + reach, f"95 %, spread of {count} baseline sessions")


def _of_frames(session: Sequence[Array], baseline: Sequence[Array], beside: bool) -> Shift | None:
    """Both sides by order statistics, each twice as sure, so that the ratio of their far ends is sure enough."""
    own, other = pooled(session), pooled(baseline)
    ends = [_rank_bounds(side, _effective(side)) for side in (session, baseline)]
    known = np.logical_and.reduce([(low >= 1) & (high <= len(side)) for (low, high), side in zip(ends, (own, other))])
    percent = SHIFT_PERCENT[known]
    (own_low, own_high), (other_low, other_high) = (
        (side[low[known] - 1], side[high[known] - 1]) for (low, high), side in zip(ends, (own, other))
    )
    centre = np.log(quantiles(own, percent) / quantiles(other, percent))
    basis = "95 % for the frames of these rounds" if beside else (
        f"95 % for these frames alone: the spread between sessions takes {FEWEST_SESSIONS} with raw times"
    )  # fmt: skip
    return _shift(percent, centre, np.log(own_low / other_high), np.log(own_high / other_low), basis)


def _rank_bounds(processes: Sequence[Array], effective: float) -> tuple[Array, Array]:
    """Ranks between which each quantile lies (Clopper and Pearson, Biometrika 26, 1934); outside 1 ... n: unbounded."""
    from scipy.special import betaincinv

    count, tail = sum(map(len, processes)), ALPHA / 4
    below = SHIFT_PERCENT / 100 * effective
    low = betaincinv(below, effective - below + 1, tail)
    high = betaincinv(below + 1, effective - below, 1 - tail)
    return np.floor(low * count).astype(np.int64), np.ceil(high * count).astype(np.int64) + 1


def _effective(processes: Sequence[Array]) -> float:
    """How many independent frames tell as much; of ranks, since single late frames say nothing of the neighbourhood."""
    return sum(_effective_frames(one) for one in processes if len(one))


def _effective_frames(frames: Array) -> float:
    judged = frames[:JUDGED_FRAMES]
    ranks = judged.argsort().argsort().astype(np.float64)
    return len(frames) * independent_samples(ranks) / len(judged)


def _shift(percent: Array, centre: Array, low: Array, high: Array, basis: str) -> Shift | None:
    if not len(percent):
        return None
    return Shift(percent=percent, ratio=np.expm1(centre), low=np.expm1(low), high=np.expm1(high), basis=basis)


def pooled(processes: Sequence[Array]) -> Array:
    """All frame times of some processes, ascending."""
    pooled: Array = np.sort(np.concatenate([np.zeros(0), *processes]))
    return pooled
