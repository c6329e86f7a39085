"""A measuring session: which cases there are, each measured once, each question judged."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import against, lookback
from harness.answers import Answers
from harness.budgets import (
    MB_PER_MIB,
    Budget,
    at_the_cameras_pace,
    budgets_for,
    budgets_of,
    check_metric,
    tolerances_of,
)
from harness.case import Array, Case, Job, Run
from harness.errors import HarnessError
from harness.events.filtering import Filtering, filtering_of, filtering_of_cascade
from harness.fingerprint import identity_of, provenance_of
from harness.measurement import FLIPS, Measurement
from harness.model import ModelCard
from harness.paired import PairedRun
from harness.parity import slice_advice
from harness.pipelinecard import is_pipeline, overlaps, said_by_pipeline
from harness.prepare import Preparation, Progress, Setup, cases_of, check_card
from harness.questions import QUESTIONS
from harness.rules import Outcome
from harness.running import Runner
from harness.soakplan import is_soak
from harness.verdict import Verdict, given, judge, wants_frames

MOST_FRAMES = 20_000
PAIRED_ACCURACY = {"accuracy_loss_points", "label_flips_percent"}
ENGINE_FLIPS = "engine_flips_percent"


@dataclass
class Session:
    """Measures on demand and remembers: a case, or the reason why it has none, is found out once.

    asked: the cases that somebody will ask for, where that is known; interrupted: nobody can any more. run: its name in
    the history; what goes on with an interrupted run has the name of that.
    errors: why a case was not measured. unanswered: why a question about a measured one has no answer.
    """

    setup: Setup
    progress: Progress
    accuracy_wanted: set[Case] = field(default_factory=set)
    asked: set[Case] = field(default_factory=set)
    interrupted: bool = False
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    record_ids: dict[Case, str] = field(default_factory=dict)
    measurements: dict[Case, Measurement] = field(default_factory=dict)
    errors: dict[Case, HarnessError] = field(default_factory=dict)
    unanswered: dict[tuple[Case, str], HarnessError] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    cases: dict[Case, ModelCard] = field(init=False)
    _asked: set[tuple[Case, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """ConfigError where there is no case, or a budget names no metric."""
        self.cases = cases_of(self.setup)
        self._preparation = Preparation(self.setup, self.cases, self.progress)
        self._answers_of = Answers(
            preparation=self._preparation, errors=self.errors, timed=self._timed_predictions,
            predict=lambda case, labelled: self.predict(case, labelled).predictions,
        )  # fmt: skip
        self._runner = Runner(setup=self.setup, progress=self.progress, note=self._preparation.note)
        for card in self.setup.cards:
            check_card(card)
        for case in self.cases:
            self.budgets(case)
        self._lookback = lookback.Lookback(
            folder=self.setup.baselines or Path(), history=self.setup.history,
            tolerances=tolerances_of(self.setup.profile),
        )  # fmt: skip
        self._reference = against.Reference(
            setup=self.setup, text=self.setup.against, folder=self.setup.work, progress=self.progress,
            note=self._preparation.note,
        )  # fmt: skip
        if self.setup.against:
            against.check_reference(self.setup.against, [one for one in self.setup.cards if not is_pipeline(one)])

    def record_id(self, case: Case) -> str:
        """What the case's sessions are called after in the history; with a finished case it goes into a resumed run."""
        return self.record_ids.setdefault(case, uuid.uuid4().hex)

    @property
    def rounds(self) -> Mapping[Case, list[PairedRun]]:
        """What was measured beside the build of --against."""
        return self._reference.rounds

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
        """The case measured, with the score of its labelled frames."""
        self.accuracy_wanted.add(case)
        measured = self.measurement(case)
        if measured.score is None and self.cases[case].labelled:
            with self._remembered(case):
                self.measurements[case] = measured = replace(measured, score=self._answers_of.score(case))
        return measured

    def with_parent(self, case: Case) -> Measurement:
        """The same beside the variant that it was made from, which is not timed for that."""
        measured, parent = self.with_accuracy(case), self.parent(case)
        if measured.parity is None and parent is not None:
            with self._remembered(case):
                parity, score = self._answers_of.beside(case, parent), self._answers_of.score(parent)
                self.measurements[case] = measured = replace(measured, parent_score=score, parity=parity)
                for sentence in slice_advice(case.key, parity):
                    self._preparation.note(sentence)
        return measured

    def with_reference_engine(self, case: Case) -> Measurement:
        """The same beside the same variant on the device's first runtime that takes it, which is not timed for that."""
        measured, reference = self.with_accuracy(case), self.reference_engine(case)
        if measured.engine_parity is None and reference is not None:
            # An error of the other engine leaves this question alone unanswered.
            parity = self._answers_of.beside(case, reference)
            self.measurements[case] = measured = replace(
                measured, engine_parity=parity, reference_engine=reference.runtime
            )
        return measured

    def reference_engine(self, case: Case) -> Case | None:
        """The case of the same variant on the first runtime that takes it; None where that is this very case."""
        first = next(one for one in self.cases if (one.model, one.variant) == (case.model, case.variant))
        return None if first == case else first

    def parent(self, case: Case) -> Case | None:
        """The case of the variant that this one was made from, on the same runtime."""
        name = self.cases[case].variants[case.variant].parent
        candidate = replace(case, variant=name)
        return candidate if name and candidate in self.cases else None

    def check(self, case: Case, metric: str) -> list[Verdict]:
        """Every verdict on one metric of one case; empty where nothing limits it.

        `outputs_alive`, `baseline` and `reference` are questions too. Measures further sessions where these
        would decide. ConfigError for a metric that does not exist.
        """
        self._asked.add((case, metric))
        try:
            found = self._answers(case, metric)
        except HarnessError as error:
            if case not in self.errors:
                self.unanswered[case, metric] = error
            raise
        self.verdicts += found
        return found

    def _answers(self, case: Case, metric: str) -> list[Verdict]:
        if metric in QUESTIONS:
            return QUESTIONS[metric](self.measurement(case))
        if metric == lookback.NAME:
            return self._against_baseline(case)
        if metric == against.NAME:
            return self._against_reference(case)
        check_metric(metric)
        return self._against_budgets(case, metric)

    def measure_more(self, case: Case) -> Measurement:
        """One more session of a measured case; what was found before stays."""
        measured = self.measurement(case)
        with self._remembered(case):
            further = self._runner.session(self._preparation.job(case), len(measured.runs))
            self.measurements[case] = replace(
                measured, runs=(*measured.runs, *further.runs), discarded=(*measured.discarded, *further.discarded)
            )
        return self.measurements[case]

    def identity(self, case: Case) -> Mapping[str, Any]:
        """What must be equal for a session of the case to be compared with this one."""
        measured = self.measurement(case)
        return identity_of(self._preparation.job(case), self.setup.profile, measured.runs[0])

    def job(self, case: Case) -> Job:
        """What a worker would carry out for the case."""
        return self._preparation.job(case)

    def provenance(self, case: Case) -> Mapping[str, str]:
        """What a change of the case's numbers may be blamed on."""
        return provenance_of(self._preparation.job(case), self.setup.root)

    def _against_budgets(self, case: Case, metric: str) -> list[Verdict]:
        """Sessions are added while a gate on a percentile waits for frames, up to 20,000 of them; never to a soak."""
        budgets = budgets_for(self.budgets(case), metric)
        while budgets:
            measured = self._measured_for(case, metric)
            if metric in FLIPS and _uncountable(measured, metric):
                return []
            tail = self._lookback.tail_test(case, metric, self.identity(case), self.setup.tail)
            found = [judge(budget, measured, tail) for budget in budgets]
            frames = sum(len(run.frame_ns) for run in measured.runs)
            enough = frames >= MOST_FRAMES or is_soak(self.setup.plan)
            if enough or not any(one.gate and wants_frames(one) for one in found):
                return found
            self.measure_more(case)
        return []

    def _against_baseline(self, case: Case) -> list[Verdict]:
        if self.setup.baselines is None:
            return []
        measured, identity = self.measurement(case), self.identity(case)
        found = self._lookback.verdicts(measured, identity, lambda: self.measure_more(case))
        for sentence in (*lookback.notes(found), *self._lookback.untold(measured)):
            self._preparation.note(sentence)
        return found

    def _against_reference(self, case: Case) -> list[Verdict]:
        if not self.setup.against:
            return []
        if is_pipeline(self.cases[case]):
            self._preparation.note(f"{case.key}: a cascade is not compared with another build, its models are")
            return []
        if not self.setup.plan.judges_speed:
            sentence = f"the plan {self.setup.plan.name} is functional and never judges speed"
            return [given(case, against.NAME, Outcome.INCONCLUSIVE, sentence)]
        return self._reference.verdicts(case, self._preparation.job(case))

    def unjudged(self, case: Case) -> list[str]:
        """The metrics of the case that have a limit and that nobody asked for yet."""
        comparable = self.cases[case].labelled and self.parent(case) is not None
        pointless = set() if comparable else set(PAIRED_ACCURACY)
        if not self.cases[case].labelled or self.reference_engine(case) is None:
            pointless.add(ENGINE_FLIPS)
        limited = {one.metric for one in self.budgets(case)} - pointless
        return sorted(metric for metric in limited if (case, metric) not in self._asked)

    def budgets(self, case: Case) -> tuple[Budget, ...]:
        """All limits of the case's model on the device."""
        card = self.cases[case]
        found = at_the_cameras_pace(budgets_of(self.setup.profile, card), self.setup.plan, overlaps(card))
        return tuple(said_by_pipeline(one, card) for one in found) if is_pipeline(card) else found

    def predict(self, case: Case, labelled: Path) -> Run:
        """The case's predictions for a prepared pack, from one fresh worker, untimed.

        Raises the error of a case that could not be measured; wrong labels do not matter here.
        """
        if case in self.errors and case not in self.measurements:
            raise self.errors[case]
        return self._runner.run(self._preparation.job(case, timed=False, labelled_path=str(labelled)), "predict")

    def _measured_for(self, case: Case, metric: str) -> Measurement:
        if not self.cases[case].labelled or not metric.startswith(("accuracy_", "label_", "engine_")):
            return self.measurement(case)
        if metric == ENGINE_FLIPS:
            return self.with_reference_engine(case)
        return self.with_parent(case) if metric in PAIRED_ACCURACY else self.with_accuracy(case)

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

    def _measure(self, case: Case) -> Measurement:
        memory_mib = self.setup.profile.facts.memory_mib
        found = self._runner.session(self._preparation.job(case, labelled_path=self._labels_to_predict(case)))
        self._preparation.job(case)  # refuses a file that changed while it was measured
        return Measurement(
            case=case, plan=self.setup.plan, runs=found.runs, discarded=found.discarded,
            wanted=self.setup.profile.conditions,
            device_memory_mb=memory_mib * MB_PER_MIB if memory_mib else None,
            simulated=self.setup.profile.simulated, filtering=_filtering(self.cases[case]),
        )  # fmt: skip

    def _labels_to_predict(self, case: Case) -> str:
        wanted = case in self.accuracy_wanted and self.cases[case].labelled
        return self._answers_of.pack_to_predict(case) if wanted else ""

    def _timed_predictions(self, case: Case) -> tuple[Array, ...]:
        return self.measurements[case].runs[0].predictions if case in self.measurements else ()


def _filtering(card: ModelCard) -> Filtering | None:
    """Of the driver's states that the card tells."""
    return filtering_of_cascade(card.cascade, card.models.values()) if is_pipeline(card) else filtering_of(card)


def _uncountable(measured: Measurement, metric: str) -> bool:
    """True where no changed answers can be counted: the task's answers are no labels, or no other engine ran them."""
    parity = measured.flips_parity(metric)
    return metric == ENGINE_FLIPS if parity is None else parity.flips is None
