"""A Job to its device, and the Run back: every way in which a worker can fail becomes one sentence."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.agent import END_WITH_PARENT, PROGRESS
from harness.case import Job, Run
from harness.errors import HarnessError, WorkerError
from harness.profile import DeviceProfile
from harness.transports import Exit, open_transport

Progress = Callable[[str, int, int], None]
PACKAGE_ROOT = Path(__file__).resolve().parent.parent


def run_job(job: Job, profile: DeviceProfile, folder: Path, progress: Progress) -> Run:
    """Carry out `job` in one fresh worker on the device; its files stay in `folder`.

    Raises the worker's own error, or WorkerError where it crashed, hung or wrote nothing.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = replace(job, memory_limit_bytes=profile.memory_limit_mib * 2**20, cpu_cores=profile.cpu_cores)
    (folder / "job.json").write_text(job.to_json(), encoding="utf-8")
    python = profile.python or sys.executable
    try:
        ended = open_transport(profile.transport).run(
            [python, "-m", "harness.agent", str(folder / "job.json"), str(folder)],
            environment={"PYTHONPATH": str(PACKAGE_ROOT), "PYTHONDONTWRITEBYTECODE": "1", END_WITH_PARENT: "1"},
            log=folder / "worker.log",
            deadline_s=job.plan.deadline_s,
            on_line=lambda line: _hear(line, progress),
        )
    except OSError as error:
        raise WorkerError(
            f"the worker cannot be started: {error}", where=job.case.key, remedy=f"is {python} the device's python?"
        ) from error
    return _result(job, folder, ended)


def _hear(line: str, progress: Progress) -> None:
    if not line.startswith(PROGRESS):
        return
    try:
        said = json.loads(line[len(PROGRESS) :])
        progress(str(said["phase"]), int(said["done"]), int(said["total"]))
    except (ValueError, KeyError, TypeError):
        return


def _result(job: Job, folder: Path, ended: Exit) -> Run:
    log = folder / "worker.log"
    if ended.timed_out:
        raise WorkerError(
            f"the worker did not finish within its deadline of {job.plan.deadline_s:g} s and was ended",
            where=job.case.key,
            remedy=f"an endless loop in the model or a hanging engine; the last words are in {log}",
        )
    if (folder / "error.json").is_file():
        raise _said(folder / "error.json", job.case.key, log)
    if ended.status != 0:
        raise WorkerError(_death(ended.status), where=job.case.key, remedy=f"the last words are in {log}")
    try:
        return Run.load(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkerError(
            f"the worker ended without a readable result: {error}", where=job.case.key, remedy=f"see {log}"
        ) from error


def _said(path: Path, case: str, log: Path) -> HarnessError:
    """The error that the worker left."""
    try:
        wire = json.loads(path.read_text(encoding="utf-8"))
        return HarnessError.from_wire({**wire, "where": wire.get("where") or case})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        what = f"the worker failed and its error is not readable: {error}"
        return WorkerError(what, where=case, remedy=f"see {log}")


def _death(status: int) -> str:
    if status == -signal.SIGKILL:
        return "the worker was killed (SIGKILL), most likely by the system for lack of memory"
    if status < 0:
        names = {one.value: one.name for one in signal.Signals}
        return f"the worker crashed with {names.get(-status, f'signal {-status}')}"
    return f"the worker ended with status {status}"
