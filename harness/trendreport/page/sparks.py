"""Sparklines: the last sessions of a series in a few hundred bytes of SVG. Units: half pixels."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup, escape

from harness.case import Array
from harness.trendreport.cells import number
from harness.trendreport.model import SPARK_SESSIONS, Series, Track
from harness.trendreport.page.embed import shown
from harness.trendreport.page.shapes import CLASSES, marks_path, outcome_name

STEP, HEIGHT, BORDER = 10, 60, 8
WIDTH = STEP * SPARK_SESSIONS


def spark(series: Series, track: Track) -> Markup:
    """The newest 30 points, the newest at the right: a shape per outcome, a ring where the session is invalid.

    The accepted band and the budgets are drawn where they lie within one spread of the points.
    """
    value = series.value[-SPARK_SESSIONS:]
    if not len(value):
        return Markup("")
    valid = np.asarray(track.valid, bool)[series.index[-SPARK_SESSIONS:]]
    names = [outcome_name(code) if ok else "INVALID"
             for code, ok in zip(series.outcome[-SPARK_SESSIONS:].tolist(), valid.tolist(), strict=True)]  # fmt: skip
    edges = _near_edges(series, value)
    heights = _heights(np.concatenate((value, np.array(edges, float))))
    points = [(WIDTH - BORDER + STEP * (place + 1 - len(value)), y) for place, y in enumerate(heights[: len(value)])]
    body = [_edges(series, edges, heights[len(value) :]), _line(points, valid, series, track), _marks(names, points)]
    said = escape(shown(_said(series, value, names)))
    return Markup(
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{"".join(body)}</svg>'
    )


def _near_edges(series: Series, value: Array) -> list[float]:
    """Band and limits that would not press the points flat."""
    low, high = float(value.min()), float(value.max())
    spread = high - low or 0.02 * abs(high)
    known = [series.band.low, series.band.high] if series.band else []
    known += [one.limit for one in series.limits]
    return [one for one in known if low - spread <= one <= high + spread]


def _heights(values: Array) -> list[int]:
    low, high = float(values.min()), float(values.max())
    span = high - low
    share = (values - low) / span if span > 0 and np.isfinite(span) else np.full(len(values), 0.5)
    heights: list[int] = np.rint(HEIGHT - BORDER - (HEIGHT - 2 * BORDER) * share).astype(int).tolist()
    return heights


def _edges(series: Series, edges: list[float], heights: list[int]) -> str:
    band = {series.band.low, series.band.high} if series.band else set()
    return "".join(
        f'<path class="{"edge" if value in band else "limit"}" d="M0 {y}h{WIDTH}"/>'
        for value, y in zip(edges, heights, strict=True)
    )


def _line(points: list[tuple[int, int]], valid: Array, series: Series, track: Track) -> str:
    """Through the valid points; it starts anew where the identity changed."""
    identity = np.asarray(track.identity)[series.index[-SPARK_SESSIONS:]].tolist()
    path, before = "", None
    for (x, y), here, ok in zip(points, identity, valid.tolist(), strict=True):
        if ok:
            path += f"{' ' if here == before else 'M'}{x} {y}"
            before = here
    return f'<path class="line" d="{path}"/>' if path else ""


def _marks(names: list[str], points: list[tuple[int, int]]) -> str:
    found: dict[str, list[tuple[int, int]]] = {}
    for name, point in zip(names, points, strict=True):
        found.setdefault(name, []).append(point)
    return "".join(f'<path class="m-{CLASSES[name]}" d="{marks_path(name, at)}"/>' for name, at in found.items())


def _said(series: Series, value: Array, names: list[str]) -> str:
    low, high = number(float(value.min())), number(float(value.max()))
    counted = [f"{names.count(one)} {one}" for one in ("FAIL", "INVALID") if one in names]
    return ", ".join((f"last {len(names)}: {low} to {high} {series.unit}".rstrip(), *counted))
