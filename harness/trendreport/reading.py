"""A history and a repository, read for a report."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.trendreport.deployment import deployments_of
from harness.trendreport.detail import details_of
from harness.trendreport.gather.points import ALL, COMPARED, HEADLINES
from harness.trendreport.gather.sessions import PAIRED
from harness.trendreport.gather.trends import trends_of
from harness.trendreport.health import health_of
from harness.trendreport.model import Trends
from harness.trendreport.provenance import provenance_of
from harness.trendreport.sections import sections_of
from harness.trendreport.views.comparisons import views_of
from harness.trendreport.views.floors import floors_of
from harness.trendreport.views.newest import parents_of

if TYPE_CHECKING:
    from harness.history.store import History

# The cost of the harness and the state of the sensors are those of so many sessions of each device.
RECENT_SESSIONS = 4


def read(history: History, root: Path | None, detail_ids: Sequence[str], metrics: Sequence[str]) -> Trends:
    """See `harness.trendreport.read_trends`."""
    with _collector_at_rest(), _damage_in_words():
        rows = history.trend_rows(None if ALL in metrics else (*COMPARED, *HEADLINES, *metrics))
        trends = trends_of(rows, metrics=metrics)
        recent = history.records(list(_recent(trends, history.raw_ids())), with_runs=True)
        floors = floors_of(root, [track.case for track in trends.tracks])
        return replace(
            trends, views=views_of(trends, floors, parents_of(rows)), health=health_of(rows, trends, recent),
            provenance=provenance_of(rows, trends, root, recent),
            sections=sections_of(history, trends), deployments=deployments_of(history, rows, trends, root),
            details=details_of(history, trends, detail_ids, rows.runs),
        )  # fmt: skip


@contextmanager
def _damage_in_words() -> Iterator[None]:
    """Facts, marks and provenance are free: what is no JSON of ours raises whatever it meets first."""
    from harness.history.database import damaged

    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        raise damaged("what its sessions tell", f"{type(error).__name__}: {error}") from error


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """No search for cycles meanwhile: a million rows hold none, and visiting them anew each time costs a third more."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _recent(trends: Trends, raw: Collection[str]) -> Iterator[str]:
    """The newest session of each case that has raw times, of at most four cases of a device.

    Rounds beside another build have neither marks nor traces.
    """
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for track in trends.tracks:
        own = (place for place in range(len(track.ids) - 1, -1, -1) if track.purpose[place] != PAIRED)
        newest = next((place for place in own if track.ids[place] in raw), None)
        if newest is not None:
            found[track.case.device].append((track.at[newest], track.ids[newest]))
    for sessions in found.values():
        yield from (id_ for _, id_ in sorted(sessions)[-RECENT_SESSIONS:])
