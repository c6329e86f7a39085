"""Writes the case journal while tests run, and takes over what an interrupted run has finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.invocation import Invocation, case_of

if TYPE_CHECKING:
    from harness.report.casejournal import CaseJournal, CaseJournalWriter, Header, Told
    from harness.unattended.resume import Resumption


class Journaling:
    """The journal begins with the first test: a session that is refused leaves no folder behind."""

    def __init__(self, config: pytest.Config, invocation: Invocation) -> None:
        self._config, self._invocation = config, invocation
        self._uncollected: list[pytest.CollectReport] = []
        self._left: Counter[Case] = Counter()
        self._header: Header | None = None
        self._goes_on: CaseJournal | None = None
        self._carried: list[Told] = []
        self._journal: CaseJournalWriter | None = None
        self._replaying = False
        self._lines: list[str] = []

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Kept until the journal begins."""
        if not report.passed:
            self._uncollected.append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is planned; what an interrupted run has finished is taken over instead."""
        if not self._measures():
            return
        from harness.unattended.header import header_of

        self._header = header_of(self._config, self._invocation, session.items)
        if folder := self._config.getoption("--resume"):
            try:
                self._resume(Path(folder), session)
            except HarnessError as error:
                self._invocation.session = None  # nothing was measured, so there is nothing to report
                raise pytest.UsageError(error.sentence) from error
        self._left = Counter(filter(None, map(case_of, session.items)))

    def _measures(self) -> bool:
        """Not where tests are only listed, and not in the workers of pytest-xdist, which refuse to measure."""
        measures = self._invocation.session is not None and bool(self._invocation.expected)
        return measures and not self._config.option.collectonly and not hasattr(self._config, "workerinput")

    def _resume(self, folder: Path, session: pytest.Session) -> None:
        from harness.report.casejournal import read_cases
        from harness.unattended.resume import resumption

        if self._invocation.folder != folder.absolute():
            remedy = "leave --report out: a resumed run goes on in its own folder"
            raise ConfigError("--resume and --report name two folders", where=str(folder), remedy=remedy)
        assert self._header is not None
        before = read_cases(folder)
        found = resumption(before, self._header)
        if found.goes_on:
            self._goes_on = before
            self._take(found, session)
        self._lines += found.reasons

    def _take(self, found: Resumption, session: pytest.Session) -> None:
        from harness.unattended.keptcase import take_case

        measuring, cases = self._invocation.session, {case.key: case for case in self._invocation.expected}
        assert measuring is not None
        assert self._header is not None
        taken = {key for key in found.finished if take_case(measuring, cases[key], self._invocation.folder)}
        assert self._goes_on is not None
        measuring.run = self._goes_on.header.run or measuring.run
        self._header = replace(self._header, carried=tuple(sorted(taken)), run=measuring.run)
        self._carried = [one for key in found.finished if key in taken for one in found.finished[key]]
        session.items[:] = [item for item in session.items if (one := case_of(item)) is None or one.key not in taken]
        self._invocation.progress.expect(len(cases) - len(taken))
        self._lines.append(f"{len(taken)} of {len(cases)} cases were finished before and are not measured again")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """What was finished before is reported as it was then, after all that is run now."""
        session.testscollected += len(self._carried)  # a session without any test is an error to pytest
        yield
        self._replay()

    def _replay(self) -> None:
        from harness.report.rebuild import report_of

        self._replaying, hook = True, self._config.hook
        for told in self._carried:
            name = {"nodeid": told.planned.test, "location": told.planned.location}
            hook.pytest_runtest_logstart(**name)
            for phase in told.phases:
                hook.pytest_runtest_logreport(report=report_of(phase.report))
            hook.pytest_runtest_logfinish(**name)
        self._replaying = False

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test is in the journal before it begins; a case is kept as soon as its last test is over."""
        if self._header is not None:
            self._done(lambda: self._open().begin(item.nodeid))
        yield
        case = case_of(item)
        if self._header is not None and case is not None:
            self._left[case] -= 1
            if not self._left[case]:
                self._done(lambda: self._keep(case))

    def _open(self) -> CaseJournalWriter:
        """The journal, begun at the first call."""
        from harness.report.casejournal import CaseJournalWriter

        if self._journal is None:
            assert self._header is not None
            self._journal = CaseJournalWriter(self._invocation.folder, self._header, goes_on=self._goes_on)
            for report in self._uncollected:
                self._journal.uncollected(self._plain(report))
        return self._journal

    def _keep(self, case: Case) -> None:
        from harness.unattended.keptcase import keep_case

        assert self._invocation.session is not None
        keep_case(self._invocation.session, case, self._invocation.folder)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Every phase of every test; what is only told again stands there already."""
        if self._header is not None and not self._replaying:
            self._done(lambda: self._open().report(report.nodeid, self._phase(report)))

    def _phase(self, report: pytest.TestReport) -> Any:
        from harness.report.casejournal import Phase

        return Phase(
            when=report.when, outcome=report.outcome, failure_class=getattr(report, "dms_class", ""),
            error=getattr(report, "dms_error", ""), quarantined=getattr(report, "dms_quarantined", False),
            report=self._plain(report),
        )  # fmt: skip

    def _plain(self, report: pytest.TestReport | pytest.CollectReport) -> dict[str, Any]:
        found: dict[str, Any] = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        return found

    def _done(self, step: Callable[[], None]) -> None:
        """Take the step; a journal that cannot be written costs the session its green, and not its measurements."""
        try:
            step()
        except HarnessError as error:
            self._header = None
            self._invocation.note(error.sentence)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The status that pytest will have; after it, nothing is written."""
        if self._journal is not None and self._header is not None:
            self._done(lambda: self._open().end(int(session.exitstatus)))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What was not measured again, and what was, and why."""
        for line in self._lines:
            terminalreporter.write_line(f"resumed: {line}")
