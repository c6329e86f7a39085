"""What `harness memory` found out, as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from harness.errors import printable
from harness.files import write_atomically
from harness.markup import escape, table
from harness.memory.rows import FEWEST_PROCESSES, Row, compared, differences

FORMAT = 1
NOTHING = "-"
TITLES = {
    "model_memory_mb": "model MB", "runtime_memory_mb": "runtime MB", "peak_memory_mb": "peak MB",
    "infer_p50_ms": "p50 ms", "infer_p99_ms": "p99 ms", "batch_p50_ms": "batch p50 ms", "frame_p50_ms": "ms a frame",
    "frame_cpu_p50_ms": "CPU ms a frame", "cpu_p50_ms": "CPU ms", "all_mb": "all MB",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Section:
    """One table: rows of one runtime entry, the first of which the others are compared with.

    beside: figures that are shown and not compared, as they differ by what the rows are.
    """

    title: str
    figures: tuple[str, ...]
    rows: tuple[Row, ...]
    beside: tuple[str, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The figures in which rows are compared."""
        return tuple(one for one in self.figures if one not in self.beside)

    @property
    def columns(self) -> list[str]:
        """The titles of all columns."""
        return ["", *map(_title, self.known), f"against {self.rows[0].name}"]

    @property
    def known(self) -> tuple[str, ...]:
        """The figures that any row tells."""
        return tuple(one for one in self.figures if any(one in row.figures for row in self.rows))

    @property
    def cells(self) -> list[list[str]]:
        """One line for each row that was measured."""
        return [self._line(row) for row in self.rows if not row.reason]

    def _line(self, row: Row) -> list[str]:
        spreads = [spread(row.figures.get(one, ())) for one in self.known]
        return [row.name, *spreads, told(self.rows[0], row, self.compared)]

    @property
    def notes(self) -> list[str]:
        """What each setting does, and why one has no figures."""
        meant = [f"{row.name}: {row.does}" for row in self.rows if row.does and not row.reason]
        return [*meant, *(f"{row.name}: not measured: {row.reason}" for row in self.rows if row.reason)]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything about one variant on one device. sentences: of what there is no table."""

    device: str
    model: str
    variant: str
    machine: str
    at: str
    harness: str
    plan: str
    rounds: int
    simulated: bool
    sections: tuple[Section, ...]
    sentences: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        """Whether any row has a figure."""
        return any(row.figures for one in self.sections for row in one.rows)

    @property
    def head(self) -> str:
        """What was measured, where and when."""
        marked = "SIMULATED: " if self.simulated else ""
        return (
            f"{marked}memory of {self.model}/{self.variant} on {self.device}, {self.machine}, {self.at[:10]}, harness "
            f"{self.harness}: plan {self.plan}, fresh processes of each row in turn: {self.rounds}; median [lowest, "
            "highest]"
        )

    @property
    def foot(self) -> str:
        """What "within the noise" means, and how often luck alone says otherwise."""
        if self.rounds < FEWEST_PROCESSES:
            return f"Too few processes to tell a difference from noise: {FEWEST_PROCESSES} of each row are needed."
        chances = [
            one for section in self.sections for row in section.rows[1:]
            for one in compared(section.rows[0], row, section.compared)
        ]  # fmt: skip
        return (
            "Within the noise: the processes of both rows overlap. Where they do not, the difference of the medians is "
            f"told; of the {len(chances)} figures compared, luck alone would set {sum(chances):.1f} apart."
        )


def write_found(found: Found, folder: Path) -> list[Path]:
    """memory.md and memory.json; HarnessError where they cannot be written."""
    text = json.dumps({"format": FORMAT, **asdict(found)}, indent=1, sort_keys=True)
    files = {"memory.md": "\n".join(markdown(found)) + "\n", "memory.json": text + "\n"}
    return [write_atomically(folder / name, content, option="--out") for name, content in files.items()]


def text(found: Found) -> str:
    """For a terminal."""
    lines = [found.head]
    for one in found.sections:
        lines += ["", one.title, *(f"  {line}" for line in _aligned([one.columns, *one.cells]))]
        lines += [f"  {line}" for line in one.notes]
    return "\n".join(map(_line, [*lines, "", *found.sentences, found.foot]))


def markdown(found: Found) -> Iterator[str]:
    """The same for a page."""
    yield from (f"# Memory: {escape(found.model)}, {escape(found.variant)}", "", escape(found.head, limit=1000))
    for one in found.sections:
        yield from ("", f"## {escape(one.title)}", "", *table(one.columns, one.cells, left=1))
        yield from ("", *(f"- {escape(line, limit=1000)}" for line in one.notes)) if one.notes else ()
    yield from ("", *(escape(line, limit=1000) for line in (*found.sentences, found.foot)))


def spread(values: Sequence[float]) -> str:
    """ "18.4 [18.3, 18.6]"; a dash for nothing."""
    if not values:
        return NOTHING
    middle, low, high = (_number(one) for one in (median(values), min(values), max(values)))
    return f"{middle} [{low}, {high}]" if len(values) > 1 else middle


def told(default: Row, own: Row, figures: Sequence[str]) -> str:
    """How a row differs from the default one, in the figures in which it does."""
    if own is default:
        return ""
    if default.reason:
        return f"{default.name} was not measured"
    found = differences(default, own, figures)
    if found is None:
        return "too few processes"
    return ", ".join(_changed(one.figure, one.change, one.percent) for one in found) or "within the noise"


def _changed(figure: str, change: float, percent: float | None) -> str:
    title = _title(figure)
    if title.endswith(" MB") or percent is None:
        return f"{title} {change:+.3g}"
    return f"{title} {percent:+.0f} %"


def _title(figure: str) -> str:
    return TITLES.get(figure) or figure.replace("_mb", " MB").replace("_", " ")


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _line(line: str) -> str:
    return printable(line, 1000)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
