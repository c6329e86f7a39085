"""What all worker processes of the host have in common: what they see of it, what they leave, and how they died."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from harness.agent import END_WITH_PARENT, LAST_PATH, PROGRESS
from harness.errors import HarnessError, WorkerError

PACKAGE = Path(__file__).resolve().parent
LONGEST_WORDS = 300
ONE_THREAD: Mapping[str, str] = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def environment(folder: Path, root: Path | None, *, own_python: bool) -> dict[str, str]:
    """What the worker sees of this process: the harness, and with the same interpreter the caller's own modules.

    Another interpreter (`own_python`) sees the harness alone, through a link in `folder`, never this one's numpy beside
    it. `root` comes last in the worker's path, so that no file in it hides a module of the engine or of Python.
    """
    own = (os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one)
    path = [str(PACKAGE.parent), *own]
    if own_python:
        (folder / "path").mkdir()
        (folder / "path" / PACKAGE.name).symlink_to(PACKAGE)
        path = [str(folder / "path")]
    return {
        "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1", END_WITH_PARENT: "1",
        LAST_PATH: str(root or ""),
    }  # fmt: skip


def last_words(log: Path) -> str:
    """The last line of a worker that is no word of progress, after a colon; empty where it said nothing."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip() and not line.startswith(PROGRESS)]
    return f": {said[-1][:LONGEST_WORDS]}" if said else ""


def death(status: int, who: str = "the worker") -> str:
    """How a process ended that left no answer."""
    if status == -signal.SIGKILL:
        return f"{who} was killed (SIGKILL), most likely by the system for lack of memory"
    if status < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"{who} crashed with {names.get(-status, f'signal {-status}')}"
    return f"{who} ended with status {status}"


def left_error(path: Path, where: str, remedy: str) -> HarnessError:
    """The error that a worker left in `path`; `where` and `remedy` stand where it says none."""
    try:
        wire = json.loads(path.read_text(encoding="utf-8"))
        known = {"where": wire.get("where") or where, "remedy": wire.get("remedy") or remedy}
        return HarnessError.from_wire({**wire, **known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return WorkerError(f"the worker failed and its error is not readable: {error}", where=where, remedy=remedy)
