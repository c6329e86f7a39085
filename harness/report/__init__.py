"""What a session found, for people and programs: terminal, results.json, Markdown, JUnit properties."""

from __future__ import annotations

import json
from pathlib import Path

from harness.budgets import budgets_for
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


def write_traces(session: Session, folder: Path) -> list[Path]:
    """Write per measured case a trace for Perfetto or Chrome and a figure, into `folder`/traces, and give their paths.

    HarnessError where one cannot be written, or matplotlib is missing.
    """
    written = []
    for measured in measured_cases(session):
        case = measured.case
        stem = folder / "traces" / f"{case.model}.{case.variant}.{case.runtime}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        written.append(write_trace(measured.runs, case.key, stem.with_name(f"{stem.name}.json")))
        limit = budgets_for(session.budgets(case), "frame_p99_ms")
        limit_ms = limit[0].limit if limit else None
        written.append(plot_run(measured.runs[0], case.key, stem.with_name(f"{stem.name}.svg"), limit_ms))
    return written
