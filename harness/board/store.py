"""What of a job's files must be on the board, under names that their contents give: put once, found ever after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.agent import kind_of
from harness.board.there import BASE, PART, STORE
from harness.board.travel import Archive, code_archive, modules_in
from harness.errors import ConfigError
from harness.frames import INDEX, PIXELS
from harness.modelfile import inspect_model

FOLDERS, FILES = ("frames_path", "labelled_path"), ("model_path",)
PAIR = ("reference", "candidate")


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files that lie beside each other there. files: name below its folder -> the file here. key: of all contents."""

    files: Mapping[str, Path]
    key: str

    @property
    def folder(self) -> str:
        """Where it lies below the board's own folder."""
        return f"{STORE}/{self.key}"

    @property
    def wanted(self) -> Mapping[str, Path]:
        """Name below the board's own folder -> the file here."""
        return {f"{self.folder}/{name}": path for name, path in self.files.items()}


def travelling(text: str) -> tuple[str, tuple[Bundle, ...]]:
    """A job of any kind with its paths as they are below BASE on the board, and all files that must be there.

    ConfigError for a job that needs a team's own package, which does not travel, or for a file with a hostile name.
    """
    wire = json.loads(text)
    bundles: list[Bundle] = []
    for job in _jobs(wire):
        _refuse_own_code(job)
        for field in (one for one in (*FOLDERS, *FILES) if job.get(one)):
            path = Path(job[field])
            bundle = _pack(path) if field in FOLDERS else _model(path)
            bundles.append(bundle)
            job[field] = f"{BASE}/{bundle.folder}" + ("" if field in FOLDERS else f"/{path.name}")
    return json.dumps(wire, sort_keys=True), tuple({one.key: one for one in bundles}.values())


def code_of(text: str, folder: Path | None = None) -> Archive:
    """The code that the worker of a job of any kind needs: its engines, its sensors, its task.

    folder: where archives are kept that were made before.
    """
    wire = json.loads(text)
    jobs = _jobs(wire)
    entries = [one for job in jobs for one in job.get("engines", {}).values()]
    entries += [{**job["options"], "engine": job["engine"]} for job in jobs if "engine" in job]
    first, *others = dict.fromkeys(str(one["engine"]) for one in entries)
    named = {module for one in entries for module in modules_in(one)}
    sensors = {str(one["kind"]) for job in jobs for one in job["telemetry"]["probes"].values()}
    task = next((str(job["task"]["name"]) for job in jobs if "task" in job), None)
    return code_archive(first, sensors, task, beside=others, extra=named, kind=kind_of(wire), folder=folder)


def _jobs(wire: dict[str, Any]) -> list[dict[str, Any]]:
    """The one job, or both of a pair."""
    return [wire[name] for name in PAIR if name in wire] or [wire]


def _refuse_own_code(job: Mapping[str, Any]) -> None:
    if job.get("task", {}).get("name") == "custom":
        raise ConfigError(
            "the task custom runs functions of a package of your own, and such a package does not travel to a board",
            where=str(job["task"].get("options", {})),
            remedy='run it on the board itself with transport = "local", or use one of the tasks that ship',
        )


def _model(path: Path) -> Bundle:
    """The file, and those beside it that it names for its weights."""
    return _bundle(path.parent, (path.name, *_external(path, _state(path))))


def _pack(folder: Path) -> Bundle:
    return _bundle(folder, (PIXELS, INDEX))


def _bundle(folder: Path, names: tuple[str, ...]) -> Bundle:
    for part in (part for name in names for part in name.split("/")):
        if not PART.fullmatch(part):
            raise ConfigError(
                f"the name {part!r} cannot be used on a board", where=str(folder),
                remedy="use letters, digits, . _ - in the names of model files",
            )  # fmt: skip
    files = {name: folder / name for name in names}
    listing = "".join(f"{_digest(path, _state(path))}  {name}\n" for name, path in sorted(files.items()))
    return Bundle(files=files, key=hashlib.sha256(listing.encode()).hexdigest())


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)
def _external(path: Path, state: tuple[int, int, int]) -> tuple[str, ...]:
    """Found anew only where the file system says that the file is another one."""
    del state
    return tuple(one.name for one in inspect_model(path).external_files) if path.suffix == ".onnx" else ()


@lru_cache(maxsize=4096)
def _digest(path: Path, state: tuple[int, int, int]) -> str:
    del state
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
