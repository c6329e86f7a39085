"""The folds of the page: which rows stand in each, what its heading says, and what stands where no row is open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.trendreport.cells import plural
from harness.trendreport.model import Fold, Row
from harness.trendreport.page.rowview import RowView

# Fold -> id, heading, caption of its table; in the order of the page.
FOLDS: dict[Fold, tuple[str, str, str]] = {
    "noise": ("folded", "Inside the noise", "Rows inside the noise, with their budgets kept"),
    "reported": ("reported", "Only reported", "Rows that no budget and no baseline judges"),
    "not current": ("stale", "Not of the newest run", "What an earlier run said: no statement on now"),
}


@dataclass(frozen=True, kw_only=True)
class FoldView:
    """A fold that has rows. count: in words."""

    id: str
    heading: str
    caption: str
    count: str
    rows: Sequence[RowView]


def fold_views(rows: Sequence[Row], views: Sequence[RowView]) -> Iterator[FoldView]:
    """Those that have rows. views: of `rows`."""
    for kind, (name, heading, caption) in FOLDS.items():
        found = views_of(kind, rows, views)
        if found:
            yield FoldView(id=name, heading=heading, caption=caption, count=plural(len(found), "row"), rows=found)


def views_of(kind: Fold, rows: Sequence[Row], views: Sequence[RowView]) -> list[RowView]:
    """The views of the rows of one kind."""
    return [view for row, view in zip(rows, views, strict=True) if row.fold == kind]


def nothing_open(rows: Sequence[Row]) -> str:
    """What stands instead of a table of what needs a look; "" where there are no rows at all."""
    kinds = {row.fold for row in rows}
    if "noise" in kinds:
        return "Nothing: every judged row of the newest run is inside the noise and its budgets."
    if "reported" in kinds:
        return "The newest run judged nothing: its rows are only reported."
    return "No row is of the newest run." if rows else ""
