"""The layer-by-layer comparison for a terminal: a row for each layer, one for each constant, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import printable
from harness.variants.study.layerwise import LayerRow, Layerwise, Tolerance
from harness.variants.study.sqnr import Distance

NAME_LENGTH = 56
LAYER_HEAD = ("layer", "operator", "SQNR dB", "median channel", "cosine", "largest error", "")
CONSTANT_HEAD = ("constant", "SQNR dB", "cosine", "largest error")


def text_of(found: Layerwise) -> str:
    """All of it; a reader who wants whole names takes the JSON."""
    tables = [aligned([LAYER_HEAD, *(_layer_cells(one, found.tolerance) for one in found.layers)])]
    if found.weights:
        tables.append(aligned([CONSTANT_HEAD, *(_constant_cells(name, one) for name, one in found.weights.items())]))
    return "\n\n".join([*tables, sentence(found)])


def sentence(found: Layerwise) -> str:
    """The first layer outside the tolerance, and how many were compared at all."""
    share = f"{len(found.compared)} of {len(found.layers)} layers compared on {found.frames} frames"
    if not found.compared:
        return f"nothing was compared: {share}"
    bounds = f"cosine {found.tolerance.cosine:g}, SQNR {found.tolerance.sqnr_db:g} dB"
    first = found.first_outside
    if first is None or first.found is None:
        return f"every compared layer is inside the tolerance ({bounds}); {share}"
    channel_db = first.found.median_channel_db
    channel = "" if channel_db is None else f", of its median channel {channel_db:.1f} dB"
    told = f"cosine {first.found.cosine:.4f}, SQNR {first.found.sqnr_db:.1f} dB{channel}"
    return f"{printable(first.layer.name)} is the first layer outside the tolerance ({bounds}): {told}; {share}"


def shortened(name: str) -> str:
    """The end of a long name, which says more than its beginning."""
    shown = printable(name)
    return shown if len(shown) <= NAME_LENGTH else f"…{shown[1 - NAME_LENGTH :]}"


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """A table, columns side by side."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def _layer_cells(row: LayerRow, tolerance: Tolerance) -> tuple[str, ...]:
    base = shortened(row.layer.name), row.layer.operator
    if row.found is None:
        return *base, "-", "-", "-", "-", f"not comparable: {row.why}"
    channel_db = row.found.median_channel_db
    sqnr, *others = _numbers(row.found)
    channel = "-" if channel_db is None else f"{channel_db:.1f}"
    return *base, sqnr, channel, *others, "" if tolerance.holds(row.found) else "outside"


def _constant_cells(name: str, found: Distance) -> tuple[str, ...]:
    return shortened(name), *_numbers(found)


def _numbers(found: Distance) -> tuple[str, str, str]:
    error = found.relative_error
    return f"{found.sqnr_db:.1f}", f"{found.cosine:.5f}", "-" if error is None else f"{100 * error:.2f} %"
