"""A table and its plain-text form: aligned, one line a row, nothing in it that a terminal would obey."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import printable

WIDTH = 118
WIDEST_CELL = 60
Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Raw cells, cleaned where they are rendered. groups: (heading or "", rows). left: columns set flush left."""

    title: str
    columns: Row
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    left: int = 1
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows all groups have."""
        return sum(len(rows) for _, rows in self.groups)


def text_table(table: Table) -> list[str]:
    """The table as lines; empty where it has no row."""
    if not table.rows:
        return []
    lines = [(heading, _cleaned(row)) for heading, row in _lines(table)]
    widths = [max(_width(row[index]) for _, row in lines if row) for index in range(len(table.columns))]
    body = [_aligned(row, widths, table.left) if row else clean(heading) for heading, row in lines]
    notes = (line for note in table.notes for line in paragraph(note, indent="  "))
    return [clean(table.title), body[0], _rule(body), *body[1:], _rule(body), *notes, ""]


def paragraph(text: str, indent: str = "") -> list[str]:
    """Cleaned text in lines of at most 118 columns; words (paths, names) are never broken."""
    later = f"{indent}    "
    return textwrap.wrap(
        printable(text), WIDTH, initial_indent=indent, subsequent_indent=later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def clean(text: str) -> str:
    """`text` on one line of at most 118 characters, inert in a terminal."""
    return printable(text, WIDTH)


def _lines(table: Table) -> Iterator[tuple[str, Row]]:
    yield "", table.columns
    for heading, rows in table.groups:
        if heading:
            yield heading, ()
        yield from (("", (f"  {row[0]}" if heading else row[0], *row[1:])) for row in rows)


def _cleaned(row: Row) -> Row:
    return tuple(printable(cell, WIDEST_CELL) for cell in row)


def _aligned(row: Row, widths: list[int], left: int) -> str:
    padded = []
    for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
        space = " " * (width - _width(cell))
        padded.append(cell + space if index < left else space + cell)
    return "  ".join(padded).rstrip()


def _rule(body: list[str]) -> str:
    return "-" * max(_width(line) for line in body)


def _width(text: str) -> int:
    """Terminal columns: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(bool(unicodedata.combining(one)) for one in text)
