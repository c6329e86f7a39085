"""Results of a long search, kept one by one, so that it goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.files import replace_in_order

Facts = Mapping[str, Any]


class Kept:
    """One JSON file: name of a result -> its plain values. One that cannot be read counts as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._results = _read(path)

    def get(self, name: str) -> Facts | None:
        """The result that was kept under `name`; None where there is none."""
        return self._results.get(name)

    def keep(self, name: str, facts: Facts) -> None:
        """Keep a result; whoever reads the file sees it with or without this one, and whole."""
        self._results[name] = facts
        content = json.dumps(self._results, indent=1, sort_keys=True, allow_nan=False)
        keep(self._path, content.encode())


def keep(path: Path, content: bytes) -> None:
    """Write a file that spares work the next time, whole or not at all; ConfigError where it cannot be."""
    try:
        replace_in_order({path: content})
    except OSError as error:
        raise ConfigError(
            f"what was found cannot be kept: {error.strerror or error}", where=str(path),
            remedy="free some space there, or make it a folder that can be written",
        ) from error  # fmt: skip


def key_of(decides: Mapping[str, Any]) -> str:
    """A hash of plain values."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Facts]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()) else {}
