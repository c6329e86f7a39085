"""A night: healthy boards only, the strict policy, and going on where an earlier attempt was cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import ConfigError, HarnessError
from harness.files import write_atomically
from harness.fleet.boards import Board
from harness.fleet.checking import Checked
from harness.fleet.summing import BoardResult
from harness.report.casejournal import read_cases

FOLDER = Path("reports/nightly")
ORDER = "order.json"
FRESH_H = 24.0


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a night was asked for. at_s: seconds since 1970; commit: of the repository."""

    devices: str
    arguments: tuple[str, ...]
    history: str
    commit: str
    at_s: float


def new_folder(now_s: float, root: Path = FOLDER) -> Path:
    """A folder of this night's own."""
    name = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
    names = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next(root / one for one in names if not (root / one).exists())


def keep_asked(asked: Asked, folder: Path) -> None:
    """Write it beside the reports; HarnessError where it cannot be."""
    write_atomically(folder / ORDER, json.dumps(asdict(asked), indent=1) + "\n", option="--report")


def read_asked(folder: Path) -> Asked:
    """What `keep_asked` wrote; ConfigError where it is not there or not whole."""
    try:
        raw = json.loads((folder / ORDER).read_text(encoding="utf-8"))
        return Asked(**{**raw, "arguments": tuple(raw["arguments"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = f"name a folder below {FOLDER}"
        raise ConfigError("no night that can be resumed", where=str(folder), remedy=remedy) from error


def interrupted_night(asked: Asked, root: Path = FOLDER) -> Path | None:
    """The newest folder of the same night, not older than a day, that was cut off; None where there is none."""
    for folder in sorted((one for one in root.glob("*") if one.is_dir()), reverse=True):
        try:
            before = read_asked(folder)
        except ConfigError:
            continue
        return folder if _same(before, asked) and was_cut_off(folder) else None
    return None


def _same(before: Asked, asked: Asked) -> bool:
    age_h = (asked.at_s - before.at_s) / 3600
    same = (before.devices, before.arguments, before.history, before.commit) == (
        asked.devices, asked.arguments, asked.history, asked.commit
    )  # fmt: skip
    return same and 0 <= age_h <= FRESH_H and not asked.commit.endswith("+")


def was_cut_off(folder: Path) -> bool:
    """Whether tests of a board were planned and are not over."""
    return any(_interrupted(one.parent) for one in folder.glob("*/cases.journal"))


def _interrupted(folder: Path) -> bool:
    try:
        return read_cases(folder).interrupted
    except HarnessError:
        return False


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


def in_order(boards: Sequence[Board], results: Iterable[BoardResult]) -> list[BoardResult]:
    """The results in the order of the boards."""
    known = {one.board.label: one for one in results}
    return [known[one.label] for one in boards if one.label in known]


def message(title: str, results: Sequence[BoardResult], status: int, lines: Sequence[str], link: str) -> str:
    """What a chat is told: how it ended, the first sentence that is red, the counts, and where the report is."""
    worst = next((one for one in results if one.sentence and one.verdict != "PASS"), None)
    said = [f"{worst.board.label}: {worst.sentence}"] if worst else []
    state = "passed" if status == 0 else f"ended with status {status}"
    return "\n".join([f"{title}: {state}", *said, lines[0], f"report: {link}"])
