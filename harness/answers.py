"""The answers of every case for its labelled frames: each predicted once, scored once, laid beside another case's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.accuracy import keep_predictions, load_predictions, prediction_key, score_of
from harness.case import Array, Case
from harness.errors import HarnessError
from harness.parity import Parity, compare_with_parent
from harness.prepare import Preparation
from harness.tasks import Score, open_task


@dataclass
class Answers:
    """timed: predictions that a case's timed worker left; predict: one more worker for a pack of labelled frames.

    errors: of cases that cannot be scored any more.
    """

    preparation: Preparation
    errors: Mapping[Case, HarnessError]
    timed: Callable[[Case], tuple[Array, ...]]
    predict: Callable[[Case, Path], tuple[Array, ...]]
    _scores: dict[Case, Score] = field(default_factory=dict)
    _known: dict[Case, tuple[Array, ...]] = field(default_factory=dict)

    def pack_to_predict(self, case: Case) -> str:
        """The labelled frames for the timed worker to predict as well; empty where all is known.

        Labels that cannot be read cost the accuracy only, so their error waits until the score is asked for.
        """
        try:
            path = self.preparation.labelled(case).folder
        except HarnessError:
            return ""
        return "" if load_predictions(self.preparation.setup.cache, self._key(case, path)) is not None else str(path)

    def score(self, case: Case) -> Score:
        """The score of the case; HarnessError where it could not be measured or its labels are wrong."""
        if case not in self._scores:
            if case in self.errors:
                raise self.errors[case]
            labelled = self.preparation.labelled(case)
            job = self.preparation.job(case, timed=False, labelled_path=str(labelled.folder))
            self._known[case] = self._predictions(case, labelled.folder)
            self._scores[case] = score_of(open_task(job.task, job.input), self._known[case], labelled)
        return self._scores[case]

    def beside(self, case: Case, other: Case) -> Parity:
        """The case's answers beside those of another case of the same model; raises as `score` does for either."""
        self.score(other)
        self.score(case)
        labelled, job = self.preparation.labelled(case), self.preparation.job(case, timed=False)
        return compare_with_parent(
            open_task(job.task, job.input), self._known[other], self._known[case], labelled.truths, labelled.samples
        )

    def _predictions(self, case: Case, labelled: Path) -> tuple[Array, ...]:
        """From the cache, from the timed worker, or from one more worker; in this order."""
        cache, key = self.preparation.setup.cache, self._key(case, labelled)
        kept = load_predictions(cache, key)
        if kept is not None:
            self.preparation.note(f"{case.key}: accuracy taken from the cache ({key})")
            return kept
        fresh = self.timed(case) or self.predict(case, labelled)
        try:
            keep_predictions(cache, key, fresh)
        except OSError as error:
            self.preparation.note(f"{case.key}: predictions were not kept in {cache}: {error.strerror}")
        return fresh

    def _key(self, case: Case, labelled: Path) -> str:
        job = self.preparation.job(case, timed=False, labelled_path=str(labelled))
        return prediction_key(job, self.preparation.setup.profile)
