"""Replacing files: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError


def write_atomically(path: Path, text: str, *, option: str) -> Path:
    """Write `text` as UTF-8; a reader sees the old file or the whole new one. HarnessError if it cannot be.

    A link stays and its target is replaced; a pipe or a device is written into, and left as it is.
    option: what on the command line names the place, for the remedy.
    """
    try:
        _replace(path, text)
    except OSError as error:
        what = f"the report cannot be written: {error.strerror or error}"
        remedy = f"free space there, or choose another folder with {option}"
        raise HarnessError(what, where=str(path), remedy=remedy) from error
    return path


def replace_in_order(contents: Mapping[Path, bytes]) -> None:
    """Give every file its new content, in this order, once all of it is on the disk beside them.

    A reader, or a kill at any moment, finds each file old or new and whole. OSError where something
    cannot be written; then every file is the old one. Links stay, and their targets are replaced.
    """
    behind = {_target(path): content for path, content in contents.items()}
    staged = {path: _beside(path) for path in behind}
    try:
        for path, temporary in staged.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(temporary, behind[path])
        for path, temporary in staged.items():
            temporary.replace(path)
    finally:
        for temporary in staged.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _replace(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():
        # Asked of the path itself: what /dev/stdout leads to may have no name.
        path.write_text(text, encoding="utf-8")
        return
    target = _target(path)
    temporary = _beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _target(path: Path) -> Path:
    """The file behind all links; a circle of links stays as it is."""
    return Path(os.path.realpath(path))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        # Without this, a power cut after the renaming may leave an empty file under the final name.
        os.fsync(file.fileno())
