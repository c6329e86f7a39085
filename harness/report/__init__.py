"""What a session found, for people and programs: terminal, results.json, Markdown, JUnit properties."""

from __future__ import annotations

import json
from pathlib import Path

from harness.report.environment import read_environment
from harness.report.files import write_atomically
from harness.report.markdown import markdown
from harness.report.results import results
from harness.session import Session

__all__ = ["write_all"]


def write_all(session: Session, folder: Path, *, started: float, command: str) -> list[Path]:
    """Write results.json and summary.md into `folder` and give their paths.

    started: seconds since 1970. HarnessError where the folder cannot be written or the disk is full.
    """
    environment = read_environment(started, command, session.setup.root)
    text = json.dumps(results(session, environment), indent=1, allow_nan=False)
    return [
        write_atomically(folder / "results.json", text + "\n"),
        write_atomically(folder / "summary.md", markdown(session, environment)),
    ]
