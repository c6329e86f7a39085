"""Two recorded sessions beside each other, without measuring: `harness compare A B`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from harness.baseline import session_logs
from harness.comparison import FEWEST_SESSIONS, TEST, percent
from harness.errors import printable
from harness.fingerprint import differences
from harness.history import DEFAULT_LOCATION, open_history
from harness.history.store import History
from harness.metrics import METRICS
from harness.record import SessionRecord
from harness.rules import Outcome, decide

SHOWN_PROVENANCE = ("model_sha256", "harness", "commit")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One recorded session, and all valid sessions of the same build under the same conditions."""

    session: SessionRecord
    alike: tuple[SessionRecord, ...]


def add_compare_command(commands: Any) -> None:
    """The command `harness compare`."""
    parser = commands.add_parser("compare", help="compare two recorded sessions without measuring")
    parser.add_argument("first", help="the beginning of a session's id, see harness history list")
    parser.add_argument("second", help="the same; what it is compared with is the first")
    parser.add_argument("--history", default=DEFAULT_LOCATION, help="file or URL (default: %(default)s)")
    parser.set_defaults(command=_compare)


def _compare(parsed: argparse.Namespace) -> str:
    with open_history(parsed.history, create=False) as history:
        return comparison(*(_side(history, prefix) for prefix in (parsed.first, parsed.second)))


def _side(history: History, prefix: str) -> Side:
    session = history.find(prefix)
    alike = [
        one for one in history.sessions(session.case)
        if one.valid and one.identity == session.identity and _build(one) == _build(session)
    ]  # fmt: skip
    return Side(session=session, alike=tuple(alike))


def _build(session: SessionRecord) -> tuple[Any, ...]:
    """What was measured; a session that does not say which model it was is a build of its own."""
    known = session.provenance.get("model_sha256")
    return tuple(session.provenance.get(name) for name in SHOWN_PROVENANCE) if known else (session.id,)


def comparison(first: Side, second: Side) -> str:
    """A table, one row per compared metric: both values, the change, and what the sessions of both builds prove.

    NOT_COMPARABLE where the conditions differ; the numbers are printed all the same.
    """
    lines = [f"A {_named(first)}", f"B {_named(second)}", ""]
    differing = differences(first.session.identity, second.session.identity)
    if first.session.case != second.session.case:
        differing.insert(0, f"case: {first.session.case.key} and now {second.session.case.key}")
    same_build = bool({one.id for one in first.alike} & {one.id for one in second.alike})
    told = Outcome.NOT_COMPARABLE.value if differing else "" if same_build else None
    rows = [_row(metric, first, second, told) for metric in _common_metrics(first, second)]
    lines += _aligned([("metric", "A", "B", "change", "outcome"), *rows])
    if differing:
        lines += ["", printable(f"NOT_COMPARABLE: {'; '.join(differing)}")]
    elif same_build:
        lines += ["", "A and B are sessions of the same build: what differs is the spread between sessions"]
    return "\n".join(lines)


def _named(side: Side) -> str:
    one = side.session
    came = ", ".join(
        f"{name} {str(one.provenance[name])[:12]}" for name in SHOWN_PROVENANCE if one.provenance.get(name)
    )
    count = f"{len(side.alike)} valid session{'s' * (len(side.alike) != 1)} of this build"
    return printable(f"{one.id[:8]} {one.at} {one.case.key} ({came}; {count})")


def _common_metrics(first: Side, second: Side) -> list[str]:
    """What baselines compare, then every other metric that both sides tell."""
    both = [name for name in METRICS if name in first.session.values and name in second.session.values]
    return sorted(both, key=lambda name: METRICS[name].tolerance_percent is None)


def _row(metric: str, first: Side, second: Side, told: str | None) -> tuple[str, ...]:
    """told: the outcome, where it is the same for all metrics."""
    before, now = (mean(side.session.values[metric]) for side in (first, second))
    change = f"{100 * (now / before - 1):+.2f} %" if before else "-"
    outcome = _outcome(metric, first.alike, second.alike) if told is None else told
    return metric, f"{before:.4g}", f"{now:.4g} {METRICS[metric].unit}", change, outcome


def _outcome(metric: str, before: Sequence[SessionRecord], now: Sequence[SessionRecord]) -> str:
    tolerance_percent = METRICS[metric].tolerance_percent
    if tolerance_percent is None:
        return ""
    told = [_telling(side, metric) for side in (before, now)]
    if len(told[0]) < FEWEST_SESSIONS or not told[1]:
        return f"{Outcome.INCONCLUSIVE}: {len(told[0])} sessions of A and {len(told[1])} of B, 5 and 1 are needed"
    logs = [session_logs(side, metric) for side in told]
    inputs = {"baseline": logs[0], "candidate": logs[1], "margin": tolerance_percent / 100, **TEST}
    ruling = decide("sessions-t/1", inputs)
    found = ruling.found
    span = f"{percent(found.change):+.2f} % [{percent(found.low):+.2f}, {percent(found.high):+.2f}]"
    return (
        f"{ruling.outcome}: {span} over {len(logs[0])} and {len(logs[1])} sessions, tolerated {tolerance_percent:g} %"
    )


def _telling(sessions: Sequence[SessionRecord], metric: str) -> list[SessionRecord]:
    """Those with a value above zero, of which there is a logarithm."""
    return [one for one in sessions if metric in one.values and min(one.values[metric]) > 0]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
