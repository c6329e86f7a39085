"""Pareto fronts: which variant and engine nobody beats in latency and accuracy, or size, at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from harness.case import Array
from harness.trendreport.cells import plural
from harness.trendreport.model import Better, ParetoChart, ParetoPoint
from harness.trendreport.views.conditions import same_device
from harness.trendreport.views.newest import Newest, titled

LATENCY, LATENCY_NAME = "frame_p50_ms", "frame p50, ms"
# The first that at least two cases know beside their latency.
AGAINST: tuple[tuple[str, str, Better], ...] = (
    ("accuracy_min_percent", "accuracy, %", "more"),
    ("file_size_mb", "size, MB", "less"),
)


def charts_of(cases: Sequence[Newest]) -> tuple[ParetoChart, ...]:
    """One chart for each device and model of which two valid cases can be compared."""
    valid = sorted((one for one in cases if one.valid), key=lambda one: (one.case.device, one.case.model, one.case.key))
    groups = groupby(valid, key=lambda one: (one.case.device, one.case.model))
    return tuple(chart for _, members in groups if (chart := _chart(list(members))))


def _chart(cases: Sequence[Newest]) -> ParetoChart | None:
    for metric, name, better in AGAINST:
        shown = [one for one in cases if LATENCY in one.values and metric in one.values]
        if len(shown) > 1:
            return _drawn(cases, shown, metric, name, better)
    return None


def _drawn(cases: Sequence[Newest], shown: Sequence[Newest], metric: str, name: str, better: Better) -> ParetoChart:
    x = np.array([one.values[LATENCY] for one in shown])
    y = np.array([one.values[metric] for one in shown])
    front = on_front(x, y, better)
    return ParetoChart(
        title=_title(cases, shown, name), x_name=LATENCY_NAME, y_name=name, y_better=better,
        points=tuple(ParetoPoint(case=one.case, x=float(x[index]), y=float(y[index]), front=bool(front[index]))
                     for index, one in enumerate(shown)),
    )  # fmt: skip


def _title(cases: Sequence[Newest], shown: Sequence[Newest], name: str) -> str:
    """With all that a reader must know: simulated points, cases that are left out, conditions that differ."""
    case, left_out = shown[0].case, len(cases) - len(shown)
    pretended = [one.case.variant for one in shown if one.simulated]
    unlike = any(same_device(one, shown[0]) for one in shown)
    said = (
        f"{plural(left_out, 'case')} without {name.partition(',')[0]} or latency left out" if left_out else "",
        "measured under different conditions, see the remarks of the tables" if unlike else "",
        f"SIMULATED: {', '.join(pretended)}" if 0 < len(pretended) < len(shown) else "",
    )
    return "; ".join(filter(None, (titled(f"{case.model} on {case.device}", shown), *said)))


def on_front(x: Array, y: Array, y_better: Better) -> Array:
    """Which points no other is better than in one and no worse in the other; smaller x is better. bool [points]."""
    cost = -y if y_better == "more" else y
    no_worse = (x[:, None] <= x) & (cost[:, None] <= cost)
    better = (x[:, None] < x) | (cost[:, None] < cost)
    beaten = no_worse & better
    front: Array = np.logical_not(beaten.any(axis=0))
    return front
