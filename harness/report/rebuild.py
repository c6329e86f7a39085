"""JUnit XML out of a case journal, after a session that never came to write its own: `harness junit`.

pytest's own writer is fed with the reports that were kept, so that both files say the same. A test in flight is an
error, one that was not begun is skipped; both are of the class INFRA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.errors import INFRA, HarnessError
from harness.policy import CLASS_PROPERTY
from harness.report.casejournal import CaseJournal, Header, Told

ABORTED = "aborted: the session ended while this test ran"
NOT_RUN = "not run: the session ended before this test"
DEFAULT_NAME = "junit.xml"
JUNIT_DEFAULTS = {
    "prefix": "", "suite_name": "pytest", "logging": "no", "report_duration": "total", "family": "xunit2",
}  # fmt: skip


@dataclass(frozen=True)
class _Span:
    """What pytest's writer asks of a stop-watch."""

    began_s: float
    seconds: float

    def elapsed(self) -> _Span:
        return self

    def as_utc(self) -> datetime:
        return datetime.fromtimestamp(self.began_s, UTC)


def summary(journal: CaseJournal) -> str:
    """How many tests are over, were cut off, and never began; how many lines of the journal are damaged."""
    over = sum(one.over for one in journal.told)
    aborted = sum(one.begun and not one.over for one in journal.told)
    waiting = sum(not one.begun for one in journal.told)
    parts = [f"{over} of {len(journal.told)} tests are over"]
    parts += [f"{aborted} aborted"] if aborted else []
    parts += [f"{waiting} not run"] if waiting else []
    parts += [f"{journal.damaged} lines of the journal are damaged and left out"] if journal.damaged else []
    return ", ".join(parts)


def write_junit(journal: CaseJournal, path: Path) -> Path:
    """Write the JUnit XML of `journal`; HarnessError where it cannot be."""
    from _pytest.junitxml import LogXML

    reports = list(_reports(journal))
    options: dict[str, Any] = {**JUNIT_DEFAULTS, **journal.header.junit}
    temporary = path.with_name(f".{path.name}.part")
    writer: Any = LogXML(str(temporary), **options)  # whose stop-watch tells of now, and is replaced
    writer.logfile = str(temporary)  # the writer would take a $NAME in a path for a variable
    writer.suite_start = _span(journal.header, reports)
    for raw in journal.uncollected:
        writer.pytest_collectreport(pytest.CollectReport._from_json(_plain(raw)))
    for one in reports:
        writer.pytest_runtest_logreport(one)
    try:
        writer.pytest_sessionfinish()
        temporary.replace(path)
    except OSError as error:
        remedy = "choose another file with --out"
        raise HarnessError(f"cannot be written: {error.strerror}", where=str(path), remedy=remedy) from error
    return path


def report_of(raw: Mapping[str, Any]) -> pytest.TestReport:
    """A report as pytest made it, out of the plain values of a journal: lists are tuples again where it cares."""
    found: pytest.TestReport = pytest.TestReport._from_json(_plain(raw))
    return found


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    fields = {key: value for key, value in raw.items() if not key.startswith("$")}
    if isinstance(fields.get("longrepr"), list):
        fields["longrepr"] = tuple(fields["longrepr"])
    for name in ("user_properties", "sections"):
        if name in fields:
            fields[name] = [tuple(one) for one in fields[name]]
    if "location" in fields:
        fields["location"] = tuple(fields["location"])
    return fields


def _reports(journal: CaseJournal) -> Iterator[pytest.TestReport]:
    for told in journal.told:
        if told.over:
            yield from (report_of(one.report) for one in told.phases)
        else:
            yield from _lost(told)


def _lost(told: Told) -> Iterator[pytest.TestReport]:
    """What stands in the place of a test that is not over: one error, or one that was left out."""
    said = next((one.sentence for one in told.phases if one.outcome == "failed"), "")
    sentence = f"{ABORTED}; it had said: {said}" if said else ABORTED
    path, line, _ = told.planned.location
    left_out = (path, line or 0, NOT_RUN)
    properties = [*([("case", told.planned.case)] if told.planned.case else []), (CLASS_PROPERTY, INFRA)]
    fields: dict[str, Any] = {
        "nodeid": told.planned.test, "location": told.planned.location, "keywords": {}, "user_properties": properties,
    }  # fmt: skip
    yield pytest.TestReport(
        **fields, when="setup", outcome="failed" if told.begun else "skipped",
        longrepr=sentence if told.begun else left_out,
    )  # fmt: skip
    yield pytest.TestReport(**fields, when="teardown", outcome="passed", longrepr=None)


def _span(header: Header, reports: list[pytest.TestReport]) -> _Span:
    began = datetime.fromisoformat(header.at).timestamp()
    return _Span(began, max((one.stop - began for one in reports), default=0.0) if reports else 0.0)
