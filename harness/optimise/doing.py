"""Steps of one model: each done once, kept in the journal, told in a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

from harness.errors import HarnessError, printable
from harness.model import ModelCard
from harness.optimise.candidates import Candidate, formats_for, recipe_of
from harness.optimise.journal import Journal, Kept, Step
from harness.optimise.keys import Key, contents_of, making_key, measuring_key
from harness.optimise.made import MadeFile, MadeVariant, made_from
from harness.optimise.making import make, told_confidences
from harness.optimise.measuring import Subject, measure
from harness.optimise.planning import MEASURE, PAIR, confidence_step, making_step, step_of
from harness.optimise.rows import Interval, Row, row_from
from harness.optimise.speedup import Speedup, beside_reference
from harness.optimise.steps import Say, Steps
from harness.optimise.wanted import Wanted
from harness.variants import Recipe

KEPT = "kept from before"
Result = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Doing:
    """Who does the steps of one model. say: takes lines besides those of the steps."""

    wanted: Wanted
    card: ModelCard
    journal: Journal
    steps: Steps
    say: Say

    def make(self, candidate: Candidate, parent: MadeVariant) -> MadeVariant:
        """The candidate's files from those of its parent, or the reason why there are none."""
        step = making_step(self.card, candidate)
        formats = formats_for(self.wanted.profile, candidate, parent.files)
        if not formats:
            self.steps.skip(step, "nothing to make it from")
            return MadeVariant(reason=f"{candidate.parent}, which it is made from, has no file: {parent.reason}")
        recipe = recipe_of(candidate, self.wanted.seed, self.wanted.loss_points)
        key = making_key(self.wanted, self.card, recipe, parent.files, formats, self._contents)
        work = partial(make, self.wanted, self.card, recipe, parent.files, formats, self.say)
        return made_from(self._done(step, key, work, _whole))

    def confidences(self, name: str, files: Mapping[str, MadeFile]) -> MadeVariant:
        """How far those of a made variant can be believed: its `facts`, or the reason why nobody knows."""
        recipe = Recipe(name=name, technique="confidence", parent=name, seed=self.wanted.seed)
        key = making_key(self.wanted, self.card, recipe, files, tuple(files), self._contents)
        work = partial(told_confidences, self.wanted, self.card, recipe, files, self.say)
        return made_from(self._done(confidence_step(self.card, name), key, work))

    def measure(self, subject: Subject, files: Mapping[str, MadeFile]) -> Row:
        """The subject's row without its speed-up; files: those that decide it, by variant."""
        work = partial(_measured, self.wanted, subject)
        return row_from(self._done(step_of(MEASURE, subject), self._key(subject, files), work))

    def pair(self, subject: Subject, files: Mapping[str, MadeFile]) -> Speedup:
        """The subject beside its reference."""
        work = partial(_paired, self.wanted, subject)
        return _speedup_from(self._done(step_of(PAIR, subject), self._key(subject, files), work))

    def leave(self, kind: str, subject: Subject, why: str) -> None:
        """A step that has become pointless."""
        self.steps.skip(step_of(kind, subject), why)

    def _key(self, subject: Subject, files: Mapping[str, MadeFile]) -> Key:
        return measuring_key(self.wanted, subject, {name: one.sha256 for name, one in files.items()}, self._contents)

    @cached_property
    def _contents(self) -> Mapping[str, str]:
        """Once for a run: a data set's files are read for it."""
        return contents_of(self.card)

    def _done(
        self,
        step: Step,
        key: Key,
        work: Callable[[], MadeVariant | Row | Speedup],
        usable: Callable[[Result], bool] = bool,
    ) -> Result:
        """What the journal kept, or what `work` finds now, which it keeps."""
        kept = self.journal.read(step, key)
        again = self.wanted.retry and kept is not None and _unsatisfying(kept.result)
        if kept is not None and usable(kept.result) and not again:
            self.steps.skip(step, KEPT)
            return kept.result
        self.steps.begin(step)
        start_s = time.monotonic()
        result = asdict(work())
        seconds = time.monotonic() - start_s
        self.journal.write(step, key, Kept(result=result, seconds=seconds))
        self.steps.end(step, seconds)
        if result["reason"]:
            self.say(f"    failed: {printable(result['reason'])}")
        return result


def lost(subject: Subject, reason: str) -> Row:
    """The row of a subject that was not measured."""
    return Row(
        candidate=subject.candidate, runtime=subject.runtime, beside=subject.beside, entry=subject.entry,
        reason=printable(reason),
    )  # fmt: skip


def _measured(wanted: Wanted, subject: Subject) -> Row:
    try:
        return measure(wanted, subject)
    except Exception as error:  # whatever one candidate does to the harness must not end the others
        return lost(subject, _said(error))


def _paired(wanted: Wanted, subject: Subject) -> Speedup:
    try:
        return beside_reference(wanted, subject)
    except Exception as error:  # as above
        return Speedup(reason=_said(error))


def _said(error: Exception) -> str:
    return error.sentence if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"


def _speedup_from(raw: Result) -> Speedup:
    intervals = {name: Interval(**raw[name]) if raw[name] else None for name in ("wall", "cpu", "infer")}
    return Speedup(**{**raw, **intervals})


def _unsatisfying(result: Result) -> bool:
    """It failed, if only in one format, or others took the cores meanwhile."""
    return bool(result["reason"] or result.get("failures") or result.get("disturbed"))


def _whole(result: Result) -> bool:
    """The files of a kept step are still there, and still the same."""
    return all(one.whole for one in made_from(result).files.values())
