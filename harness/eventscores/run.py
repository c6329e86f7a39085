"""Clips drawn and answered, then scored under each condition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import __version__
from harness.camera import Paced
from harness.errors import ConfigError
from harness.events import CLOSED, NO_ANSWER, Answers
from harness.events.answering import Answered, System
from harness.events.clip import SAME_RENDERER, BehaviourClip
from harness.events.conditions import AT_ONCE, Condition, as_recorded, at_the_cameras_pace, every_nth_lost
from harness.events.filtering import Filtering, filtering_of_cascade
from harness.events.scoring import demands
from harness.events.timeline import DRAWN, GLANCES, draw
from harness.events.trial import Trial, trial
from harness.eventscores.gates import gates_of
from harness.eventscores.report import Comparison, Found, Row, kinds_of, service_of
from harness.eventscores.systems import Maker
from harness.probes.machine import machine_facts
from harness.tasks.preprocess import one_thread

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """clips: how many; of three or more the last shows nothing but blinks, and the one before it glances that add up.

    seed: of their events. against: a variant to compare with, empty for none. true_regions: compare with the same
    models where the renderer says where to look. drop_every: 0 for none. recorded: with the name that it gets.
    """

    maker: Maker
    clips: int
    seconds: float
    seed: int
    fps: float
    policy: str
    against: str = ""
    true_regions: bool = False
    drop_every: int = 0
    recorded: tuple[str, Paced] | None = None


def find_out(wanted: Wanted, say: Say) -> Found:
    """Everything about one pipeline; ConfigError, before anything is drawn, for what cannot be asked."""
    card, profile = wanted.maker.card, wanted.maker.profile
    systems, clips = systems_of(wanted), clips_of(wanted)
    conditions, own = conditions_of(wanted), next(iter(systems))
    filtering = filtering_of_cascade(card, systems[own].models.values())
    assert filtering is not None  # some model tells a state
    one_thread()
    found = trial(clips, systems, say)
    paced = conditions[1]
    score = found.score(own, filtering.filter, paced)
    return Found(
        pipeline=card.name, device=profile.name, machine=_machine(wanted), simulated=profile.simulated,
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), harness=__version__,
        clips=tuple(f"{one.name} {one.fingerprint[:12]}" for one in clips), seconds=wanted.seconds, seed=wanted.seed,
        fps=wanted.fps, filter=filtering.words,
        engines=tuple(sorted({one.job.case.runtime for one in systems[own].job.stages})),
        service=tuple(service_of(name, found) for name in systems),
        rows=tuple(_row(found, name, filtering, one) for name in systems for one in conditions),
        kinds=kinds_of(score), judged_under=paced.name,
        comparisons=tuple(_comparisons(found, tuple(systems), filtering, conditions)),
        gates=gates_of(score, card.events), sentences=(SAME_RENDERER,),
    )  # fmt: skip


def systems_of(wanted: Wanted) -> dict[str, System]:
    """The card's own cascade first; ConfigError where one cannot be made or tells no state of the driver."""
    own = wanted.maker.variant
    systems = {own: wanted.maker.system()}
    if wanted.against == own:
        raise ConfigError(f"{own} beside itself shows nothing", where="--against-variant")
    if wanted.against:
        systems[wanted.against] = wanted.maker.system(wanted.against)
    if wanted.true_regions:
        systems[f"{own}, true regions"] = replace(systems[own], true_regions=True)
    for one in systems.values():
        one.truths()
    return systems


def clips_of(wanted: Wanted) -> list[BehaviourClip]:
    """Drawn from the seed, each with another driver; ConfigError where no event in any of them calls for an alarm."""
    if wanted.clips < 1:
        raise ConfigError(f"--clips={wanted.clips}: at least 1", where="--clips")
    kinds: list[tuple[str, ...]] = [DRAWN] * wanted.clips
    if wanted.clips > 2:
        kinds[-2:] = [(GLANCES,), ()]
    clips = [
        BehaviourClip(draw(wanted.seed + number, wanted.seconds, shown), fps=wanted.fps, number=number)
        for number, shown in enumerate(kinds)
    ]
    if not any(demands(one.timeline, one.fps, clip=one.name) for one in clips):
        raise ConfigError(
            f"no event in {wanted.clips} clips of {wanted.seconds:g} s calls for an alarm: there is nothing to detect",
            where="--seconds", remedy="draw longer clips, such as 27 s, or more of them",
        )  # fmt: skip
    return clips


def conditions_of(wanted: Wanted) -> list[Condition]:
    """All frames at once, the camera's pace, and what was asked for besides; ConfigError for what cannot be."""
    conditions = [AT_ONCE, at_the_cameras_pace(wanted.fps, wanted.policy)]
    if wanted.drop_every:
        conditions.append(every_nth_lost(wanted.drop_every))
    if wanted.recorded is not None:
        conditions.append(as_recorded(wanted.recorded[1], wanted.recorded[0]))
        conditions[-1].apply(0, _nothing_answered(wanted))  # a run that does not fit is refused now
    return conditions


def _nothing_answered(wanted: Wanted) -> Answered:
    nothing = np.full(round(wanted.seconds * wanted.fps), NO_ANSWER, np.int8)
    return Answered(answers=Answers(fps=wanted.fps, evidence={CLOSED: nothing}), service_ns=nothing.astype(np.int64))


def _row(found: Trial, system: str, filtering: Filtering, condition: Condition) -> Row:
    return Row(
        system=system, condition=condition.name, score=found.score(system, filtering.filter, condition),
        unanswered_share=found.unanswered_share(system, condition),
    )  # fmt: skip


def _comparisons(
    found: Trial, systems: Sequence[str], filtering: Filtering, conditions: Sequence[Condition]
) -> Iterator[Comparison]:
    filter, (at_once, paced, *lossy), (own, *others) = filtering.filter, conditions, systems
    for other in others:
        loss = found.compare(other, own, filter, paced)
        yield Comparison(reference=other, candidate=own, under=paced.name, loss=loss)
    for one in (paced, *lossy):
        loss = found.worse_under(own, filter, one)
        yield Comparison(reference=at_once.name, candidate=one.name, under=own, loss=loss)


def _machine(wanted: Wanted) -> str:
    """The processor and its cores; a simulated device has none."""
    facts = {} if wanted.maker.profile.simulated else machine_facts()
    cores = f", {facts['cores']} cores" if "cores" in facts else ""
    return f"{facts.get('cpu') or facts.get('board') or wanted.maker.profile.name}{cores}"
