"""Which sessions have something of the camera's pace, of a soak or of a cascade, and what sections share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from harness.record import SessionRecord
from harness.summaries.soak import LEAST_MINUTES
from harness.summaries.tables import PaceTable
from harness.trendreport.cells import SIMULATED, plural
from harness.trendreport.gather.sessions import PAIRED
from harness.trendreport.model import Table, Track, Trends

MOST_CASES = 24
# Of sessions that are only looked at.
MOST_LOOKS = 60
Identity = Mapping[str, Any]


def at_the_cameras_pace(identity: Identity) -> bool:
    """Whether a camera sent the frames."""
    return bool(identity.get("arrivals"))


def soaked(identity: Identity) -> bool:
    """Whether ten minutes or more were asked for."""
    asked = identity.get("plan_minimum_s")
    return isinstance(asked, int | float) and asked >= 60 * LEAST_MINUTES


def anything(identity: Identity) -> bool:
    """No identity tells a cascade: its facts do."""
    return True


def named(session: SessionRecord) -> str:
    """Case and day, marked where the numbers are no hardware's."""
    mark = f" [{SIMULATED}]" if session.simulated else ""
    return f"{session.case.key}, {session.at[:10]}{mark}"


def shown_table(made: PaceTable, title: str = "") -> Table:
    """The same as a table of the report."""
    return Table(title=title or made.title, columns=made.columns, rows=made.rows, left=made.left, notes=made.notes)


def said_left_out(count: int, what: str) -> tuple[str, ...]:
    """A sentence about the cases beyond the first 24; none where there are none."""
    return (f"{plural(count, 'further case')} {what} not shown here: see the rows above",) if count else ()


def newest(trends: Trends, raw: Collection[str], fits: Callable[[Identity], bool]) -> list[str]:
    """Of each case the newest session that fits and still has raw times; the cases in the order of the first screen."""
    fitting = {number for number, one in enumerate(trends.identities) if fits(one)}
    if not fitting:
        return []
    shown = (row.track for row in trends.rows if row.track is not None)
    tracks = (trends.tracks[one] for one in dict.fromkeys((*shown, *range(len(trends.tracks)))))
    return [found for one in tracks if (found := _newest(one, raw, fitting))]


def _newest(track: Track, raw: Collection[str], fitting: Collection[int]) -> str:
    places = range(len(track.ids) - 1, -1, -1)
    return next((track.ids[one] for one in places if int(track.identity[one]) in fitting
                 and track.purpose[one] != PAIRED and track.ids[one] in raw), "")  # fmt: skip
