"""How much the sessions of one build differ by themselves, and whether that has changed. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.case import Array
from harness.history.trendrows import SessionHead, TrendRows
from harness.metrics import METRICS
from harness.trendreport.cells import MISSING, percent
from harness.trendreport.health.falsealarms import BUILD
from harness.trendreport.model import Table

# With fewer degrees of freedom a standard deviation is off by more than a half either way.
# What is left of equal values when their mean is taken away.
ROUNDING = 1e-12
FEWEST_FREEDOM = 6
NOTES = (
    "spread: standard deviation of the logs of valid sessions around the mean of their build (model file, harness, "
    f"commit) under one identity, pooled; {MISSING}: fewer than {FEWEST_FREEDOM} sessions more than builds",
    "older, newer: the same of the older and the newer half of the sessions; a spread that grows makes every "
    "comparison blinder before it makes one wrong",
)


def spread_table(rows: TrendRows) -> Table:
    """One row per device and metric that baselines compare."""
    return Table(
        title="Spread between sessions of one build",
        columns=("device", "metric", "sessions", "builds", "spread %", "older half %", "newer half %"),
        rows=tuple(sorted(_rows(rows))) if rows.heads else (),
        left=2, notes=NOTES,
    )  # fmt: skip


def _rows(rows: TrendRows) -> Iterator[tuple[str, ...]]:
    devices = sorted({head.case.device for head in rows.heads})
    codes = {device: code for code, device in enumerate(devices)}
    device_of = np.fromiter((codes[head.case.device] for head in rows.heads), np.int64, len(rows.heads))
    groups, head_of = _groups(rows.heads), _head_of(rows.heads, rows.means.session)
    usable = (groups[head_of] >= 0) & (rows.means.value > 0)
    for metric, name in enumerate(rows.means.metrics):
        if not _compared(name):
            continue
        found = np.flatnonzero(usable & (rows.means.metric == metric))
        # Heads are in the order of time; sorted by them, so are these.
        found = found[np.argsort(head_of[found], kind="stable")]
        for device in np.unique(device_of[head_of[found]]):
            own = found[device_of[head_of[found]] == device]
            yield devices[device], name, *_cells(np.log(rows.means.value[own]), groups[head_of[own]])


def _compared(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].tolerance_percent is not None


def _groups(heads: Sequence[SessionHead]) -> Array:
    """Which build under which identity each session is of; -1 where it is invalid, or nobody knows the build."""
    codes: dict[tuple[object, ...], int] = {}
    return np.fromiter((_group(head, codes) for head in heads), np.int64, len(heads))


def _group(head: SessionHead, codes: dict[tuple[object, ...], int]) -> int:
    build = tuple(map(head.provenance.get, BUILD))
    if not head.valid or head.purpose == "paired" or not build[0]:
        return -1
    return codes.setdefault((head.case, head.identity, build), len(codes))


def _head_of(heads: Sequence[SessionHead], numbers: Array) -> Array:
    """The index of each number's head."""
    known = np.fromiter((head.number for head in heads), np.int64, len(heads))
    order = np.argsort(known)
    found: Array = order[np.searchsorted(known, numbers, sorter=order)]
    return found


def _cells(logs: Array, groups: Array) -> tuple[str, ...]:
    middle = len(logs) // 2
    halves = ((logs, groups), (logs[:middle], groups[:middle]), (logs[middle:], groups[middle:]))
    return str(len(logs)), str(len(np.unique(groups))), *(_percent(pooled_spread(*half)) for half in halves)


def pooled_spread(logs: Array, groups: Array) -> float | None:
    """The pooled standard deviation within the groups; None where too little is left after their means."""
    if not len(logs):
        return None
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    freedom = len(logs) - len(counts)
    if freedom < FEWEST_FREEDOM:
        return None
    means = np.bincount(inverse, logs) / counts
    return math.sqrt(float(np.square(logs - means[inverse]).sum()) / freedom)


def _percent(sigma: float | None) -> str:
    return MISSING if sigma is None else percent(math.expm1(sigma) if sigma > ROUNDING else 0.0)
