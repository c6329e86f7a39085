"""Every test of the store runs on SQLite and on a real PostgreSQL server: see tests/postgresql.py."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.history import open_history
from harness.history.database import Database
from harness.history.location import parse_location
from harness.history.schema import METADATA
from harness.history.store import History

# On a busy disk, waiting for it would take most of the tests' time.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def new_location(backend: str, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """A function that gives the location of another history that is not there yet."""
    with tempfile.TemporaryDirectory(prefix="history-", dir=MEMORY) as folder:
        server = request.getfixturevalue("server") if backend == "postgresql" else None
        numbers = itertools.count()

        def new() -> str:
            number = next(numbers)
            if server is None:
                return f"{folder}/{number}/history.sqlite"
            server.sql(f"CREATE SCHEMA history_{number}")
            return str(server.url(f"history_{number}"))

        yield new


@pytest.fixture
def location(new_location: Callable[[], str]) -> str:
    return new_location()


@pytest.fixture(scope="session")
def common_location(new_location: Callable[[], str]) -> str:
    return new_location()


@pytest.fixture
def history(common_location: str) -> Iterator[History]:
    """An empty history, the same for every test: emptying one takes less time than making one."""
    with open_history(common_location) as opened:
        yield opened
    with Database(parse_location(common_location)).writing() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())


@pytest.fixture
def sqlite_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="history-", dir=MEMORY) as folder:
        yield Path(folder) / "history.sqlite"


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Expect an error of the harness whose sentence holds every one of these words."""

    @contextlib.contextmanager
    def expect(*words: str, kind: type[HarnessError] = HarnessError) -> Iterator[None]:
        with pytest.raises(kind) as caught:
            yield
        assert [word for word in words if word not in caught.value.sentence] == []

    return expect
