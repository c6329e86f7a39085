"""What a session found, for people and programs: terminal, results.json, Markdown, JUnit properties."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.budgets import budgets_for
from harness.case import Case
from harness.report.environment import read_environment
from harness.report.files import write_atomically
from harness.report.markdown import markdown
from harness.report.perfetto import write_trace
from harness.report.plots import plot_run
from harness.report.results import results
from harness.report.values import measured_cases
from harness.session import Session

__all__ = ["write_all", "write_traces"]


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


def write_traces(session: Session, folder: Path) -> Iterator[Path]:
    """Write per measured case a trace for Perfetto or Chrome, then a figure, into `folder`/traces; gives each path.

    HarnessError where one cannot be written, or matplotlib is missing.
    """
    measured = measured_cases(session)
    for one in measured:
        yield write_trace(one.runs, one.case.key, _trace_path(folder, one.case, "json"))
    for one in measured:
        limit = budgets_for(session.budgets(one.case), "frame_p99_ms")
        limit_ms = limit[0].limit if limit else None
        yield plot_run(one.runs[0], one.case.key, _trace_path(folder, one.case, "svg"), limit_ms)


def _trace_path(folder: Path, case: Case, suffix: str) -> Path:
    path = folder / "traces" / f"{case.model}.{case.variant}.{case.runtime}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
