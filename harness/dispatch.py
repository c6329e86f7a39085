"""A Job to its device, and the Run back: every way in which a worker can fail becomes one sentence."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.agent import END_WITH_PARENT, LAST_PATH, PROGRESS
from harness.case import Job, Run
from harness.errors import HarnessError, WorkerError, printable
from harness.paired import PairedJob, PairedRun
from harness.profile import DeviceProfile
from harness.transports import Exit, open_transport

Progress = Callable[[str, int, int], None]
AGENT = "harness.agent"
CAP_DEADLINES = 20
PACKAGE = Path(__file__).resolve().parent


def run_job(job: Job, profile: DeviceProfile, folder: Path, progress: Progress, root: Path | None = None) -> Run:
    """Carry out `job` in one fresh worker on the device; its files stay in `folder`.

    A timed Run that was written before the worker failed is good: what failed later were predictions.
    Otherwise raises the worker's own error, or WorkerError where it crashed, hung or wrote nothing;
    HarnessError where `folder` cannot be written. The worker may import what lies in `root`.
    """
    folder = folder.absolute()
    job = _confined(job, profile)
    ended = _work(job.to_json(), job, profile, folder, progress, root)
    return _result(job, folder, ended)


def run_pair(
    job: PairedJob, profile: DeviceProfile, folder: Path, progress: Progress, root: Path | None = None
) -> PairedRun:
    """Carry out `job` in one fresh worker on the device; raises as `run_job` does."""
    folder = folder.absolute()
    job = replace(job, reference=_confined(job.reference, profile), candidate=_confined(job.candidate, profile))
    ended = _work(job.to_json(), job.candidate, profile, folder, progress, root)
    if ended.timed_out or ended.status != 0:
        raise _failure(job.candidate, folder, ended)
    try:
        return PairedRun.load(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(job.candidate, folder, error) from error


def _confined(job: Job, profile: DeviceProfile) -> Job:
    return replace(job, memory_limit_bytes=profile.memory_limit_mib * 2**20, cpu_cores=profile.cpu_cores)


def _work(text: str, job: Job, profile: DeviceProfile, folder: Path, progress: Progress, root: Path | None) -> Exit:
    """One worker from its start to its end."""
    _lay_out(text, folder)
    python = profile.python or sys.executable
    try:
        return open_transport(profile.transport).run(
            [python, "-m", AGENT, str(folder / "job.json"), str(folder)],
            environment=_environment(profile, folder, root),
            log=folder / "worker.log",
            deadline_s=job.plan.deadline_s,
            on_line=_Listener(progress, CAP_DEADLINES * job.plan.deadline_s + job.plan.minimum_s),
        )
    except OSError as error:
        remedy = f"free some space for {folder}" if error.errno == errno.ENOSPC else f"is {python} the device's python?"
        raise WorkerError(f"the worker cannot be started: {error}", where=job.case.key, remedy=remedy) from error


def _lay_out(text: str, folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"the folder for results cannot be written: {error.strerror}",
            where=str(folder),
            remedy="free some space, or name another folder with --report",
        ) from error


def _environment(profile: DeviceProfile, folder: Path, root: Path | None) -> dict[str, str]:
    """What the worker sees of this process: the harness, and with the same interpreter the caller's own modules.

    Another interpreter sees the harness alone, never this one's numpy beside it. `root` comes last
    in the worker's path, so that no file in it hides a module of the engine or of Python.
    """
    own = (os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one)
    path = [str(PACKAGE.parent), *own]
    if profile.python:
        (folder / "path").mkdir()
        (folder / "path" / PACKAGE.name).symlink_to(PACKAGE)
        path = [str(folder / "path")]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PYTHONPATH": os.pathsep.join(path), "PYTHONDONTWRITEBYTECODE": "1", END_WITH_PARENT: "1",
        LAST_PATH: str(root or ""), **single,
    }  # fmt: skip


class _Listener:
    """Hands words of progress on; says True only while there is progress, and never beyond the cap."""

    def __init__(self, progress: Progress, cap_s: float) -> None:
        self._progress, self._last = progress, ("", -1)
        self._until_s = time.monotonic() + cap_s

    def __call__(self, line: str) -> bool:
        if not line.startswith(PROGRESS):
            return False
        try:
            said = json.loads(line[len(PROGRESS) :])
            phase, done, total = printable(said["phase"]), int(said["done"]), int(said["total"])
        except (ValueError, KeyError, TypeError):
            return False
        self._progress(phase, done, total)
        moved = (phase, done) != self._last
        self._last = (phase, done)
        return moved and time.monotonic() < self._until_s


def _result(job: Job, folder: Path, ended: Exit) -> Run:
    failed = ended.timed_out or ended.status != 0
    if not failed or (job.timed and (folder / "run.json").is_file()):
        try:
            return Run.load(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if not failed:
                raise _unreadable(job, folder, error) from error
    raise _failure(job, folder, ended)


def _unreadable(job: Job, folder: Path, error: Exception) -> WorkerError:
    what = f"the worker ended without a readable result: {error}"
    return WorkerError(what, where=job.case.key, remedy=f"see {folder / 'worker.log'}")


def _failure(job: Job, folder: Path, ended: Exit) -> HarnessError:
    log = folder / "worker.log"
    if ended.timed_out:
        return WorkerError(
            f"the worker gave no sign of progress within its deadline of {job.plan.deadline_s:g} s and was ended",
            where=job.case.key,
            remedy=f"an endless loop in the model or a hanging engine; if a single frame really takes that long, set "
            f"deadline_s in devices/{job.case.device}.toml; the last words are in {log}",
        )
    if (folder / "error.json").is_file():
        return _said(folder / "error.json", job.case.key, log)
    return WorkerError(_death(ended.status) + _last_words(log), where=job.case.key, remedy=f"the whole log is {log}")


def _last_words(log: Path) -> str:
    """The last line of the worker that is no word of progress."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip() and not line.startswith(PROGRESS)]
    return f": {said[-1][:300]}" if said else ""


def _said(path: Path, case: str, log: Path) -> HarnessError:
    """The error that the worker left."""
    try:
        wire = json.loads(path.read_text(encoding="utf-8"))
        remedy = wire.get("remedy") or f"the last words are in {log}"
        return HarnessError.from_wire({**wire, "where": wire.get("where") or case, "remedy": remedy})
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
