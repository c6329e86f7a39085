"""What every report shows of the camera's pace, of soaks and of cascades, as rows of text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.cameratimes import Misses, Tail
from harness.fpsstability import Stability
from harness.soak.minutes import Minute
from harness.summaries.camera import CameraSummary, arrivals_text
from harness.summaries.cascade import CascadeSummary, StageSummary
from harness.summaries.soak import Place, Ranks, SoakSummary, slowest_mhz

MISSING = "-"
SHOWN_MINUTES = 20
SHOWN_HINTS = 8
TIMES_NOTE = (
    "response: from the scheduled arrival to the result; service: from the start, which is all that frames back to "
    "back tell; both of completed frames, of all processes together; nearest rank, then its 95 % upper bound where "
    "there are enough frames"
)
MISSES_NOTE = (
    "missed: late or dropped, with its 95 % bounds; gap: longest between two results, in brackets in frame periods; "
    "age out: of the frame at output, ms; age result: of the current result until the next one, ms; both the largest; "
    "busy: service over period; backlog: frames due before the last and not done then; woken: how late a waiting "
    "consumer was, ms at p99: 0.2 or more makes the run INVALID"
)
SECONDS_NOTE = (
    "worst: the second with the fewest results, of the frames that were due; fluct: standard deviation over mean of "
    "the seconds; rolling SD: of five intervals, the largest; converged: when three seconds in a row lay within 10 %; "
    "of the process with the worst second"
)
MINUTES_NOTE = (
    "of the frames due in that minute, by response time where a camera sent them; C: the hottest place; MHz: the "
    "slowest clock; throttled: share of the samples; MB: memory of the worker and its engine's processes"
)
RANKS_NOTE = "by the median of the minute; a pair has turned round where the intervals (99 %) of both minutes prove it"
NOT_TURNED = "no pair of cases is proven to have turned round"
STAGES_NOTE = (
    "pre, infer, post: median; P99: of the three together; held: frames on which the last answer still holds; skipped: "
    "nothing to look at; critical: share of the frames whose longest chain of stages it is part of; a faster stage "
    "makes only these frames faster"
)
Row = tuple[str, ...]
Number = Callable[[float | None], str]
Camera = Sequence[tuple[str, CameraSummary]]


@dataclass(frozen=True, kw_only=True)
class PaceTable:
    """Cells are text, numbers as the caller shows them. left: columns set flush left."""

    title: str
    columns: Row
    rows: tuple[Row, ...]
    left: int = 1
    notes: tuple[str, ...] = ()


def camera_times_table(cases: Camera, number: Number) -> PaceTable:
    """Two rows per case, by name: the response and the service."""
    hints = [f"{name}: {one.hint}" for name, one in cases if one.hint]
    more = [f"{len(hints) - SHOWN_HINTS} more cases hide stalls so"] if len(hints) > SHOWN_HINTS else []
    return PaceTable(
        title="At the camera's pace, ms",
        columns=("case", "arrivals", "time", "P50", "P99 (bound)", "P99.9 (bound)", "max", "frames"),
        rows=tuple(row for name, one in cases for row in _times_rows(name, one, number)),
        left=3, notes=(TIMES_NOTE, *hints[:SHOWN_HINTS], *more),
    )  # fmt: skip


def camera_misses_table(cases: Camera, number: Number) -> PaceTable:
    """One row per case: misses, gaps, ages, and whether machine and generator kept up."""
    return PaceTable(
        title="At the camera's pace: misses, gaps, age",
        columns=("case", "late", "dropped", "of", "missed %", "/10,000", "gap ms", "age out", "age result",
                 "busy %", "backlog", "woken"),
        rows=tuple(_misses_row(*one, number) for one in cases), notes=(MISSES_NOTE,),
    )  # fmt: skip


def camera_seconds_table(cases: Camera, number: Number) -> PaceTable:
    """One row per case: results in windows of one second."""
    return PaceTable(
        title="At the camera's pace: results per second",
        columns=("case", "seconds", "fps", "worst", "at s", "fluct %", "interval CV %", "rolling SD ms", "converged s"),
        rows=tuple(_seconds_row(name, one.stability, number) for name, one in cases if one.stability),
        notes=(SECONDS_NOTE,),
    )  # fmt: skip


def minutes_table(soak: SoakSummary, number: Number) -> PaceTable:
    """One row per minute; of long soaks the worst, and as many others, evenly apart."""
    count = len(soak.minutes)
    shown = set(np.linspace(0, count - 1, min(count, SHOWN_MINUTES)).round().astype(int).tolist())
    worst = max(range(count), key=lambda place: soak.minutes[place].p99_ms or 0.0)
    return PaceTable(
        title="Soak, minute by minute",
        columns=("minute", "fps", "P50 ms", "P99 ms", "max ms", "dropped", "C", "MHz", "throttled %", "W", "MB"),
        rows=tuple(_minute_row(soak.minutes[one], soak.memory_mb[one], number) for one in sorted({*shown, worst})),
        notes=(MINUTES_NOTE,),
    )  # fmt: skip


def ranking_table(found: Ranks, number: Number) -> PaceTable:
    """One row per case: its place in minute 1, and in the last that all have."""
    return PaceTable(
        title=f"Ranking at minute 1 and at minute {found.last_minute}",
        columns=("case", "minute 1", "P50 ms", "P99 ms", f"minute {found.last_minute}", "P50 ms", "P99 ms"),
        rows=tuple(_place_row(one, number) for one in found.places),
        notes=(*(found.turned or (NOT_TURNED,)), RANKS_NOTE),
    )


def stages_table(cascade: CascadeSummary, number: Number) -> PaceTable:
    """One row per stage."""
    return PaceTable(
        title="Stages of each cascade, ms",
        columns=("stage", "pre", "infer", "post", "P99", "ran", "held", "skipped", "critical %"),
        rows=tuple(_stage_row(one, number) for one in cascade.stages), notes=(STAGES_NOTE,),
    )  # fmt: skip


def _times_rows(name: str, found: CameraSummary, number: Number) -> tuple[Row, Row]:
    times, cells = found.times, partial(_tail_cells, number=number)
    return (
        (name, arrivals_text(found.arrivals), "response", *cells(times.response)),
        (name, "", "service", *cells(times.service)),
    )


def _tail_cells(tail: Tail, number: Number) -> Row:
    bounded = (
        number(value) if upper is None else f"{number(value)} <={number(upper)}"
        for value, upper in ((tail.p99_ms, tail.p99_upper_ms), (tail.p999_ms, tail.p999_upper_ms))
    )  # fmt: skip
    return (number(tail.p50_ms), *bounded, number(tail.max_ms), f"{tail.frames:,}")


def _misses_row(name: str, found: CameraSummary, number: Number) -> Row:
    times = found.times
    missed, age = times.misses, times.age_of_result
    gap = f" ({times.longest_gap_periods:.1f})" if times.longest_gap_periods is not None else ""
    return (
        name, f"{missed.late:,}", f"{missed.dropped:,}", f"{missed.frames:,}", _share(missed),
        number(times.dropped_per_10000), number(times.longest_gap_ms) + gap, number(times.age_at_output.max_ms),
        number(age.max_ms if age else None), f"{100 * times.utilisation:.0f}", str(times.backlog),
        number(times.lateness_p99_ms),
    )  # fmt: skip


def _share(misses: Misses) -> str:
    share = 100 * misses.missed / misses.frames
    return f"{share:.3g} ({100 * misses.lower:.3g}..{100 * misses.upper:.3g})"


def _seconds_row(name: str, found: Stability, number: Number) -> Row:
    worst = int((found.completed / found.expected.clip(min=1)).argmin())
    return (
        name, str(len(found.completed)), number(found.mean_fps), f"{found.completed[worst]} of {found.expected[worst]}",
        str(worst), number(found.fluctuation_percent), number(found.interval_cv_percent),
        number(found.rolling_sd_max_ms), "never" if found.converged_s is None else str(found.converged_s),
    )  # fmt: skip


def _minute_row(minute: Minute, memory_mb: float | None, number: Number) -> Row:
    throttled = None if minute.throttled_share is None else 100 * minute.throttled_share
    dropped = MISSING if minute.dropped is None else str(minute.dropped)
    latencies = (minute.fps, minute.p50_ms, minute.p99_ms, minute.max_ms)
    sensors = (minute.temperature_c, slowest_mhz(minute), throttled, minute.power_w, memory_mb)
    return (str(minute.number), *map(number, latencies), dropped, *map(number, sensors))


def _place_row(place: Place, number: Number) -> Row:
    return (
        place.name, f"{place.first}.", number(place.first_p50_ms), number(place.first_p99_ms),
        f"{place.last}.", number(place.last_p50_ms), number(place.last_p99_ms),
    )  # fmt: skip


def _stage_row(stage: StageSummary, number: Number) -> Row:
    share = stage.critical_share
    times = (stage.pre_p50_ms, stage.infer_p50_ms, stage.post_p50_ms, stage.p99_ms)
    return (
        stage.name, *map(number, times), str(stage.ran), str(stage.held), str(stage.skipped),
        MISSING if share is None else f"{100 * share:.0f}",
    )  # fmt: skip
