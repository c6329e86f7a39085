"""The report as Markdown for a pull request: verdict, what failed and is missing, open rows, then folded tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.markup import escape, fitting, folded, left_out, table
from harness.trendreport.cells import MISSING, SIMULATED
from harness.trendreport.model import Deployment, Row, Table, Trends
from harness.trendreport.page.deploymentview import item_names, ready_count
from harness.trendreport.phrases import (
    budget_text,
    change_text,
    detectable_text,
    flags_of,
    is_open,
    status,
    title_of,
    value_text,
)

ELSEWHERE = "the page"
COLUMNS = ("outcome", "case", "metric", "value", "limit, margin", "change", "would see", "flags")
LEFT = 3
FOLDS = {
    "Inside the noise, or reported only": ("noise", "reported"),
    "Not of the newest run of their device, and so no statement on now": ("not current",),
}


def markdown_twin(trends: Trends) -> str:
    """At most 60,000 bytes; where rows had to be left out, their count is stated."""
    return fitting(lambda cap: _lines(trends, cap))


def _lines(trends: Trends, cap: int) -> Iterator[str]:
    overview = trends.overview
    yield from (f"## dms-harness trends: {escape(title_of(trends))}", "")
    yield f"**{escape(overview.state)}**: {escape(overview.sentence)}"
    yield from (line for text in _below(trends) for line in ("", escape(text)))
    for title, sentences in _findings(trends):
        yield from _list(title, sentences, cap)
    yield from _open([one for one in trends.rows if is_open(one)], trends, cap)
    for title, folds in FOLDS.items():
        some = [one for one in trends.rows if one.fold in folds]
        yield from _folded_rows(f"{title}: {len(some)}", some, trends, cap)
    yield from _deployment(trends.deployments, cap)
    sections = (table for one in trends.sections for table in one.tables)
    tables = (*trends.views.tables, *sections, *trends.health, *trends.provenance)
    for one in tables[:cap]:
        yield from folded(f"{one.title}: {len(one.rows)}", _table(one, cap))
    yield from left_out(len(tables) - cap, ELSEWHERE)
    yield from _list("Notes", trends.notes, cap)


def _below(trends: Trends) -> Iterator[str]:
    overview = trends.overview
    if overview.next_step:
        yield f"Next: {overview.next_step}"
    if overview.compared:
        yield overview.compared


def _findings(trends: Trends) -> Iterator[tuple[str, Sequence[str]]]:
    overview = trends.overview
    yield "Failed", overview.failed
    yield "Missing", overview.missing
    yield "New", overview.new
    yield "SIMULATED: no real hardware's numbers", overview.simulated
    yield "Not asked for by the newest run", overview.not_asked


def _list(title: str, sentences: Sequence[str], cap: int) -> Iterator[str]:
    if sentences:
        yield from ("", f"### {title} ({len(sentences)})", "")
        yield from (f"- {escape(one)}" for one in sentences[:cap])
        yield from left_out(len(sentences) - cap, ELSEWHERE)


def _open(rows: Sequence[Row], trends: Trends, cap: int) -> Iterator[str]:
    if rows:
        yield from ("", f"### Open rows ({len(rows)}), the weightiest first", "", *_rows(rows, trends, cap))


def _folded_rows(title: str, rows: Sequence[Row], trends: Trends, cap: int) -> Sequence[str]:
    return folded(title, _rows(rows, trends, cap)) if rows else ()


def _deployment(deployments: Sequence[Deployment], cap: int) -> Sequence[str]:
    """The states of all items, then the evidence for what is open."""
    if not deployments:
        return ()
    names = item_names(deployments)
    cells = [(_whose(one), *(item.state if (item := one.item(name)) else MISSING for name in names))
             for one in deployments]  # fmt: skip
    left = [f"{_whose(one)}, {item.name}: {told.what} {told.state}: {told.sentence}" for one in deployments
            for item in one.items for told in item.evidence if told.state not in ("done", "not needed")]  # fmt: skip
    body = [*table(("model", *names), cells[:cap], len(names) + 1), *left_out(len(cells) - cap, ELSEWHERE)]
    return folded(f"Deployment: {ready_count(deployments)}", [*body, *_list("Left to do", left, cap)])


def _whose(deployment: Deployment) -> str:
    mark = f" {SIMULATED}" if deployment.simulated else ""
    return f"{deployment.model} on {deployment.device or 'no device'}{mark}"


def _rows(rows: Sequence[Row], trends: Trends, cap: int) -> list[str]:
    return [*table(COLUMNS, [_cells(one, trends) for one in rows[:cap]], LEFT), *left_out(len(rows) - cap, ELSEWHERE)]


def _cells(row: Row, trends: Trends) -> tuple[str, ...]:
    said = status(row) if row.current or row.missing else f"{status(row)} on {row.at[:10]}"
    return (
        said, row.case.key, row.metric, value_text(row), budget_text(row), change_text(row),
        detectable_text(row), ", ".join(flags_of(row, trends)),
    )  # fmt: skip


def _table(shown: Table, cap: int) -> list[str]:
    notes = [line for note in shown.notes for line in ("", escape(note))]
    more = left_out(len(shown.rows) - cap, ELSEWHERE)
    return [*table(shown.columns, shown.rows[:cap], shown.left), *more, *notes]
