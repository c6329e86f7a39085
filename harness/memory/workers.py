"""The package's own worker: one fresh process on the device that loads what one job names, and what it told."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, WorkerError
from harness.following import Exit, follow
from harness.memory.measuring import Say, Wanted, rotated
from harness.workers import ONE_THREAD, death, environment, left_error

WORKER = "harness.memory.worker"
DEADLINE_S = 120.0


Job = Mapping[str, Any]


def in_turn(
    wanted: Wanted, runtime: str, asked: Mapping[str, Callable[[], Job]], say: Say
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """What the fresh processes of each job told, one of each in turn; and why a job has no answers."""
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in asked}
    reasons: dict[str, str] = {}
    for number in range(wanted.rounds):
        for name in rotated(list(asked), number):
            if name not in reasons:
                say(f"{runtime}, {name}: process {number + 1} of {wanted.rounds}")
                try:
                    told[name].append(carried_out(wanted, asked[name](), place_of(runtime, name)))
                except HarnessError as error:
                    reasons[name] = error.sentence
    return told, reasons


def place_of(runtime: str, name: str) -> str:
    """The folder of a job's worker, below that of all workers."""
    return f"{runtime}-{name.replace(' ', '-')}"


def carried_out(wanted: Wanted, job: Job, name: str) -> dict[str, Any]:
    """What the worker told; its files stay in `name` below the folder. HarnessError where it failed, and why."""
    folder = (wanted.folder / "work" / name).absolute()
    profile = wanted.profile
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    confined = {"cpu_cores": list(profile.cpu_cores), "memory_limit_bytes": profile.memory_limit_mib * 2**20}
    (folder / "job.json").write_text(json.dumps({**confined, **job}), encoding="utf-8")
    command = [profile.python or sys.executable, "-m", WORKER, str(folder / "job.json"), str(folder)]
    try:
        ended = follow(
            command, environment={**environment(folder, None, own_python=bool(profile.python)), **ONE_THREAD},
            log=folder / "worker.log", deadline_s=profile.deadline_s or DEADLINE_S, on_line=lambda line: False,
        )  # fmt: skip
    except OSError as error:
        raise WorkerError(f"the worker cannot be started: {error}", where=name) from error
    return _told(folder, ended, name)


def _told(folder: Path, ended: Exit, name: str) -> dict[str, Any]:
    remedy = f"its last words are in {folder / 'worker.log'}"
    if (folder / "error.json").is_file():
        raise left_error(folder / "error.json", name, remedy)
    if (folder / "result.json").is_file():
        found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return found
    how = "the worker gave no answer in time" if ended.timed_out else f"{death(ended.status)} and without an answer"
    raise WorkerError(how, where=name, remedy=remedy)
