"""One row's series, session by session: outcomes as shapes and colours, baseline band, budgets, steps, remarks."""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.case import Array
from harness.drawing import COLOURS
from harness.errors import printable
from harness.trendreport.model import NOT_JUDGED, OUTCOMES, Row, Series, Track, Trends
from harness.trendreport.phrases import flags_of, sentences, status

# Shape and colour of an outcome by its code, as on the page; the last one for what was not judged.
LOOKS = (
    ("X", COLOURS[1]), ("P", COLOURS[3]), ("s", COLOURS[5]), ("D", COLOURS[4]), ("^", COLOURS[0]), ("o", COLOURS[2]),
    (".", "0.4"),
)  # fmt: skip
NEWEST = 500
SIZE_IN = (9.0, 3.4)
# A budget further away than so many times what the points span would press them flat; then it is only named.
FAR = 3.0
TICKS, WIDEST_TITLE, LONGEST_NAME, LONGEST_LABEL = 6, 120, 28, 40


def draw_trend(figure_class: Any, trends: Trends, row: Row) -> Any:
    """The newest 500 points of the row's series as a matplotlib figure; the row must have a series."""
    assert row.series is not None
    series = trends.series[row.series]
    track = trends.tracks[series.track]
    figure = figure_class(figsize=SIZE_IN, layout="constrained")
    axes = figure.subplots()
    first = int(series.index[-NEWEST:][0]) if len(series.index) else 0
    _draw_points(axes, series, track)
    _draw_reference(axes, series, track, first)
    _draw_steps(axes, series, first)
    _draw_breaks(axes, track, first)
    _draw_remarks(axes, trends, track, first)
    _name_axes(axes, row, track, first)
    axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, borderaxespad=0.0, handlelength=1.6)
    figure.suptitle(_title(row, trends), x=0.01, ha="left", fontsize=9)
    return figure


def _title(row: Row, trends: Trends) -> str:
    marked = " [SIMULATED]" if "simulated" in flags_of(row, trends) else ""
    said = textwrap.shorten(printable(next(iter(sentences(row)), "")), 2 * WIDEST_TITLE, placeholder=" ...")
    lines = (f"{printable(row.key, WIDEST_TITLE)}{marked}", f"{status(row)}: {said}" if said else status(row))
    return "\n".join(textwrap.fill(line, WIDEST_TITLE) for line in lines)


def _draw_points(axes: Any, series: Series, track: Track) -> None:
    index, value, outcome = (column[-NEWEST:] for column in (series.index, series.value, series.outcome))
    valid = np.asarray(track.valid, bool)[index]
    for part in _unbroken(index[valid], track):
        axes.plot(index[valid][part], value[valid][part], color="0.7", linewidth=0.8, zorder=1)
    for code, (shape, colour) in enumerate(LOOKS):
        name = OUTCOMES[code] if code < NOT_JUDGED else "not judged"
        chosen = (outcome == code) & valid
        if chosen.any():
            axes.plot(index[chosen], value[chosen], shape, color=colour, markersize=4, label=name, zorder=3)
    for code, (shape, colour) in enumerate(LOOKS):
        chosen = (outcome == code) & ~valid
        axes.plot(index[chosen], value[chosen], shape, color=colour, markersize=4, markerfacecolor="none", zorder=2)
    if not valid.all():
        axes.plot([], [], "o", color="0.4", markerfacecolor="none", markersize=4, label="invalid session: hollow")


def _unbroken(index: Array, track: Track) -> list[Array]:
    """Positions in `index`, apart wherever the conditions changed."""
    edges = [bisect_left(index, first) for first, _ in track.boundaries]
    return np.split(np.arange(len(index)), edges)


def _draw_reference(axes: Any, series: Series, track: Track, first: int) -> None:
    """The band, and the budgets as far as they leave the points their room."""
    if series.band is not None:
        band = series.band
        axes.fill_between(
            [max(band.first, first), len(track.at) - 0.5], band.low, band.high, color=COLOURS[0], alpha=0.15,
            linewidth=0, label=f"95 % of new sessions\nof the baseline ({band.sessions})",
        )  # fmt: skip
    low, high = axes.get_ylim()
    for one in series.limits:
        name = printable(f"{'budget' if one.gate else 'advice'} {one.limit:g} {series.unit}", LONGEST_NAME)
        if low - FAR * (high - low) <= one.limit <= high + FAR * (high - low):
            axes.axhline(one.limit, color=COLOURS[1], linestyle="dashed", linewidth=1, label=name)
        else:
            axes.plot([], [], color=COLOURS[1], linestyle="dashed", label=f"{name},\nfar away")


def _draw_steps(axes: Any, series: Series, first: int) -> None:
    shown = [one for one in series.steps if one.index >= first]
    for number, one in enumerate(shown):
        axes.axvline(one.index - 0.5, color="0.2", linestyle="dotted", linewidth=1.2,
                     label="_" if number else "change of level (+ is worse)")  # fmt: skip
        axes.annotate(f"{one.percent:+.1f} %", (one.index - 0.5, 0.0), xycoords=("data", "axes fraction"),
                      xytext=(2, 2), textcoords="offset points")  # fmt: skip


def _draw_breaks(axes: Any, track: Track, first: int) -> None:
    for number, (index, _) in enumerate(one for one in track.boundaries if one[0] > first):
        axes.axvline(index - 0.5, color="0.5", linestyle="dashdot", linewidth=0.8,
                     label="_" if number else "other conditions")  # fmt: skip


def _draw_remarks(axes: Any, trends: Trends, track: Track, first: int) -> None:
    for index, text in _remarks(trends, track):
        if index >= first:
            axes.axvline(index - 0.5, color=COLOURS[3], linewidth=0.8)
            axes.annotate(printable(text, LONGEST_NAME), (index - 0.5, 1.0), xycoords=("data", "axes fraction"),
                          xytext=(-7, -2), textcoords="offset points", rotation=90, va="top", fontsize=6,
                          bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5})  # fmt: skip


def _remarks(trends: Trends, track: Track) -> Iterator[tuple[int, str]]:
    """The first session at or after each remark on this case, or on all; behind the newest where none is."""
    for one in trends.annotations:
        if one.case_key in (None, track.case.key):
            yield bisect_left(track.at, one.at), f"{one.kind}: {one.text}"


def _name_axes(axes: Any, row: Row, track: Track, first: int) -> None:
    last = max(len(track.at) - 1, first)
    places = sorted({round(one) for one in np.linspace(first, last, TICKS)})
    room = 0.5 + 0.01 * (last - first)
    axes.set_xlim(first - room, last + room)
    axes.set_xticks(places, [track.at[one][:10] for one in places] if track.at else [])
    axes.set_xlabel(f"sessions {first + 1} to {last + 1}, by their date")
    axes.set_ylabel(printable(f"{row.metric} ({row.unit})" if row.unit else row.metric, LONGEST_LABEL))
