"""Replacing files: whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def replace_in_order(contents: Mapping[Path, bytes]) -> None:
    """Give every file its new content, in this order, once all of it is on the disk beside them.

    A reader, or a kill at any moment, finds each file old or new and whole. OSError where something
    cannot be written; then every file is the old one.
    """
    staged = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in contents}
    try:
        for path, temporary in staged.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_durably(temporary, contents[path])
        for path, temporary in staged.items():
            temporary.replace(path)
    finally:
        for temporary in staged.values():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        # Without this, a power cut after the renaming may leave an empty file under the final name.
        os.fsync(file.fileno())
