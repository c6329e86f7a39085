"""Where and from what a report was made: the host, the harness, the commit, the command."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness import __version__


@dataclass(frozen=True, kw_only=True)
class Environment:
    """started: UTC in ISO 8601. commit: of the current folder; `dirty` where tracked files differ from it."""

    started: str
    command: str
    host: str
    system: str
    machine: str
    python: str
    harness: str
    commit: str | None = None
    dirty: bool | None = None


def read_environment(started: float, command: str, root: Path | None = None) -> Environment:
    """Ask the host; `started` is in seconds since 1970, `root` is the repository that is measured."""
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    return Environment(
        started=datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=command,
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        python=platform.python_version(),
        harness=__version__,
        commit=commit or None,
        dirty=bool(_git(root, "status", "--porcelain", "--untracked-files=no")) if commit else None,
    )


def _git(root: Path | None, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
