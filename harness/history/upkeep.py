"""Keeping a history small, safe and sound: prune, backup, check."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Select, delete, distinct, exists, func, insert, select, text

from harness.errors import ConfigError, HarnessError
from harness.history.database import Database
from harness.history.files import whole_file
from harness.history.location import parse_location
from harness.history.schema import FAILURE, INVOCATION, METADATA, RUN, SESSION
from harness.history.upgrade import upgrade

BATCH_ROWS = 500
_CASE = (SESSION.c.device, SESSION.c.model, SESSION.c.variant, SESSION.c.runtime)


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """raw_sessions: sessions that lost their raw times. The bytes are those of the whole history."""

    raw_sessions: int
    sessions: int
    bytes_before: int
    bytes_after: int


def prune(database: Database, keep_raw: int, keep_sessions: int | None) -> Pruned:
    """See `History.prune`; ConfigError for a negative count."""
    if keep_raw < 0 or (keep_sessions is not None and keep_sessions < 0):
        raise ConfigError("a count of sessions to keep is negative", remedy="keep 0 or more")
    before = _size_bytes(database)
    with database.writing() as connection:
        sessions = 0 if keep_sessions is None else _delete_sessions(connection, keep_sessions)
        if keep_sessions is not None:
            _delete_invocations(connection, keep_sessions)
        raw_sessions = _delete_raw(connection, keep_raw)
    _give_space_back(database)
    return Pruned(
        raw_sessions=raw_sessions, sessions=sessions, bytes_before=before, bytes_after=_size_bytes(database)
    )  # fmt: skip


def backup(database: Database, path: Path) -> Path:
    """See `History.backup`."""
    if path.exists():
        raise ConfigError("the backup's file exists already", where=str(path), remedy="choose another name")
    with whole_file(path) as temporary:
        copy = Database(parse_location(temporary))
        if database.is_file:
            _copy_pages(database, copy)
        else:
            upgrade(copy)
            _copy_rows(database, copy)
    return path


def structure_faults(database: Database) -> list[str]:
    """What SQLite itself finds wrong with its file; a server checks its own."""
    if not database.is_file:
        return []
    try:
        with database.maintaining() as connection:
            said = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            orphans = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA foreign_key_check")]
    except HarnessError as error:
        return [error.sentence]
    return [one for one in said if one != "ok"] + [_orphan(table) for table in orphans]


def _orphan(table: str) -> str:
    return f"a row of {table} belongs to no {'run' if table == FAILURE.name else 'session'}"


def _older_than(keep: int) -> Select[tuple[int]]:
    """The numbers of all sessions but the newest `keep` of each case."""
    age = func.row_number().over(partition_by=_CASE, order_by=(SESSION.c.at.desc(), SESSION.c.number.desc()))
    aged = select(SESSION.c.number, age.label("age")).subquery()
    return select(aged.c.number).where(aged.c.age > keep)


def _delete_sessions(connection: Connection, keep: int) -> int:
    return connection.execute(delete(SESSION).where(SESSION.c.number.in_(_older_than(keep)))).rowcount


def _delete_invocations(connection: Connection, keep: int) -> None:
    """All but the newest `keep` runs of each device, and those since its oldest session that is left."""
    newest_first = (INVOCATION.c.at.desc(), INVOCATION.c.number.desc())
    age = func.row_number().over(partition_by=INVOCATION.c.device, order_by=newest_first)
    aged = select(INVOCATION.c.number, age.label("age")).subquery()
    before = exists().where(SESSION.c.device == INVOCATION.c.device, SESSION.c.at <= INVOCATION.c.at)
    old = INVOCATION.c.number.in_(select(aged.c.number).where(aged.c.age > keep))
    connection.execute(delete(INVOCATION).where(old, ~before))


def _delete_raw(connection: Connection, keep: int) -> int:
    old = RUN.c.session.in_(_older_than(keep))
    counted = connection.scalar(select(func.count(distinct(RUN.c.session))).where(old))
    connection.execute(delete(RUN).where(old))
    return int(counted or 0)


def _size_bytes(database: Database) -> int:
    with database.reading() as connection:
        if database.is_file:
            pages, size = (connection.exec_driver_sql(f"PRAGMA {one}").scalar() for one in ("page_count", "page_size"))
            return int(pages or 0) * int(size or 0)
        sizes = [
            connection.scalar(text("SELECT pg_total_relation_size(CAST(:name AS regclass))"), {"name": name})
            for name in METADATA.tables
        ]
        return sum(int(size or 0) for size in sizes)


def _give_space_back(database: Database) -> None:
    with database.maintaining() as connection:
        tables = "" if database.is_file else f" FULL {', '.join(METADATA.tables)}"
        connection.exec_driver_sql(f"VACUUM{tables}")


def _copy_pages(source: Database, copy: Database) -> None:
    """SQLite's online backup: one consistent state, although others write meanwhile."""
    with source.maintaining() as reader, copy.maintaining() as writer:
        pages, target = reader.connection.driver_connection, writer.connection.driver_connection
        assert isinstance(pages, sqlite3.Connection)
        assert isinstance(target, sqlite3.Connection)
        pages.backup(target)


def _copy_rows(source: Database, copy: Database) -> None:
    with source.reading() as reader, copy.writing() as writer:
        for table in METADATA.sorted_tables:
            for batch in _batches(reader, select(table)):
                writer.execute(insert(table), batch)


def _batches(connection: Connection, statement: Select[tuple[object, ...]]) -> Iterator[list[dict[str, object]]]:
    streamed = connection.execution_options(yield_per=BATCH_ROWS).execute(statement)
    with contextlib.closing(streamed):
        for part in streamed.mappings().partitions():
            yield [dict(row) for row in part]
