"""A user at a desk, in a process that may be killed: `python -m tests.lab.client FOLDER JOB NAME` measures once.

The last line that it prints is how that went: the number of timed frames, or the error's name and sentence.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.board.link import Links, links
from harness.case import Job
from harness.dispatch import run_job
from harness.errors import HarnessError
from harness.profile import read_profile
from tests.lab.boards import CHECKOUT


def start(folder: Path, job: Job, name: str, **environment: str) -> subprocess.Popen[str]:
    """The user begins; `folder` is that of a Desk."""
    path = folder / f"{name}.job.json"
    path.write_text(job.to_json(), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.lab.client", str(folder), str(path), name], cwd=CHECKOUT, text=True,
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def outcome(client: subprocess.Popen[str], within_s: float = 120) -> str:
    """What the user saw in the end."""
    said, _ = client.communicate(timeout=within_s)
    return (said.splitlines() or [""])[-1]


def main(folder: Path, job: Path, name: str) -> None:
    """Measure once."""
    devices = folder / "devices"
    try:
        with links(Links(folder / "state", devices)):
            run = run_job(
                Job.from_json(job.read_text(encoding="utf-8")), read_profile("board1", devices),
                folder / "results" / name, lambda *words: None,
            )  # fmt: skip
    except HarnessError as error:
        print(type(error).__name__, error.sentence)
    else:
        print(len(run.frame_ns), "frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
