"""The folder of a night, and which one an interrupted night is gone on with in."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import BusyError, ConfigError, HarnessError
from harness.files import write_atomically
from harness.report.casejournal import read_cases

FOLDER = Path("reports/nightly")
ORDER = "order.json"
LOCK = "night.lock"
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
    """A folder of this run's own, made here: two of one second have two. HarnessError where it cannot be."""
    name = time.strftime("%Y%m%d-%H%M%S", time.localtime(now_s))
    for one in (name, *(f"{name}-{number}" for number in range(2, 1000))):
        try:
            (root / one).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise HarnessError(f"cannot be written: {error.strerror}", where=str(root)) from error
        return root / one
    raise HarnessError("no more folders of this second", where=str(root))


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


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else goes on in the folder meanwhile; BusyError where somebody does. Freed by kill -9 too."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise HarnessError(f"cannot be written: {error.strerror}", where=str(folder)) from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError("this night is still running", where=str(folder), remedy="wait for its end") from error


def interrupted_night(asked: Asked, root: Path = FOLDER) -> Path | None:
    """The newest folder of the same night where that was cut off at most a day ago and runs no more, else None."""
    for folder in sorted((one for one in root.glob("*") if one.is_dir()), reverse=True):
        try:
            before = read_asked(folder)
        except ConfigError:
            continue
        if _same(before, asked):
            return folder if _can_go_on(folder, before, asked) else None
    return None


def _same(before: Asked, asked: Asked) -> bool:
    """Other boards' nights may lie beside it."""
    return (before.devices, before.arguments, before.history) == (asked.devices, asked.arguments, asked.history)


def _can_go_on(folder: Path, before: Asked, asked: Asked) -> bool:
    age_h = (asked.at_s - before.at_s) / 3600
    same = before.commit == asked.commit and not asked.commit.endswith("+")
    return same and 0 <= age_h <= FRESH_H and was_cut_off(folder) and not _runs(folder)


def _runs(folder: Path) -> bool:
    try:
        with held(folder):
            return False
    except BusyError:
        return True


def was_cut_off(folder: Path) -> bool:
    """Whether tests of a board were planned and are not over."""
    return any(_interrupted(one.parent) for one in folder.glob("*/cases.journal"))


def _interrupted(folder: Path) -> bool:
    try:
        return read_cases(folder).interrupted
    except HarnessError:
        return False
