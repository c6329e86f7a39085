"""Is the measuring itself sound? False alarms, spread, the harness's own cost, sensors and boards. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.history.trendrows import TrendRows
from harness.record import SessionRecord
from harness.trendreport.health.boards import boards_table
from harness.trendreport.health.direction import direction_table
from harness.trendreport.health.falsealarms import false_alarms
from harness.trendreport.health.sensing import coverage_table, overhead_table
from harness.trendreport.health.spread import spread_table
from harness.trendreport.model import Table, Trends


def health_of(rows: TrendRows, trends: Trends, recent: Sequence[SessionRecord]) -> tuple[Table, ...]:
    """The tables of the health panel; those without a row are left out.

    recent: sessions with their raw runs, of which the cost of the harness and the sensors are told.
    """
    if not rows.heads and not rows.runs:
        return ()
    found = (
        false_alarms(rows), spread_table(rows), direction_table(trends), overhead_table(recent),
        coverage_table(recent), boards_table(rows),
    )  # fmt: skip
    return tuple(table for table in found if table.rows)
