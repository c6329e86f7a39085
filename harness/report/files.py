"""Writing report files: whole or not at all, and a sentence where it cannot be."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.errors import HarnessError


def write_atomically(path: Path, text: str) -> Path:
    """Write `text` as UTF-8; a reader sees the old file or the whole new one. HarnessError if it cannot be."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _not_written(path, error) from error
    return path


def append(path: Path, text: str) -> None:
    """Append `text` as UTF-8; HarnessError if it cannot be."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HarnessError(
            f"the job summary cannot be written: {error.strerror or error}",
            where=str(path),
            remedy="make its folder, or unset GITHUB_STEP_SUMMARY",
        ) from error


def _not_written(path: Path, error: OSError) -> HarnessError:
    return HarnessError(
        f"the report cannot be written: {error.strerror or error}",
        where=str(path),
        remedy="free space there, or choose another folder with --report",
    )
