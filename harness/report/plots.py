"""One run as a figure over time, drawn by matplotlib (extra `plots`): latency, power, temperature, clocks, load."""

from __future__ import annotations

import textwrap
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, Run
from harness.drawing import COLOURS, METADATA, picture, write_picture
from harness.errors import HarnessError, printable
from harness.report.timeline import Panel, Timeline, timeline

DASHES = ("solid", "dashed", "dotted", "dashdot")
WARNING, IDLE = "#D55E00", "0.92"
LINE_WIDTH, LIMIT_WIDTH = 1.1, 0.6
WIDTH_IN, PANEL_IN, LEGEND_LINE_IN, FRAME_IN = 9.0, 1.55, 0.165, 0.75
# A budget this far above the slowest frame would press the latency flat; then it is only named.
FAR_ABOVE = 3.0
MARKS, NAME_LENGTH = 1000, 28


def plot_run(run: Run, title: str, path: Path, limit_ms: float | None = None) -> Path:
    """Draw `run` into `path`, .svg or .png; HarnessError without matplotlib, or where the file cannot be written.

    limit_ms: the budget of a frame, where there is one.
    """
    format_ = path.suffix.lstrip(".").lower()
    if format_ not in METADATA:
        raise HarnessError(f"no figure can be made as {path.suffix or 'a file without a suffix'}", where=str(path),
                           remedy=f"choose one of: {', '.join(f'.{one}' for one in METADATA)}")  # fmt: skip
    shown = timeline(run)
    if not shown.panels and not shown.throttles:
        raise HarnessError("there is nothing to draw: the run has neither timed frames nor samples of a sensor",
                           where=str(path), remedy="time frames, or name probes in the device profile")  # fmt: skip
    marked = f"{title} [SIMULATED]" if run.facts.get("simulated") else title
    (content,) = picture(lambda figure_class: _drawn(figure_class, shown, marked, limit_ms), format_)
    return write_picture(path, content)


def _drawn(figure_class: Any, shown: Timeline, title: str, limit_ms: float | None) -> Any:
    heights = _heights(shown)
    figure = figure_class(figsize=(WIDTH_IN, sum(heights) + FRAME_IN), layout="constrained")
    rows = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _fill(rows, shown, limit_ms)
    figure.suptitle(textwrap.fill(printable(title), 100), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _heights(shown: Timeline) -> list[float]:
    """Each panel as high as its legend, which stands beside it; the throttle events as their rows."""
    panels = [max(PANEL_IN, LEGEND_LINE_IN * (len(one.series) + 2)) for one in shown.panels]
    return [*panels, 0.35 + LEGEND_LINE_IN * len(shown.throttles)] if shown.throttles else panels


def _fill(rows: Any, shown: Timeline, limit_ms: float | None) -> None:
    for axes, panel in zip(rows, shown.panels):
        _draw(axes, panel)
        if panel.quantity == "latency" and limit_ms is not None:
            _draw_budget(axes, limit_ms)
    if shown.throttles:
        _draw_throttles(rows[-1], shown.throttles, shown.seconds)
    for axes in rows:
        axes.legend(loc="upper left", bbox_to_anchor=(1.005, 1.0), frameon=False, borderaxespad=0.0, handlelength=1.6)
    _shade_idle(rows, shown)
    rows[-1].set_xlabel("time since the first event (s)")
    rows[-1].set_xlim(0, shown.seconds or 1.0)


def _draw(axes: Any, panel: Panel) -> None:
    looks = cycle((colour, dash) for dash in DASHES for colour in COLOURS)
    for series, (colour, dash) in zip(panel.series, looks):
        width = LIMIT_WIDTH if series.limit else LINE_WIDTH
        axes.plot(series.seconds, series.values, color=colour, linestyle=dash, linewidth=width,
                  label=printable(series.name, NAME_LENGTH))  # fmt: skip
        alone = _alone(series.values)
        axes.plot(series.seconds[alone], series.values[alone], ".", color=colour, markersize=3)
    axes.set_ylabel(f"{panel.quantity} ({panel.unit})")
    lowest = min(float(np.nanmin(one.values)) for one in panel.series)
    if panel.quantity != "temperature" and lowest >= 0:
        axes.set_ylim(bottom=0)


def _alone(values: Array) -> Array:
    """Which values stand between two breaks, where no line shows them."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    alone: Array = known[1:-1] & ~known[:-2] & ~known[2:]
    return alone


def _draw_budget(axes: Any, limit_ms: float) -> None:
    top = axes.get_ylim()[1]
    if limit_ms <= FAR_ABOVE * top:
        axes.axhline(limit_ms, color=WARNING, linestyle="dashed", label=f"budget {limit_ms:g} ms")
        axes.set_ylim(0, max(top, 1.08 * limit_ms))
    else:
        axes.plot([], [], color=WARNING, linestyle="dashed", label=f"budget {limit_ms:g} ms,\nfar above")


def _draw_throttles(axes: Any, throttles: dict[str, Array], seconds: float) -> None:
    """A row of marks for every counter; marks that would fall on one another are one."""
    step = max(seconds, 1e-9) / MARKS
    for row, times in enumerate(throttles.values()):
        marks = np.unique(np.round(times / step)) * step
        axes.plot(marks, np.full(len(marks), row), "|", color=WARNING, markersize=8,
                  label="_" if row else "throttle events")  # fmt: skip
    axes.set_yticks(range(len(throttles)), [printable(name, NAME_LENGTH) for name in throttles])
    axes.set_ylim(len(throttles) - 0.4, -0.6)


def _shade_idle(rows: Any, shown: Timeline) -> None:
    for name, (start, end) in shown.phases.items():
        if name.startswith("idle"):
            for axes in rows:
                axes.axvspan(start, end, color=IDLE, linewidth=0, zorder=0)
            rows[0].annotate("idle", ((start + end) / 2, 1.0), xycoords=("data", "axes fraction"), ha="center",
                             va="bottom", color="0.4")  # fmt: skip
