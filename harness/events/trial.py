"""Systems on the same clips: what each detects, beside another and under other conditions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import ConfigError, unknown
from harness.events import NO_ANSWER, Answers
from harness.events.answering import Answered, System, answer
from harness.events.clip import BehaviourClip
from harness.events.conditions import AT_ONCE, Condition
from harness.events.filters import StateFilter
from harness.events.losses import EventLoss, compare_events
from harness.events.scoring import EventScore, Scoring, judge, together
from harness.events.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The answers of each system to each clip. timelines, answered: in the same order; the filter is chosen later."""

    names: tuple[str, ...]
    timelines: tuple[Timeline, ...]
    answered: tuple[Mapping[str, Answered], ...] = field(repr=False)

    def under(self, system: str, condition: Condition = AT_ONCE) -> list[Answers]:
        """What is there of each clip's answers."""
        if any(system not in one for one in self.answered):
            raise ConfigError(unknown("system", system, self.answered[0]), where="trial")
        return [condition.apply(number, found[system]) for number, found in enumerate(self.answered)]

    def score(
        self, system: str, filter: StateFilter, condition: Condition = AT_ONCE, how: Scoring | None = None
    ) -> EventScore:
        """Of all clips together."""
        clips = zip(self.names, self.timelines, self.under(system, condition))
        return together([judge(found, line, filter, how, name) for name, line, found in clips])

    def compare(
        self, reference: str, candidate: str, filter: StateFilter, condition: Condition = AT_ONCE
    ) -> EventLoss:  # fmt: skip
        """Two systems event by event."""
        return compare_events(self.score(reference, filter, condition), self.score(candidate, filter, condition))

    def worse_under(self, system: str, filter: StateFilter, condition: Condition) -> EventLoss:
        """The same system with all frames at once, and under a condition."""
        return compare_events(self.score(system, filter), self.score(system, filter, condition))

    def unanswered_share(self, system: str, condition: Condition = AT_ONCE) -> float:
        """Of all frames those of which nothing at all is known: lost, or nobody was found in them."""
        silent = [sum(_silent(one)) for one in self.under(system, condition)]
        return sum(silent) / sum(one[system].answers.frames for one in self.answered)


def _silent(answers: Answers) -> Sequence[bool]:
    silent: Sequence[bool] = [all(one == NO_ANSWER for one in frame) for frame in zip(*answers.evidence.values())]
    return silent


def trial(
    clips: Sequence[BehaviourClip], systems: Mapping[str, System], say: Callable[[str], None] = lambda line: None
) -> Trial:
    """Every system on every clip, in this process; ConfigError for none of either."""
    if not clips or not systems:
        raise ConfigError("a trial takes at least one clip and one system", where="trial")
    found = []
    for number, clip in enumerate(clips, 1):
        found.append(answer(clip, systems))
        say(f"clip {number} of {len(clips)}: {len(clip)} frames drawn and answered")
    return Trial(
        names=tuple(one.name for one in clips), timelines=tuple(one.timeline for one in clips), answered=tuple(found)
    )
