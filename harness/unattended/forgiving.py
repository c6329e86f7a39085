"""Whose fault a failed test is, and whether somebody answers for it until a day that is not over."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness.case import Case
from harness.errors import BUG, INFRA, HarnessError, failure_class
from harness.invocation import Invocation, case_of
from harness.policy import CLASS_PROPERTY
from harness.rules import Outcome
from harness.unattended.exitcodes import FAIL, PASS, worst_class
from harness.unattended.quarantine import Entry, Quarantine, find_quarantine
from harness.verdict import Verdict

PROPERTY = "dms_quarantine"
JUDGED = (AssertionError, pytest.fail.Exception)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """failure_class: whose fault it is. metrics: whose gates broke, if that is all. error: name of the exception."""

    failure_class: str
    metrics: frozenset[str] = frozenset()
    error: str = ""


_FAILED = pytest.StashKey[Failed]()


def note_red(item: pytest.Item, red: Sequence[Verdict], errors: Sequence[HarnessError]) -> None:
    """Note why a test is about to fail: which gates broke, what could not be asked. INVALID is the lab's."""
    classes = [INFRA if one.outcome is Outcome.INVALID else FAIL for one in red] + [*map(failure_class, errors)]
    metrics = frozenset() if errors else frozenset(one.metric for one in red)
    error = type(errors[0]).__name__ if errors else ""
    item.stash[_FAILED] = Failed(failure_class=worst_class(classes), metrics=metrics, error=error)


class Forgiving:
    """Gives every report its class, and takes the red from what is in quarantine."""

    def __init__(self, config: pytest.Config, invocation: Invocation) -> None:
        self._config, self._invocation = config, invocation
        self._quarantine = Quarantine()
        self._lines: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """A wrong quarantine ends the session like any wrong configuration."""
        if any(map(case_of, items)):
            today, named = datetime.datetime.now(datetime.UTC).date(), self._config.getoption("--quarantine")
            try:
                self._quarantine = find_quarantine(named, self._config.rootpath, today)
            except HarnessError as error:
                self._invocation.session = None  # nothing was measured, so there is nothing to report
                raise pytest.UsageError(error.sentence) from error
            self._warn()

    def _warn(self) -> None:
        """Of entries that name no case of this device; models that were not asked for by name may be meant."""
        session = self._invocation.session
        if session is not None and not session.setup.named:
            known = [case.key for case in session.cases]
            idle = self._quarantine.without_case(known, session.setup.profile.name)
            self._lines += [f"warning: {self._quarantine.path.name}: {one.case} names no case" for one in idle]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """After the plugin's own, so that a failure is already its sentence."""
        outcome: Any = yield
        report, case = outcome.get_result(), case_of(item)
        if self._invocation.session is None or (case is None and not report.failed):
            return
        failed = _failed(item, call) if report.failed else Failed(failure_class=_class_of_success(report))
        report.dms_class, report.dms_error = failed.failure_class, failed.error
        if failed.failure_class:
            _add_property(item, report, CLASS_PROPERTY, failed.failure_class)
        if case is not None and (entries := self._quarantine.of(case.key)):
            self._look(item, report, case, failed, entries)

    def _look(
        self, item: pytest.Item, report: Any, case: Case, failed: Failed, entries: tuple[Entry, ...]
    ) -> None:  # fmt: skip
        entry = self._quarantine.forgives(case.key, failed.failure_class, failed.metrics)
        if report.failed and entry is not None:
            report.wasxfail = f"{entry.sentence}: {report.longreprtext}"
            report.outcome, report.dms_quarantined = "skipped", True
            first = next(iter(report.longreprtext.splitlines()), "")
            self._tell(item, report, "QUARANTINED", entry.sentence, first)
        elif report.failed:
            self._tell(item, report, "red", self._why_red(entries, failed))
        elif report.when == "call" and failed.failure_class == PASS:
            self._tell(item, report, "passes", entries[0].sentence)

    def _why_red(self, entries: tuple[Entry, ...], failed: Failed) -> str:
        over = [one for one in entries if one in self._quarantine.expired]
        if over:
            return f"its quarantine ended on {over[0].expires} ({over[0].owner}): it is red again"
        return f"its quarantine does not cover this failure ({failed.failure_class})"

    def _tell(self, item: pytest.Item, report: Any, word: str, sentence: str, more: str = "") -> None:
        _add_property(item, report, PROPERTY, sentence)
        self._lines.append(": ".join(filter(None, [word, item.nodeid, sentence, more])))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """What is in quarantine fails under a name of its own."""
        return ("quarantined", "q", "QUARANTINED") if getattr(report, "dms_quarantined", False) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """The report says it too: before it is written."""
        if self._invocation.session is not None:
            self._invocation.session.notes.extend(f"quarantine: {one}" for one in self._lines)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Who is in quarantine, and what became of it."""
        if self._lines:
            terminalreporter.section("quarantine")
        for line in self._lines:
            terminalreporter.write_line(line)


def _failed(item: pytest.Item, call: pytest.CallInfo[None]) -> Failed:
    raised = call.excinfo.value if call.excinfo is not None else None
    if isinstance(raised, HarnessError):
        return Failed(failure_class=failure_class(raised), error=type(raised).__name__)
    if isinstance(raised, JUDGED):
        return item.stash.get(_FAILED, Failed(failure_class=FAIL))
    return Failed(failure_class=BUG, error=type(raised).__name__)


def _class_of_success(report: pytest.TestReport) -> str:
    return PASS if report.passed and report.when == "call" else ""


def _add_property(item: pytest.Item, report: Any, name: str, value: str) -> None:
    """To the report of this phase and to those after it; what was said before under this name is replaced."""
    for known in (item.user_properties, report.user_properties):
        known[:] = [pair for pair in known if pair[0] != name] + [(name, value)]
