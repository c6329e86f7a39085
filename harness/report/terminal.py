"""The report as plain lines for a terminal, without colours; the banner comes last, where eyes are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.report.banner import banner
from harness.report.findings import Finding, errors, harness_cost, open_verdicts
from harness.report.layout import paragraph, text_table
from harness.report.sensor_tables import silent_sensors
from harness.report.tables import all_tables
from harness.session import Session


def terminal_lines(session: Session) -> list[str]:
    """Tables, then what did not pass, advice, errors, notes, the harness's own cost, and the banner."""
    return [*_tables(session), *_findings(session), *paragraph(banner(session).line)]


def _tables(session: Session) -> Iterator[str]:
    for table in all_tables(session):
        yield from text_table(table)


def _findings(session: Session) -> Iterator[str]:
    yield from _section("Not passed", open_verdicts(session, gate=True))
    yield from _section("Advice not passed", open_verdicts(session, gate=False))
    yield from _section("Not measured", errors(session))
    for note in (*session.notes, *silent_sensors(session)):
        yield from paragraph(f"note: {note}")
    yield from paragraph(harness_cost(session))


def _section(title: str, findings: Iterable[Finding]) -> list[str]:
    lines = [line for one in findings for line in paragraph(f"{one.label}: {one.subject}: {one.sentence}", indent="  ")]
    return [title, *lines, ""] if lines else []
