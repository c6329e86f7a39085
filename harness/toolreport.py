"""What vendors' tools printed, each number in one unit and of a stated kind: `harness tool-output FILE...`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import printable
from harness.stats.bounds import minimum_frames
from harness.tooloutput import TOOLS, Layer, Number, ToolOutput, read_output

COUNTS = ("latency runs", "inferences", "queries", "latency count")
SHOWN_LAYERS = 10
SHOWN_UNREAD = 5
SHOWN_CHARACTERS = 100
UNREAD = "not understood: "


def add_tool_output_command(commands: Any) -> None:
    """The command `harness tool-output`."""
    parser = commands.add_parser(
        "tool-output", help="read what a vendor's tool printed: one unit, and what each number is"
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="its log or report, see docs/tool-output.md"
    )
    parser.add_argument("--tool", default="", help=f"one of {', '.join(TOOLS)} (default: recognised)")
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    parser.set_defaults(command=_tool_output)


def _tool_output(parsed: argparse.Namespace) -> str:
    outputs = [(path, read_output(path, parsed.tool)) for path in parsed.files]
    if parsed.json:
        return json.dumps([{"file": str(path), **as_json(output)} for path, output in outputs], indent=2)
    return "\n\n".join(table(output, str(path)) for path, output in outputs)


def as_json(output: ToolOutput) -> dict[str, Any]:
    """All of it as plain JSON values, with the harness's own doubts among the warnings."""
    return {**asdict(output), "warnings": [*output.warnings, *doubts(output)]}


def table(output: ToolOutput, file: str = "") -> str:
    """For a terminal: numbers and what they are, warnings, the slowest layers, settings; what is cut says so."""
    head = " ".join(part for part in (output.tool, output.version, file) if part)
    lines = [head, *_aligned([("number", "kind", "value", "what it is"), *_rows(output.numbers)])]
    lines += ["warnings", *(f"  {_cut(one, 400)}" for one in _shown([*output.warnings, *doubts(output)]))]
    lines += _layers(output.layers)
    if output.settings:
        lines += ["settings", *(f"  {_cut(f'{key}: {value}')}" for key, value in output.settings.items())]
    return "\n".join(printable(line, 1000) for line in lines)


def doubts(output: ToolOutput) -> list[str]:
    """Percentiles that rest on too few inferences, by the harness's own rule."""
    counts = {one.name: one.value for one in output.numbers if one.unit == ""}
    count = next((counts[name] for name in COUNTS if name in counts), None)
    if count is None:
        return []
    asked = dict.fromkeys(one.statistic for one in output.numbers if one.name == "latency")
    shares = [(name, float(name[1:]) / 100) for name in asked if re.fullmatch(r"p\d[\d.]*", name)]
    return [
        f"{name} of {count:.0f} inferences has no upper bound: {minimum_frames(share)} are needed"
        for name, share in shares if 0.5 < share < 1 and count < minimum_frames(share)
    ]  # fmt: skip


def _rows(numbers: Sequence[Number]) -> Iterator[tuple[str, ...]]:
    """A name, and what its numbers include, stands once before all of its kinds."""
    groups: dict[tuple[str, str], list[Number]] = {}
    for one in numbers:
        groups.setdefault((one.name, one.includes), []).append(one)
    for (name, includes), own in groups.items():
        for position, one in enumerate(own):
            told = (name, includes) if position == 0 else ("", "")
            yield told[0], one.statistic, f"{_figure(one.value)} {one.unit}".rstrip(), told[1]


def _layers(layers: Sequence[Layer]) -> list[str]:
    if not layers:
        return []
    timed = sorted((one for one in layers if one.value), key=lambda one: -(one.value or 0.0))[:SHOWN_LAYERS]
    shown = timed or list(layers)[:SHOWN_LAYERS]
    rows = [(_cut(one.name, 60), one.kind, _timed(one), one.runtime) for one in shown]
    head = f"layers: {len(shown)} of {len(layers)}" + (", the slowest first" if timed else ", none with a time")
    return [head, *_aligned(rows)]


def _timed(layer: Layer) -> str:
    return f"{_figure(layer.value)} {layer.unit}".rstrip() if layer.value is not None else "-"


def _shown(warnings: Sequence[str]) -> list[str]:
    unread = [one for one in warnings if one.startswith(UNREAD)]
    shown = [one for one in warnings if not one.startswith(UNREAD)] + unread[:SHOWN_UNREAD]
    more = len(unread) - SHOWN_UNREAD
    if more > 0:
        shown.append(f"{more} more lines were not understood: --json has them")
    return shown or ["none"]


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 1e6 else f"{value:.6g}"


def _cut(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
