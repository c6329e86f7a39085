"""Tracks and series as they are drawn: long ones without the sessions that no series shows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.case import Array
from harness.trendreport.acceptance import Baselines
from harness.trendreport.gather.decimate import MOST_POINTS, NEWEST, kept_points
from harness.trendreport.gather.sessions import Sessions
from harness.trendreport.gather.tracks import Boundaries, Identities, boundaries_of, track_of
from harness.trendreport.model import Band, Series, Track

# So many sessions of a baseline are what a session in detail is compared with.
MOST_ACCEPTED = 12


def drawn(
    sessions: Sessions, identities: Identities, series: Sequence[Series], baselines: Sequence[Baselines]
) -> tuple[tuple[Track, ...], tuple[Series, ...]]:
    """The tracks of all cases, and the series with no more than 2,000 points each. baselines: one for each track.

    Of a case with more sessions those stay that a series shows or marks, its newest 30, those where its identity
    changes, and the newest 12 of each baseline.
    """
    found = list(series)
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, one in enumerate(series):
        numbers[one.track].append(number)
    tracks = []
    for track, members in enumerate(sessions.members):
        boundaries = boundaries_of(sessions.identity[members], identities)
        kept = None
        if len(members) > MOST_POINTS:
            for number in numbers[track]:
                found[number] = _thinned(series[number], sessions.valid[members])
            shown = [found[number] for number in numbers[track]]
            kept = _kept_sessions(len(members), shown, boundaries, baselines[track])
            for number in numbers[track]:
                found[number] = _moved(found[number], kept)
        tracks.append(track_of(sessions, track, identities, boundaries, kept))
    return tuple(tracks), tuple(found)


def _thinned(series: Series, valid: Array) -> Series:
    kept = kept_points(series.value, series.outcome, valid[series.index])
    if len(kept) == len(series.index):
        return series
    return replace(
        series, index=series.index[kept], value=series.value[kept], outcome=series.outcome[kept],
        decimated=len(series.index),
    )  # fmt: skip


def _kept_sessions(count: int, series: Sequence[Series], boundaries: Boundaries, baselines: Baselines) -> Array:
    """Places, ascending."""
    accepted = (place for one in baselines.sessions for place in one[-MOST_ACCEPTED:])
    marks = [step.index for one in series for step in one.steps] + [one.band.first for one in series if one.band]
    single = [*marks, *(place for place, _ in boundaries), *accepted, *range(count - NEWEST, count)]
    return np.unique(np.concatenate([np.array(single, np.int64), *(one.index for one in series)]))


def _moved(series: Series, kept: Array) -> Series:
    """The same with the places that its sessions have among those kept."""
    return replace(
        series, index=np.searchsorted(kept, series.index), band=_moved_band(series.band, kept),
        steps=tuple(replace(step, index=int(np.searchsorted(kept, step.index))) for step in series.steps),
    )  # fmt: skip


def _moved_band(band: Band | None, kept: Array) -> Band | None:
    return replace(band, first=int(np.searchsorted(kept, band.first))) if band else None
