"""Row: one candidate on one runtime of the target, with all that was found, or why there is nothing. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.rules import Outcome

ALIVE, LOSS, LATENCY, QUARTILE = "outputs_alive", "accuracy_loss_points", "frame_p99_ms", "frame_p25_ms"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with its interval; None where nothing bounds that side."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict as the report tells it."""

    metric: str
    outcome: str
    gate: bool
    sentence: str
    value: float | None = None
    limit: float | None = None

    @property
    def passed(self) -> bool:
        return self.outcome == Outcome.PASS


@dataclass(frozen=True, kw_only=True)
class Row:
    """candidate, runtime: what was measured where; the parent's own row has its name. beside: the runtime of the parent
    that it is compared with, empty for the parent itself. entry: no new file, see EngineOption.

    values: metric -> number, absent where it was not measured. accuracy: of the model, in per cent; loss: against FP32
    on the same runtime, in points, both with the interval that decides. speedup, cpu_speedup, infer_speedup: of the
    typical frame against the parent, in turn in one process, by wall time, by the thread's CPU time, and of its
    inference alone. verdicts: on every limit.
    typical_ms: a frame, see `typical`. disturbed: other load took more than 5 % of the cores meanwhile. facts: what
    really ran. remarks: what a reader must know. at: when it was measured. reason: why nothing was.
    """

    candidate: str
    runtime: str
    beside: str = ""
    entry: bool = False
    file_format: str = ""
    sha256: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    accuracy: Interval | None = None
    score: str = ""
    frames: int = 0
    loss: Interval | None = None
    speedup: Interval | None = None
    cpu_speedup: Interval | None = None
    infer_speedup: Interval | None = None
    typical_ms: float | None = None
    disturbed: bool = False
    verdicts: tuple[Judged, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    at: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """What the row is called beside others of its model."""
        return f"{self.candidate} on {self.runtime}" if self.runtime else self.candidate

    def gates_on(self, metric: str) -> tuple[Judged, ...]:
        """Every verdict on a limit of one metric that is no advice: the device's, the card's."""
        return tuple(one for one in self.verdicts if one.metric == metric and one.gate)

    @property
    def alive(self) -> bool:
        """True where the outputs were shown to mean something."""
        found = self.gates_on(ALIVE)
        return bool(found) and all(one.passed for one in found)


def row_from(raw: Mapping[str, Any]) -> Row:
    """The row that `asdict` gave; TypeError or KeyError where it is none."""
    intervals = {name: Interval(**raw[name]) if raw[name] else None
                 for name in ("accuracy", "loss", "speedup", "cpu_speedup", "infer_speedup")}  # fmt: skip
    return Row(**{
        **raw, **intervals, "verdicts": tuple(Judged(**one) for one in raw["verdicts"]),
        "remarks": tuple(raw["remarks"]),
    })  # fmt: skip


def plain(row: Row) -> dict[str, Any]:
    """The row as plain values."""
    return asdict(row)


def typical(row: Row, parent: Row) -> float | None:
    """A typical frame in milliseconds, for comparing rows: the parent's lower quartile on the same runtime over the
    paired speed-up, so that load at another moment does not count; without a pair, its own lower quartile.
    """
    before = parent.values.get(QUARTILE)
    return before / row.speedup.value if before and row.speedup else row.values.get(QUARTILE)
