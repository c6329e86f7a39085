"""From the rows of a history to its trends. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.history.trendrows import TrendRows
from harness.record import Annotation
from harness.trendreport.acceptance import acceptances_of
from harness.trendreport.cells import plural, some
from harness.trendreport.gather.drawn import drawn
from harness.trendreport.gather.marks import expected_since
from harness.trendreport.gather.overview import overview_of
from harness.trendreport.gather.points import ALL, POOLED, Group, Table, table_of
from harness.trendreport.gather.rows import rows_of
from harness.trendreport.gather.runs import NewestRun, newest_runs
from harness.trendreport.gather.series import series_of
from harness.trendreport.gather.sessions import Sessions, sessions_of
from harness.trendreport.gather.standings import Standing, standings_of
from harness.trendreport.gather.view import View
from harness.trendreport.model import Series, Track, Trends

SHOWN_NAMES = 8


def trends_of(rows: TrendRows, *, metrics: Collection[str] = ()) -> Trends:
    """All that the rows say by themselves: views, health, provenance and details are left empty.

    metrics: names that are shown beside those that are judged, or "all". ConfigError for one that nobody knows.
    """
    sessions = sessions_of(rows.heads)
    table = table_of(rows, sessions, metrics)
    standings = standings_of(rows, sessions, table.judged)
    runs = newest_runs(rows.runs, sessions, [one.last for one in standings], rows.annotations)
    accepted = acceptances_of(rows.annotations, rows.runs)
    baselines = [accepted.of_heads([sessions.heads[one] for one in each.tolist()]) for each in sessions.members]
    whole = series_of(table.points, sessions, standings, rows.annotations, baselines)
    tracks, series = drawn(sessions, rows.identities, whole, baselines)
    found = rows_of(list(_views(sessions, standings, table, runs, rows.annotations)), runs)
    return Trends(
        newest=max([*(run.record.at for run in runs.values()), *(one.at for one in rows.heads[-1:])], default=""),
        identities=tuple(rows.identities), tracks=tracks, series=series, rows=found,
        overview=overview_of(found, runs, sessions.cases), annotations=tuple(rows.annotations),
        notes=tuple(_notes(table, tracks, series)),
    )  # fmt: skip


def _views(
    sessions: Sessions, standings: Sequence[Standing], table: Table, runs: Mapping[str, NewestRun],
    annotations: Sequence[Annotation],
) -> Iterator[View]:  # fmt: skip
    points: dict[int, dict[str, tuple[int, Group]]] = defaultdict(dict)
    judged: dict[int, dict[str, Group]] = defaultdict(dict)
    for number, group in enumerate(table.points):
        points[group.track][group.metric] = number, group
    for group in table.judged:
        judged[group.track][group.metric] = group
    for standing in standings:
        track, case = standing.track, sessions.cases[standing.track]
        yield View(
            sessions=sessions, standing=standing, points=points[track], judged=judged[track], run=runs[case.device],
            expected_since=expected_since(case.key, annotations),
        )  # fmt: skip


def _notes(table: Table, tracks: Sequence[Track], series: Sequence[Series]) -> Iterator[str]:
    """What is not shown, a sentence each."""
    if table.left_out:
        named = some(list(table.left_out), SHOWN_NAMES)
        yield f"{plural(len(table.left_out), 'further metric')} not shown ({named}): --metric NAME, or --metric {ALL}"
    thinned = [(one.decimated, len(one.index)) for one in series if one.decimated is not None]
    if thinned:
        had, kept = (sum(column) for column in zip(*thinned))
        yield (
            f"{len(thinned)} long series drawn with {kept:,} of {had:,} points: the smallest "
            "and the largest of each stretch, what did not pass, and the newest"
        )
    if any(one.metric in POOLED for one in series):
        yield "a percentile is that of all frames of its run where a budget judged it, else the mean of the processes'"
    left = sum(one.sessions - len(one.ids) for one in tracks if one.sessions is not None)
    if left:
        yield f"{left:,} sessions are in no chart: no series keeps a point of them"
