"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from harness.errors import HarnessError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place if nothing fails; HarnessError for a failed write."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        remedy = "free space there, or choose another folder"
        raise HarnessError(f"cannot be written: {error.strerror or error}", where=str(path), remedy=remedy) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
