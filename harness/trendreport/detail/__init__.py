"""Which sessions are shown in detail, and what is read of the history for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from harness.record import RunRecord
from harness.trendreport.acceptance import Baselines, acceptances_of
from harness.trendreport.detail.baselines import baseline_of
from harness.trendreport.detail.sessiondetail import Detail, detail_of
from harness.trendreport.model import OUTCOMES, Track, Trends

if TYPE_CHECKING:
    from harness.history.store import History

__all__ = ["detail_of", "details_of"]

PER_CASE, MOST_DETAILS = 2, 60
FAIL = OUTCOMES.index("FAIL")


def details_of(
    history: History, trends: Trends, extra_ids: Sequence[str], runs: Sequence[RunRecord] | None = None
) -> dict[str, Detail]:
    """Session id -> detail: the newest two of each case that have raw times, the worst cases first, at most 60 in all.

    extra_ids: beginnings of further sessions' ids; ConfigError with candidates where one is unknown. runs: of the
    history, which is asked for them otherwise. One case is read at a time, since the raw times of all may not fit into
    memory.
    """
    asked = [history.find(one).id for one in extra_ids]
    wanted = dict.fromkeys((*asked, *islice(_recent(trends, history.raw_ids()), MOST_DETAILS)))
    acceptances = acceptances_of(trends.annotations, history.runs() if runs is None else runs)
    failed, found = _failed(trends), dict[str, Detail]()
    for number, track in enumerate(trends.tracks):
        places = [place for place, id_ in enumerate(track.ids) if id_ in wanted]
        found |= _details(history, track, places, acceptances.of_track(track), failed[number]) if places else {}
    # Of a very long case not every session is in the track.
    rest = [id_ for id_ in asked if id_ not in found]
    found |= {one.id: detail_of(one, ()) for one in history.records(rest, with_runs=True)} if rest else {}
    return {id_: found[id_] for id_ in wanted if id_ in found}


def _failed(trends: Trends) -> dict[int, set[int]]:
    """Track -> places of the sessions with a FAIL on any metric."""
    found: dict[int, set[int]] = defaultdict(set)
    for one in trends.series:
        found[one.track] |= {*one.index[np.asarray(one.outcome) == FAIL].tolist()}
    return found


def _details(
    history: History, track: Track, places: Sequence[int], baselines: Baselines, failed: set[int]
) -> dict[str, Detail]:
    """Of some sessions of one case, which share most of what they are compared with."""
    befores = {track.ids[place]: baseline_of(track, place, baselines, failed) for place in places}
    needed = dict.fromkeys(id_ for own, before in befores.items() for id_ in (own, *before.ids))
    # What was removed meanwhile is not there any more.
    records = {one.id: one for one in history.records(list(needed), with_runs=True)}
    return {
        own: detail_of(records[own], [records[one] for one in before.ids if one in records], accepted=before.accepted)
        for own, before in befores.items() if own in records
    }  # fmt: skip


def _recent(trends: Trends, raw: set[str]) -> Iterator[str]:
    """The newest with raw times of every case, then the second newest; cases in the order of the first screen."""
    shown = (row.track for row in trends.rows if row.track is not None)
    order = dict.fromkeys((*shown, *range(len(trends.tracks))))
    newest = [[*islice((id_ for id_ in reversed(trends.tracks[one].ids) if id_ in raw), PER_CASE)] for one in order]
    for place in range(PER_CASE):
        yield from (ids[place] for ids in newest if place < len(ids))
