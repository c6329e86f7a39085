"""Every test of the store runs on SQLite and on a real PostgreSQL server, which this file starts."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
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


class Server:
    """A PostgreSQL server in a folder of its own, on a Unix socket without TCP."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        # The server refuses to run as root.
        self.user = next((one for one in ("postgres", "nobody") if os.getuid() == 0 and _exists(one)), None)
        if self.user:
            shutil.chown(folder, self.user)

    def start(self) -> None:
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D", "data")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", "data")

    def url(self, schema: str = "public") -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}&options=-csearch_path%3D{schema}"

    def sql(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, cwd=self.folder, user=self.user, check=True, stdout=subprocess.DEVNULL, timeout=60)


def _exists(user: str) -> bool:
    return any(line.startswith(f"{user}:") for line in Path("/etc/passwd").read_text().splitlines())


def _programs() -> Path | None:
    """The folder of the server's programs: distributions often keep it off the PATH."""
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if found := shutil.which("initdb"):
        candidates.insert(0, Path(found).parent)
    return next((one for one in candidates if (one / "initdb").exists() and (one / "pg_ctl").exists()), None)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = _programs()
    if programs is None:
        reason = "no PostgreSQL server: neither on the PATH nor in /usr/lib/postgresql/*/bin"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    # pytest's own folders are too long for the name of a socket.
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        started = Server(programs, Path(folder))
        started.start()
        yield started
        started.stop()


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
