"""A Job to its device, and the Run back: every way in which a worker can fail becomes one sentence."""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from harness.agent import PROGRESS
from harness.board.remote import Errand, carry_out
from harness.camera import NS, period_ns
from harness.cascade import CascadeJob
from harness.cascade.overlap import OverlapJob, OverlapRun
from harness.cascade.records import CascadeRun
from harness.case import Job, Plan, Run
from harness.errors import ConfigError, HarnessError, WorkerError, printable
from harness.following import Exit, follow
from harness.paired import PairedJob, PairedRun
from harness.profile import DeviceProfile
from harness.soakplan import cooling_s
from harness.survey import Survey, SurveyJob
from harness.workers import ONE_THREAD, death, environment, last_words, left_error

Progress = Callable[[str, int, int], None]
Note = Callable[[str], None]
T = TypeVar("T")
UNREADABLE = (OSError, ValueError, KeyError, TypeError)
NO_NUMPY = "No module named 'numpy'"
SURVEY_DEADLINE_S = 120.0
AGENT = "harness.agent"
CAP_DEADLINES = 20
UNCAPPED = ("building", "loading")


def unsaid(sentence: str) -> None:
    """For who does not care."""


def run_job(
    job: Job, profile: DeviceProfile, folder: Path, progress: Progress, root: Path | None = None, note: Note = unsaid
) -> Run:
    """Carry out `job` in one fresh worker on the device; its files stay in `folder`. note: told what was tried again.

    A timed Run that was written before the worker failed is good: what failed later were predictions.
    Otherwise raises the worker's own error, or WorkerError where it crashed, hung or wrote nothing;
    HarnessError where `folder` cannot be written. The worker may import what lies in `root`.
    Of a CascadeJob `cascade_of(folder)` has the stages.
    """
    _refuse_far_cascade(job, profile)
    folder = folder.absolute()
    job = _confined(job, profile)
    errand = _errand(job, folder)
    return _result(job.timed, errand, _work(job.to_json(), errand, profile, progress, root, note))


def cascade_of(folder: Path) -> CascadeRun:
    """What a cascade's worker left in its folder, stage by stage; WorkerError where it is not whole."""
    try:
        return CascadeRun.load(folder)
    except UNREADABLE as error:
        what = f"the cascade's run is not readable: {error}"
        raise WorkerError(what, where=str(folder), remedy="measure it again") from error


def _refuse_far_cascade(job: Job, profile: DeviceProfile) -> None:
    if isinstance(job, CascadeJob) and profile.remote:
        raise ConfigError(
            "a cascade does not travel over a wire yet: its worker has to run on this machine", where=job.case.key,
            remedy='measure it on the board itself, with transport = "local" in its profile',
        )  # fmt: skip


def run_pair(
    job: PairedJob, profile: DeviceProfile, folder: Path, progress: Progress, root: Path | None = None,
    note: Note = unsaid,
) -> PairedRun:  # fmt: skip
    """Carry out `job` in one fresh worker on the device; raises as `run_job` does."""
    folder = folder.absolute()
    job = replace(job, reference=_confined(job.reference, profile), candidate=_confined(job.candidate, profile))
    errand = _errand(job.candidate, folder)
    return _loaded(PairedRun.load, errand, _work(job.to_json(), errand, profile, progress, root, note))


def run_overlap(job: OverlapJob, profile: DeviceProfile, folder: Path, root: Path | None = None) -> OverlapRun:
    """Carry out `job` in one fresh worker on this machine; raises as `run_job` does."""
    _refuse_far_cascade(job.cascade, profile)
    folder = folder.absolute()
    cascade = job.cascade
    confined = replace(cascade, memory_limit_bytes=profile.memory_limit_mib * 2**20, cpu_cores=profile.cpu_cores)
    errand = _errand(cascade, folder)
    text = replace(job, cascade=confined).to_json()
    return _loaded(OverlapRun.load, errand, _work(text, errand, profile, lambda *words: None, root, unsaid))


def run_survey(job: SurveyJob, profile: DeviceProfile, folder: Path) -> Survey:
    """What the device can measure, found out by one fresh worker; WorkerError where it says nothing readable."""
    errand = _Errand(where=profile.name, device=profile.name, deadline_s=SURVEY_DEADLINE_S, folder=folder.absolute())
    return _loaded(Survey.load, errand, _work(job.to_json(), errand, profile, lambda *words: None, None, unsaid))


@dataclass(frozen=True, kw_only=True)
class _Errand:
    """What errors say of a worker, and how long it may be silent, or go on at all."""

    where: str
    device: str
    deadline_s: float
    folder: Path
    minimum_s: float = 0.0

    @property
    def cap_s(self) -> float:
        """What a worker may take that shows progress all the time."""
        return CAP_DEADLINES * self.deadline_s + self.minimum_s


