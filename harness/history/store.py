"""The history as records: what was measured goes in whole or not at all, and comes out as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, exists, insert, select

from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.history import invocations, rows, upkeep
from harness.history.database import Database, damaged
from harness.history.remarks import read_remarks
from harness.history.schema import ANNOTATION, POINT, RAW, RUN, SESSION, VERDICT
from harness.history.trendreading import read_trend_rows
from harness.history.trendrows import TrendRows
from harness.record import Annotation, Purpose, RunRecord, SessionRecord

SHOWN_CANDIDATES = 8
IDS_AT_ONCE = 500
CHECKED_AT_ONCE = 50
# Recorded outcomes are text: they outlive any table of outcomes that a program knows.
FAIL = "FAIL"
REGRESSION_RULE = "sessions-t/"
_CHILDREN = (POINT, RUN, RAW, VERDICT)
_NEWEST_FIRST = (SESSION.c.at.desc(), SESSION.c.number.desc())


class History:
    """Every session ever measured; `harness.history.open_history` opens one.

    Sessions are ordered by time, those of one second as they were recorded. Every method raises
    ConfigError where the history is damaged, and HarnessError where it cannot be read or written now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> History:
        return self

    def __exit__(self, *raised: object) -> None:
        """Nothing is held between two calls."""

    def record(self, session: SessionRecord) -> None:
        """Keep a session; nothing happens where its id is already there.

        On return it is on the disk. Predictions are not kept. HarnessError for NaN, infinity, and what is not JSON.
        """
        row, children = rows.session_row(session), rows.child_rows(session)
        with self._database.writing() as connection:
            if _number(connection, session.id) is not None:
                return
            connection.execute(insert(SESSION).values(row))
            number = _number(connection, session.id)
            for table, entries in children.items():
                if entries:
                    connection.execute(insert(table), [{"session": number, **entry} for entry in entries])

    def record_run(self, run: RunRecord) -> None:
        """Keep what a run was asked and what failed, in place of what was told of it before it went on."""
        with self._database.writing() as connection:
            invocations.write_run(connection, run)

    def sessions(
        self, case: Case | None = None, *, limit: int | None = None, before: str | None = None,
        purpose: Purpose | None = None, with_runs: bool = False,
    ) -> list[SessionRecord]:  # fmt: skip
        """The newest `limit` sessions, newest last; before: earlier than this time, or the start of this day."""
        wanted = _of_case(case) if case else []
        if before is not None:
            wanted.append(SESSION.c.at < before)
        if purpose is not None:
            wanted.append(SESSION.c.purpose == purpose)
        return self._records(wanted, limit, with_runs)

    def recent(self, case: Case, identity: Mapping[str, Any], count: int) -> list[SessionRecord]:
        """The rolling baseline: the newest `count` sessions of the case that may be compared with, oldest first.

        These are valid, checked or accepted, of an equal identity, and no gate of theirs found a regression; a
        broken budget is none.
        """
        regression = VERDICT.c.rule.startswith(REGRESSION_RULE, autoescape=True)
        failed = exists().where(
            VERDICT.c.session == SESSION.c.number, VERDICT.c.outcome == FAIL, VERDICT.c.gate, regression
        )
        wanted = [
            *_of_case(case),
            SESSION.c.identity_sha256 == rows.identity_sha256(identity),
            SESSION.c.purpose.in_(("check", "accept")),
            SESSION.c.valid,
            ~failed,
        ]
        return self._records(wanted, count, with_runs=False)

    def find(self, id_prefix: str, *, with_runs: bool = False) -> SessionRecord:
        """The session whose id begins with `id_prefix`; ConfigError where none or several do."""
        start = SESSION.c.id.startswith(id_prefix.lower(), autoescape=True)
        with self._database.reading() as connection:
            found = _ids(connection, select(SESSION.c.id).where(start))
            newest = _ids(connection, select(SESSION.c.id))
        if len(found) == 1:
            return self._records([SESSION.c.id == found[0]], None, with_runs)[0]
        what = f"several sessions begin with {id_prefix!r}" if found else f"no session begins with {id_prefix!r}"
        listed = ", ".join(found or newest) or "the history is empty"
        raise ConfigError(what, where=self._database.location.shown, remedy=f"the newest candidates: {listed}")

    def records(self, ids: Sequence[str], *, with_runs: bool = False) -> list[SessionRecord]:
        """The sessions with these ids, in their order; an id that is not there is left out."""
        parts = [ids[first : first + IDS_AT_ONCE] for first in range(0, len(ids), IDS_AT_ONCE)]
        with self._database.reading() as connection:
            found = [one for some in parts for one in self._read(connection, [SESSION.c.id.in_(some)], None, with_runs)]
        by_id = {one.id: one for one in found}
        return [by_id[one] for one in ids if one in by_id]

    def raw_ids(self) -> set[str]:
        """The ids of the sessions whose raw times are kept."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(SESSION.c.id).where(SESSION.c.number.in_(select(RUN.c.session)))))

    def cases(self) -> list[Case]:
        """Every case that has a session, sorted by its key."""
        columns = (SESSION.c.device, SESSION.c.model, SESSION.c.variant, SESSION.c.runtime)
        with self._database.reading() as connection:
            found = [Case(*row) for row in connection.execute(select(*columns).distinct())]
        return sorted(found, key=lambda case: case.key)

    def series(self, case: Case, metric: str) -> dict[str, tuple[float, ...]]:
        """One metric of the valid sessions of a case: session id -> one value per process, oldest first."""
        wanted = (*_of_case(case), SESSION.c.valid, POINT.c.metric == metric)
        order = (SESSION.c.at, SESSION.c.number, POINT.c.process)
        found: dict[str, list[float]] = defaultdict(list)
        with self._database.reading() as connection:
            statement = select(SESSION.c.id, POINT.c.value).join(POINT).where(*wanted).order_by(*order)
            for id_, value in connection.execute(statement):
                found[id_].append(value)
        return {id_: tuple(values) for id_, values in found.items()}

    def annotate(self, case_key: str | None, at: str, kind: str, text: str, author: str) -> None:
        """Keep a remark about one case, or about all; at: as in SessionRecord."""
        entry = {"case_key": case_key, "at": rows.checked_time(at), "kind": kind, "text": text, "author": author}
        with self._database.writing() as connection:
            connection.execute(insert(ANNOTATION).values(entry))

    def annotations(self) -> list[Annotation]:
        """Every remark, oldest first."""
        with self._database.reading() as connection:
            return read_remarks(connection, self._database.location.shown)

    def runs(self) -> list[RunRecord]:
        """Every run, oldest first, also those that measured nothing; sessions tell theirs in provenance["run"]."""
        with self._database.reading() as connection:
            return invocations.read_runs(connection, self._database.location.shown)

    def trend_rows(self, metrics: Collection[str] | None = None) -> TrendRows:
        """The few columns of all sessions that a trend report reads, from one state of the history.

        metrics: whose values; with those that any verdict names. None: all.
        """
        with self._database.reading() as connection:
            return read_trend_rows(connection, self._database.location.shown, metrics)

    def prune(self, *, keep_raw: int, keep_sessions: int | None = None) -> upkeep.Pruned:
        """Remove the raw times of all but the newest `keep_raw` sessions of each case, and give their space back.

        keep_sessions: whole sessions older than the newest so many of each case go too, and the runs of a device from
        before its oldest session that is left; None keeps all.
        """
        return upkeep.prune(self._database, keep_raw, keep_sessions)

    def backup(self, path: str | Path) -> Path:
        """Write the history into a new SQLite file while others may write; ConfigError where it exists."""
        return upkeep.backup(self._database, Path(path))

    def check(self) -> list[str]:
        """What is wrong with the history, a sentence each: the file's structure, and every record read once."""
        faults = upkeep.structure_faults(self._database)
        for read in (self.annotations, self.runs):
            try:
                read()
            except HarnessError as error:
                faults.append(error.sentence)
        try:
            with self._database.reading() as connection:
                numbers = connection.scalars(select(SESSION.c.number).order_by(SESSION.c.number)).all()
        except HarnessError as error:
            return [*faults, error.sentence]
        batches = [numbers[first : first + CHECKED_AT_ONCE] for first in range(0, len(numbers), CHECKED_AT_ONCE)]
        return [*faults, *(fault for batch in batches for fault in self._faults(batch))]

    def _faults(self, numbers: Sequence[int]) -> list[str]:
        """A sentence for each of these sessions that cannot be read; one by one only where one of them cannot."""
        try:
            self._records([SESSION.c.number.in_(numbers)], None, with_runs=True)
        except HarnessError as error:
            alone = len(numbers) == 1
            return [error.sentence] if alone else [fault for one in numbers for fault in self._faults([one])]
        return []

    def _records(
        self, wanted: Iterable[ColumnElement[bool]], limit: int | None, with_runs: bool
    ) -> list[SessionRecord]:
        with self._database.reading() as connection:
            return self._read(connection, wanted, limit, with_runs)

    def _read(
        self, connection: Connection, wanted: Iterable[ColumnElement[bool]], limit: int | None, with_runs: bool
    ) -> list[SessionRecord]:
        chosen = select(SESSION).where(*wanted).order_by(*_NEWEST_FIRST).limit(limit)
        left_out = () if with_runs else (RUN, RAW)
        found = connection.execute(chosen).all()
        children = {one: {} if one in left_out else _grouped(connection, one, chosen) for one in _CHILDREN}
        return [self._record(row, children) for row in reversed(found)]

    def _record(self, row: Row[Any], children: Mapping[Table, Mapping[int, list[Row[Any]]]]) -> SessionRecord:
        try:
            return rows.session_of(row, {table: found.get(row.number, []) for table, found in children.items()})
        except Exception as error:
            # Damage raises whatever it hits first: KeyError, TypeError, ValueError, OverflowError and more.
            raise damaged(f"{self._database.location.shown}, session {row.id}", error) from error


def _number(connection: Connection, id_: str) -> int | None:
    return connection.scalar(select(SESSION.c.number).where(SESSION.c.id == id_))


def _of_case(case: Case) -> list[ColumnElement[bool]]:
    return [SESSION.c[name] == getattr(case, name) for name in ("device", "model", "variant", "runtime")]


def _ids(connection: Connection, statement: Select[Any]) -> list[str]:
    return list(connection.scalars(statement.order_by(*_NEWEST_FIRST).limit(SHOWN_CANDIDATES)))


def _grouped(connection: Connection, table: Table, chosen: Select[Any]) -> dict[int, list[Row[Any]]]:
    """The rows of `table` that belong to the chosen sessions, by the session's number."""
    numbers = chosen.with_only_columns(SESSION.c.number)
    statement = select(table).where(table.c.session.in_(numbers)).order_by(*table.primary_key.columns)
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(statement):
        found[row.session].append(row)
    return found
