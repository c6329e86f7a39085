"""A pytest session that is killed -9 as soon as something is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.workspace import CHECKOUT, Workspace

LIMIT_S = 100


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}


def start(workspace: Workspace, *words: str) -> subprocess.Popen[bytes]:
    """`python -m WORDS` there; its words go to said.txt."""
    with (workspace.folder / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", *words], cwd=workspace.folder, env=environment(), stdout=said,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def killed_when(process: subprocess.Popen[bytes], there: Callable[[], object]) -> None:
    """kill -9, which nothing can be done about; it must still run by then."""
    wait_for(lambda: there() or process.poll() is not None)
    assert process.poll() is None, "it was over too soon"
    process.kill()
    process.wait()


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


def finished(report: Path) -> list[str]:
    """The cases that are kept as finished in a report folder."""
    return sorted(one.name for one in (report / "finished").glob("*.npz"))
