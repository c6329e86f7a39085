"""One pytest process per board, side by side: `harness fleet run`. A board that dies does not stop the others.

They begin one after another, as many at once as this machine has cores.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from harness.errors import INFRA, ConfigError, HarnessError
from harness.fleet.boardresult import LOG, BoardResult, result_of
from harness.fleet.boards import Board
from harness.processes import end_group, group_leader, has_ended
from harness.report.casejournal import BEFORE, NAME, read_cases
from harness.report.rebuild import DEFAULT_NAME as JUNIT
from harness.report.rebuild import write_junit
from harness.signals import ended_by_signals
from harness.unattended.exitcodes import BUSY
from harness.unattended.resume import differences

POLL_S = 0.2
TOLD_EVERY_S = 15.0
# Who has begun no test after so long waits for its board, and costs this machine nothing.
STARTING_S = 15.0
WIND_UP_S = 60.0
MOST_RETRIES = 2
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What every board is to do. arguments: of pytest. folder: of all reports. retries: where the lab spoiled it.

    history: as pytest's --history. resumed: labels of the boards that go on with what lies in their folders.
    """

    folder: Path
    arguments: tuple[str, ...] = ()
    history: str = ""
    retries: int = 0
    resumed: frozenset[str] = frozenset()

    def command(self, board: Board, *, resume: bool) -> list[str]:
        """The pytest command of one board."""
        own = self.folder / board.label
        return [
            # Not `suites/` itself: then whoever names one suite would get them all.
            sys.executable, "-m", "pytest", "-o", "testpaths=suites", *self.arguments,
            f"--device={board.device}", f"--{'resume' if resume else 'report'}={own}",
            f"--junitxml={own / JUNIT}", "-o", "dms_trends=false",
            *([f"--history={self.history}"] if self.history else []),
        ]  # fmt: skip


@dataclass
class _Running:
    board: Board
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    journal: Path
    attempts: int = 1
    told: str = ""
    since_s: float = field(default_factory=time.monotonic)
    kept_bytes: int = 0

    @property
    def starts(self) -> bool:
        """Whether it is busy with its imports: no test of it has begun."""
        begun = _size(self.journal) != self.kept_bytes
        return not begun and time.monotonic() - self.since_s < STARTING_S


def run_boards(boards: Sequence[Board], order: Order, say: Say) -> tuple[list[BoardResult], bool]:
    """What each board came to, in their order, and whether somebody ended it all; HarnessError without a folder."""
    results: dict[str, BoardResult] = {}
    interrupted = False
    running: list[_Running] = []
    with ended_by_signals(), _all_ended(running):
        try:
            say(f"one pytest process per board, {len(boards)} in all: {order.folder}/BOARD/{LOG}")
            _watch(deque(boards), running, order, results, say)
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: every board is wound up")
            _wind_up(running, order, results)
    return [results[one.label] for one in boards if one.label in results], interrupted


@contextmanager
def _all_ended(running: list[_Running]) -> Iterator[None]:
    """Whatever happens, no process of ours is left."""
    try:
        yield
    finally:
        for one in running:
            end_group(one.process)
            one.log.close()


def _start(board: Board, order: Order, *, resume: bool, attempts: int = 1) -> _Running:
    folder = order.folder / board.label
    resume = resume and (folder / NAME).is_file()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not resume:
            _lay_aside(folder)
        kept_bytes = _size(folder / NAME)
        log = (folder / LOG).open("ab" if resume else "wb")
    except OSError as error:
        remedy = "choose another --report"
        raise HarnessError(f"cannot be written: {error.strerror}", where=str(folder), remedy=remedy) from error
    try:
        process = subprocess.Popen(
            order.command(board, resume=resume), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            preexec_fn=group_leader(signal.SIGTERM),
        )  # fmt: skip
    except OSError:
        log.close()
        raise
    return _Running(board, process, log, folder / NAME, attempts, kept_bytes=kept_bytes)


def _lay_aside(folder: Path) -> None:
    """What an earlier run left there must not pass for the words of a process that dies before its first."""
    (folder / JUNIT).unlink(missing_ok=True)
    if (folder / NAME).exists():
        (folder / NAME).replace(folder / BEFORE)


def _size(journal: Path) -> int:
    """0 for one that is not there."""
    try:
        return journal.stat().st_size
    except OSError:
        return 0


def _watch(
    waiting: deque[Board], running: list[_Running], order: Order, results: dict[str, BoardResult], say: Say
) -> None:
    due = time.monotonic() + TOLD_EVERY_S
    while waiting or running:
        _start_some(waiting, running, order)
        for one in [some for some in running if has_ended(some.process.pid)]:
            result = _ended(one, order)
            running.remove(one)
            again = one.attempts <= order.retries and worth_another_try(result)
            say(f"{result.line}{'; once more' if again else ''}")
            if again:
                running.append(_start(one.board, order, resume=True, attempts=one.attempts + 1))
            else:
                results[one.board.label] = result
        if time.monotonic() >= due:
            due = time.monotonic() + TOLD_EVERY_S
            for one in running:
                _tell(one, order, say)
        time.sleep(POLL_S)


def _start_some(waiting: deque[Board], running: list[_Running], order: Order) -> None:
    """As many as this machine has cores: more that import at once are ready no sooner, and disturb who measures."""
    cores = len(os.sched_getaffinity(0))
    while waiting and sum(one.starts for one in running) < cores:
        board = waiting.popleft()
        running.append(_start(board, order, resume=board.label in order.resumed))


def worth_another_try(result: BoardResult) -> bool:
    """Where the lab spoiled something, and what it did not spoil need not be measured again: else a FAIL would be."""
    if not {INFRA, BUSY} & set(result.classes):
        return False
    try:
        header = read_cases(result.folder).header
    except ConfigError:
        return True  # no test was begun
    return not differences(header, header) or not set(result.classes) - {INFRA, BUSY}


def _ended(one: _Running, order: Order) -> BoardResult:
    """The board's result; the JUnit file that its process did not come to write is made from the journal."""
    status = end_group(one.process)
    one.log.close()
    folder = order.folder / one.board.label
    result = result_of(one.board, folder, -signal.SIGKILL if status is None else status, one.attempts)
    try:
        if status is None or status < 0 or not (folder / JUNIT).is_file():
            write_junit(read_cases(folder), folder / JUNIT)
    except ConfigError:
        pass  # no test was begun
    return result


def _tell(one: _Running, order: Order, say: Say) -> None:
    try:
        journal = read_cases(order.folder / one.board.label)
    except ConfigError:
        return
    over = sum(told.over for told in journal.told)
    line = f"{one.board.label}: {over} of {len(journal.told)} tests are over"
    if line != one.told:
        one.told = line
        say(line)


def _wind_up(running: list[_Running], order: Order, results: dict[str, BoardResult]) -> None:
    """As after Ctrl-C in each: pytest writes its report and gives its board back."""
    for one in running:
        one.process.send_signal(signal.SIGINT)
    until = time.monotonic() + WIND_UP_S
    while any(not has_ended(one.process.pid) for one in running) and time.monotonic() < until:
        time.sleep(POLL_S)
    for one in list(running):
        results[one.board.label] = _ended(one, order)
        running.remove(one)


def check_retries(count: int) -> int:
    """ConfigError for more than two: what the lab spoils thrice is not mended by asking."""
    if not 0 <= count <= MOST_RETRIES:
        raise ConfigError(f"--retry {count}: from 0 to {MOST_RETRIES}")
    return count
