"""Do the changes of level point one way? Noise alone makes as many for the better as for the worse. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.stats.multiplicity import one_sidedness_p
from harness.trendreport.cells import SIMULATED, number
from harness.trendreport.model import Series, Table, Track, Trends

FEWEST_STEPS = 6
NOTE = (
    "the steps that the charts mark, those of one session's metrics as one, by the largest of them; p: exact, "
    "two-sided binomial, of as uneven a split if each way were as likely; a small one where nobody changed anything "
    "says that the board drifts, and says nothing of a board whose models were worked on"
)


def direction_table(trends: Trends) -> Table:
    """One row per device with at least 6 steps: fewer cannot be uneven enough to tell."""
    series: dict[int, list[Series]] = defaultdict(list)
    for one in trends.series:
        series[one.track].append(one)
    found: dict[str, list[float]] = defaultdict(list)
    for index, track in enumerate(trends.tracks):
        found[_named(track)] += _percents(series[index])
    rows = ((device, percents) for device, percents in sorted(found.items()) if len(percents) >= FEWEST_STEPS)
    return Table(
        title="Do the steps point one way?", columns=("device", "for the worse", "for the better", "p"),
        rows=tuple(_row(device, percents) for device, percents in rows), notes=(NOTE,),
    )  # fmt: skip


def _named(track: Track) -> str:
    return f"{track.case.device} {SIMULATED}" if track.simulated else track.case.device


def _percents(series: Sequence[Series]) -> list[float]:
    """The largest step at each session."""
    largest: dict[int, float] = {}
    for step in (step for one in series for step in one.steps):
        largest[step.index] = max(largest.get(step.index, 0.0), step.percent, key=abs)
    return list(largest.values())


def _row(device: str, percents: Sequence[float]) -> tuple[str, ...]:
    worse = sum(one > 0 for one in percents)
    better = len(percents) - worse
    return device, str(worse), str(better), number(float(f"{one_sidedness_p(worse, better):.2g}"))
