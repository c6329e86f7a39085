"""What a trend chart draws beside its points: budgets, the band of the baseline, changes of level. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import numpy as np

from harness.case import Array
from harness.comparison import percent
from harness.record import Annotation, RecordedVerdict
from harness.stats.changes import ChangePoint, change_points
from harness.stats.sessions import FLOOR
from harness.trendreport.gather.claims import BROKEN
from harness.trendreport.metricwords import better_of
from harness.trendreport.model import Band, Limit, Step
from harness.trends import EXPECTED, FEWEST_SESSIONS, SMALLEST_PERCENT

SEARCHED_SESSIONS = 500
COVERAGE = 0.95
RULE = "sessions-t/1"


def limits_of(verdicts: Sequence[RecordedVerdict]) -> tuple[Limit, ...]:
    """The budgets of these verdicts on one metric, gates first."""
    found = {Limit(limit=one.limit, gate=one.gate) for one in verdicts if one.limit is not None}
    return tuple(sorted(found, key=lambda one: (not one.gate, one.limit)))


def band_of(verdicts: Sequence[RecordedVerdict], first: int) -> Band | None:
    """The prediction interval from the baseline's logs in the first of these verdicts that was compared with one.

    The accepted baseline comes before the rolling one. None where none was compared, or the inputs are damaged.
    """
    compared = (one for one in verdicts if one.rule == RULE)
    return next(filter(None, (_band(one.metric, one.inputs, first) for one in compared)), None)


def _band(metric: str, inputs: Mapping[str, Any], first: int) -> Band | None:
    try:
        logs = [float(one) for one in inputs["baseline"]]
        low, high = prediction_interval(logs, float(inputs.get("floor", FLOOR)))
        ends = (low, high) if better_of(metric) == "less" else (-high, -low)
        return Band(low=math.exp(ends[0]), high=math.exp(ends[1]), first=first, sessions=len(logs))
    except BROKEN:
        return None


def prediction_interval(logs: Sequence[float], floor: float) -> tuple[float, float]:
    """Where one further session lies 95 times in 100: mean -+ t s sqrt(1 + 1/n), of normal logs.

    With one further observation the interval of G. J. Hahn, JASA 64, 1969; s is the standard deviation, not below
    `floor`, as in the verdict itself. ValueError for fewer than two logs.
    """
    from scipy.special import stdtrit

    count = len(logs)
    spread = max(stdev(logs), floor) if count > 1 else math.nan
    if not math.isfinite(spread):
        raise ValueError(f"at least two finite logs are needed, got {logs}")
    reach = float(stdtrit(count - 1, (1 + COVERAGE) / 2)) * spread * math.sqrt(1 + 1 / count)
    return mean(logs) - reach, mean(logs) + reach


def changes_in(metric: str, value: Array, expected: Sequence[int] = ()) -> list[ChangePoint]:
    """The changes of level in the newest 500 of these values, oldest first; their `index` counts in all of them.

    expected: the first positions of levels that people expected. Nothing for values of which there is no logarithm.
    """
    start = max(len(value) - SEARCHED_SESSIONS, 0)
    searched = value[start:]
    if len(searched) < FEWEST_SESSIONS or searched.min() <= 0 or searched.min() == searched.max():
        return []
    logs = np.log(searched) if better_of(metric) == "less" else -np.log(searched)
    marks = sorted({one - start for one in expected if start < one < len(value)})
    found = change_points(logs, marks=marks, magnitude=SMALLEST_PERCENT / 100)
    return [replace(one, index=start + one.index) for one in found]


def expected_at(case_key: str, annotations: Sequence[Annotation]) -> list[str]:
    """When people expected a step of the case."""
    return [one.at for one in annotations if one.kind == EXPECTED and one.case_key in (None, case_key)]


def expected_since(case_key: str, annotations: Sequence[Annotation]) -> str:
    """The last of these times; "" where there is none."""
    return max(expected_at(case_key, annotations), default="")


def step_of(point: ChangePoint, places: Array) -> Step:
    """places: of the searched values in the track."""
    return Step(index=int(places[point.index]), percent=percent(point.change), p_value=point.p_value)
