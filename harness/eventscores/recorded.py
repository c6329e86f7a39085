"""A run at a camera's pace, as a report's folder keeps it."""

from __future__ import annotations

from pathlib import Path

from harness.camera import Paced
from harness.camera.pacing import paced_of_run
from harness.case import Run
from harness.errors import ConfigError

UNREADABLE = (OSError, ValueError, KeyError, TypeError)
SHOWN = 5


def recorded_run(folder: Path) -> Paced:
    """The only run at a camera's pace in `folder` or below; ConfigError where there is none, or more than one."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder", where="--dropped-from", remedy="name the folder of a report")
    found = {path.parent: one for path in sorted(folder.rglob("run.json")) if (one := _paced(path.parent)) is not None}
    if not found:
        raise ConfigError(
            "no run at a camera's pace is kept here", where=f"--dropped-from={folder}",
            remedy="make one: pytest suites/ --plan=camera --report=DIR",
        )  # fmt: skip
    if len(found) > 1:
        names = [str(one) for one in found][:SHOWN]
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ConfigError(
            f"{len(found)} runs at a camera's pace are kept here", where=f"--dropped-from={folder}",
            remedy=f"name the folder of one of them: {', '.join(names)}{more}",
        )  # fmt: skip
    return next(iter(found.values()))


def _paced(folder: Path) -> Paced | None:
    try:
        return paced_of_run(Run.load(folder))
    except UNREADABLE as error:
        raise ConfigError(f"the run is not whole: {error}", where=str(folder)) from error
