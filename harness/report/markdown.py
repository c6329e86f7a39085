"""The report as Markdown for a pull request: banner, what did not pass, then folded tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from harness.errors import printable
from harness.report.banner import banner
from harness.report.environment import Environment
from harness.report.files import append
from harness.report.findings import Finding, errors, harness_cost, open_verdicts
from harness.report.layout import Row, Table
from harness.report.sensor_tables import silent_sensors
from harness.report.tables import all_tables
from harness.report.values import plural, titled
from harness.session import Session

LIMIT_BYTES = 60_000
LONGEST_TEXT = 400
# GitHub refuses comments above 65,536 characters: each step keeps fewer rows of every table and list.
ROW_CAPS = (1000, 200, 100, 50, 25, 12, 6, 3, 1, 0)
INVISIBLE = "&#8203;"
_ENTITIES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "$": "&#36;",
    "@": f"@{INVISIBLE}", "#": f"#{INVISIBLE}", "://": f":{INVISIBLE}//", "www.": f"www{INVISIBLE}.",
}  # fmt: skip
_SPECIAL = re.compile(r"[&<>|`$@#]|://|www\.|[\\*\[\]~]|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)


def markdown(session: Session, environment: Environment | None = None) -> str:
    """At most 60,000 bytes; where rows had to be left out, their count is stated."""
    tables = all_tables(session)
    for cap in ROW_CAPS:
        text = "\n".join(_lines(session, environment, tables, cap)) + "\n"
        if len(text.encode()) <= LIMIT_BYTES:
            break
    return text


def append_step_summary(session: Session, variables: Mapping[str, str]) -> None:
    """Append the report to the job summary where GITHUB_STEP_SUMMARY names its file; HarnessError if it cannot be."""
    target = variables.get("GITHUB_STEP_SUMMARY", "")
    if target:
        append(Path(target), markdown(session) + "\n")


def escape(text: str, limit: int = LONGEST_TEXT) -> str:
    """`text` on one line that Markdown shows as it is: no markup, no HTML, no mention, no link, no table cell."""
    return _SPECIAL.sub(_harmless, printable(text, limit))


def _harmless(match: re.Match[str]) -> str:
    found = match.group()
    return _ENTITIES.get(found.lower(), f"\\{found}")


def _lines(session: Session, environment: Environment | None, tables: list[Table], cap: int) -> Iterator[str]:
    said = banner(session)
    yield from (f"## dms-harness: {titled(session, said.state)}", "", f"**{said.state}**: {escape(said.sentence)}")
    if said.next_step:
        yield from ("", f"Next: {escape(said.next_step)}")
    yield from _list("Not passed", open_verdicts(session, gate=True), cap)
    yield from _list("Not measured", errors(session), cap)
    yield from _list("Advice not passed", open_verdicts(session, gate=False), cap)
    for table in tables:
        yield from _folded(f"{table.title}, {plural(table.rows, 'row')}", _table(table, cap))
    yield from _folded("Conditions", list(_conditions(session, environment, cap)))


def _list(title: str, findings: list[Finding], cap: int) -> Iterator[str]:
    if findings:
        yield from ("", f"### {title} ({len(findings)})", "")
        yield from (f"- **{one.label}** {escape(one.subject)}: {escape(one.sentence)}" for one in findings[:cap])
        yield from _left_out(len(findings) - cap)


def _left_out(count: int) -> list[str]:
    return ["", f"*{count} more left out here, see results.json*"] if count > 0 else []


def _folded(title: str, body: list[str]) -> list[str]:
    # The summary stands in an HTML block, where Markdown's escapes do not hold.
    return ["", f"<details><summary>{html.escape(title)}</summary>", "", *body, "", "</details>"]


def _table(table: Table, cap: int) -> list[str]:
    marks = [":---" if index < table.left else "---:" for index in range(len(table.columns))]
    rows = list(_rows(table))
    notes = [line for note in table.notes for line in ("", escape(note))]
    return [_row(table.columns), f"| {' | '.join(marks)} |", *rows[:cap], *_left_out(len(rows) - cap), *notes]


def _rows(table: Table) -> Iterator[str]:
    """Every row by itself: a model's name stands in front of its rows, so that any part can be left out."""
    for heading, rows in table.groups:
        yield from (_row((f"{heading}/{row[0]}" if heading else row[0], *row[1:])) for row in rows)


def _row(cells: Row) -> str:
    return f"| {' | '.join(escape(cell, 120) for cell in cells)} |"


def _conditions(session: Session, environment: Environment | None, cap: int) -> Iterator[str]:
    profile, plan = session.setup.profile, session.setup.plan
    yield f"- device: {', '.join(escape(one) for one in (profile.name, profile.soc, profile.description) if one)}"
    yield f"- plan: {escape(plan.name)}, {plural(plan.runs, 'run')} of {plan.frames} frames"
    facts = asdict(environment) if environment else {}
    yield from (f"- {name}: {escape(str(value))}" for name, value in facts.items() if value is not None)
    notes = [*silent_sensors(session), *session.notes]
    yield from (f"- note: {escape(note)}" for note in notes[:cap])
    yield from _left_out(len(notes) - cap)
    cost = harness_cost(session)
    if cost:
        yield f"- {escape(cost)}"
