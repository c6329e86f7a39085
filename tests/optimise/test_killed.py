"""kill -9 in the middle of a run costs the step that was running, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workspace import CHECKOUT, Workspace

TRIED = {"fast": {"infer_ms": 4.0}}
COMMAND = (
    sys.executable, "-m", "tests.optimise.driver", "optimize", "eyes", "--target=simulated", "--plan=smoke",
    "--frames=100", "--history=none",
)  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.add_simulated(process_sigma=0.004)
    made.without_power()
    return made


@pytest.fixture
def start(workspace):
    """The command, running."""

    def begin() -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TRIED": json.dumps(TRIED)}
        return subprocess.Popen(
            COMMAND, cwd=workspace.folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return begin


def steps(lines: Iterator[str]) -> Iterator[str]:
    return (line for line in lines if line.startswith("["))


def journal(workspace: Workspace) -> dict[str, int]:
    """Each file of the journal, and when it was written."""
    folder = workspace.folder / "reports" / "optimize" / "simulated" / "eyes" / "journal"
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json")}


@pytest.mark.parametrize("step", [2, 3])
def test_a_killed_run_goes_on_where_it_was(workspace, start, step):
    with start() as killed:
        for line in steps(killed.stderr):
            if line.startswith(f"[{step}/4]"):
                break
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    before = journal(workspace)
    assert len(before) in (step - 1, step)  # the line comes before the step, which may have ended meanwhile

    with start() as resumed:
        told = list(steps(resumed.stderr))
        resumed.wait()
    assert [line for line in told if "kept from before" in line] == told[: len(before)]
    assert len(told) == 4
    assert len(journal(workspace)) == 4
    assert before.items() <= journal(workspace).items()
    report = json.loads((workspace.folder / "reports/optimize/simulated/eyes/report.json").read_text())
    assert [row["candidate"] for row in report["rows"]] == ["fp32", "fast"]
    assert not any(row["reason"] for row in report["rows"])
