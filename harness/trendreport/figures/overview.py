"""The report in one figure: the weightiest open rows with their margin to the limit and their change."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from harness.drawing import COLOURS
from harness.errors import printable
from harness.trendreport.claimchoice import budget_claim
from harness.trendreport.figures.trend import LOOKS
from harness.trendreport.model import OUTCOMES, Row, Trends
from harness.trendreport.phrases import banner_of, change_of, flags_of, is_open, status

MOST_ROWS = 25
WIDTH_IN, ROW_IN, FRAME_IN = 11.0, 0.24, 1.5
# Beyond it a bar says "far inside" or "far outside", whatever the number.
WIDEST_PERCENT = 100.0
WIDEST_TITLE, LONGEST_LABEL = 130, 64


def draw_overview(figure_class: Any, trends: Trends) -> Any:
    """The verdict as title, then a line per open row; with no open row, the sentence alone says so."""
    opened = [one for one in trends.rows if is_open(one)]
    shown = opened[:MOST_ROWS]
    figure = figure_class(figsize=(WIDTH_IN, FRAME_IN + ROW_IN * len(shown)), layout="constrained")
    figure.suptitle(_title(trends), x=0.01, ha="left", fontsize=10, fontweight="bold")
    if shown:
        margins, changes = figure.subplots(1, 2, sharey=True)
        _draw_margins(margins, shown, trends)
        _draw_changes(changes, shown)
    figure.supxlabel(_footer(trends, len(opened) - len(shown)), x=0.01, ha="left", fontsize=8)
    return figure


def _title(trends: Trends) -> str:
    said = textwrap.shorten(printable(banner_of(trends)), 3 * WIDEST_TITLE, placeholder=" ...")
    return textwrap.fill(said, WIDEST_TITLE)


def _footer(trends: Trends, more: int) -> str:
    folded = sum(not is_open(one) for one in trends.rows)
    inside = f"{folded} rows inside the noise, reported only or not of the newest run are not drawn"
    return f"{more} more open rows; {inside}" if more else inside


def _draw_margins(axes: Any, rows: Sequence[Row], trends: Trends) -> None:
    for place, row in enumerate(rows):
        claim = budget_claim(row)
        if claim is not None and claim.margin_percent is not None:
            width = max(-WIDEST_PERCENT, min(WIDEST_PERCENT, claim.margin_percent))
            axes.barh(place, width, color=COLOURS[1 if width < 0 else 0], hatch="///" if width < 0 else "", alpha=0.7)
        _mark(axes, place, row)
    axes.axvline(0, color="0.2", linewidth=1)
    axes.set_xlim(-WIDEST_PERCENT, WIDEST_PERCENT)
    axes.set_yticks(range(len(rows)), [_label(one, trends) for one in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("margin to the limit, % of it; left of 0: outside")


def _mark(axes: Any, place: int, row: Row) -> None:
    """The outcome's shape at the left edge; a cross for what is missing."""
    code = OUTCOMES.index(row.outcome) if row.outcome in OUTCOMES and not row.missing else -1
    shape, colour = ("x", COLOURS[1]) if row.missing else LOOKS[code]
    axes.plot([0.015], [place], shape, color=colour, markersize=6, transform=axes.get_yaxis_transform(), clip_on=False)


def _label(row: Row, trends: Trends) -> str:
    marked = "[SIMULATED] " if "simulated" in flags_of(row, trends) else ""
    return printable(f"{marked}{status(row)}  {row.key.rstrip()}", LONGEST_LABEL)


def _draw_changes(axes: Any, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        change = change_of(row)
        if change is None:
            continue
        # A side that nothing bounds is not drawn.
        ends = [change.percent if one is None else one for one in (change.low_percent, change.high_percent)]
        axes.plot(ends, [place, place], color="0.3", linewidth=2)
        axes.plot(change.percent, place, "o", color="0.1", markersize=4)
        axes.plot(change.tolerance_percent, place, "|", color=COLOURS[1], markersize=10, markeredgewidth=2)
    axes.axvline(0, color="0.2", linewidth=1)
    axes.set_xlabel("change with interval, %; right of 0: worse; bar: tolerated")
