"""A budget's margin and a change's interval as small SVG bars; the words beside them say the same. Units: pixels."""

from __future__ import annotations

from markupsafe import Markup

from harness.trendreport.gather.weight import DONT_CARE_PERCENT
from harness.trendreport.page.shapes import mark_class
from harness.verdict import Change

WIDTH, HEIGHT = 120, 12
# Of the limit; more is drawn to the edge.
WIDEST_PERCENT = 150.0
# Of the tolerance, so that one wild bound does not press the rest flat.
WIDEST_TOLERANCES = 4.0


def margin_bar(margin_percent: float, outcome: str) -> Markup:
    """How much of the limit is used, from nothing to one and a half; the line is the limit."""
    used = min(max(100.0 - margin_percent, 0.0), WIDEST_PERCENT)
    width, limit = round(WIDTH * used / WIDEST_PERCENT), round(WIDTH * 100 / WIDEST_PERCENT)
    return _bar(
        f'<path class="ground" d="M0 2h{WIDTH}v8h-{WIDTH}z"/>'
        f'<path class="f-{mark_class(outcome)}" d="M0 2h{width}v8h-{width}z"/>'
        f'<path class="limit" d="M{limit} 0v{HEIGHT}"/>'
    )


def interval_bar(change: Change, outcome: str) -> Markup:
    """The interval around zero, worse to the right, with the tolerated part and the change as a dot.

    A short line is what nobody cares about: a FAIL lies beyond it. A side that nothing bounds reaches the edge.
    """
    widest = _widest(change)

    def x(percent: float) -> int:
        return round(WIDTH / 2 * (1 + min(max(percent / widest, -1.0), 1.0)))

    low = x(-widest if change.low_percent is None else change.low_percent)
    high = x(widest if change.high_percent is None else change.high_percent)
    tolerated, middle = x(change.tolerance_percent), WIDTH // 2
    # Without a tolerance the comparison is exact, and everything matters.
    care = f'<path class="care" d="M{x(DONT_CARE_PERCENT)} 3v6"/>' if change.tolerance_percent else ""
    return _bar(
        f'<path class="ground" d="M{middle} 0h{tolerated - middle}v{HEIGHT}h-{tolerated - middle}z"/>'
        f'<path class="zero" d="M{middle} 0v{HEIGHT}"/>{care}<path class="limit" d="M{tolerated} 0v{HEIGHT}"/>'
        f'<g class="i-{mark_class(outcome)}"><path d="M{low} 6H{high}m0-3v6M{low} 3v6"/>'
        f'<path class="dot" d="M{x(change.percent)} 6h.01"/></g>'
    )


def _widest(change: Change) -> float:
    """What the edges of the bar mean, in per cent."""
    bounds = (change.percent, change.low_percent, change.high_percent)
    largest = max(abs(one) for one in bounds if one is not None)
    tolerance = abs(change.tolerance_percent)
    if not tolerance:
        return 1.1 * largest or 1.0
    return max(1.25 * tolerance, min(1.1 * largest, WIDEST_TOLERANCES * tolerance))


def _bar(body: str) -> Markup:
    return Markup(f'<svg class="bar" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{body}</svg>')
