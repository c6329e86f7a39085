"""Two models, or one with and without dropped frames, on the same clips: event by event. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.events.scoring import Demand, EventScore
from harness.stats.proportions import mcnemar_p, tango_interval


@dataclass(frozen=True, kw_only=True)
class EventLoss:
    """A candidate beside its reference on the same events.

    loss: the share of events that the candidate detects less, with its interval by Tango's rule, 5 % on each side.
    p_value: of any difference in detection, McNemar, exact, two-sided. false_p_value: of the two counts of false
    alarms over the same time, by the same binomial law. later_s: by how much later the median alarm comes where both
    raise it, None where there is no such event.
    """

    events: int
    only_reference: tuple[Demand, ...]
    only_candidate: tuple[Demand, ...]
    loss: float | None
    low: float
    high: float
    p_value: float
    false_alarms: tuple[int, int]
    false_p_value: float
    later_s: float | None

    def sentences(self, reference: str, candidate: str) -> tuple[str, ...]:
        """What can be said of the two under their names."""
        said = [self._detection(reference, candidate)]
        said += [f"only {reference} detects {one.name}" for one in self.only_reference]
        said += [f"only {candidate} detects {one.name}" for one in self.only_candidate]
        if self.later_s is not None:
            said.append(f"alarms of {candidate} come {self.later_s:+.2f} s later than those of {reference} (median)")
        first, second = self.false_alarms
        said.append(f"false alarms: {first} of {reference}, {second} of {candidate} (p {self.false_p_value:.2g})")
        return tuple(said)

    def _detection(self, reference: str, candidate: str) -> str:
        if self.loss is None:
            return "no event calls for an alarm: detection cannot be compared"
        return (
            f"{candidate} loses {100 * self.loss:.1f} points of detection against {reference} in {self.events} events "
            f"({100 * self.low:.1f} to {100 * self.high:.1f}; McNemar p {self.p_value:.2g})"
        )


def compare_events(reference: EventScore, candidate: EventScore) -> EventLoss:
    """Both on the same clips; ConfigError where the events differ.

    Events stand alone here: those of one driver do not quite, so that the interval is too narrow where many are.
    """
    if reference.demands != candidate.demands or reference.seconds != candidate.seconds:
        raise ConfigError("the two were not scored on the same events", remedy="score both on the same clips")
    pairs = Counter((a is not None, b is not None) for a, b in zip(reference.delays_s, candidate.delays_s))
    lost, won, events = pairs[True, False], pairs[False, True], len(reference.demands)
    low, high = tango_interval(lost, won, events)
    false_alarms = len(reference.false_alarms), len(candidate.false_alarms)
    return EventLoss(
        events=events, only_reference=_only(reference, candidate), only_candidate=_only(candidate, reference),
        loss=(lost - won) / events if events else None, low=low, high=high, p_value=mcnemar_p(lost, won),
        false_alarms=false_alarms, false_p_value=mcnemar_p(*false_alarms), later_s=_later(reference, candidate),
    )  # fmt: skip


def _only(first: EventScore, second: EventScore) -> tuple[Demand, ...]:
    delays: Sequence[tuple[float | None, float | None]] = list(zip(first.delays_s, second.delays_s))
    return tuple(one for one, (a, b) in zip(first.demands, delays) if a is not None and b is None)


def _later(reference: EventScore, candidate: EventScore) -> float | None:
    later = sorted(
        b - a for a, b in zip(reference.delays_s, candidate.delays_s) if a is not None and b is not None
    )  # fmt: skip
    return later[(len(later) - 1) // 2] if later else None
