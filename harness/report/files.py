"""Writing report files: whole or not at all, and a sentence where it cannot be."""

from __future__ import annotations

from pathlib import Path

from harness import files
from harness.errors import HarnessError


def write_atomically(path: Path, text: str) -> Path:
    """Write `text` as UTF-8; a reader sees the old file or the whole new one. HarnessError if it cannot be."""
    return files.write_atomically(path, text, option="--report")


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
