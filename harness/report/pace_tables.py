"""The camera's pace, soaks and cascades of a session as tables."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.layout import Row, Table
from harness.report.values import case_name, measured_cases, number, titled
from harness.session import Session
from harness.summaries import tables as pacetables
from harness.summaries.camera import camera_summary
from harness.summaries.cascade import cascade_summary
from harness.summaries.soak import SoakSummary, ranks, soak_summary
from harness.summaries.tables import Camera, PaceTable

EVERY_SECOND = "every second is drawn in trends.html, and by --trace"
EVERY_MINUTE = "every minute stands in results.json and is drawn in trends.html"
Groups = tuple[tuple[str, tuple[Row, ...]], ...]


def pace_tables(session: Session) -> Iterator[Table]:
    """Those that have something to show."""
    cases = _cameras(session)
    if cases:
        yield _table(session, pacetables.camera_times_table(cases, number))
        yield _table(session, pacetables.camera_misses_table(cases, number))
        yield _table(session, pacetables.camera_seconds_table(cases, number), EVERY_SECOND)
    found = ((case_name(one.case), cascade_summary(one.runs)) for one in measured_cases(session))
    stages = [(f"{name}, {one.execution}", pacetables.stages_table(one, number)) for name, one in found if one]
    yield from _grouped(session, stages)


def soak_tables(session: Session) -> Iterator[Table]:
    """The minutes of every soak; of several cases, which is the quickest early and late."""
    soaks = [(name, pacetables.minutes_table(one, number)) for name, one in _soaks(session)]
    yield from _grouped(session, soaks, EVERY_MINUTE)
    first = {case_name(one.case): soak_summary(one.runs[0]) for one in measured_cases(session)}
    found = ranks({name: one for name, one in first.items() if one})
    if found:
        yield _table(session, pacetables.ranking_table(found, number))


def _cameras(session: Session) -> Camera:
    found = ((case_name(one.case), camera_summary(one.runs)) for one in measured_cases(session))
    return [(name, one) for name, one in found if one]


def _soaks(session: Session) -> Iterator[tuple[str, SoakSummary]]:
    """Each process that is a soak, with the case's name, and its number where the case has several."""
    for measured in measured_cases(session):
        for process, run in enumerate(measured.runs, 1):
            found = soak_summary(run)
            if found:
                name = case_name(measured.case)
                yield (f"{name}, process {process}" if len(measured.runs) > 1 else name), found


def _grouped(session: Session, named: list[tuple[str, PaceTable]], *notes: str) -> Iterator[Table]:
    """Tables of one kind as one, each under its name."""
    if named:
        yield _table(session, named[0][1], *notes, groups=tuple((name, one.rows) for name, one in named))


def _table(session: Session, made: PaceTable, *notes: str, groups: Groups = ()) -> Table:
    return Table(
        title=titled(session, made.title), columns=made.columns, groups=groups or (("", made.rows),), left=made.left,
        notes=(*made.notes, *notes),
    )  # fmt: skip
