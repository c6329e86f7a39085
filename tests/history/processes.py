"""Work on a history in other processes, which start warm by a fork."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.history import open_history
from tests.history.records import record, run

RAW = run(400)


def start(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start `work` in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    return process


def session(id_: str | None = None) -> Any:
    """The session that every process here records."""
    return record(runs=(RAW,), **({"id": id_} if id_ else {}))


def record_sessions(location: str, acknowledged: Path, count: int) -> None:
    """Record `count` sessions; write down the id of each after `record` has returned."""
    with open_history(location) as history:
        for _ in range(count):
            one = session()
            history.record(one)
            note(acknowledged, one.id)


def record_until_refused(location: str, acknowledged: Path, said: Path) -> None:
    """Record until an error of the harness says that it cannot be; write its sentence down."""
    try:
        record_sessions(location, acknowledged, 10_000)
    except HarnessError as error:
        said.write_text(error.sentence)


def note(path: Path, id_: str) -> None:
    """Append a line in one write, which a kill cannot split."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{id_}\n".encode())
    os.close(file)


def noted(path: Path) -> list[str]:
    """The ids that were written down."""
    return path.read_text().split() if path.exists() else []
