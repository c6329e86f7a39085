"""Limits with their margins: per metric the worst case and how many of each outcome."""

from __future__ import annotations

import math

from harness.report.layout import Row, Table
from harness.report.scenario_notes import scenario_notes
from harness.report.values import MISSING, badness, case_name, counted, titled, verdicts_of, with_unit
from harness.session import Session
from harness.verdict import Verdict

COLUMNS = ("metric", "worst case", "limit", "worst", "margin %", "outcomes")
NOTE = "margin: how far the worst value lies inside its limit, in per cent of the limit; negative: outside"


def gate_table(session: Session) -> Table:
    """The limits that turn the session red."""
    return _limits(session, "Gates", gate=True)


def advice_table(session: Session) -> Table:
    """The limits that are printed and never red."""
    return _limits(session, "Advice, never red", gate=False)


def _limits(session: Session, title: str, *, gate: bool) -> Table:
    asked = [one for one in verdicts_of(session) if one.gate is gate]
    metrics = dict.fromkeys(one.metric for one in asked)
    members = [[one for one in asked if one.metric == metric] for metric in metrics]
    rows = tuple(_row(some) for some in sorted(members, key=lambda some: min(map(badness, some))))
    notes = (NOTE, *scenario_notes(session, asked))
    return Table(title=titled(session, title), columns=COLUMNS, groups=(("", rows),), left=2, notes=notes)


def _row(verdicts: list[Verdict]) -> Row:
    worst = min(verdicts, key=badness)
    margin = worst.margin_percent
    return (
        worst.metric, case_name(worst.case),
        _limit(worst), with_unit(worst.value, worst.unit),
        MISSING if margin is None or not math.isfinite(margin) else f"{margin:+.1f}", counted(verdicts),
    )  # fmt: skip


def _limit(verdict: Verdict) -> str:
    return MISSING if verdict.limit is None else f"{verdict.limit:g} {verdict.unit}"
