"""A real PostgreSQL server for the tests of histories: started once, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.absent import absent


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
    """The one that all tests share; each makes a schema of its own in it."""
    programs = _programs()
    if programs is None:
        absent("no PostgreSQL server: neither on the PATH nor in /usr/lib/postgresql/*/bin")
    # pytest's own folders are too long for the name of a socket.
    with tempfile.TemporaryDirectory(prefix="history-") as folder:
        started = Server(programs, Path(folder))
        started.start()
        yield started
        started.stop()
