"""A candidate's sessions against the stored sessions of a baseline: Student's t on logs, at a few looks.

A session (a fresh process in a thermal state of its own) is the unit of replication, never a frame.
Outlying sessions are not pulled in: a baseline with trimmed tails has too small a spread, and every
constant that was simulated made more false alarms, not fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from harness.case import Array

LOOKS = (1, 2, 3, 5, 8)
FLOOR = 0.003


@dataclass(frozen=True, kw_only=True)
class SessionComparison:
    """What the sessions show. Logs are natural logs of ratios candidate / baseline; above 0 is worse.

    change: difference of the means. low, high: one-sided bounds of it, at FAIL's and at PASS's error rate.
    spread: pooled standard deviation of a session's log, not below the floor; df: its degrees of freedom.
    p_value: one-sided, of a change above what nobody cares about; for Holm over several metrics.
    minimum_detectable: the fraction by which a candidate must be worse to be found nine times in ten.
    improved: better by more than the margin, at FAIL's error rate.
    """

    decision: Literal["pass", "fail", "unknown"]
    change: float
    low: float
    high: float
    spread: float
    df: int
    p_value: float
    minimum_detectable: float
    improved: bool


def compare_sessions(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    margin: float,
    floor: float = FLOOR,
    dont_care: float = 0.0,
    alpha_fail: float = 0.005,
    alpha_pass: float = 0.05,
    fail_from: int = 1,
) -> SessionComparison:
    """Compare logs of a metric, one per session, signed so that larger is worse; error rates are per look.

    "fail" is proven to be worse by more than the fraction `dont_care`, "pass" by less than the fraction
    `margin`; failing is tested first. Fewer than `fail_from` candidate sessions prove nothing worse or
    better: one session with a heavy tail looks like a regression. ValueError for fewer than two
    baseline sessions, no candidate, or values that are not finite.

    The pooled two-sample t interval; for one candidate session Student's prediction interval.
    """
    from scipy.special import stdtr, stdtrit

    before, after = _checked(baseline, 2, "baseline"), _checked(candidate, 1, "candidate")
    df = len(before) + len(after) - 2
    spread = max(math.sqrt((_squares(before) + _squares(after)) / df), floor)
    error = spread * _per_spread(len(before), len(after))
    change = float(after.mean() - before.mean())
    can_fail = len(after) >= fail_from
    fail_reach = float(stdtrit(df, 1 - alpha_fail)) * error if can_fail else math.inf
    low, high = change - fail_reach, change + float(stdtrit(df, 1 - alpha_pass)) * error
    return SessionComparison(
        decision="fail" if low > math.log1p(dont_care) else "pass" if high < math.log1p(margin) else "unknown",
        change=change,
        low=low,
        high=high,
        spread=spread,
        df=df,
        p_value=float(stdtr(df, (math.log1p(dont_care) - change) / error)) if can_fail else 1.0,
        minimum_detectable=minimum_detectable(spread, len(before), len(after), dont_care=dont_care),
        improved=change + fail_reach < -math.log1p(margin),
    )


def minimum_detectable(
    spread: float, baseline_sessions: int, candidate_sessions: int, *, dont_care: float = 0.0
) -> float:
    """The fraction of slowdown that one test at 1 % finds with 90 % power; `spread` is the log's between sessions.

    By the non-central t distribution (Johnson and Welch, Biometrika 31, 1940).
    """
    error = spread * _per_spread(baseline_sessions, candidate_sessions)
    noncentrality = _noncentrality(baseline_sessions + candidate_sessions - 2)
    return math.expm1(math.log1p(dont_care) + noncentrality * error)


@lru_cache
def _noncentrality(df: int, alpha: float = 0.01, power: float = 0.9) -> float:
    from scipy.special import nctdtrinc, stdtrit

    return float(nctdtrinc(df, 1 - power, stdtrit(df, 1 - alpha)))


def _per_spread(before: int, after: int) -> float:
    return math.sqrt(1 / before + 1 / after)


def _squares(values: Array) -> float:
    return float(np.square(values - values.mean()).sum())


def _checked(values: Sequence[float], fewest: int, name: str) -> Array:
    array = np.asarray(values, np.float64)
    if len(array) < fewest or not np.isfinite(array).all():
        raise ValueError(f"{name}: at least {fewest} finite values are needed, got {array.tolist()}")
    return array
