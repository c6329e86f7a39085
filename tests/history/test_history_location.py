"""Locations: paths and URLs, what is wrong with them, and passwords that stay secret."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text

from harness.errors import ConfigError
from harness.history import open_history
from harness.history.database import Database
from harness.history.location import parse_location, without_passwords
from tests.history.records import record


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+pysqlite:///{}"])
def test_a_path_and_its_url_are_the_same_history(sqlite_path, form):
    with open_history(sqlite_path) as history:
        history.record(record())
    with open_history(form.format(sqlite_path), create=False) as history:
        assert len(history.sessions()) == 1


@pytest.mark.parametrize("name", ["a b.sqlite", "100 % ü.sqlite", "x?mode=memory", "file:x", ":memory:", "#1.sqlite"])
def test_odd_names_are_names_of_files(tmp_path, name):
    with open_history(tmp_path / name) as history:
        history.record(record())
    assert (tmp_path / name).stat().st_size > 0


def test_a_relative_path_stays_where_it_was(sqlite_path, monkeypatch):
    monkeypatch.chdir(sqlite_path.parent)
    history = open_history("here.sqlite")
    monkeypatch.chdir("/")
    history.record(record())
    assert (sqlite_path.parent / "here.sqlite").exists()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("mysql://user@host/db", ["mysql", "known", "postgresql"]),
        ("postgres://user@host/db", ["postgres", "did you mean 'postgresql'"]),
        ("postgresql+psycopg2://user@host/db", ["psycopg2", "did you mean 'postgresql+psycopg'"]),
        ("https://example.com/history.sqlite", ["https"]),
        ("sqlite://", ["names no file"]),
        ("sqlite://reports/history.sqlite", ["not the URL"]),
        ("sqlite:///history.sqlite?mode=ro", ["not the URL"]),
        ("postgresql://host:port/db", ["not the URL", "postgresql+psycopg://user@host/database"]),
    ],
)
def test_a_url_of_another_kind_is_refused(refused, location, words):
    with refused(*words, kind=ConfigError):
        open_history(location)


@pytest.mark.parametrize(
    "location",
    [
        "postgresql://user:s3cret@/db?host=/nonexistent",
        "postgresql+psycopg://user:s3cret@localhost:1/db",
        "postgresql://user@/db?host=/nonexistent&password=s3cret",
        "postgresql://user:s3cret@host:s3cret/db",
        "postgresql://user:pass@s3cret:x@host/db",
        "postgresql://user:s3cret@/db?host=/nonexistent&sslmode=s3cret",
        "postgresql://user:s3cret@/db?s3cret=1",
        "mysql://user:s3cret@host/db",
        "sqlite://user:s3cret@host/db",
    ],
)
def test_a_password_is_in_no_error(location):
    with pytest.raises(ConfigError) as caught:
        open_history(location)
    shown = traceback.format_exception(caught.value, chain=True)
    assert [line for line in shown if "s3cret" in line and 'open_history("' not in line] == []


def test_a_server_that_does_not_answer_is_said(refused):
    with refused("database refuses", "postgresql+psycopg://user@localhost:1/db", "check the server", kind=ConfigError):
        open_history("postgresql://user@localhost:1/db")


def test_a_database_that_is_not_there_is_said(server, refused):
    with refused("database refuses", "nothing_here", "does not exist", kind=ConfigError):
        open_history(server.url().replace("/postgres?", "/nothing_here?"))


def test_a_user_who_may_not_create_tables_is_told(server, refused):
    server.sql("CREATE ROLE reader LOGIN")
    server.sql("CREATE SCHEMA closed")
    server.sql("GRANT USAGE ON SCHEMA closed TO reader")
    with refused("database refuses", "permission denied for schema closed", "what this user may do", kind=ConfigError):
        open_history(server.url("closed").replace("postgres@", "reader@"))


def test_a_table_that_vanished_is_said(server, refused):
    server.sql("CREATE SCHEMA vanishing")
    with open_history(server.url("vanishing")) as history:
        with Database(parse_location(server.url("vanishing"))).writing() as connection:
            connection.execute(text("DROP TABLE point"))
        with refused("database refuses", "point", kind=ConfigError):
            history.sessions()


def test_a_missing_driver_is_said(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with refused("driver", "pip install 'dms-harness[postgresql]'", kind=ConfigError):
        open_history("postgresql://user@host/db")


def test_importing_the_package_loads_no_database_library():
    heavy = {"sqlalchemy", "alembic", "psycopg", "pyarrow", "pydantic", "sqlite3"}
    code = f"import sys, harness.history.commands, harness.record; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_opening_a_current_history_loads_no_migration_library(sqlite_path):
    open_history(sqlite_path)
    code = f"import sys, harness.history as h; h.open_history({str(sqlite_path)!r}); print('alembic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_folder_is_made(tmp_path: Path):
    open_history(tmp_path / "reports" / "deep" / "history.sqlite")
    assert (tmp_path / "reports" / "deep" / "history.sqlite").is_file()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--history=postgresql://me:s3cret@db:5432/x", "--history=postgresql://me:***@db:5432/x"),
        ("postgresql://:s3@cret@db", "postgresql://:***@db"),
        ("postgresql://db/x?a=1&password=s3cret&b=2", "postgresql://db/x?a=1&password=***&b=2"),
        ("postgresql://me@db:5432/x", "postgresql://me@db:5432/x"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("reports/h.sqlite", "reports/h.sqlite"),
    ],
)
def test_a_command_is_kept_without_the_passwords_in_it(text, shown):
    assert without_passwords(text) == shown
