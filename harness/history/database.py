"""Transactions on one history, and what a failed one means."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from harness.errors import ConfigError, HarnessError
from harness.history.location import Location

BUSY_S = 30
CONNECT_S = 10
SAID_CHARACTERS = 300
# EXTRA is FULL, and syncs the folder too when the journal is deleted: what was acknowledged survives a power cut.
PRAGMAS = ("PRAGMA foreign_keys = ON", "PRAGMA synchronous = EXTRA")
# Any constant that no other program on the server is likely to lock.
ADVISORY_KEY = 0x646D735F68
DAMAGED_REMEDY = "see `harness history check`, and take the last backup"
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DISK = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class Database:
    """An SQLite file or a PostgreSQL database. No connection outlives its transaction, so a fork is harmless."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.is_file = location.path is not None
        self._engine = _sqlite(location) if self.is_file else _postgresql(location)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the history, whatever others write meanwhile."""
        options = {} if self.is_file else {"isolation_level": "REPEATABLE READ"}
        with self._translated(), self._engine.execution_options(**options).begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is the only one that writes; all of it happens, or nothing."""
        with self._translated(), self._engine.execution_options(begin="BEGIN IMMEDIATE").begin() as connection:
            if not self.is_file:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_KEY})
            yield connection

    @contextlib.contextmanager
    def maintaining(self) -> Iterator[Connection]:
        """No transaction: for the statements that refuse to run in one."""
        options = {"begin": ""} if self.is_file else {"isolation_level": "AUTOCOMMIT"}
        with self._translated(), self._engine.connect().execution_options(**options) as connection:
            yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TypeError, ValueError) as error:
            # What the drivers raise for values, and messages, that damage has made of another type or no UTF-8.
            raise damaged(self.location.shown, error) from error
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
            if isinstance(cause, sqlite3.Error):
                raise self._of_sqlite(cause) from error
            # The original may quote the URL.
            raise self._of_server(cause) from None

    def _of_sqlite(self, error: sqlite3.Error) -> HarnessError:
        code, where = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF, self.location.shown
        if code in _DISK:
            remedy = "free space there, or look after the disk"
            return HarnessError(f"the disk is full or fails: {error}", where=where, remedy=remedy)
        if code in _BUSY:
            remedy = "try again when the other program is done"
            return HarnessError(f"another program held the history for {BUSY_S} s", where=where, remedy=remedy)
        if code in _UNWRITABLE:
            remedy = "check the folder and its permissions, or choose another --history"
            return ConfigError(f"the history cannot be opened or written: {error}", where=where, remedy=remedy)
        return damaged(where, error)

    def _of_server(self, error: BaseException) -> HarnessError:
        said = " ".join(str(error).split())[:SAID_CHARACTERS] or type(error).__name__
        password = self.location.url.password
        if password:
            said = said.replace(str(password), "***")
        remedy = "check the server, the URL, and what this user may do there"
        return ConfigError(f"the database refuses: {said}", where=self.location.shown, remedy=remedy)


def damaged(where: str, why: object) -> ConfigError:
    """The error for a history whose content cannot be what was written."""
    return ConfigError(f"not a history, or a damaged one: {why}", where=where, remedy=DAMAGED_REMEDY)


def _sqlite(location: Location) -> Engine:
    engine = create_engine(location.url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # The driver begins transactions by itself, too late and never immediate, unless it is told not to.
    connection.isolation_level = None
    try:
        for statement in PRAGMAS:
            connection.execute(statement)
    except Exception:
        # Nobody else closes a connection that was never handed out.
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


def _postgresql(location: Location) -> Engine:
    options: dict[str, Any] = {"connect_timeout": CONNECT_S, "client_encoding": "utf8"}
    try:
        return create_engine(location.url, poolclass=NullPool, hide_parameters=True, connect_args=options)
    except ImportError:
        remedy = "pip install 'dms-harness[postgresql]'"
        raise ConfigError("the driver for PostgreSQL is missing", where=location.shown, remedy=remedy) from None
