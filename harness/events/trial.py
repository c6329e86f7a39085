"""Systems on the same clips: what each detects, beside another and under dropped frames."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import ConfigError, unknown
from harness.events import Answers
from harness.events.alarms import without
from harness.events.answering import ModelFile, answer
from harness.events.clip import SAME_RENDERER, BehaviourClip
from harness.events.filters import StateFilter
from harness.events.losses import EventLoss, compare_events
from harness.events.scoring import EventScore, Scoring, judge, together
from harness.events.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The answers of each system to each clip. timelines, answers: in the same order; the filter is chosen later."""

    names: tuple[str, ...]
    timelines: tuple[Timeline, ...]
    answers: tuple[Mapping[str, Answers], ...] = field(repr=False)

    def score(
        self, system: str, filter: StateFilter, how: Scoring | None = None, dropped: Collection[int] = ()
    ) -> EventScore:
        """Of all clips together. dropped: numbers of frames that had no result, as a paced run gives them."""
        if any(system not in one for one in self.answers):
            raise ConfigError(unknown("system", system, self.answers[0]), where="trial")
        clips = zip(self.names, self.timelines, self.answers)
        return together([_score(found[system], line, filter, how, dropped, name) for name, line, found in clips])

    def compare(self, reference: str, candidate: str, filter: StateFilter, how: Scoring | None = None) -> EventLoss:
        """Two systems event by event."""
        return compare_events(self.score(reference, filter, how), self.score(candidate, filter, how))

    def under_drops(
        self, system: str, filter: StateFilter, dropped: Collection[int], how: Scoring | None = None
    ) -> EventLoss:
        """The same system with all frames and without the dropped ones."""
        return compare_events(self.score(system, filter, how), self.score(system, filter, how, dropped))

    def sentences(self, filter: StateFilter, how: Scoring | None = None) -> tuple[str, ...]:
        """What each system does, and what these clips cannot tell."""
        said = [f"{name}: {one}" for name in self.answers[0] for one in self.score(name, filter, how).sentences()]
        return (*said, SAME_RENDERER)


def _score(
    answers: Answers, timeline: Timeline, filter: StateFilter, how: Scoring | None, dropped: Collection[int], name: str
) -> EventScore:
    lost = [frame for frame in dropped if frame < answers.frames]
    return judge(without(answers, lost), timeline, filter, how, name)


def trial(
    clips: Sequence[BehaviourClip], systems: Mapping[str, Sequence[ModelFile]],
    say: Callable[[str], None] = lambda line: None,
) -> Trial:  # fmt: skip
    """Every system on every clip, in this process; ConfigError for none of either."""
    if not clips or not systems:
        raise ConfigError("a trial takes at least one clip and one system", where="trial")
    found = []
    for number, clip in enumerate(clips, 1):
        found.append(answer(clip, systems))
        say(f"clip {number} of {len(clips)}: {len(clip)} frames answered")
    return Trial(
        names=tuple(one.name for one in clips), timelines=tuple(one.timeline for one in clips), answers=tuple(found)
    )
