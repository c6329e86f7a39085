"""What a run over several boards leaves for people and programs: fleet.json and one trend report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.files import write_atomically
from harness.fleet.boardresult import BoardResult
from harness.history import DEFAULT_LOCATION

NAME = "fleet.json"
NO_HISTORY = "none"


def write_summary(results: Sequence[BoardResult], folder: Path, status: int) -> Path:
    """Write fleet.json: the exit status, and of each board its class, its counts, its first sentence, its folder."""
    boards = [
        {
            "board": one.board.label, "device": one.board.device, "class": one.verdict, "classes": one.classes,
            "status": one.status, "tests": one.tests, "sentence": one.sentence, "attempts": one.attempts,
            "report": one.folder.name,
        }
        for one in results
    ]  # fmt: skip
    text = json.dumps({"schema_version": 1, "status": status, "boards": boards}, indent=1, sort_keys=True)
    return write_atomically(folder / NAME, text + "\n", option="--report")


def write_trends(history: str, folder: Path) -> list[Path]:
    """The trend report of the shared history; nothing without one. HarnessError where it cannot be made."""
    if history == NO_HISTORY:
        return []
    from harness.history import open_history
    from harness.history.location import parse_location
    from harness.trendreport import read_trends
    from harness.trendreport.commands import configured_commit_url
    from harness.trendreport.write import PAGE, Targets, write_files

    location = history or DEFAULT_LOCATION
    try:
        with open_history(location, create=False) as opened:
            trends = read_trends(opened, root=Path.cwd())
        targets = Targets(page=folder / PAGE, history=parse_location(location).path, option="--report")
        return write_files(trends, targets, commit_url=configured_commit_url(Path("pyproject.toml")))[0]
    except HarnessError:
        raise
    except Exception as error:
        what = f"the trend report cannot be made: {type(error).__name__}"
        raise HarnessError(what, remedy="harness report says more") from error
