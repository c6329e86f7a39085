"""Markdown for a pull request: text that stays text, tables, folded parts, and no more than a comment may hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from harness.errors import printable

LIMIT_BYTES = 60_000
LONGEST_TEXT, LONGEST_CELL = 400, 120
# GitHub refuses comments above 65,536 characters: each step keeps fewer rows of every table and list.
ROW_CAPS = (1000, 200, 100, 50, 25, 12, 6, 3, 1, 0)
INVISIBLE = "&#8203;"
_ENTITIES = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "$": "&#36;",
    "@": f"@{INVISIBLE}", "#": f"#{INVISIBLE}", "://": f":{INVISIBLE}//", "www.": f"www{INVISIBLE}.",
}  # fmt: skip
_SPECIAL = re.compile(r"[&<>|`$@#]|://|www\.|[\\*\[\]~]|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)


def escape(text: str, limit: int = LONGEST_TEXT) -> str:
    """`text` on one line that Markdown shows as it is: no markup, no HTML, no mention, no link, no table cell."""
    return _SPECIAL.sub(_harmless, printable(text, limit))


def fitting(lines: Callable[[int], Iterable[str]]) -> str:
    """The text of at most 60,000 bytes that `lines` gives for the largest cap on the rows of each table and list."""
    for cap in ROW_CAPS:
        text = "\n".join(lines(cap)) + "\n"
        if len(text.encode()) <= LIMIT_BYTES:
            break
    return text


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """A table; left: how many columns are set flush left."""
    marks = [":---" if index < left else "---:" for index in range(len(columns))]
    return [_row(columns), f"| {' | '.join(marks)} |", *map(_row, rows)]


def folded(title: str, body: Iterable[str]) -> list[str]:
    """A part that opens at a click."""
    # The summary stands in an HTML block, where Markdown's escapes do not hold; entities do.
    shown = _SPECIAL.sub(lambda match: _ENTITIES.get(match[0].lower(), match[0]), printable(title, LONGEST_TEXT))
    return ["", f"<details><summary>{shown}</summary>", "", *body, "", "</details>"]


def left_out(count: int, where: str) -> list[str]:
    """How many are missing here, and where they stand; nothing where none is."""
    return ["", f"*{count} more left out here, see {where}*"] if count > 0 else []


def _harmless(match: re.Match[str]) -> str:
    found = match.group()
    return _ENTITIES.get(found.lower(), f"\\{found}")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(escape(cell, LONGEST_CELL) for cell in cells)} |"
