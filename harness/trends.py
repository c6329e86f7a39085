"""Where the history changed its level: `harness changes`. Advice, never red."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.baseline import session_logs
from harness.case import Case
from harness.comparison import percent
from harness.history import DEFAULT_LOCATION, open_history
from harness.history.store import History
from harness.metrics import METRICS
from harness.record import Annotation, SessionRecord
from harness.stats.changes import ChangePoint, change_points, significant_series

EXPECTED = "expected"
FEWEST_SESSIONS = 8
SMALLEST_PERCENT = 2.0
Key = tuple[Case, str, str]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of a case under one identity, session by session, and where people expected a step."""

    sessions: tuple[SessionRecord, ...]
    logs: tuple[float, ...]
    marks: tuple[int, ...]


def add_changes_command(commands: Any) -> None:
    """The command `harness changes`."""
    parser = commands.add_parser("changes", help="find changes of level in the history; advice")
    parser.add_argument("--metric", default="", help="one metric (default: those that baselines compare)")
    parser.add_argument("--smallest", type=float, default=SMALLEST_PERCENT, help="in per cent (default: %(default)s)")
    parser.add_argument("--history", default=DEFAULT_LOCATION, help="file or URL (default: %(default)s)")
    parser.set_defaults(command=_changes)


def _changes(parsed: argparse.Namespace) -> str:
    metrics = [parsed.metric] if parsed.metric else [one.name for one in METRICS.values() if one.tolerance_percent]
    with open_history(parsed.history, create=False) as history:
        series = series_of(history, metrics)
    return said(series, parsed.smallest)


def series_of(history: History, metrics: Sequence[str]) -> dict[Key, Series]:
    """Every series of valid sessions that is long enough to search."""
    found: dict[Key, Series] = {}
    notes = history.annotations()
    for case in history.cases():
        by_identity: dict[str, list[SessionRecord]] = {}
        for one in history.sessions(case):
            if one.valid:
                by_identity.setdefault(str(sorted(one.identity.items())), []).append(one)
        for identity, sessions in by_identity.items():
            for metric in metrics:
                told = tuple(one for one in sessions if metric in one.values and min(one.values[metric]) > 0)
                if len(told) >= FEWEST_SESSIONS:
                    found[case, identity, metric] = _series(told, metric, notes)
    return found


def _series(sessions: tuple[SessionRecord, ...], metric: str, notes: Sequence[Annotation]) -> Series:
    case = sessions[0].case.key
    steps = [one.at for one in notes if one.kind == EXPECTED and one.case_key in (None, case)]
    marks = {next((index for index, one in enumerate(sessions) if one.at >= at), 0) for at in steps}
    return Series(sessions=sessions, logs=tuple(session_logs(sessions, metric)), marks=tuple(sorted(marks - {0})))


def said(series: dict[Key, Series], smallest_percent: float = SMALLEST_PERCENT) -> str:
    """One line per change in the series that changed, 5 % of which are expected to be chance."""
    magnitude = smallest_percent / 100
    found = {key: change_points(one.logs, marks=one.marks, magnitude=magnitude) for key, one in series.items()}
    lines = [_line(key, series[key], point) for key, points in significant_series(found).items() for point in points]
    searched = f"{len(series)} series of at least {FEWEST_SESSIONS} sessions searched"
    return "\n".join([*lines, f"{len(lines)} changes; {searched}; advice: a change point never turns a run red"])


def _line(key: Key, series: Series, point: ChangePoint) -> str:
    case, _, metric = key
    first = series.sessions[point.index]
    commit = first.provenance.get("commit") or "no commit"
    worse = "worse" if point.change > 0 else "better"
    return (
        f"{case.key} {metric}: {worse} by {abs(percent(point.change)):.1f} % since {first.at} "
        f"(session {first.id[:8]}, {commit}, p {point.p_value:.2g})"
    )
