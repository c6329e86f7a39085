"""Every case as its newest valid session has it: what the comparison views put side by side. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.case import Array, Case
from harness.history.trendrows import TrendRows
from harness.trendreport.cells import MISSING, SIMULATED, number
from harness.trendreport.model import Limit, Series, Track, Trends

EARLIER = "*"
NOTES = (
    f"each row: the newest valid session of the case; {EARLIER}: from an earlier one of the same build under the same "
    "conditions, because the newest did not tell it; -: not measured",
    "P99 and other tails: of all frames of the run where a limit judged them, otherwise the mean of the processes' own",
)
# Rounds beside another build hold nothing but the frame time of those rounds.
_SIDE_BY_SIDE = "paired"


@dataclass(frozen=True, kw_only=True)
class Newest:
    """A case at its newest valid session, or at its newest one where none is valid.

    values: metric -> value in its unit; earlier: those of them that come from an earlier session of the same build and
    identity. limits: of the newest verdicts. parent: the variant that this one was made from, "" where it is not known.
    """

    case: Case
    engine: str
    at: str
    valid: bool
    simulated: bool
    identity: Mapping[str, Any]
    values: Mapping[str, float]
    earlier: frozenset[str]
    limits: Mapping[str, tuple[Limit, ...]]
    parent: str = ""

    def cell(self, metric: str) -> str:
        """The value as text, marked where it is not of the newest session; "-" where nobody measured it."""
        mark = EARLIER if metric in self.earlier else ""
        return f"{number(self.values[metric])}{mark}" if metric in self.values else MISSING

    @property
    def engine_cell(self) -> str:
        """The runtime's entry, and what engine it is."""
        known = self.engine not in ("", self.case.runtime)
        return f"{self.case.runtime} ({self.engine})" if known else self.case.runtime


def parents_of(rows: TrendRows) -> dict[str, str]:
    """Case key -> the variant that the case's newest session says it was made from."""
    return {head.case.key: str(head.provenance["parent"]) for head in rows.heads if head.provenance.get("parent")}


def newest_of(trends: Trends, parents: Mapping[str, str]) -> list[Newest]:
    """Every case that has a session of its own, sorted by its key; parents: as `parents_of` tells them."""
    series: dict[int, list[Series]] = defaultdict(list)
    for one in trends.series:
        series[one.track].append(one)
    found = (_newest(trends, track, series[index]) for index, track in enumerate(trends.tracks))
    named = (replace(one, parent=parents.get(one.case.key, "")) for one in found if one)
    return sorted(named, key=lambda one: one.case.key)


def _newest(trends: Trends, track: Track, series: Sequence[Series]) -> Newest | None:
    own = np.fromiter((one != _SIDE_BY_SIDE for one in track.purpose), bool, len(track.ids))
    valid = own & np.asarray(track.valid, bool)
    if not own.any():
        return None
    position = int(np.flatnonzero(valid if valid.any() else own)[-1])
    alike = _alike(track, valid, position)
    found = {one.metric: _last(one, alike) for one in series}
    told = {metric: pair for metric, pair in found.items() if pair is not None}
    return Newest(
        case=track.case, engine=track.engine, at=track.at[position], valid=bool(valid.any()),
        simulated=track.simulated, identity=trends.identities[int(track.identity[position])],
        values={metric: value for metric, (_, value) in told.items()},
        earlier=frozenset(metric for metric, (index, _) in told.items() if index != position),
        limits={one.metric: one.limits for one in series if one.limits},
    )  # fmt: skip


def _alike(track: Track, valid: Array, position: int) -> Array:
    """The session itself, and the valid ones of the same build and identity; bool [sessions]."""
    mine = track.build[position]
    same = np.fromiter((one == mine != "" for one in track.build), bool, len(track.build))
    alike: Array = valid & same & (np.asarray(track.identity) == track.identity[position])
    alike[position] = True
    return alike


def _last(series: Series, alike: Array) -> tuple[int, float] | None:
    """Position in the track and value of the last point in these sessions."""
    points = np.flatnonzero(alike[series.index])
    return (int(series.index[points[-1]]), float(series.value[points[-1]])) if len(points) else None


def titled(title: str, rows: Sequence[Newest]) -> str:
    """The title, marked where nothing in the table is of real hardware."""
    return f"{title} [{SIMULATED}]" if rows and all(one.simulated for one in rows) else title
