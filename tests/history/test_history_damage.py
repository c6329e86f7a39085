"""Files that are no history, or a damaged one: a sentence, never a crash, and never a change of the file."""

from __future__ import annotations

import os
import random
import sqlite3
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.history import open_history
from tests.history.processes import start
from tests.history.records import OTHER, record, run

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a small history."""
    path = tmp_path_factory.mktemp("sound") / "history.sqlite"
    with open_history(path) as history:
        for day in range(1, 5):
            history.record(record(day, case=OTHER, runs=(run(200),)))
        history.annotate(OTHER.key, "2026-02-01T00:00:00Z", "note", "moved", "ann")
    return path.read_bytes()


def read_everything(path: Path) -> str:
    """What the error says that reading meets, or nothing; any other exception fails the test."""
    try:
        with open_history(path, create=False) as history:
            return "; ".join(history.check())
    except ConfigError as error:
        return error.sentence


def other_program(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"id,at\n" * 2000, b"\x89PNG\r\n\x1a\n" + bytes(9000), b"SQLite format 3\0", bytes(4096),
     b"SQLite format 3\0" + bytes(9000), b"\xff" * 5000],
)  # fmt: skip
def test_a_file_of_another_kind_is_refused_and_left_alone(sqlite_path, refused, content):
    sqlite_path.write_bytes(content)
    with refused("not a history", str(sqlite_path), kind=ConfigError):
        open_history(sqlite_path)
    assert sqlite_path.read_bytes() == content
    assert [one.name for one in sqlite_path.parent.iterdir()] == [sqlite_path.name]


def test_the_database_of_another_program_is_refused_and_left_alone(sqlite_path, refused):
    content = other_program(sqlite_path)
    with refused("another program", str(sqlite_path), "of its own", kind=ConfigError):
        open_history(sqlite_path)
    assert sqlite_path.read_bytes() == content


def test_an_empty_file_becomes_a_history(sqlite_path):
    sqlite_path.touch()
    with open_history(sqlite_path) as history:
        assert history.sessions() == []


def test_a_truncated_history_is_said_and_left_alone(sound, sqlite_path):
    for length in (1, 50, 99, 100, 512, 4095, 4096, 4097, *range(5000, len(sound), 4999), len(sound) - 1):
        sqlite_path.write_bytes(sound[:length])
        assert read_everything(sqlite_path), length
        assert sqlite_path.read_bytes() == sound[:length]


def test_a_flipped_byte_anywhere_never_crashes_and_changes_nothing(sound, sqlite_path):
    choice, said = random.Random(3), 0
    for offset in (*choice.sample(range(100), 30), *choice.sample(range(100, len(sound)), 60)):
        content = bytearray(sound)
        content[offset] ^= choice.randrange(1, 256)
        sqlite_path.write_bytes(content)
        said += bool(read_everything(sqlite_path))
        assert sqlite_path.read_bytes() == content, offset
    assert said > 10


DAMAGE = [
    "UPDATE session SET plan = '{' WHERE number = 2",
    "UPDATE session SET plan = '[]' WHERE number = 2",
    "UPDATE session SET identity = CAST(x'ff' AS TEXT) WHERE number = 2",
    "UPDATE session SET at = 'today' WHERE number = 2",
    "UPDATE session SET device = x'00ff' WHERE number = 2",
    "UPDATE point SET value = 'fast' WHERE session = 2",
    "UPDATE point SET value = 9e999 WHERE session = 2",
    "UPDATE run SET facts = 'x' WHERE session = 2",
    "UPDATE raw SET data = x'00' WHERE session = 2",
    "UPDATE raw SET length = length + 1 WHERE session = 2",
    "UPDATE raw SET length = -1 WHERE session = 2",
    "UPDATE raw SET name = 'x' || name WHERE session = 2",
    "UPDATE raw SET data = zeroblob(9) WHERE session = 2",
    "UPDATE verdict SET inputs = '' WHERE session = 2",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_named_and_the_others_stay_readable(sound, sqlite_path, refused, damage):
    sqlite_path.write_bytes(sound)
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    connection.execute(damage)
    connection.close()
    with open_history(sqlite_path) as history:
        assert len(history.check()) >= 1
        with refused("damaged", "harness history check", "backup", kind=ConfigError):
            history.sessions(with_runs=True)
        assert len(history.sessions(before="2026-01-02", with_runs=True)) == 1


def test_a_row_of_no_session_is_found(sound, sqlite_path):
    sqlite_path.write_bytes(sound)
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    connection.execute("DELETE FROM session WHERE number = 2")
    connection.execute("INSERT INTO failure VALUES (7, 0, 'd', 'm', 'v', 'r', '', 'EngineError', 'no')")
    connection.close()
    expected = {f"a row of {one} belongs to no session" for one in ("point", "run", "verdict")}
    with open_history(sqlite_path) as history:
        assert set(history.check()) == {*expected, "a row of failure belongs to no run"}


@pytest.mark.parametrize("location", ["folder", "file/history.sqlite", "missing/\0", ""])
def test_a_place_where_no_file_can_be_is_refused(tmp_path, refused, location):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with refused(kind=ConfigError):
        open_history(tmp_path / location if location else location)


def record_as_nobody(path: Path, said: Path) -> None:
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        with open_history(path) as history:
            history.record(record())
    except ConfigError as error:
        said.write_text(error.sentence)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_may_not_be_written_is_said(sound, sqlite_path, tmp_path, there):
    said = tmp_path / "said"
    said.touch()
    said.chmod(0o666)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    sqlite_path.parent.chmod(0o555)
    if there:
        sqlite_path.write_bytes(sound)
        sqlite_path.chmod(0o444)
    child = start(record_as_nobody, sqlite_path, said)
    child.join()
    sqlite_path.parent.chmod(0o755)
    assert "cannot be opened or written" in said.read_text()
    assert "--history" in said.read_text()
