"""The case journal: what became of every test, on disk before the next one begins; docs/nightly.md.

FOLDER/cases.journal is a harness.journal. Its records, by `kind`: "run" (what is measured, and which tests are
planned), "begin" (a test), "report" (one phase of it, as pytest reports it, with its failure class), "collect" (a file
that could not be collected), "end" (the status of pytest). A resumed run appends a second "run" and goes on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import INFRA, BusyError, ConfigError, HarnessError
from harness.journal import Journal, read_lines

NAME = "cases.journal"
BEFORE = "cases.before.journal"
VERSION = 1
LAST_PHASE = "teardown"
PASS, BUSY = "PASS", "BUSY"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A test that is to run. case: key of what it measures, empty where it measures nothing."""

    test: str
    case: str = ""
    location: tuple[str, int | None, str] = ("", None, "")


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a run measures. made_of: case key -> hash of all files of its model. junit: pytest's options for JUnit.

    carried: keys of the cases that an earlier part of the same run has finished. commit: of the repository, with +
    where files differ from it. settings: hash of all else that decides a result. run: its name in the history.
    """

    at: str
    command: str
    device: str
    plan: str
    policy: str
    harness: str
    commit: str
    settings: str = ""
    against: str = ""
    made_of: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Planned, ...] = ()
    carried: tuple[str, ...] = ()
    junit: Mapping[str, str] = field(default_factory=dict)
    run: str = ""

    def to_record(self) -> dict[str, Any]:
        """The header as a record of the journal."""
        return {"kind": "run", "version": VERSION, **asdict(self)}

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Header:
        """Rebuild what `to_record` gave; KeyError or TypeError where it is of another form."""
        raw = {key: value for key, value in record.items() if key not in ("kind", "version")}
        tests = tuple(Planned(**{**one, "location": tuple(one["location"])}) for one in raw.pop("tests"))
        return Header(**{**raw, "carried": tuple(raw["carried"])}, tests=tests)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One report of a test. failure_class: PASS, FAIL, DUT, INFRA, CONFIG or BUG; empty where it says nothing.

    error: the name of the error's class. report: pytest's own, as plain values. quarantined: it failed, and that is no
    longer red.
    """

    when: str
    outcome: str
    failure_class: str
    error: str
    quarantined: bool
    report: Mapping[str, Any]

    @property
    def decides(self) -> str:
        """The class as an exit code takes it: PASS where it was forgiven, BUSY where somebody has the board."""
        return PASS if self.quarantined else BUSY if self.error == BusyError.__name__ else self.failure_class

    @property
    def sentence(self) -> str:
        """What was said of a failure, on as many lines as it took."""
        said = self.report.get("longrepr")
        if isinstance(said, Mapping):
            return str((said.get("reprcrash") or {}).get("message", "")).removeprefix("Failed: ")
        return str(said[-1] if isinstance(said, Sequence) and not isinstance(said, str) and said else said or "")


@dataclass(frozen=True, kw_only=True)
class Told:
    """A planned test and what is known of it: not begun, in flight, or over; of several attempts the last."""

    planned: Planned
    begun: bool = False
    phases: tuple[Phase, ...] = ()

    @property
    def over(self) -> bool:
        """True where nothing of it is missing."""
        return bool(self.phases) and self.phases[-1].when == LAST_PHASE

    @property
    def classes(self) -> tuple[str, ...]:
        """The failure classes of its phases; INFRA where it is not over, PASS where it was forgiven."""
        said = (one.decides for one in self.phases if one.failure_class)
        return tuple(dict.fromkeys(said)) if self.over else (INFRA,)


@dataclass(frozen=True, kw_only=True)
class CaseJournal:
    """What a journal says. status: of pytest at its end, None where it never came to it. damaged: lines that are none.

    length: bytes up to the end of the last whole line.
    """

    path: Path
    header: Header
    told: tuple[Told, ...]
    uncollected: tuple[Mapping[str, Any], ...]
    status: int | None
    damaged: int
    length: int

    @property
    def interrupted(self) -> bool:
        """True where tests that were planned are not over: killed, cut off, or stopped by hand."""
        return not all(one.over for one in self.told)


class CaseJournalWriter:
    """Appends to FOLDER/cases.journal; HarnessError where a record cannot be kept."""

    def __init__(self, folder: Path, header: Header, *, goes_on: CaseJournal | None = None) -> None:
        """goes_on: what stands there and is continued; without it, an older journal is laid aside."""
        self._path = folder / NAME
        with self._explained():
            folder.mkdir(parents=True, exist_ok=True)
            if goes_on is not None:
                os.truncate(self._path, goes_on.length)  # or a torn line would swallow the next record
            elif self._path.exists():
                self._path.replace(folder / BEFORE)
            self._journal = Journal(self._path)
        self._write(header.to_record())

    def begin(self, test: str) -> None:
        """A test begins."""
        self._write({"kind": "begin", "test": test})

    def report(self, test: str, phase: Phase) -> None:
        """One phase of a test is over."""
        self._write({"kind": "report", "test": test, **asdict(phase)})

    def uncollected(self, report: Mapping[str, Any]) -> None:
        """A file of tests that could not be collected, or was skipped."""
        self._write({"kind": "collect", "report": report})

    def end(self, status: int) -> None:
        """pytest is at its end; nothing is written any more."""
        self._write({"kind": "end", "status": status})
        self._journal.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        with self._explained():
            self._journal.write(record)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what, remedy = f"the case journal cannot be written: {error.strerror or error}", "free space there"
            raise HarnessError(what, where=str(self._path), remedy=f"{remedy}, or choose another --report") from error


def read_cases(folder: Path) -> CaseJournal:
    """The journal of a report folder, however much of it is left; ConfigError where there is none."""
    path = folder / NAME if folder.is_dir() else folder
    try:
        content = path.read_bytes()
    except OSError as error:
        remedy = "name the folder that pytest was given as --report"
        raise ConfigError(f"no case journal: {error.strerror}", where=str(path), remedy=remedy) from error
    lines = read_lines(content)
    try:
        headers = [Header.from_record(one) for one in lines.records if one.get("kind") == "run"]
        told = _told(headers[-1], lines.records)
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"not a case journal: {error!r}", where=str(path)) from error
    ends = [one for one in lines.records if one.get("kind") in ("run", "end")]
    return CaseJournal(
        path=path, header=headers[-1], told=told, status=ends[-1].get("status"), damaged=lines.damaged,
        length=lines.length,
        uncollected=tuple(one["report"] for one in lines.records if one.get("kind") == "collect"),
    )  # fmt: skip


def _told(header: Header, records: Iterable[Mapping[str, Any]]) -> tuple[Told, ...]:
    """Each test of the last plan with its last attempt; a later part of the run drops what it does not carry on."""
    attempts: dict[str, list[Phase]] = {}
    cases = {one.test: one.case for one in header.tests}
    for one in records:
        if one.get("kind") == "run":
            attempts = {test: found for test, found in attempts.items() if cases.get(test) in one["carried"]}
        elif one.get("kind") == "begin":
            attempts[one["test"]] = []
        elif one.get("kind") == "report":
            fields = {key: value for key, value in one.items() if key not in ("kind", "test")}
            attempts.setdefault(one["test"], []).append(Phase(**fields))
    return tuple(
        Told(planned=one, begun=one.test in attempts, phases=tuple(attempts.get(one.test, ()))) for one in header.tests
    )
