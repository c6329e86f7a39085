"""What `harness events` found out, as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import printable
from harness.events.losses import EventLoss
from harness.events.scoring import EventScore, Rate
from harness.events.trial import Trial
from harness.eventscores.gates import Gate
from harness.files import write_atomically
from harness.markup import escape, table
from harness.rules import Outcome
from harness.stats.bounds import nearest_rank

FORMAT = 1
NOTHING = "-"
COLUMNS = (
    "variant",
    "frames",
    "detected",
    "share (90 %)",
    "delay s p50/p90/max",
    "false",
    "per hour (90 %)",
    "no answer",
)
KIND_COLUMNS = ("alarm", "due", "detected", "delay s p50/p90/max")
SERVICE_COLUMNS = ("variant", "frames", "p50 ms", "p99 ms", "max ms")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One system under one condition. unanswered_share: of all frames, those that told nothing."""

    system: str
    condition: str
    score: EventScore
    unanswered_share: float

    @property
    def cells(self) -> tuple[str, ...]:
        score = self.score
        share = NOTHING if score.detection is None else _rate(score.detection, 100, "%")
        return (
            self.system, self.condition, f"{len(score.found)} of {len(score.demands)}", share, delays(score.found),
            str(len(score.false_alarms)), _rate(score.false_per_hour, 1, ""), f"{100 * self.unanswered_share:.1f} %",
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The alarms of one kind. delays_s: of those that came."""

    kind: str
    due: int
    delays_s: tuple[float, ...]

    @property
    def cells(self) -> tuple[str, ...]:
        return self.kind, str(self.due), str(len(self.delays_s)), delays(self.delays_s)


@dataclass(frozen=True, kw_only=True)
class Service:
    """How long a system took for a frame, while nothing else of this program ran."""

    system: str
    frames: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @property
    def cells(self) -> tuple[str, ...]:
        return self.system, str(self.frames), *(f"{one:.2f}" for one in (self.p50_ms, self.p99_ms, self.max_ms))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two systems under one condition, or two conditions of one system, event by event."""

    reference: str
    candidate: str
    under: str
    loss: EventLoss

    @property
    def title(self) -> str:
        return f"{self.candidate} beside {self.reference}, {self.under}"

    @property
    def sentences(self) -> tuple[str, ...]:
        return self.loss.sentences(self.reference, self.candidate)


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything about one pipeline on one device. clips: name and the beginning of its fingerprint.

    judged_under: the condition of `kinds` and of the gates, for the variants that the card names.
    """

    pipeline: str
    device: str
    machine: str
    simulated: bool
    at: str
    harness: str
    clips: tuple[str, ...]
    seconds: float
    seed: int
    fps: float
    filter: str
    engines: tuple[str, ...]
    service: tuple[Service, ...]
    rows: tuple[Row, ...]
    kinds: tuple[Kind, ...]
    judged_under: str
    comparisons: tuple[Comparison, ...]
    gates: tuple[Gate, ...]
    sentences: tuple[str, ...] = field(default=())

    @property
    def red(self) -> bool:
        """Whether a limit of the card is proven to be broken."""
        return any(one.outcome is Outcome.FAIL for one in self.gates)

    @property
    def head(self) -> str:
        marked = "SIMULATED: " if self.simulated else ""
        return (
            f"{marked}events of {self.pipeline} on {self.device}, {self.machine}, {self.at[:10]}, harness "
            f"{self.harness}: {len(self.clips)} clips of {self.seconds:g} s at {self.fps:g} fps, seed {self.seed}, "
            f"{', '.join(self.engines)}, one frame after the other in one thread"
        )

    @property
    def tables(self) -> tuple[tuple[str, Sequence[str], list[Sequence[str]]], ...]:
        """Title, columns and lines of each."""
        return (
            ("Alarms", COLUMNS, [one.cells for one in self.rows]),
            (f"By kind, {self.rows[0].system}, {self.judged_under}", KIND_COLUMNS, [one.cells for one in self.kinds]),
            ("Service times, with nothing beside it", SERVICE_COLUMNS, [one.cells for one in self.service]),
        )

    @property
    def lists(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Title and sentences of each."""
        named = tuple(f"{kind}: {one}" for kind, one in self._named)
        limits = tuple(one.sentence for one in self.gates)
        none = ("the card's [events] gives no limit: nothing here is a gate",)
        return (
            *((one.title, one.sentences) for one in self.comparisons),
            (f"Missed and false, {self.rows[0].system}, {self.judged_under}", named or ("none",)),
            ("Limits", limits or none),
            ("What this is", (self.filter, *self.sentences)),
        )

    @property
    def _named(self) -> Iterator[tuple[str, str]]:
        score = next(one.score for one in self.rows if one.condition == self.judged_under)
        yield from (("missed", one.name) for one in score.missed)
        yield from (("false", one.name) for one in score.false_alarms)
        if score.unjudged:
            yield "not judged", f"{score.unjudged} alarms while an event was there that may cause them"


def service_of(system: str, found: Trial) -> Service:
    """Of all frames of all clips."""
    times_ns = np.concatenate([one[system].service_ns for one in found.answered])
    p50, p99 = (nearest_rank(times_ns, share) / 1e6 for share in (0.5, 0.99))
    return Service(system=system, frames=len(times_ns), p50_ms=p50, p99_ms=p99, max_ms=float(times_ns.max()) / 1e6)


def kinds_of(score: EventScore) -> tuple[Kind, ...]:
    """The score taken apart by kind of alarm, by name."""
    pairs = list(zip(score.demands, score.delays_s))
    return tuple(
        Kind(
            kind=kind, due=sum(one.kind == kind for one, _ in pairs),
            delays_s=tuple(delay for one, delay in pairs if one.kind == kind and delay is not None),
        )
        for kind in sorted({one.kind for one, _ in pairs})
    )  # fmt: skip


def delays(found: Sequence[float]) -> str:
    """ "0.12 / 0.31 / 0.40"; a dash for nothing."""
    if not found:
        return NOTHING
    values = np.array(found)
    return " / ".join(f"{one:.2f}" for one in (nearest_rank(values, 0.5), nearest_rank(values, 0.9), values.max()))


def write_found(found: Found, folder: Path) -> list[Path]:
    """events.md and events.json; HarnessError where they cannot be written."""
    content = json.dumps({"format": FORMAT, **_plain(found)}, indent=1, sort_keys=True)
    files = {"events.md": "\n".join(markdown(found)) + "\n", "events.json": content + "\n"}
    return [write_atomically(folder / name, content, option="--out") for name, content in files.items()]


def text(found: Found) -> str:
    """For a terminal."""
    lines = [found.head]
    for title, columns, cells in found.tables:
        lines += ["", title, *(f"  {line}" for line in _aligned([columns, *cells]))]
    for title, sentences in found.lists:
        lines += ["", title, *(f"  {one}" for one in sentences)]
    return "\n".join(printable(one, 1000) for one in lines)


def markdown(found: Found) -> Iterator[str]:
    """The same for a page."""
    yield from (f"# Events: {escape(found.pipeline)} on {escape(found.device)}", "", escape(found.head, limit=1000))
    for title, columns, cells in found.tables:
        yield from ("", f"## {escape(title)}", "", *table(columns, cells, left=2))
    for title, sentences in found.lists:
        yield from ("", f"## {escape(title)}", "", *(f"- {escape(one, limit=1000)}" for one in sentences))


def _plain(found: Found) -> dict[str, Any]:
    """All fields, and of each row and comparison what is computed from them."""
    rows = [
        {
            **asdict(one), "detection": one.score.detection and asdict(one.score.detection),
            "false_per_hour": asdict(one.score.false_per_hour),
        }
        for one in found.rows
    ]  # fmt: skip
    return {**asdict(found), "rows": rows}


def _rate(rate: Rate, scale: float, unit: str) -> str:
    space = f" {unit}" if unit else ""
    return f"{scale * rate.value:.0f}{space} ({scale * rate.low:.0f} to {scale * rate.high:.0f})"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
