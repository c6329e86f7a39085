"""One model on one device: measure the parent, make every candidate, measure each beside it, choose."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness import __version__
from harness.budgets import budgets_for, budgets_of
from harness.case import Case
from harness.errors import HarnessError
from harness.model import ModelCard
from harness.optimise.candidates import PARENT, Candidate, recipe_of, with_entry
from harness.optimise.doing import Doing, lost
from harness.optimise.made import MadeFile, MadeVariant, libraries
from harness.optimise.measuring import Subject, beside_parent
from harness.optimise.pareto import best, standings
from harness.optimise.planning import MEASURE, PAIR, entries, fitting, runtimes_of, untried
from harness.optimise.remarks import confidence_sentence
from harness.optimise.results import Result
from harness.optimise.rows import LATENCY, Row, typical
from harness.optimise.wanted import Wanted, parent_files, runtimes_for
from harness.prepare import file_format
from harness.variants.study.confidence import ANSWERS

NO_CHANGE = "no change: there was nothing to do, and the files are those that it is made from"


@dataclass(kw_only=True)
class Optimisation:
    """One model's run. made: what came of each candidate so far, the parent's own files under its name."""

    wanted: Wanted
    card: ModelCard
    doing: Doing
    made: dict[str, MadeVariant] = field(default_factory=dict)

    def carry_out(self) -> Result:
        """Every row; HarnessError where not even the parent can be measured."""
        self.made[PARENT] = MadeVariant(files=_files_of(self.card))
        parents = {runtime: self._parent_row(runtime) for runtime in runtimes_for(self.wanted.profile, self.card)}
        if all(row.reason for row in parents.values()):
            first = next(iter(parents.values()))
            raise HarnessError(f"{self.card.name}/{PARENT} cannot be measured: {first.reason}")
        for candidate in fitting(self.wanted, self.card):
            self.made[candidate.name] = self.doing.make(candidate, self.made[candidate.parent])
        rows = (*parents.values(), *self._candidate_rows(parents), *self._entry_rows(parents))
        self._tell_confidences(rows)
        return self._result(rows)

    def _tell_confidences(self, rows: tuple[Row, ...]) -> None:
        """Into the facts of the variant to take, where its task has confidences: alarms hang on thresholds."""
        chosen = best(rows, PARENT)
        row = next((one for one in rows if one.name == chosen.name), None)
        if not chosen.found or row is None or row.entry or self.card.task not in ANSWERS:
            return
        made = self.made[row.candidate]
        told = self.doing.confidences(row.candidate, made.files)
        facts = {**told.facts, "sentence": confidence_sentence(told)}
        self.made[row.candidate] = replace(made, facts={**made.facts, "confidence": facts})

    def _parent_row(self, runtime: str) -> Row:
        subject = Subject(
            candidate=PARENT, card=self._parent_alone(), profile=self.wanted.profile, variant=PARENT, runtime=runtime
        )
        return self.doing.measure(subject, self._deciding(PARENT, runtime))

    def _candidate_rows(self, parents: Mapping[str, Row]) -> Iterator[Row]:
        for candidate in fitting(self.wanted, self.card):
            made = self.made[candidate.name]
            if made.reason or made.unchanged:
                self._leave_all(candidate, NO_CHANGE if made.unchanged else "no file was made")
                yield Row(candidate=candidate.name, runtime="", reason=made.reason or NO_CHANGE)
                continue
            for runtime in runtimes_of(self.wanted, self.card, candidate):
                yield self._candidate_row(candidate, made, runtime, parents[runtime])

    def _candidate_row(self, candidate: Candidate, made: MadeVariant, runtime: str, parent: Row) -> Row:
        subject, form = self._subject(candidate, made, runtime), self._form(runtime)
        if form not in made.files:
            self._leave(subject, "no file was made")
            return lost(subject, made.failures.get(form, f"no {form} file was made"))
        return self._compared_row(subject, self._deciding(candidate.name, runtime), parent)

    def _subject(self, candidate: Candidate, made: MadeVariant, runtime: str) -> Subject:
        profile, files = self.wanted.profile, {form: one.path for form, one in made.files.items()}
        return Subject(
            candidate=candidate.name, card=beside_parent(self.card, candidate.name, files), profile=profile,
            variant=candidate.name, runtime=runtime, integer=candidate.integer, reference=self._reference(runtime),
        )  # fmt: skip

    def _entry_rows(self, parents: Mapping[str, Row]) -> Iterator[Row]:
        for runtime, entry, option in entries(self.wanted, self.card):
            subject = Subject(
                candidate=option.name, card=self._parent_alone(), variant=PARENT, runtime=entry,
                profile=with_entry(self.wanted.profile, runtime, entry, option), reference=self._reference(runtime),
            )  # fmt: skip
            yield self._compared_row(subject, self._deciding(PARENT, runtime), parents[runtime])

    def _compared_row(self, subject: Subject, files: Mapping[str, MadeFile], parent: Row) -> Row:
        if parent.reason:
            self._leave(subject, f"{PARENT} does not run there")
            return lost(subject, f"{PARENT} could not be measured there: {parent.reason}")
        row = self.doing.measure(subject, files)
        if row.reason:
            self.doing.leave(PAIR, subject, "it was not measured")
            return row
        found = self.doing.pair(subject, files)
        remark = (f"no speed-up: {found.reason}",) if found.reason else ()
        row = replace(row, speedup=found.wall, cpu_speedup=found.cpu, infer_speedup=found.infer)
        return replace(row, typical_ms=typical(row, parent), remarks=(*row.remarks, *remark))

    def _leave(self, subject: Subject, why: str) -> None:
        for kind in (MEASURE, PAIR):
            self.doing.leave(kind, subject, why)

    def _leave_all(self, candidate: Candidate, why: str) -> None:
        for runtime in runtimes_of(self.wanted, self.card, candidate):
            self._leave(self._subject(candidate, MadeVariant(), runtime), why)

    def _parent_alone(self) -> ModelCard:
        return self.card.model_copy(update={"variants": {PARENT: self.card.variants[PARENT]}})

    def _reference(self, runtime: str) -> Case:
        return Case(self.wanted.profile.name, self.card.name, PARENT, runtime)

    def _form(self, runtime: str) -> str:
        return file_format(self.wanted.profile, self.card, PARENT, runtime)

    def _deciding(self, variant: str, runtime: str) -> dict[str, MadeFile]:
        """The files that decide a measurement, by variant."""
        return {name: self.made[name].files[self._form(runtime)] for name in dict.fromkeys((PARENT, variant))}

    def _result(self, rows: tuple[Row, ...]) -> Result:
        wanted, card = self.wanted, self.card
        limits = [one.limit for one in budgets_for(budgets_of(wanted.profile, card), LATENCY) if one.gate]
        return Result(
            model=card.name, device=wanted.profile.name, description=wanted.profile.description,
            simulated=wanted.profile.simulated, parent=PARENT, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            harness=__version__, seed=wanted.seed, plan=wanted.plan.name, frames=wanted.plan.accuracy_frames,
            loss_points=wanted.loss_points, latency_ms=min(limits), rows=rows,
            standings=standings(rows, PARENT), best=best(rows, PARENT), libraries=libraries(),
            made={one.name: self._told(one) for one in fitting(wanted, card)}, notes=tuple(untried(wanted, card)),
        )  # fmt: skip

    def _told(self, candidate: Candidate) -> dict[str, Any]:
        recipe = recipe_of(candidate, self.wanted.seed, self.wanted.loss_points)
        return {"recipe": asdict(recipe), **asdict(self.made[candidate.name])}


def _files_of(card: ModelCard) -> dict[str, MadeFile]:
    """The parent's own; HarnessError where one cannot be read."""
    found = {}
    for form, path in parent_files(card).items():
        try:
            found[form] = MadeFile.of_parent(path, form)
        except OSError as error:
            raise HarnessError(f"a file of {PARENT} cannot be read: {error.strerror}", where=str(path)) from error
    return found
