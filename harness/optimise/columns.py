"""COLUMNS of every table: the title, what it means, and a row's cell as text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.optimise.results import Result
from harness.optimise.rows import LATENCY, Interval, Judged, Row

NOTHING = "-"
NAMED_RIVALS = 1


@dataclass(frozen=True, kw_only=True)
class Column:
    """cell: "-" where nothing is known; a column of nothing else is left out."""

    title: str
    meaning: str
    cell: Callable[[Result, Row], str]
    number: bool = True


def columns_of(result: Result) -> list[Column]:
    """The columns that tell something about any row."""
    rows = measured(result)
    return [one for one in COLUMNS if any(one.cell(result, row) != NOTHING for row in rows)]


def measured(result: Result) -> list[Row]:
    """The rows with numbers."""
    return [row for row in result.rows if not row.reason]


def unmeasured(result: Result) -> list[Row]:
    """The rows with a reason instead."""
    return [row for row in result.rows if row.reason]


def with_bounds(interval: Interval | None, digits: int) -> str:
    """ "97.08 [96.70, 97.41]"; a side that nothing bounds is a dash."""
    if interval is None:
        return NOTHING
    if interval.low is None and interval.high is None:
        return f"{interval.value:.{digits}f}"
    low, high = (NOTHING if one is None else f"{one:.{digits}f}" for one in (interval.low, interval.high))
    return f"{interval.value:.{digits}f} [{low}, {high}]"


def number(value: float | None) -> str:
    """Three digits, more for what is larger."""
    if value is None:
        return NOTHING
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def limits(row: Row) -> str:
    """What did not pass of all gates, by outcome."""
    gates = [one for one in row.verdicts if one.gate]
    if not gates:
        return NOTHING
    outcomes = dict.fromkeys(one.outcome for one in gates if not one.passed)
    found = [f"{outcome}: {', '.join(_metrics(gates, outcome))}" for outcome in outcomes]
    return "; ".join(found) or f"all {len(gates)} PASS"


def _metrics(gates: Sequence[Judged], outcome: str) -> list[str]:
    return list(dict.fromkeys(one.metric for one in gates if one.outcome == outcome))


def standing(result: Result, row: Row) -> str:
    """On the front, or who is better in something and worse in nothing."""
    found = result.standings[row.name]
    chosen = "taken; " if result.best.found and result.best.name == row.name else ""
    if found.on_front:
        return f"{chosen}front"
    if not found.dominated_by:
        return f"{chosen}not compared"
    more = len(found.dominated_by) - NAMED_RIVALS
    return f"{chosen}beaten by {found.dominated_by[0]}" + (f" and {more} more" if more else "")


def _value(name: str) -> Callable[[Result, Row], str]:
    return lambda result, row: number(row.values.get(name))


def _loss(result: Result, row: Row) -> str:
    return NOTHING if row.candidate == result.parent else with_bounds(row.loss, 2)


COLUMNS = (
    Column(title="candidate", number=False, cell=lambda result, row: row.candidate,
           meaning="the recipe; FP32 is what all others are made from and compared with"),
    Column(title="on", number=False, cell=lambda result, row: row.runtime,
           meaning="the runtime entry of the device profile"),
    Column(title="standing", number=False, cell=standing,
           meaning="on the front of latency, loss, size (and energy where all have it), or who beats it there"),
    Column(title="accuracy %", cell=lambda result, row: with_bounds(row.accuracy, 2),
           meaning="the task's score on labelled frames that nothing was made with, and its 90 % interval over whole "
                   "drivers or recordings"),
    Column(title="loss, points", cell=_loss,
           meaning="FP32's score less this one's on the same frames and runtime; its interval, 5 % on each side, must "
                   "lie under the limit"),
    Column(title="flips %", cell=_value("label_flips_percent"), meaning="answers that differ from FP32's"),
    Column(title="MB", cell=_value("file_size_mb"), meaning="the file"),
    Column(title="typical ms", cell=lambda result, row: number(row.typical_ms),
           meaning="a whole frame: FP32's lower quartile on the same runtime over the paired speed-up, so that load at "
                   "another moment does not count; the front and the choice go by it"),
    Column(title="p50 ms", cell=_value("frame_p50_ms"),
           meaning="a whole frame, from memory to answer: preparing, inference, decoding; median over fresh processes"),
    Column(title="P99 ms", cell=_value(LATENCY), meaning="the same, 99 of 100 frames; the budget is judged on it"),
    Column(title="inference p50 ms", cell=_value("infer_p50_ms"), meaning="the engine alone"),
    Column(title="inference P99 ms", cell=_value("infer_p99_ms"), meaning="the engine alone"),
    Column(title="fps", cell=_value("fps_mean"), meaning="frames a second, one after the other"),
    Column(title="speed-up", cell=lambda result, row: with_bounds(row.speedup, 2),
           meaning="of the typical whole frame against FP32 on the same runtime, both in one process in turn, with its "
                   "interval"),
    Column(title="CPU speed-up", cell=lambda result, row: with_bounds(row.cpu_speedup, 2),
           meaning="the same by the thread's CPU time, which other load hardly moves; where the engine computes in the "
                   "calling thread"),
    Column(title="inference speed-up", cell=lambda result, row: with_bounds(row.infer_speedup, 2),
           meaning="of the typical inference alone, against FP32 in turn"),
    Column(title="peak MB", cell=_value("peak_memory_mb"), meaning="resident memory of the worker at its peak"),
    Column(title="mJ a frame", cell=_value("energy_per_frame_mj"), meaning="energy, where a sensor tells it"),
    Column(title="float32 layers %", cell=_value("float32_share_percent"),
           meaning="layers that the engine runs in 32-bit float, as it says itself"),
    Column(title="limits", number=False, cell=lambda result, row: limits(row),
           meaning="every gate of the device, the card and this run"),
)  # fmt: skip
