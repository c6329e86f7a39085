"""One run at a time in a folder: two would take away each other's files."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from harness.errors import HarnessError

LOCK = ".lock"
REMEDY = "choose another folder with --out"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """HarnessError where another run is at work in it, or it cannot be made. The kernel lets go of a killed run."""
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fcntl.flock(held.enter_context((folder / LOCK).open("w", encoding="utf-8")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = f"let it end, or {REMEDY}"
            raise HarnessError("another run is at work on this model", where=str(folder), remedy=remedy) from error
        except OSError as error:
            what = f"the folder cannot be used: {error.strerror or error}"
            raise HarnessError(what, where=str(folder), remedy=REMEDY) from error
        yield
