"""A Pareto front as SVG: latency to the right, accuracy or size upwards, the front as steps. Units: pixels."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

from markupsafe import Markup, escape

from harness.trendreport.cells import number
from harness.trendreport.model import ParetoChart, ParetoPoint
from harness.trendreport.page.axes import Axis, axis_of
from harness.trendreport.page.embed import shown

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 44
LABEL_PX = 14
NAME_LENGTH = 28
# Colours of their own, so that none looks like an outcome.
COLOURS = 6


def pareto_svg(chart: ParetoChart) -> Markup:
    """The chart; its points are told in words too, since the drawing is one picture to a screen reader."""
    x = axis_of([one.x for one in chart.points], LEFT, WIDTH - RIGHT)
    y = axis_of([one.y for one in chart.points], HEIGHT - BOTTOM, TOP)
    body = "".join((*_frame(chart, x, y), _front(chart, x, y), *_points(chart, x, y)))
    said = escape(shown(_said(chart)))
    return Markup(f'<svg class="pareto" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{body}</svg>')


def _frame(chart: ParetoChart, x: Axis, y: Axis) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in x.ticks():
        yield f'<path class="grid" d="M{x.at(value)} {TOP}V{bottom}"/>'
        yield f'<text class="middle" x="{x.at(value)}" y="{bottom + 15}">{number(value)}</text>'
    for value in y.ticks():
        yield f'<path class="grid" d="M{LEFT} {y.at(value)}H{right}"/>'
        yield f'<text class="end" x="{LEFT - 6}" y="{y.at(value) + 4}">{number(value)}</text>'
    better = "upwards" if chart.y_better == "more" else "downwards"
    names = f"{chart.x_name}, better to the left; {chart.y_name}, better {better}"
    yield f'<text class="middle" x="{(LEFT + right) // 2}" y="{HEIGHT - 8}">{escape(shown(names))}</text>'


def _front(chart: ParetoChart, x: Axis, y: Axis) -> str:
    """Along the points that nobody beats, from the quickest on."""
    front = sorted((x.at(one.x), y.at(one.y)) for one in chart.points if one.front)
    steps = "".join(f"H{here}V{there}" for here, there in front[1:])
    return f'<path class="front" d="M{front[0][0]} {front[0][1]}{steps}"/>' if front else ""


def _points(chart: ParetoChart, x: Axis, y: Axis) -> Iterator[str]:
    """Discs on the front, rings behind it, with their names; names never overlap."""
    lowest = -math.inf
    for one in sorted(chart.points, key=lambda one: (y.at(one.y), one.case.key)):
        here, there = x.at(one.x), y.at(one.y)
        lowest = max(there - 4.0, lowest + LABEL_PX)
        side, aside = ("start", 9) if here < WIDTH * 0.7 else ("end", -9)
        kind = "disc" if one.front else "ring"
        yield f'<circle class="{kind} series-{colour_of(_name(one))}" cx="{here}" cy="{there}" r="4.5"/>'
        yield f'<text class="{side}" x="{here + aside}" y="{lowest:g}">{_label(one)}</text>'


def colour_of(name: str) -> int:
    """From the name alone, so that it is the same in every report."""
    return zlib.crc32(name.encode("utf-8", "backslashreplace")) % COLOURS


def _name(point: ParetoPoint) -> str:
    return f"{point.case.variant} {point.case.runtime}"


def _label(point: ParetoPoint) -> str:
    name = shown(_name(point))
    return str(escape(name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"))


def _said(chart: ParetoChart) -> str:
    points = "; ".join(f"{_name(one)}: {number(one.x)}, {number(one.y)}{', on the front' if one.front else ''}"
                       for one in chart.points)  # fmt: skip
    return f"{chart.x_name} and {chart.y_name}: {points}"
