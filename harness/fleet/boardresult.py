"""What one pytest process came to, read from its case journal and its exit status; and all of them in lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, printable
from harness.fleet.boards import Board
from harness.report.casejournal import CaseJournal, read_cases
from harness.unattended.exitcodes import INTERRUPTED, PASS, class_of_status, exit_code, worst_class

LOG = "pytest.log"
LOG_BYTES = 20_000


@dataclass(frozen=True, kw_only=True)
class BoardResult:
    """status: of its process, None where none was started. classes: of its cases, and of the process itself.

    tests: how many came to which class. sentence: the first thing that went wrong. folder: of its report.
    """

    board: Board
    folder: Path
    status: int | None
    classes: tuple[str, ...]
    tests: dict[str, int]
    sentence: str = ""
    attempts: int = 1

    @property
    def verdict(self) -> str:
        """The class that decides."""
        return worst_class(self.classes or ("NOTHING",))

    @property
    def line(self) -> str:
        """The board's fate on one line."""
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.tests.items())) or "no test"
        again = f", attempt {self.attempts}" if self.attempts > 1 else ""
        what = f": {self.sentence}" if self.sentence and self.verdict != PASS else ""
        return printable(f"{self.board.label}: {self.verdict} ({counts}{again}){what}")


def result_of(board: Board, folder: Path, status: int, attempts: int = 1) -> BoardResult:
    """What a process that has ended left in its folder."""
    try:
        journal = read_cases(folder)
    except ConfigError:
        classes = tuple(filter(None, [class_of_status(status, ())]))
        said = last_words(folder / LOG)
        return BoardResult(
            board=board, folder=folder, status=status, classes=classes, tests={}, sentence=said, attempts=attempts
        )
    found = [one for told in journal.told for one in told.classes]
    added = class_of_status(status, found)
    classes = tuple(dict.fromkeys([*found, *([added] if added else [])]))
    said = first_sentence(journal) or (last_words(folder / LOG) if added else "")
    return BoardResult(
        board=board, folder=folder, status=status, classes=classes, tests=dict(Counter(_kinds(journal))),
        sentence=said, attempts=attempts,
    )  # fmt: skip


def _kinds(journal: CaseJournal) -> Iterator[str]:
    for told in journal.told:
        if not told.over:
            yield "aborted" if told.begun else "not run"
        elif any(one.quarantined for one in told.phases):
            yield "quarantined"
        else:
            yield worst_class(told.classes) if told.classes else "skipped"


def first_sentence(journal: CaseJournal) -> str:
    """What the worst test says that is red: of several, the first."""
    red = [one for one in journal.told if one.over and set(one.classes) - {PASS}]
    if not red:
        cut = next((one for one in journal.told if one.begun and not one.over), None)
        return f"{cut.planned.test}: aborted" if cut else ""
    worst = worst_class(one for told in red for one in told.classes)
    told = next(one for one in red if worst in one.classes)
    said = (one.sentence for one in told.phases if one.decides == worst)
    return next(iter(next(said, "").splitlines()), "") or told.planned.test


def last_words(log: Path) -> str:
    """The last line of a log that is an error, or else the last line."""
    try:
        content = log.read_bytes()[-LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in content.splitlines() if line.strip()]
    return next((one for one in reversed(lines) if one.startswith("ERROR")), lines[-1] if lines else "")


def in_order(boards: Sequence[Board], results: Iterable[BoardResult]) -> list[BoardResult]:
    """The results in the order of the boards."""
    known = {one.board.label: one for one in results}
    return [known[one.label] for one in boards if one.label in known]


def status_of(results: Iterable[BoardResult], *, interrupted: bool = False) -> int:
    """One exit code for all boards."""
    classes = [one for result in results for one in (result.classes or ("NOTHING",))]
    return exit_code([*classes, *([INTERRUPTED] if interrupted else [])])


def summary_lines(results: Sequence[BoardResult]) -> list[str]:
    """The boards, the worst first, below one line that counts them."""
    counts = Counter(one.verdict for one in results)
    head = f"{len(results)} board{'' if len(results) == 1 else 's'}: " + ", ".join(
        f"{count} {name}" for name, count in counts.most_common()
    )
    ordered = sorted(results, key=lambda one: (exit_code(one.classes) == 0, one.board.label))
    return [head, *(f"  {one.line}" for one in ordered)]
