"""Static figures by matplotlib (extra `plots`): an overview and the trend of every open row, as PNG and SVG."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.drawing import picture, require_matplotlib, write_picture
from harness.errors import HarnessError
from harness.trendreport.figures.overview import draw_overview
from harness.trendreport.figures.trend import draw_trend
from harness.trendreport.model import Row, Trends
from harness.trendreport.phrases import is_open

FORMATS = ("png", "svg")
# Each takes about half a second; what lies behind the weightiest rows is on the page.
MOST_ROWS = 24
LONGEST_NAME = 80
OVERVIEW = "overview"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """files: all that was written. of_row: the PNG of a row, by its key. left_out: open rows that got none."""

    files: tuple[Path, ...]
    of_row: dict[str, Path]
    left_out: int


def draw_figures(trends: Trends, folder: Path) -> Figures:
    """Draw into `folder`, the same bytes for the same trends; HarnessError without matplotlib or for a failed write.

    A figure whose numbers cannot be drawn is left out.
    """
    require_matplotlib()
    files = _draw(folder / OVERVIEW, partial(draw_overview, trends=trends))
    of_row: dict[str, Path] = {}
    for row in _drawable(trends):
        made = _draw(folder / file_name(row), partial(draw_trend, trends=trends, row=row))
        files += made
        if made:
            of_row[row.key] = made[0]
    opened = sum(map(is_open, trends.rows))
    return Figures(files=files, of_row=of_row, left_out=opened - len(of_row))


def figure_files(trends: Trends, folder: Path) -> list[Path]:
    """Every file that `draw_figures` would write."""
    stems = [OVERVIEW, *map(file_name, _drawable(trends))]
    return [folder / f"{stem}.{suffix}" for stem in stems for suffix in FORMATS]


def _drawable(trends: Trends) -> list[Row]:
    return [one for one in trends.rows if is_open(one) and one.series is not None][:MOST_ROWS]


def file_name(row: Row) -> str:
    """A name without a suffix, safe on every file system, and of no other row."""
    told = re.sub(r"[^A-Za-z0-9_-]+", ".", row.key).strip(".")[:LONGEST_NAME]
    return f"{told}.{hashlib.sha256(row.key.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def _draw(stem: Path, draw: Callable[[Any], Any]) -> tuple[Path, ...]:
    try:
        contents = picture(draw, *FORMATS)
    except HarnessError:
        return ()
    return tuple(
        write_picture(stem.with_name(f"{stem.name}.{suffix}"), content) for suffix, content in zip(FORMATS, contents)
    )
