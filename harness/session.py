"""A measuring session: which cases there are, each measured once, each question judged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.accuracy import keep_predictions, load_predictions, prediction_key
from harness.budgets import MB_PER_MIB, Budget, budgets_for, budgets_of
from harness.case import Array, Case, Job, Run
from harness.dispatch import run_job
from harness.errors import HarnessError
from harness.model import ModelCard
from harness.prepare import Preparation, Progress, Setup, cases_of
from harness.tasks import Score, open_task
from harness.verdict import Measurement, Verdict, judge, judge_liveness

ALIVE = "outputs_alive"

__all__ = ["ALIVE", "Session", "Setup", "cases_of"]


@dataclass
class Session:
    """Measures on demand and remembers: a case, or the reason why it has none, is found out once."""

    setup: Setup
    progress: Progress
    accuracy_wanted: set[Case] = field(default_factory=set)
    measurements: dict[Case, Measurement] = field(default_factory=dict)
    errors: dict[Case, HarnessError] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    cases: dict[Case, ModelCard] = field(init=False)

    def __post_init__(self) -> None:
        """ConfigError where there is no case, or a budget names no metric."""
        self.cases = cases_of(self.setup.profile, self.setup.cards)
        self._preparation = Preparation(self.setup, self.cases, self.progress)
        for case in self.cases:
            self.budgets(case)

    @property
    def notes(self) -> list[str]:
        """Sentences for the reader that are no verdicts: warnings about files, cache hits."""
        return self._preparation.notes

    def measurement(self, case: Case) -> Measurement:
        """The case measured, at its first call in a fresh worker; HarnessError if it cannot be."""
        if case not in self.measurements:
            with self._remembered(case):
                self.measurements[case] = self._measure(case)
        return self.measurements[case]

    def with_accuracy(self, case: Case) -> Measurement:
        """The case measured with its score and, where it has one, its parent's."""
        self.accuracy_wanted.add(case)
        parent = self._parent(case)
        if parent is not None:
            self.accuracy_wanted.add(parent)
        measured = self._scored(case)
        parent_score = self._scored(parent).score if parent is not None else None
        self.measurements[case] = replace(measured, parent_score=parent_score)
        return self.measurements[case]

    def check(self, case: Case, metric: str) -> list[Verdict]:
        """Every verdict on one metric of one case; empty where nothing limits it."""
        if metric == ALIVE:
            found = [judge_liveness(self.measurement(case))]
        else:
            budgets = budgets_for(self.budgets(case), metric)
            measured = self._measured_for(case, metric) if budgets else None
            found = [judge(budget, measured) for budget in budgets] if measured else []
        self.verdicts += found
        return found

    def budgets(self, case: Case) -> tuple[Budget, ...]:
        """All limits of the case's model on the device."""
        return budgets_of(self.setup.profile, self.cases[case])

    def predict(self, case: Case, labelled: Path) -> Run:
        """The case's predictions for a prepared pack, from one fresh worker, untimed."""
        return self._run(self._preparation.job(case, timed=False, labelled_path=str(labelled)), "predict")

    def _measured_for(self, case: Case, metric: str) -> Measurement:
        accuracy = metric.startswith("accuracy_") and bool(self.cases[case].dataset)
        return self.with_accuracy(case) if accuracy else self.measurement(case)

    def _scored(self, case: Case) -> Measurement:
        measured = self.measurement(case)
        if measured.score is None and self.cases[case].dataset:
            with self._remembered(case):
                self.measurements[case] = measured = replace(measured, score=self._score(measured))
        return measured

    @contextmanager
    def _remembered(self, case: Case) -> Iterator[None]:
        """An error of a case is found out once and raised again; what was measured before it stays."""
        if case in self.errors:
            raise self.errors[case]
        try:
            yield
        except HarnessError as error:
            self.errors[case] = error
            raise

    def _parent(self, case: Case) -> Case | None:
        parent = self.cases[case].variants[case.variant].parent
        candidate = replace(case, variant=parent)
        return candidate if parent and candidate in self.cases else None

    def _measure(self, case: Case) -> Measurement:
        memory_mib = self.setup.profile.facts.memory_mib
        job = self._preparation.job(case, labelled_path=self._labels_to_predict(case))
        return Measurement(
            case=case, plan=self.setup.plan, runs=self._runs(job),
            device_memory_mb=memory_mib * MB_PER_MIB if memory_mib else None,
            simulated=self.setup.profile.simulated,
        )  # fmt: skip

    def _labels_to_predict(self, case: Case) -> str:
        """The labelled frames for the timed worker to predict as well; empty where nobody asks or all is known.

        Labels that cannot be read cost the accuracy only, so their error waits until the score is asked for.
        """
        if case not in self.accuracy_wanted or not self.cases[case].dataset:
            return ""
        try:
            path = str(self._preparation.labelled(case).folder)
        except HarnessError:
            return ""
        known = load_predictions(self.setup.cache, self._prediction_key(case, path))
        return "" if known is not None else path

    def _score(self, measured: Measurement) -> Score:
        case = measured.case
        labelled = self._preparation.labelled(case)
        path = str(labelled.folder)
        predictions = self._predictions(measured, self._prediction_key(case, path), path)
        job = self._preparation.job(case, timed=False)
        clips = [str(sample.get("clip", "")) for sample in labelled.samples]
        return open_task(job.task, job.input).score(predictions, labelled.truths, clips if all(clips) else ())

    def _predictions(self, measured: Measurement, key: str, labelled_path: str) -> tuple[Array, ...]:
        """From the cache, from the timed worker, or from one more worker; in this order."""
        kept = load_predictions(self.setup.cache, key)
        if kept is not None:
            self._preparation.note(f"{measured.case.key}: accuracy taken from the cache ({key})")
            return kept
        fresh = measured.runs[0].predictions or self.predict(measured.case, Path(labelled_path)).predictions
        keep_predictions(self.setup.cache, key, fresh)
        return fresh

    def _prediction_key(self, case: Case, labelled_path: str) -> str:
        return prediction_key(self._preparation.job(case, timed=False, labelled_path=labelled_path), self.setup.profile)

    def _runs(self, job: Job) -> tuple[Run, ...]:
        """One run per fresh process; only the first predicts."""
        count = self.setup.plan.runs
        first = self._run(job, f"run 1 of {count}")
        unlabelled = replace(job, labelled_path="")
        others = (self._run(unlabelled, f"run {number} of {count}") for number in range(2, count + 1))
        return (first, *others)

    def _run(self, job: Job, name: str) -> Run:
        folder = self.setup.work / job.case.model / f"{job.case.variant}.{job.case.runtime}" / name.replace(" ", "-")

        def progress(phase: str, done: int, total: int) -> None:
            self.progress(job.case, f"{name}, {phase}", done, total)

        return run_job(job, self.setup.profile, folder, progress)