def _errand(job: Job, folder: Path) -> _Errand:
    return _Errand(
        where=job.case.key, device=job.case.device, deadline_s=job.plan.deadline_s,
        minimum_s=_least_s(job.plan), folder=folder,
    )  # fmt: skip


def _least_s(plan: Plan) -> float:
    """How long frames and cool-down take at least: a slow camera sends them for hours."""
    sent_s = plan.frames * period_ns(plan.arrivals) / NS if plan.arrivals else 0.0
    return max(plan.minimum_s, sent_s) + cooling_s(plan)


def _confined(job: Job, profile: DeviceProfile) -> Job:
    return replace(job, memory_limit_bytes=profile.memory_limit_mib * 2**20, cpu_cores=profile.cpu_cores)


def _work(
    text: str, errand: _Errand, profile: DeviceProfile, progress: Progress, root: Path | None, note: Note
) -> Exit:
    """One worker from its start to its end."""
    _lay_out(text, errand.folder)
    if not profile.remote:
        return _follow(errand, profile, progress, root)
    there = Errand(
        text=text, folder=errand.folder, where=errand.where, silent_s=errand.deadline_s, cap_s=errand.cap_s
    )  # fmt: skip
    return carry_out(there, profile, progress, note)


def _follow(errand: _Errand, profile: DeviceProfile, progress: Progress, root: Path | None) -> Exit:
    """On this machine: a child that is followed line by line."""
    folder = errand.folder
    python = profile.python or sys.executable
    try:
        return follow(
            [python, "-m", AGENT, str(folder / "job.json"), str(folder)],
            environment={**environment(folder, root, own_python=bool(profile.python)), **ONE_THREAD},
            log=folder / "worker.log",
            deadline_s=errand.deadline_s,
            on_line=_Listener(progress, errand.cap_s),
        )
    except OSError as error:
        remedy = f"free some space for {folder}" if error.errno == errno.ENOSPC else f"is {python} the device's python?"
        raise WorkerError(f"the worker cannot be started: {error}", where=errand.where, remedy=remedy) from error


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


class _Listener:
    """Hands words of progress on; says True only while there is progress, and never beyond the cap.

    Building and loading do not count against the cap: an engine may be built for longer than it is measured.
    """

    def __init__(self, progress: Progress, cap_s: float) -> None:
        self._progress, self._last = progress, ("", -1)
        self._heard_s = time.monotonic()
        self._until_s = self._heard_s + cap_s

    def __call__(self, line: str) -> bool:
        if not line.startswith(PROGRESS):
            return False
        try:
            said = json.loads(line[len(PROGRESS) :])
            phase, done, total = printable(said["phase"]), int(said["done"]), int(said["total"])
        except (ValueError, KeyError, TypeError):
            return False
        self._progress(phase, done, total)
        moved, now_s = (phase, done) != self._last, time.monotonic()
        if phase in UNCAPPED:
            self._until_s += now_s - self._heard_s
        self._last, self._heard_s = (phase, done), now_s
        return moved and now_s < self._until_s


def _result(timed: bool, errand: _Errand, ended: Exit) -> Run:
    """The Run, also of a worker that failed after it had left one."""
    if timed and (errand.folder / "run.json").is_file() and (ended.timed_out or ended.status != 0):
        with contextlib.suppress(*UNREADABLE):
            return Run.load(errand.folder)
    return _loaded(Run.load, errand, ended)


def _loaded(load: Callable[[Path], T], errand: _Errand, ended: Exit) -> T:
    if ended.timed_out or ended.status != 0:
        raise _failure(errand, ended)
    try:
        return load(errand.folder)
    except UNREADABLE as error:
        what = f"the worker ended without a readable result: {error}"
        raise WorkerError(what, where=errand.where, remedy=f"see {errand.folder / 'worker.log'}") from error


def _failure(errand: _Errand, ended: Exit) -> HarnessError:
    log = errand.folder / "worker.log"
    if ended.timed_out:
        return WorkerError(
            f"the worker gave no sign of progress within its deadline of {errand.deadline_s:g} s and was ended",
            where=errand.where,
            remedy=f"an endless loop in the model or a hanging engine; if a single frame really takes that long, set "
            f"deadline_s in devices/{errand.device.partition('@')[0]}.toml; the last words are in {log}",
        )
    if (errand.folder / "error.json").is_file():
        return left_error(errand.folder / "error.json", errand.where, f"the last words are in {log}")
    words = last_words(log)
    remedy = f"the whole log is {log}"
    if NO_NUMPY in words:
        remedy = (
            "the device's python has no numpy: `apt install python3-numpy` there, or name another python in the profile"
        )
    return WorkerError(death(ended.status) + words, where=errand.where, remedy=remedy)
