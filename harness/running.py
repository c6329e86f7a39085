"""One session of a case on its device: its fresh processes, and once more where the device itself disturbed them.

What the way to the device spoils is tried again below, job by job.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.case import Job, Run
from harness.dispatch import run_job
from harness.errors import HarnessError
from harness.preconditions import passing_faults
from harness.prepare import Progress, Setup
from harness.soakplan import is_soak

MIB = 2**20
Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The runs of a session, and those of the one before that it replaces."""

    runs: tuple[Run, ...]
    discarded: tuple[Run, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Carries out jobs; `note` is told why a session was measured again."""

    setup: Setup
    progress: Progress
    note: Note

    def session(self, job: Job, first: int = 0) -> Attempt:
        """One run per fresh process, counted on from `first`; throttled or re-clocked ones are measured once more, but
        a soak: heat is what it is about, and it takes an hour.

        Raises what dispatch.run_job raises, and HarnessError where the disk is nearly full.
        """
        self._refuse_full_disk()
        runs = self._runs(job, first)
        found = self._passing(runs)
        if not found or not self.setup.plan.judges_speed or is_soak(self.setup.plan):
            return Attempt(runs=runs)
        self.note(f"{job.case.key}: measured again, since {found[0]}")
        return Attempt(runs=self._runs(job, first), discarded=runs)

    def run(self, job: Job, name: str) -> Run:
        """One fresh process; `name` is its folder and what the progress line calls it."""
        case = job.case
        folder = self.setup.work / case.model / f"{case.variant}.{case.runtime}" / name.replace(" ", "-")

        def progress(phase: str, done: int, total: int) -> None:
            self.progress(case, f"{name}, {phase}", done, total)

        return run_job(job, self.setup.profile, folder, progress, self.setup.root, self.note)

    def _refuse_full_disk(self) -> None:
        """Before anything is measured that could then not be kept."""
        folder = next(one for one in (self.setup.work, *self.setup.work.parents) if one.exists())
        free, wanted = shutil.disk_usage(folder).free / MIB, self.setup.profile.conditions.min_free_disk_mib
        if free < wanted:
            raise HarnessError(
                f"{free:.0f} MiB of disk are free, {wanted:g} MiB are wanted before anything is measured",
                where=str(folder), remedy="free some space, or name another folder with --report",
            )  # fmt: skip

    def _runs(self, job: Job, first: int) -> tuple[Run, ...]:
        total = first + self.setup.plan.runs
        return tuple(
            self.run(self._numbered(job, number), f"run {number + 1} of {total}") for number in range(first, total)
        )

    def _numbered(self, job: Job, number: int) -> Job:
        """Only a case's very first process predicts, and only the first of each session has its energy measured."""
        labelled = job.labelled_path if number == 0 else ""
        power = job.telemetry.power if number % self.setup.plan.runs == 0 else None
        return replace(job, number=number, labelled_path=labelled, telemetry=replace(job.telemetry, power=power))

    def _passing(self, runs: tuple[Run, ...]) -> list[str]:
        return [fault for run in runs for fault in passing_faults(run, self.setup.profile.conditions)]
