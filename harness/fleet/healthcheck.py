"""The health of every board before a night: it is asked in a process of its own, and bounded."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from harness.errors import CONFIG, INFRA, printable
from harness.fleet.boardresult import BoardResult
from harness.fleet.boards import Board
from harness.processes import end_group, group_leader, has_ended
from harness.signals import ended_by_signals
from harness.unattended.exitcodes import BUSY

DEADLINE_S = 600.0
GIVE_BACK_S = 20.0
POLL_S = 0.1
_CLASSES = {4: CONFIG, 75: BUSY}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """failure_class: empty where the board may be used; sentence: why not."""

    board: Board
    failure_class: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class _Check:
    board: Board
    process: subprocess.Popen[bytes]
    said: IO[bytes]


def check_boards(boards: Sequence[Board], deadline_s: float = DEADLINE_S) -> list[Checked]:
    """`harness board check` of each board over a wire, `harness doctor` of this machine; all at once.

    Whatever ends this process ends the checks, and each gives its board back.
    """
    checks: list[_Check] = []
    with ended_by_signals(), ExitStack() as files, _all_ended(checks):
        for board in boards:
            # Not a pipe: a check that says much would wait for ever for its reader.
            checks.append(_start(board, files.enter_context(TemporaryFile())))
        _wait(checks, deadline_s)
        return [_checked(one, deadline_s) for one in checks]


def healthy(checked: Iterable[Checked]) -> list[Board]:
    """The boards that may be used."""
    return [one.board for one in checked if not one.failure_class]


def unhealthy(checked: Iterable[Checked], folder: Path) -> list[BoardResult]:
    """What the others came to: nothing was run on them, and that is said."""
    return [
        BoardResult(
            board=one.board, folder=folder / one.board.label, status=None, classes=(one.failure_class,), tests={},
            sentence=f"not used, its health check failed: {one.sentence}",
        )
        for one in checked
        if one.failure_class
    ]  # fmt: skip


def _start(board: Board, said: IO[bytes]) -> _Check:
    asked = ["board", "check", board.device] if board.remote else ["doctor", "--device", board.device]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *asked], stdin=subprocess.DEVNULL, stdout=said,
        stderr=subprocess.STDOUT, preexec_fn=group_leader(signal.SIGTERM),
    )  # fmt: skip
    return _Check(board, process, said)


@contextmanager
def _all_ended(checks: list[_Check]) -> Iterator[None]:
    """What still runs is asked to give its board back, and then killed."""
    try:
        yield
    finally:
        for one in filter(_runs, checks):
            one.process.terminate()
        _wait(checks, GIVE_BACK_S)
        for one in checks:
            end_group(one.process)


def _wait(checks: Sequence[_Check], seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(map(_runs, checks)) and time.monotonic() < until:
        time.sleep(POLL_S)


def _runs(check: _Check) -> bool:
    return check.process.returncode is None and not has_ended(check.process.pid)


def _checked(check: _Check, deadline_s: float) -> Checked:
    if _runs(check):
        said = f"no answer of the board within {deadline_s:g} s"
        return Checked(board=check.board, failure_class=INFRA, sentence=said)
    status = end_group(check.process)
    if status == 0:
        return Checked(board=check.board)
    check.said.seek(0)
    lines = check.said.read().decode("utf-8", "replace").strip().splitlines()
    sentence = printable(lines[-1]).removeprefix("harness: ") if lines else f"status {status}"
    return Checked(board=check.board, failure_class=_CLASSES.get(status or 0, INFRA), sentence=sentence)
