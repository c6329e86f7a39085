"""What every step found, one file each, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from harness.errors import HarnessError
from harness.files import replace_in_order

FORMAT = 1
KEY_LENGTH = 12
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One piece of work that is kept. kind: what it resembles in time. name: of this one."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a step found, as plain JSON, and how long it took."""

    result: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The steps that are done. A step is found again under the same key alone: all that decides its result."""

    folder: Path

    def read(self, step: Step, key: Mapping[str, Any]) -> Kept | None:
        """What was kept; None where nothing was, or where it is damaged."""
        try:
            said = json.loads(self._path(step, key).read_text(encoding="utf-8"))
            body = said["body"]
            if said["sha256"] != digest(body) or body["format"] != FORMAT or body["key"] != _plain(key):
                return None
            return Kept(result=body["result"], seconds=float(body["seconds"]))
        except UNREADABLE:
            return None

    def write(self, step: Step, key: Mapping[str, Any], kept: Kept) -> None:
        """Keep it, whole or not at all; HarnessError where that fails."""
        body = _plain({
            "format": FORMAT, "kind": step.kind, "name": step.name, "key": key, "seconds": kept.seconds,
            "result": kept.result,
        })  # fmt: skip
        path = self._path(step, key)
        text = json.dumps({"sha256": digest(body), "body": body}, indent=1, sort_keys=True)
        try:
            replace_in_order({path: text.encode()})
        except OSError as error:
            raise HarnessError(
                f"the result of a step cannot be kept: {error.strerror or error}", where=str(path),
                remedy="free space there, or choose another folder with --out",
            ) from error  # fmt: skip

    def seconds(self) -> dict[str, float]:
        """Kind -> how long such a step took on average."""
        found: dict[str, list[float]] = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                body = json.loads(path.read_text(encoding="utf-8"))["body"]
                found.setdefault(str(body["kind"]), []).append(float(body["seconds"]))
            except UNREADABLE:
                continue
        return {kind: mean(times) for kind, times in found.items()}

    def _path(self, step: Step, key: Mapping[str, Any]) -> Path:
        return self.folder / f"{step.name.replace(' ', '_')}.{step.kind}.{digest(key)[:KEY_LENGTH]}.json"


def digest(value: Any) -> str:
    """The SHA-256 of plain values, whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    """As JSON gives it back."""
    return json.loads(json.dumps(value, default=str))
