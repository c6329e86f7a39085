"""What there is to do for one model on one target, before anything is done. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from harness.budgets import budgets_of
from harness.errors import ConfigError
from harness.model import ModelCard
from harness.optimise.candidates import PARENT, Candidate, EngineOption, entries_for, formats_for
from harness.optimise.journal import Step
from harness.optimise.measuring import Subject
from harness.optimise.rows import LATENCY
from harness.optimise.wanted import Wanted, parent_files, runtimes_for
from harness.prepare import file_format

MEASURE, PAIR, MAKE = "measure", "speed-up", "make"


def check_wanted(wanted: Wanted, card: ModelCard) -> None:
    """ConfigError for a model that cannot be optimised for the target, before anything is made."""
    place = str(card.folder / "model.toml")
    if PARENT not in card.variants:
        raise ConfigError(
            f"{card.name} has no variant {PARENT!r} to start from, only {', '.join(card.variants)}", where=place,
            remedy=f"list the float files under [variants.{PARENT}]",
        )  # fmt: skip
    if not card.labelled:
        raise ConfigError(
            f"{card.name} has no labelled frames, so nobody could say what a variant loses", where=f"{place}, dataset",
            remedy="name a data set and its `truth`",
        )  # fmt: skip
    if not runtimes_for(wanted.profile, card):
        raise ConfigError(
            f"no runtime of {wanted.profile.name} takes a file of {card.name}/{PARENT}", where=wanted.profile.file,
            remedy="list a file in a format that a runtime takes, or add a runtime to the device profile",
        )  # fmt: skip
    if not any(one.metric == LATENCY and one.gate for one in budgets_of(wanted.profile, card)):
        raise ConfigError(
            f"{wanted.profile.name} has no budget for {LATENCY}", where=wanted.profile.file,
            remedy="give one, such as --latency-budget=20ms",
        )  # fmt: skip
    if not fitting(wanted, card) and not any(entries(wanted, card)):
        raise ConfigError(
            f"there is nothing to try: {'; '.join(untried(wanted, card)) or 'no candidate'}", where="--candidates",
            remedy="name others, or a target with an engine for them",
        )  # fmt: skip


def planned(wanted: Wanted, card: ModelCard) -> Iterator[Step]:
    """Every step, in its order."""
    for runtime in runtimes_for(wanted.profile, card):
        yield _named(MEASURE, card, PARENT, runtime)
    for candidate in fitting(wanted, card):
        yield making_step(card, candidate)
    for candidate in fitting(wanted, card):
        for runtime in runtimes_of(wanted, card, candidate):
            yield from (_named(kind, card, candidate.name, runtime) for kind in (MEASURE, PAIR))
    for _, entry, option in entries(wanted, card):
        yield from (_named(kind, card, option.name, entry) for kind in (MEASURE, PAIR))


def fitting(wanted: Wanted, card: ModelCard) -> list[Candidate]:
    """The chosen candidates that have a format which the target takes and the model has."""
    files = parent_files(card)
    return [one for one in wanted.choice.candidates if formats_for(wanted.profile, one, files)]


def untried(wanted: Wanted, card: ModelCard) -> Iterator[str]:
    """A sentence about the candidates that have no such format, and one about the options that no entry takes."""
    left = [one.name for one in wanted.choice.candidates if one not in fitting(wanted, card)]
    if left:
        yield (
            f"not tried, since no engine of {wanted.profile.name} takes a format of {card.name} that they can be made "
            f"in: {', '.join(left)}"
        )
    taken = {option.name for _, _, option in entries(wanted, card)}
    idle = dict.fromkeys(one.name for one in wanted.choice.options if one.name not in taken)
    if idle:
        names = ", ".join(idle)
        yield f"not tried, since no engine of {wanted.profile.name} takes that option for {card.name}: {names}"


def runtimes_of(wanted: Wanted, card: ModelCard, candidate: Candidate) -> Iterator[str]:
    """The runtimes of the target that take a file of the candidate."""
    formats = formats_for(wanted.profile, candidate, parent_files(card))
    for runtime in runtimes_for(wanted.profile, card):
        if file_format(wanted.profile, card, PARENT, runtime) in formats:
            yield runtime


def entries(wanted: Wanted, card: ModelCard) -> Iterator[tuple[str, str, EngineOption]]:
    """The further runtime entries for the parent's own file; see entries_for."""
    able = runtimes_for(wanted.profile, card)
    return (one for one in entries_for(wanted.profile, wanted.choice.options) if one[0] in able)


def making_step(card: ModelCard, candidate: Candidate) -> Step:
    """Steps of one technique take as long."""
    return Step(kind=f"{MAKE} {candidate.technique}", name=f"{card.name} {candidate.name}")


def confidence_step(card: ModelCard, name: str) -> Step:
    """Of the variant that is taken, which nobody knows beforehand."""
    return Step(kind="confidence", name=f"{card.name} {name}")


def step_of(kind: str, subject: Subject) -> Step:
    """To measure a subject, or to lay it beside its reference."""
    return _named(kind, subject.card, subject.candidate, subject.runtime)


def _named(kind: str, card: ModelCard, candidate: str, runtime: str) -> Step:
    return Step(kind=kind, name=f"{card.name} {candidate} on {runtime}")
