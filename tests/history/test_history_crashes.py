"""A history survives kill -9, a full disk and several writers: what was acknowledged is there, whole."""

from __future__ import annotations

import contextlib
import random
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.history import open_history
from tests.history.processes import (
    note,
    noted,
    record_sessions,
    record_until_refused,
    session,
    start,
)
from tests.history.records import record, same

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
KILLS = {"sqlite": 100, "postgresql": 8}


def whole(location: str | Path, acknowledged: list[str]) -> int:
    """The number of sessions, each of which is whole, as is the history, and all acknowledged ones are there."""
    with open_history(location) as history:
        assert history.check() == []
        found = {one.id: one for one in history.sessions(with_runs=True)}
    assert set(acknowledged) <= set(found)
    assert all(same(one, session(one.id)) for one in found.values())
    return len(found)


def wait_for(count: int, acknowledged: Path) -> None:
    """Until so many sessions are acknowledged."""
    end = time.monotonic() + 30
    while len(noted(acknowledged)) < count:
        assert time.monotonic() < end, f"{count} sessions were never acknowledged"
        time.sleep(0.003)


def test_a_kill_at_any_moment_loses_no_acknowledged_session(new_location, backend, tmp_path):
    location, acknowledged, moments = new_location(), tmp_path / "acknowledged", random.Random(1)
    for number in range(KILLS[backend]):
        child = start(record_sessions, location, acknowledged, 10_000)
        if number % 4:
            wait_for(len(noted(acknowledged)) + 1, acknowledged)
        time.sleep(moments.uniform(0, 0.02))
        child.kill()
        child.join()
    known = noted(acknowledged)
    assert len(known) >= KILLS[backend] * 3 // 4
    assert whole(location, known) - len(known) <= KILLS[backend]


@pytest.mark.parametrize("number", range(10))
def test_a_kill_while_a_history_is_made_leaves_none_or_a_whole_one(new_location, tmp_path, number):
    location, acknowledged = new_location(), tmp_path / "acknowledged"
    child = start(record_sessions, location, acknowledged, 1)
    time.sleep(number * 0.006)
    child.kill()
    child.join()
    assert whole(location, noted(acknowledged)) <= 1


def test_several_first_writers_at_once_lose_nothing(new_location, tmp_path):
    location, acknowledged = new_location(), tmp_path / "acknowledged"
    children = [start(record_sessions, location, acknowledged, 8) for _ in range(4)]
    wait_for(1, acknowledged)
    with open_history(location) as history:
        while any(child.is_alive() for child in children):
            assert all(same(one, session(one.id)) for one in history.sessions(with_runs=True, limit=5))
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert whole(location, noted(acknowledged)) == 32


def record_again(location: str, acknowledged: Path, id_: str) -> None:
    with open_history(location) as history:
        history.record(session(id_))
    note(acknowledged, id_)


def test_one_session_that_several_record_at_once_is_there_once(new_location, tmp_path):
    location, acknowledged = new_location(), tmp_path / "acknowledged"
    children = [start(record_again, location, acknowledged, session("0" * 32).id) for _ in range(4)]
    for child in children:
        child.join()
    assert len(noted(acknowledged)) == 4
    assert whole(location, noted(acknowledged)) == 1


def limited(location: Path, acknowledged: Path, said: Path, bytes_more: int) -> None:
    limit = location.stat().st_size + bytes_more
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    record_until_refused(str(location), acknowledged, said)


@pytest.mark.parametrize("bytes_more", [-60_000, 0, 1, 4_096, 10_000, 100_000])
def test_a_file_that_may_not_grow_is_said_and_loses_nothing(sqlite_path, tmp_path, bytes_more):
    acknowledged, said = tmp_path / "acknowledged", tmp_path / "said"
    record_sessions(str(sqlite_path), acknowledged, 5)
    child = start(limited, sqlite_path, acknowledged, said, bytes_more)
    child.join()
    assert "disk is full or fails" in said.read_text()
    assert "free space" in said.read_text()
    count = whole(sqlite_path, noted(acknowledged))
    assert count == len(noted(acknowledged))
    record_sessions(str(sqlite_path), acknowledged, 1)
    assert whole(sqlite_path, noted(acknowledged)) == count + 1


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a file system of its own may not be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    acknowledged, said = tmp_path / "acknowledged", tmp_path / "said"
    with small_disk(tmp_path / "disk", 500) as disk:
        location = disk / "history.sqlite"
        record_until_refused(str(location), acknowledged, said)
        assert "disk is full" in said.read_text()
        assert "free space" in said.read_text()
        assert whole(location, noted(acknowledged)) == len(noted(acknowledged)) > 5
        with open_history(location) as history, pytest.raises(HarnessError, match="disk is full or fails"):
            history.backup(disk / "backup.sqlite")
        assert [one.name for one in disk.iterdir()] == [location.name]
        assert whole(location, noted(acknowledged)) == len(noted(acknowledged))


def test_a_disk_that_is_full_from_the_start_is_said(tmp_path, refused):
    with small_disk(tmp_path / "disk", 16) as disk, refused("disk is full or fails", "free space"):
        open_history(disk / "history.sqlite")


def test_a_history_that_another_program_holds_is_said(sqlite_path, refused, monkeypatch):
    import sqlite3

    with open_history(sqlite_path) as history:
        history.record(record())
    monkeypatch.setattr("harness.history.database.BUSY_S", 0.05)
    holder = sqlite3.connect(sqlite_path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with refused("another program", "try again"), open_history(sqlite_path) as history:
        history.record(record())
    holder.close()
