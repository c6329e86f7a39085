"""A measuring session: which cases there are, each measured once, each question judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.accuracy import keep_predictions, load_predictions, prediction_key
from harness.budgets import MB_PER_MIB, Budget, budgets_for, budgets_of
from harness.case import Case, InputSpec, Job, Plan, Run
from harness.dispatch import run_job
from harness.errors import ConfigError, HarnessError, ModelFileError
from harness.model import ModelCard
from harness.modelfile import ModelInfo, inspect_model
from harness.packing import Labelled, Source, camera_pack, prepared_pack
from harness.profile import DeviceProfile
from harness.runtimes import FORMATS
from harness.tasks import open_task
from harness.verdict import Measurement, Verdict, judge, judge_liveness

Progress = Callable[[Case, str, int, int], None]
ALIVE = "outputs_alive"
DEFAULT_DATASET = {"kind": "cabin", "split": "eval"}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that decides a session. work: where workers leave their files; cache: what outlives it."""

    profile: DeviceProfile
    cards: tuple[ModelCard, ...]
    plan: Plan
    work: Path
    cache: Path

    @property
    def job_plan(self) -> Plan:
        """The plan with the device's own deadline, where it has one."""
        return replace(self.plan, deadline_s=self.profile.deadline_s or self.plan.deadline_s)


def cases_of(profile: DeviceProfile, cards: Sequence[ModelCard]) -> dict[Case, ModelCard]:
    """Every case in card, variant, runtime order: the runtimes times the files that the cards list."""
    return {
        Case(profile.name, card.name, variant, runtime): card
        for card in cards
        for variant in card.variants
        for runtime in profile.runtimes
        if _format(profile, card, variant, runtime)
    }


def _format(profile: DeviceProfile, card: ModelCard, variant: str, runtime: str) -> str:
    taken = FORMATS[profile.engine(runtime)]
    return next((one for one in taken if one in card.variants[variant].files), "")


