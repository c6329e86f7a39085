"""The report as Markdown for a pull request: banner, what did not pass, then folded tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from harness.markup import LIMIT_BYTES, escape, fitting, folded, left_out, table
from harness.report.banner import banner
from harness.report.environment import Environment
from harness.report.files import append
from harness.report.findings import Finding, errors, harness_cost, open_verdicts
from harness.report.layout import Row, Table
from harness.report.sensor_tables import silent_sensors
from harness.report.tables import all_tables
from harness.report.values import plural, titled
from harness.session import Session

__all__ = ["LIMIT_BYTES", "append_step_summary", "escape", "markdown"]

ELSEWHERE = "results.json"


def markdown(session: Session, environment: Environment | None = None) -> str:
    """At most 60,000 bytes; where rows had to be left out, their count is stated."""
    tables = all_tables(session)
    return fitting(lambda cap: _lines(session, environment, tables, cap))


def append_step_summary(session: Session, variables: Mapping[str, str]) -> None:
    """Append the report to the job summary where GITHUB_STEP_SUMMARY names its file; HarnessError if it cannot be."""
    target = variables.get("GITHUB_STEP_SUMMARY", "")
    if target:
        append(Path(target), markdown(session) + "\n")


def _lines(session: Session, environment: Environment | None, tables: list[Table], cap: int) -> Iterator[str]:
    said = banner(session)
    yield from (f"## dms-harness: {titled(session, said.state)}", "", f"**{said.state}**: {escape(said.sentence)}")
    if said.next_step:
        yield from ("", f"Next: {escape(said.next_step)}")
    yield from _list("Not passed", open_verdicts(session, gate=True), cap)
    yield from _list("Not measured", errors(session), cap)
    yield from _list("Advice not passed", open_verdicts(session, gate=False), cap)
    for one in tables:
        yield from folded(f"{one.title}, {plural(one.rows, 'row')}", _table(one, cap))
    yield from folded("Conditions", _conditions(session, environment, cap))


def _list(title: str, findings: list[Finding], cap: int) -> Iterator[str]:
    if findings:
        yield from ("", f"### {title} ({len(findings)})", "")
        yield from (f"- **{one.label}** {escape(one.subject)}: {escape(one.sentence)}" for one in findings[:cap])
        yield from left_out(len(findings) - cap, ELSEWHERE)


def _table(shown: Table, cap: int) -> list[str]:
    rows = list(_rows(shown))
    notes = [line for note in shown.notes for line in ("", escape(note))]
    more = left_out(len(rows) - cap, ELSEWHERE)
    return [*table(shown.columns, rows[:cap], shown.left), *more, *notes]


def _rows(shown: Table) -> Iterator[Row]:
    """Every row by itself: a model's name stands in front of its rows, so that any part can be left out."""
    for heading, rows in shown.groups:
        yield from ((f"{heading}/{row[0]}" if heading else row[0], *row[1:]) for row in rows)


def _conditions(session: Session, environment: Environment | None, cap: int) -> Iterator[str]:
    profile, plan = session.setup.profile, session.setup.plan
    yield f"- device: {', '.join(escape(one) for one in (profile.name, profile.soc, profile.description) if one)}"
    yield f"- plan: {escape(plan.name)}, {plural(plan.runs, 'run')} of {plan.frames} frames"
    facts = asdict(environment) if environment else {}
    yield from (f"- {name}: {escape(str(value))}" for name, value in facts.items() if value is not None)
    notes = [*silent_sensors(session), *session.notes]
    yield from (f"- note: {escape(note)}" for note in notes[:cap])
    yield from left_out(len(notes) - cap, ELSEWHERE)
    cost = harness_cost(session)
    if cost:
        yield f"- {escape(cost)}"
