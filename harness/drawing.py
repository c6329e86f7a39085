"""Figures by matplotlib (extra `plots`): one look, the same bytes for the same content, whole files or none."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import replace_in_order

# The set of Okabe and Ito, which all kinds of colour vision tell apart, without its yellow: too light for a line.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
METADATA: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "png": {"Software": None}}
STYLE = {
    "font.size": 8, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "0.88",
    "grid.linewidth": 0.5, "axes.axisbelow": True, "lines.solid_joinstyle": "round",
    "savefig.dpi": 100, "svg.fonttype": "none", "svg.hashsalt": "dms-harness",
    # A name is no formula, whatever it is made of.
    "text.parse_math": False,
}  # fmt: skip


def picture(draw: Callable[[Any], Any], *formats: str) -> tuple[bytes, ...]:
    """What `draw` makes of matplotlib's class Figure, as the bytes of a file in each format ("svg", "png").

    HarnessError without matplotlib, and for numbers so large that it fails on them.
    """
    figure_class, context = _matplotlib()
    with context(("default", STYLE)), warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; that must not end a session.
        warnings.simplefilter("ignore")
        try:
            figure = draw(figure_class)
            return tuple(_saved(figure, one) for one in formats)
        except (ValueError, ArithmeticError) as error:
            remedy = "look at its numbers in the JSON or the CSV"
            raise HarnessError(f"no figure can be made of it: {error}", remedy=remedy) from error


def require_matplotlib() -> None:
    """HarnessError where no figure can be drawn here."""
    _matplotlib()


def _matplotlib() -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
        from matplotlib.style import context
    except ImportError as error:
        raise HarnessError(f"figures need matplotlib: {error}", remedy="pip install 'dms-harness[plots]'") from error
    return Figure, context


def write_picture(path: Path, content: bytes) -> Path:
    """Write a figure's bytes; HarnessError where that fails, and then the old file is there."""
    try:
        replace_in_order({path: content})
    except OSError as error:
        raise HarnessError(
            f"the figure cannot be written: {error.strerror or error}", where=str(path),
            remedy="free space there, or choose another folder",
        ) from error  # fmt: skip
    return path


def _saved(figure: Any, format_: str) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format=format_, metadata=METADATA[format_])
    return content.getvalue()
