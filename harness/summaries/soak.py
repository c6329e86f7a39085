"""A run of ten minutes or more, for a report: its minutes with memory, and who is quicker early and late. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from harness.case import Run
from harness.soak import Soak, soak_of_run
from harness.soak.minutes import MINUTE_NS, Minute, minutes
from harness.soak.ranking import Ranking, ranking
from harness.soak.sensors import memory

LEAST_MINUTES = 10
# The last result of a schedule of whole minutes comes up to a frame before their end.
NEARLY = 0.99
MB = 1e6
# What a clock may be, not what it is.
LIMITS = (".min", ".max")


@dataclass(frozen=True, kw_only=True)
class SoakSummary:
    """memory_mb: of each minute the mean of the process's memory; None where nobody told."""

    soak: Soak
    minutes: tuple[Minute, ...]
    memory_mb: tuple[float | None, ...]

    @property
    def whole_minutes(self) -> int:
        """How many of the minutes are whole."""
        return sum(bool(one.seconds >= 60 * NEARLY) for one in self.minutes)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Median and P99 of a case in the first minute and in the last that all have, and where that puts it, from 1."""

    name: str
    first_p50_ms: float
    first_p99_ms: float | None
    first: int
    last_p50_ms: float
    last_p99_ms: float | None
    last: int


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Cases by their median, the quickest of minute 1 first. turned: what is proven to have turned round, in words."""

    last_minute: int
    places: tuple[Place, ...]
    turned: tuple[str, ...]


def slowest_mhz(minute: Minute) -> float | None:
    """Of the clocks, the one that was slowest on average; None where nobody told."""
    told = [mhz for name, mhz in minute.clocks_mhz.items() if not name.endswith(LIMITS)]
    return min(told, default=None)


def soak_summary(run: Run) -> SoakSummary | None:
    """None for a run of less than ten minutes."""
    soak = soak_of_run(run)
    if soak.seconds < 60 * LEAST_MINUTES * NEARLY:
        return None
    rows, told = minutes(soak), memory(soak)
    edges = [soak.start_ns + number * MINUTE_NS for number in range(len(rows) + 1)]
    held = [told.mean(start, end) if told else None for start, end in pairwise(edges)]
    return SoakSummary(soak=soak, minutes=rows, memory_mb=tuple(None if one is None else one / MB for one in held))


def ranks(soaks: Mapping[str, SoakSummary]) -> Ranks | None:
    """The ranking of minute 1 against that of the last minute; None for fewer than two cases that can be ranked."""
    last = min((one.whole_minutes for one in soaks.values()), default=0)
    ends = {name: (one.minutes[0], one.minutes[last - 1]) for name, one in soaks.items() if last > 1}
    medians = {name: (early.p50_ms, late.p50_ms) for name, (early, late) in ends.items()
               if early.p50_ms is not None and late.p50_ms is not None}  # fmt: skip
    if len(medians) < 2:
        return None
    first, then = (sorted(medians, key=lambda name, at=at: medians[name][at]) for at in (0, 1))  # type: ignore[misc]
    places = (
        Place(name=name, first=number, last=then.index(name) + 1, first_p50_ms=medians[name][0],
              last_p50_ms=medians[name][1], first_p99_ms=ends[name][0].p99_ms, last_p99_ms=ends[name][1].p99_ms)
        for number, name in enumerate(first, 1)
    )  # fmt: skip
    return Ranks(last_minute=last, places=tuple(places), turned=_turned(soaks, first, then, last))


def _turned(soaks: Mapping[str, SoakSummary], first: Sequence[str], then: Sequence[str], last: int) -> tuple[str, ...]:
    """Pairs whose order is another one, and proven to be."""
    crossed = [(one, other) for one, other in combinations(first, 2) if then.index(one) > then.index(other)]
    found = (ranking(soaks[one].soak, soaks[other].soak, (one, other), late=last) for one, other in crossed)
    return tuple(one.sentence for one in found if isinstance(one, Ranking) and one.reversed)
