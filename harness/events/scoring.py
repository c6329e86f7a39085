"""Alarms beside the events that they are due for: detection rate, delays, false alarms per hour. Pure.

As in MLPerf Tiny's streaming wake-word test, an alarm counts inside an admissible window and repeats are debounced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.case import Array
from harness.errors import ConfigError
from harness.events import YES, Alarm, Answers, Event
from harness.events.alarms import DEBOUNCE_S, RULES, Lasting, Rule, alarms
from harness.events.filters import ROUNDING, StateFilter
from harness.events.timeline import Timeline
from harness.stats.bounds import ALPHA, nearest_rank, rate_bounds
from harness.stats.rates import poisson_rate_bounds

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How alarms are matched. tolerance_s: how long after an event's end its alarm still counts.

    early_s: how long before it is due, because an onset lies in the middle of a transition.
    """

    tolerance_s: float = 1.0
    early_s: float = 0.1
    debounce_s: float = DEBOUNCE_S

    def __post_init__(self) -> None:
        for name in ("tolerance_s", "early_s", "debounce_s"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ConfigError(f"{name} = {getattr(self, name):g} is no time", where="scoring")


@dataclass(frozen=True, kw_only=True)
class Demand:
    """An alarm of `kind` is due at `due_s` because of an event that ends at `end_s`. clip: which recording it is in."""

    kind: str
    due_s: float
    end_s: float
    clip: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} due at {self.due_s:.1f} s" + (f" in {self.clip}" if self.clip else "")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share or a rate with exact limits, each passed by chance with a probability of 5 % at most."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class EventScore:
    """Of one clip or of several together. delays_s: of each demand, from due to alarm, None where there was none.

    false_alarms: with nothing that they could be due for. unjudged: alarms that an event may or may not cause.
    """

    demands: tuple[Demand, ...]
    delays_s: tuple[float | None, ...]
    false_alarms: tuple[Alarm, ...]
    unjudged: int
    seconds: float

    @property
    def found(self) -> tuple[float, ...]:
        """The delays of what was detected."""
        return tuple(one for one in self.delays_s if one is not None)

    @property
    def detection(self) -> Rate | None:
        """The share of events detected; None where there is none to detect. Limits: Clopper and Pearson."""
        if not self.demands:
            return None
        low, high = rate_bounds(len(self.found), len(self.demands), ALPHA)
        return Rate(value=len(self.found) / len(self.demands), low=low, high=high)

    @property
    def false_per_hour(self) -> Rate:
        """False alarms per hour of clip. Limits: Garwood."""
        hours = self.seconds / SECONDS_PER_HOUR
        low, high = poisson_rate_bounds(len(self.false_alarms), hours, ALPHA)
        return Rate(value=len(self.false_alarms) / hours, low=low, high=high)

    @property
    def missed(self) -> tuple[Demand, ...]:
        return tuple(one for one, delay in zip(self.demands, self.delays_s) if delay is None)

    def sentences(self) -> tuple[str, ...]:
        """What can be said, and what cannot."""
        return tuple(_sentences(self))


def demands(timeline: Timeline, fps: float, rules: Mapping[str, Rule] = RULES, clip: str = "") -> tuple[Demand, ...]:
    """The alarms that are due in a clip, by time.

    ConfigError for an event that is too short for the alarm of its own kind.
    """
    lasting = {kind: rule for kind, rule in rules.items() if isinstance(rule, Lasting)}
    due = [_own_demand(one, lasting[one.kind], clip) for one in timeline.events if one.kind in lasting]
    truth = timeline.truth(fps)
    for kind in rules.keys() - lasting.keys():
        due += _added_demands(kind, rules[kind], truth, clip)
    return tuple(sorted(due, key=lambda one: one.due_s))


def _own_demand(event: Event, rule: Lasting, clip: str) -> Demand:
    if event.end_s - event.onset_s < rule.after_s - ROUNDING:
        raise ConfigError(
            f"the {event.name} lasts {event.end_s - event.onset_s:g} s, and its alarm is due after {rule.after_s:g} s",
            where=clip or "timeline", remedy="lengthen the event or give it another kind",
        )  # fmt: skip
    return Demand(kind=event.kind, due_s=event.onset_s + rule.after_s, end_s=event.end_s, clip=clip)


def _added_demands(kind: str, rule: Rule, truth: Answers, clip: str) -> Iterator[Demand]:
    """From what the events show together, because no single one of them is long enough."""
    held = truth.evidence[rule.evidence] == YES
    active = np.flatnonzero(rule.due(held, np.zeros(len(held)), truth.fps))
    for part in np.split(active, np.flatnonzero(np.diff(active) > DEBOUNCE_S * truth.fps) + 1):
        if len(part):
            yield Demand(kind=kind, due_s=part[0] / truth.fps, end_s=(part[-1] + 1) / truth.fps, clip=clip)