@dataclass
class Session:
    """Measures on demand and remembers: a case, or the reason why it has none, is found out once."""

    setup: Setup
    progress: Progress
    accuracy_wanted: set[Case] = field(default_factory=set)
    measurements: dict[Case, Measurement] = field(default_factory=dict)
    errors: dict[Case, HarnessError] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cases: dict[Case, ModelCard] = field(init=False)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _score_errors: dict[Case, HarnessError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cases = cases_of(self.setup.profile, self.setup.cards)
        if not self.cases:
            raise ConfigError(
                f"no case to measure: the runtimes {list(self.setup.profile.runtimes)} of {self.setup.profile.name} "
                f"take none of the files of the models {[card.name for card in self.setup.cards]}",
                remedy="list a file in a format that a runtime takes, or add a runtime to the device profile",
            )
        for case in self.cases:
            self.budgets(case)

    def measurement(self, case: Case) -> Measurement:
        """The case measured, at its first call in a fresh worker; HarnessError if it cannot be."""
        if case in self.errors:
            raise self.errors[case]
        if case not in self.measurements:
            try:
                self.measurements[case] = self._measure(case, timed=True)
            except HarnessError as error:
                self.errors[case] = error
                raise
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
        return self._run(self._job(case, timed=False, labelled=labelled), "predict")

    def _measured_for(self, case: Case, metric: str) -> Measurement:
        accuracy = metric.startswith("accuracy_") and bool(self.cases[case].dataset)
        return self.with_accuracy(case) if accuracy else self.measurement(case)

    def _scored(self, case: Case) -> Measurement:
        measured = self.measurement(case)
        if case in self._score_errors:
            raise self._score_errors[case]
        if measured.score is None and self.cases[case].dataset:
            try:
                self.measurements[case] = measured = self._measure(case, timed=False, known=measured)
            except HarnessError as error:
                self._score_errors[case] = error
                raise
        return measured

    def _parent(self, case: Case) -> Case | None:
        parent = self.cases[case].variants[case.variant].parent
        candidate = replace(case, variant=parent)
        return candidate if parent and candidate in self.cases else None

    def _measure(self, case: Case, *, timed: bool, known: Measurement | None = None) -> Measurement:
        labelled = self._labelled(case) if case in self.accuracy_wanted and self.cases[case].dataset else None
        job = self._job(case, timed=timed, labelled=labelled.folder if labelled else None)
        key = prediction_key(job, self.setup.profile) if labelled else ""
        kept = load_predictions(self.setup.cache, key) if key else None
        if kept is not None:
            self._note(f"{case.key}: accuracy taken from the cache ({key})")
            job = replace(job, labelled_path="")
        runs = self._runs(job) if timed or kept is None else ()
        predictions = kept if kept is not None else (runs[0].predictions if runs else ())
        if key and kept is None:
            keep_predictions(self.setup.cache, key, predictions)
        score = open_task(job.task, job.input).score(predictions, labelled.truths) if labelled else None
        if known is not None:
            return replace(known, score=score)
        memory_mib = self.setup.profile.facts.memory_mib
        return Measurement(
            case=case, plan=self.setup.plan, runs=runs, score=score,
            device_memory_mb=memory_mib * MB_PER_MIB if memory_mib else None,
            simulated=self.setup.profile.simulated,
        )  # fmt: skip

    def _runs(self, job: Job) -> tuple[Run, ...]:
        """One run per fresh process; only the first predicts."""
        first = self._run(job, "run-1" if job.timed else "accuracy")
        count = self.setup.plan.runs if job.timed else 1
        others = (self._run(replace(job, labelled_path=""), f"run-{number}") for number in range(2, count + 1))
        return (first, *others)

    def _run(self, job: Job, name: str) -> Run:
        folder = self.setup.work / job.case.model / f"{job.case.variant}.{job.case.runtime}" / name
        return run_job(job, self.setup.profile, folder, lambda *said: self.progress(job.case, *said))

    def _job(self, case: Case, *, timed: bool, labelled: Path | None = None) -> Job:
        card, profile = self.cases[case], self.setup.profile
        file_format = _format(profile, card, case.variant, case.runtime)
        path = card.file(case.variant, file_format)
        spec = card.input_spec(file_format)
        return Job(
            case=case, plan=self.setup.job_plan, engine=profile.engine(case.runtime),
            options=profile.engine_options(case.runtime), model_path=str(path.resolve()),
            model_sha256=self._checked_file(case, path, file_format), frames_path=str(self._frames(card, spec)),
            input=spec, task=card.task_spec(), outputs=card.outputs(file_format),
            extra_inputs=card.extra_input_list(), timed=timed, labelled_path=str(labelled or ""),
        )  # fmt: skip

    def _checked_file(self, case: Case, path: Path, file_format: str) -> str:
        """The file's hash, after it was found safe; a file that changed during the session is refused."""
        sha256, warnings = _inspect(path, file_format)
        before = self._hashes.setdefault(path, sha256)
        if before != sha256:
            raise ModelFileError("the model file changed during the session", where=str(path), remedy="run again")
        for warning in warnings:
            self._note(f"{case.model}/{case.variant}: {warning}")
        return sha256

    def _frames(self, card: ModelCard, spec: InputSpec) -> Path:
        return camera_pack(self._source(card), spec.roi, self.setup.plan.distinct_frames, self.setup.cache)

    def _labelled(self, case: Case) -> Labelled:
        card = self.cases[case]
        spec = card.input_spec(_format(self.setup.profile, card, case.variant, case.runtime))
        truth = str(card.dataset.get("truth", card.task))
        return prepared_pack(
            self._source(card), truth, spec, self.setup.plan.accuracy_frames, self.setup.cache,
            lambda *said: self.progress(case, *said),
        )  # fmt: skip

    def _source(self, card: ModelCard) -> Source:
        options = dict(card.dataset or DEFAULT_DATASET)
        kind = str(options.pop("kind", "cabin"))
        options.pop("truth", None)
        return Source(kind=kind, options=options, folder=card.folder)

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def _inspect(path: Path, file_format: str) -> tuple[str, Sequence[str]]:
    if file_format == "sim":
        if not path.is_file():
            raise ModelFileError("there is no such file", where=str(path))
        return hashlib.sha256(path.read_bytes()).hexdigest(), ()
    info: ModelInfo = inspect_model(path)
    return info.sha256, info.warnings


def facts_of(measurement: Measurement) -> Mapping[str, Any]:
    """What really ran, as the first run tells."""
    return measurement.runs[0].facts if measurement.runs else {}
