"""The front as a picture: what is lost, and how large the file is, against the latency of a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.drawing import COLOURS, picture
from harness.optimise.columns import measured
from harness.optimise.pareto import ENERGY_AXIS, LATENCY_AXIS, SIZE_AXIS, axis
from harness.optimise.results import Result
from harness.optimise.rows import LOSS, Row

PANELS = ((LOSS, "loss against FP32, points"), (SIZE_AXIS, "file, MB"), (ENERGY_AXIS, "energy a frame, mJ"))
MARKS = "osD^vPX*"
PANEL_IN = (5.2, 4.0)
LABEL_LENGTH = 24
LIMIT = "#D55E00"
# Labels of neighbours at different heights.
OFFSETS = ((4, 4), (4, -10), (4, 13), (4, -19))


def front_svg(result: Result) -> str:
    """An SVG element, the same for the same result; empty where no row can be compared.

    HarnessError without matplotlib.
    """
    rows = [row for row in measured(result) if axis(row, LATENCY_AXIS) is not None and row.loss]
    if not rows:
        return ""
    (content,) = picture(lambda figure_class: _drawn(figure_class, result, rows), "svg")
    text = content.decode("utf-8")
    # The declaration and the document type stand before the element, and have no place inside a page.
    return text[text.index("<svg") :]


def _drawn(figure_class: Any, result: Result, rows: Sequence[Row]) -> Any:
    panels = [(name, label) for name, label in PANELS if any(axis(row, name) is not None for row in rows)]
    figure = figure_class(figsize=(PANEL_IN[0] * len(panels), PANEL_IN[1]), layout="constrained")
    row_of_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, label) in zip(row_of_axes, panels):
        _draw_panel(axes, result, [row for row in rows if axis(row, name) is not None], name)
        _scale(axes)
        axes.set_ylabel(label)
    # What is lost spans from hundredths to tens of points; linear up to the limit, so that 0 has its place.
    row_of_axes[0].set_yscale("symlog", linthresh=result.loss_points)
    row_of_axes[0].yaxis.set_major_formatter(_plain)
    row_of_axes[0].axhline(result.loss_points, color=LIMIT, linestyle="dashed", linewidth=0.8)
    handles, labels = row_of_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _scale(axes: Any) -> None:
    """Time by factors: a candidate is so many times as fast."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xlabel("typical frame, ms")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(_plain)
    axes.xaxis.set_minor_formatter(NullFormatter())


def _plain(value: float, position: int | None = None) -> str:
    return f"{value:g}"


def _draw_panel(axes: Any, result: Result, rows: Sequence[Row], name: str) -> None:
    runtimes = list(dict.fromkeys(row.beside or row.runtime for row in rows))
    for index, runtime in enumerate(runtimes):
        own = [row for row in rows if (row.beside or row.runtime) == runtime]
        colour, mark = COLOURS[index % len(COLOURS)], MARKS[index % len(MARKS)]
        axes.plot([], [], mark, color=colour, label=runtime)
        for number, row in enumerate(own):
            _draw_row(axes, result, row, name, (colour, mark), OFFSETS[number % len(OFFSETS)])


def _draw_row(axes: Any, result: Result, row: Row, name: str, look: tuple[str, str], offset: tuple[int, int]) -> None:
    """Filled on the front, hollow behind it; the loss with its interval."""
    colour, mark = look
    x, y = axis(row, LATENCY_AXIS), axis(row, name)
    assert x is not None
    assert y is not None
    front = result.standings[row.name].on_front
    axes.plot(x, y, mark, color=colour, markerfacecolor=colour if front else "white", markersize=6)
    if name == LOSS and row.loss and row.loss.low is not None and row.loss.high is not None:
        axes.plot([x, x], [row.loss.low, row.loss.high], color=colour, linewidth=0.7, alpha=0.6)
    if front or row.candidate == result.parent:
        axes.annotate(row.candidate[:LABEL_LENGTH], (x, y), xytext=offset, textcoords="offset points", fontsize=7)
