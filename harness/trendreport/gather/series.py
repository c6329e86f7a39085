"""Every metric of every case over its sessions, with the marks of its chart. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.case import Array
from harness.record import Annotation
from harness.stats.changes import ChangePoint, significant_series
from harness.trendreport.acceptance import Baselines
from harness.trendreport.gather.marks import band_of, changes_in, expected_at, limits_of, step_of
from harness.trendreport.gather.points import Group
from harness.trendreport.gather.sessions import Sessions
from harness.trendreport.gather.standings import Standing
from harness.trendreport.metricwords import better_of, unit_of
from harness.trendreport.model import Series


def series_of(
    points: Sequence[Group], sessions: Sessions, standings: Sequence[Standing], annotations: Sequence[Annotation],
    baselines: Sequence[Baselines],
) -> tuple[Series, ...]:  # fmt: skip
    """One for each group, with all of its points. standings, baselines: one for each track.

    Steps are those of the series that changed, of which 5 % are expected to be chance, as `harness changes` tells them.
    """
    starts = [_baseline_start(sessions, one, baselines[one.track]) for one in standings]
    series = [_series(one, sessions, standings[one.track], starts[one.track]) for one in points]
    searched = [_searched(one, sessions, standings[one.track]) for one in points]
    found = {number: _changes(points[number], heads, sessions, annotations) for number, heads in enumerate(searched)}
    for number, changes in significant_series(found).items():
        places = sessions.place[points[number].head[searched[number]]]
        series[number] = replace(series[number], steps=tuple(step_of(one, places) for one in changes))
    return tuple(series)


def _series(group: Group, sessions: Sessions, standing: Standing, first: int) -> Series:
    verdicts = standing.verdicts_on(group.metric)
    return Series(
        track=group.track, metric=group.metric, unit=unit_of(group.metric), better=better_of(group.metric),
        index=sessions.place[group.head], value=group.drawn, outcome=group.outcome, limits=limits_of(verdicts),
        band=band_of(verdicts, first),
    )  # fmt: skip


def _baseline_start(sessions: Sessions, standing: Standing, baselines: Baselines) -> int:
    """The place of the first session that the baseline holds for which the newest verdicts are compared with.

    Without accepted sessions of the newest session's identity, that of the first session of the identity.
    """
    members = sessions.members[standing.track]
    same = sessions.identity[members] == sessions.identity[standing.last]
    now = int(sessions.place[standing.last if standing.judged is None else standing.judged])
    if same[list(baselines.at(now))].any():
        return max(one for one in baselines.starts if one <= now)
    return int(same.argmax())


def _searched(group: Group, sessions: Sessions, standing: Standing) -> Array:
    """Which points are compared with each other: valid, of the newest identity, not beside another build."""
    same = sessions.identity[group.head] == sessions.identity[standing.last]
    return np.flatnonzero(same & sessions.valid[group.head] & ~sessions.paired[group.head])


def _changes(group: Group, searched: Array, sessions: Sessions, annotations: Sequence[Annotation]) -> list[ChangePoint]:
    heads = group.head[searched].tolist()
    times = expected_at(sessions.cases[group.track].key, annotations)
    expected = [bisect_left(heads, at, key=lambda head: sessions.heads[head].at) for at in times]
    return changes_in(group.metric, group.value[searched], expected)
