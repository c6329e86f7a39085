"""What the driver does during a clip: events with onset and end, drawn from a seed or written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.errors import ConfigError, unknown
from harness.events import EVIDENCE, KINDS, LIDS, NO, OFF_ROAD, PHONE, YES, Answers, Event, checked_fps

# How long events of each kind last, in seconds; the long ones long enough for their alarm to be due.
LENGTHS_S: Mapping[str, tuple[float, float]] = {
    "blink": (0.1, 0.4), "microsleep": (1.5, 2.5), "sleep": (4.0, 5.5), "glance": (0.5, 1.8),
    "long_distraction": (4.2, 5.5), "phone": (4.2, 6.0), "unresponsive_asleep": (7.2, 9.0),
    "unresponsive_away": (7.2, 9.0),
}  # fmt: skip
DRAWN = tuple(kind for kind in LENGTHS_S if kind != "blink")
# Glances that add up to a cumulative distraction: each of them, the pauses between them, and how many there are.
GLANCES, GLANCE_S, BETWEEN_S, GLANCES_COUNT = "glances", (1.6, 2.0), (0.7, 1.2), 7
PAUSES_S, FIRST_S, LAST_S = (3.0, 5.0), (2.0, 3.5), 2.0
BLINK_PAUSES_S, BLINK_CLEAR_S = (2.5, 6.0), 1.0
_TIMELINE_STREAM = 21


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Events of one clip, by onset. ConfigError where two of one channel overlap, or one lies beyond the end."""

    duration_s: float
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        _check_length(self.duration_s)
        object.__setattr__(self, "events", tuple(sorted(self.events, key=lambda one: one.onset_s)))
        for event in self.events:
            if event.end_s > self.duration_s:
                raise ConfigError(
                    f"the {event.name} ends at {event.end_s:g} s, after the clip's end at {self.duration_s:g} s",
                    where="timeline", remedy="lengthen the clip or shorten the event",
                )  # fmt: skip
        _refuse_overlaps(self.events)

    def truth(self, fps: float) -> Answers:
        """What a perfect model answers at each frame, by the events alone."""
        times = np.arange(round(self.duration_s * checked_fps(fps))) / fps
        shown = {name: np.full(len(times), NO, np.int8) for name in EVIDENCE}
        for event in self.events:
            shown[event.shows][(times >= event.onset_s) & (times < event.end_s)] = YES
        return Answers(fps=fps, evidence=shown)


def _check_length(duration_s: float) -> None:
    if not 0 < duration_s < np.inf:
        raise ConfigError(f"a clip of {duration_s:g} s shows nothing", where="timeline")


def _refuse_overlaps(events: Sequence[Event]) -> None:
    last: dict[str, Event] = {}
    for event in events:
        before = last.get(event.channel)
        if before and event.onset_s < before.end_s:
            raise ConfigError(
                f"the {event.name} begins before the {before.name} ends at {before.end_s:g} s", where="timeline",
                remedy="one driver does one of them at a time",
            )  # fmt: skip
        last[event.channel] = event


def draw(seed: int, duration_s: float, kinds: Sequence[str] = DRAWN) -> Timeline:
    """Events of these kinds one after another, each as often as the others, and blinks between them.

    "glances", besides the kinds of events: a series of them, in all more than 10 s of some 20 s. No kinds: a driver who
    only blinks. ConfigError for a kind that cannot be drawn, a length that is none, or a seed below 0.
    """
    _check_length(duration_s)  # before anything is drawn: events would never reach the end of an endless clip
    if seed < 0:
        raise ConfigError(f"a seed of {seed} cannot be drawn from", where="--seed", remedy="give 0 or more")
    for kind in kinds:
        if kind not in (*DRAWN, GLANCES):
            raise ConfigError(unknown("kind of event to draw", kind, (*DRAWN, GLANCES)), where="timeline")
    rng = np.random.default_rng([seed, _TIMELINE_STREAM])
    events = tuple(_sequence(rng, duration_s, kinds))
    return Timeline(duration_s=duration_s, events=(*events, *_blinks(rng, duration_s, events)))


def _sequence(rng: np.random.Generator, duration_s: float, kinds: Sequence[str]) -> Iterator[Event]:
    now, left = rng.uniform(*FIRST_S), list[str]()
    while kinds:
        left = left or [str(one) for one in rng.permutation(list(kinds))]
        kind = left.pop()
        batch = _series(rng, now) if kind == GLANCES else [_event(rng, kind, now)]
        if batch[-1].end_s + LAST_S > duration_s:
            return
        yield from batch
        now = batch[-1].end_s + rng.uniform(*PAUSES_S)


def _event(rng: np.random.Generator, kind: str, onset_s: float) -> Event:
    end_s = onset_s + rng.uniform(*LENGTHS_S[kind])
    # The gaze goes to a phone on the lap and not to one at the ear: which of them, the clip decides.
    may_show = (OFF_ROAD,) if KINDS[kind] == PHONE else ()
    return Event(kind=kind, onset_s=round(onset_s, 3), end_s=round(end_s, 3), may_show=may_show)


def _series(rng: np.random.Generator, onset_s: float) -> list[Event]:
    events = []
    for _ in range(GLANCES_COUNT):
        end_s = onset_s + rng.uniform(*GLANCE_S)
        events.append(Event(kind="glance", onset_s=round(onset_s, 3), end_s=round(end_s, 3)))
        onset_s = end_s + rng.uniform(*BETWEEN_S)
    return events


def _blinks(rng: np.random.Generator, duration_s: float, events: Sequence[Event]) -> Iterator[Event]:
    shut = [(one.onset_s - BLINK_CLEAR_S, one.end_s + BLINK_CLEAR_S) for one in events if one.channel == LIDS]
    now = rng.uniform(0.3, BLINK_PAUSES_S[1])
    while (end := now + rng.uniform(*LENGTHS_S["blink"])) < duration_s:
        if not any(first < end and now < last for first, last in shut):
            yield Event(kind="blink", onset_s=round(now, 3), end_s=round(end, 3))
        now = end + rng.uniform(*BLINK_PAUSES_S)
