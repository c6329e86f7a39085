"""A session over its time as SVG: panels one below the other on one axis. Units: pixels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from markupsafe import Markup, escape

from harness.trendreport.cells import number
from harness.trendreport.page.axes import Axis, axis_of
from harness.trendreport.page.embed import shown
from harness.trendreport.page.paretosvg import colour_of
from harness.trendreport.timecharts import TimeChart, TimeLine, TimePanel

WIDTH, LEFT, RIGHT = 560, 64, 16
PANEL, TITLE, FOOT = 84, 22, 44
TICKS = 5
# Lines differ by these too, so that nothing rests on colour alone.
DASHES = ("solid", "dashed", "dotted", "dash-dotted")


def time_svg(chart: TimeChart) -> Markup:
    """The chart; what its lines reach is told in words too, since the drawing is one picture to a screen reader."""
    height = len(chart.panels) * (TITLE + PANEL) + FOOT
    x = Axis(low=0.0, high=chart.end or 1.0, near=LEFT, far=WIDTH - RIGHT)
    tops = [place * (TITLE + PANEL) + TITLE for place in range(len(chart.panels))]
    panels = (part for panel, top in zip(chart.panels, tops) for part in _panel(panel, x, top))
    body = "".join((*panels, *_foot(chart, x, height)))
    said = escape(shown(_said(chart)))
    return Markup(f'<svg class="time" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">{body}</svg>')


def legend(chart: TimeChart) -> str:
    """Which line looks how, of the panels with several; names may be long, so that it stands below the drawing."""
    several = (one for one in chart.panels if len(one.lines) > 1)
    return "; ".join(f"{one.quantity}: {', '.join(_looks(one))}" for one in several)


def _looks(panel: TimePanel) -> Iterator[str]:
    return (f"{one.name} {DASHES[place % len(DASHES)]}" for place, one in enumerate(panel.lines))


def _panel(panel: TimePanel, x: Axis, top: int) -> Iterator[str]:
    values = [value for one in panel.lines for value in one.known]
    y = axis_of(values or [0.0], top + PANEL, top, from_zero=panel.from_zero)
    yield f'<text x="{LEFT}" y="{top - 6}">{escape(shown(f"{panel.quantity}, {panel.unit}"))}</text>'
    for value in y.ticks(TICKS):
        yield f'<path class="grid" d="M{LEFT} {y.at(value)}H{WIDTH - RIGHT}"/>'
        yield f'<text class="end" x="{LEFT - 6}" y="{y.at(value) + 4}">{number(value)}</text>'
    # The first line is what the panel is about: it is drawn above the others.
    for place, line in reversed(list(enumerate(panel.lines))):
        looks = f"line {DASHES[place % len(DASHES)]} series-{colour_of(line.name)}"
        yield f'<path class="{looks}" d="{_path(line, x, y)}"/>'


def _path(line: TimeLine, x: Axis, y: Axis) -> str:
    """Broken where nobody told a value; a single point is a short stroke."""
    pieces = groupby(zip(line.at, line.value, strict=True), key=lambda one: one[1] is not None)
    told = ([(x.at(at), y.at(value or 0.0)) for at, value in piece] for known, piece in pieces if known)
    return "".join(_piece(points) for points in told)


def _piece(points: list[tuple[int, int]]) -> str:
    steps = "".join(f"l{there[0] - here[0]} {there[1] - here[1]}" for here, there in pairwise(points) if here != there)
    return f"M{points[0][0]} {points[0][1]}{steps or 'h1'}"


def _foot(chart: TimeChart, x: Axis, height: int) -> Iterator[str]:
    bottom = height - FOOT
    for value in x.ticks():
        yield f'<path class="grid" d="M{x.at(value)} {bottom}v4"/>'
        yield f'<text class="middle" x="{x.at(value)}" y="{bottom + 17}">{number(value)}</text>'
    name, middle = escape(shown(chart.x_name)), (LEFT + WIDTH - RIGHT) // 2
    yield f'<text class="middle" x="{middle}" y="{height - 8}">{name}</text>'


def _said(chart: TimeChart) -> str:
    lines = (
        f"{panel.quantity}, {one.name}: {number(min(one.known))} to {number(max(one.known))} {panel.unit}"
        for panel in chart.panels
        for one in panel.lines
        if one.known
    )
    return f"{chart.title}, over {number(chart.end)} of {chart.x_name}: {'; '.join(lines)}"