def score(
    raised: Sequence[Alarm], timeline: Timeline, fps: float, how: Scoring | None = None,
    rules: Mapping[str, Rule] = RULES, clip: str = "",
) -> EventScore:  # fmt: skip
    """Alarms of one clip beside its events."""
    how = how or Scoring()
    wanted = demands(timeline, fps, rules, clip)
    false, unjudged = [], 0
    for alarm in raised:
        if any(_admits(one, alarm, how) for one in wanted) or _caused(alarm, timeline.events, rules, how, own=True):
            continue
        if _caused(alarm, timeline.events, rules, how, own=False):
            unjudged += 1
        else:
            false.append(replace(alarm, clip=clip))
    return EventScore(
        demands=wanted, delays_s=tuple(_delay(one, raised, how) for one in wanted), false_alarms=tuple(false),
        unjudged=unjudged, seconds=timeline.duration_s,
    )  # fmt: skip


def _admits(demand: Demand, alarm: Alarm, how: Scoring) -> bool:
    opens, closes = demand.due_s - how.early_s, demand.end_s + how.tolerance_s
    return alarm.kind == demand.kind and opens - ROUNDING <= alarm.start_s <= closes + ROUNDING


def _delay(demand: Demand, raised: Sequence[Alarm], how: Scoring) -> float | None:
    return next((one.start_s - demand.due_s for one in raised if _admits(demand, one, how)), None)


def _caused(alarm: Alarm, events: Sequence[Event], rules: Mapping[str, Rule], how: Scoring, *, own: bool) -> bool:
    """Whether an event of another kind brings the alarm with it: who sleeps has been in a microsleep too."""
    rule = rules[alarm.kind]
    if not isinstance(rule, Lasting):
        return not own and any(rule.evidence in one.may_show and one.onset_s <= alarm.start_s for one in events)
    return any(
        _admits(Demand(kind=alarm.kind, due_s=one.onset_s + rule.after_s, end_s=one.end_s), alarm, how)
        for one in events
        if (rule.evidence == one.shows if own else rule.evidence in one.may_show)
        and one.end_s - one.onset_s >= rule.after_s - how.early_s
    )


def judge(
    answers: Answers, timeline: Timeline, filter: StateFilter, how: Scoring | None = None, clip: str = ""
) -> EventScore:
    """From the answers of a clip to its score; ConfigError where answers and timeline are not of one clip."""
    how = how or Scoring()
    if answers.frames != round(timeline.duration_s * answers.fps):
        raise ConfigError(
            f"there are answers for {answers.duration_s:g} s and events for {timeline.duration_s:g} s",
            where=clip or "clip",
        )  # fmt: skip
    return score(alarms(answers, filter, RULES, how.debounce_s), timeline, answers.fps, how, RULES, clip)


def together(scores: Sequence[EventScore]) -> EventScore:
    """Several clips as one; ConfigError for none."""
    if not scores:
        raise ConfigError("no clip was scored")
    return EventScore(
        demands=tuple(one for score in scores for one in score.demands),
        delays_s=tuple(one for score in scores for one in score.delays_s),
        false_alarms=tuple(one for score in scores for one in score.false_alarms),
        unjudged=sum(score.unjudged for score in scores), seconds=sum(score.seconds for score in scores),
    )  # fmt: skip


def _sentences(score: EventScore) -> Iterator[str]:
    detection, false = score.detection, score.false_per_hour
    if detection is None:
        yield "no event calls for an alarm: detection cannot be judged, only false alarms"
    else:
        yield (
            f"{len(score.found)} of {len(score.demands)} events detected, {100 * detection.value:.0f} % "
            f"({100 * detection.low:.0f} to {100 * detection.high:.0f} %)"
        )
        yield from _delay_sentences(np.array(score.found))
        yield from (f"missed: {one.name}" for one in score.missed)
    yield (
        f"{_count(len(score.false_alarms), 'false alarm')} in {score.seconds:.0f} s, {false.value:.0f} per hour "
        f"({false.low:.0f} to {false.high:.0f})"
    )
    yield from (f"false: {one.name}" for one in score.false_alarms)
    if score.unjudged:
        yield f"{_count(score.unjudged, 'alarm')} not judged: an event was there that may cause it"


def _delay_sentences(delays_s: Array) -> Iterator[str]:
    if len(delays_s):
        yield (
            f"alarms come {nearest_rank(delays_s, 0.5):.2f} s after they are due (median), {delays_s.max():.2f} s at "
            "most; an alarm is due when the event has lasted as long as its kind asks"
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
