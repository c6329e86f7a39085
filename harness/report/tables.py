"""What was measured, as tables: stage latency, its roofline, memory, each variant against its parent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import numpy as np

from harness.measurement import Measurement, steady
from harness.metrics import METRICS
from harness.report.budget_tables import advice_table, gate_table
from harness.report.change_tables import change_table
from harness.report.layout import Row, Table
from harness.report.pace_tables import pace_tables, soak_tables
from harness.report.placement_table import placement_table
from harness.report.roofline_table import roofline_table
from harness.report.sensor_tables import energy_table, heat_table
from harness.report.values import measured_cases, number, simulated, simulated_note, titled
from harness.session import Session
from harness.stats.bounds import quantile_upper_bound

LATENCY = {
    "load": "load_ms", "first": "first_inference_ms", "pre": "pre_p50_ms", "infer": "infer_p50_ms",
    "post": "post_p50_ms", "total": "frame_p50_ms", "P99": "frame_p99_ms", "max": "frame_max_ms",
    "CPU": "frame_cpu_p50_ms",
}  # fmt: skip
STEADINESS = {
    "fps": "fps_mean", "worst window": "fps_worst_window", "fluct %": "fps_fluctuation_percent",
    "p99/p50": "frame_p99_over_p50", "p99.9": "frame_p999_ms", "max": "frame_max_ms", "longest gap": "longest_gap_ms",
}  # fmt: skip
MEMORY = {
    "peak MB": "peak_memory_mb", "model MB": "model_memory_mb", "runtime MB": "runtime_memory_mb",
    "GPU MB": "gpu_memory_mb", "PSS MB": "pss_mb", "kB/frame": "memory_growth_kb_per_frame",
    "file MB": "file_size_mb", "of device %": "memory_share_percent",
}  # fmt: skip
LATENCY_NOTE = (
    "service time: from a frame's start to its result; pre, infer, post, total, CPU: median (p50) of a frame; "
    "P99: nearest rank, then its 95 % upper bound; -: not known"
)
STEADINESS_NOTE = (
    "fps: back to back, not at a camera's pace; worst window, fluct: of 30-frame windows; p99.9: from 2,995 frames on; "
    "max, longest gap between results: ms"
)
MEMORY_NOTE = (
    "peak: of the worker process, on a Jetson with its GPU buffers; model: growth at load; runtime: growth since "
    "before the engine's import; PSS: shared pages counted in part; kB/frame: growth while frames ran"
)
COMPARISON_NOTE = (
    "frames: scored, of those in the data set; before, now: per cent, of the parent and of this variant; loss: points; "
    "blind: the best answer that never looks at a frame; smaller: the parent's file size over this one's; "
    "faster: the infer p50 likewise"
)
UNSTEADY_NOTE = "*: not steady, the warm-up reached its cap before two windows agreed"
PRETENDED_NOTE = "~: SIMULATED engine"


def all_tables(session: Session) -> list[Table]:
    """Every table of the report in reading order; those without rows are left out."""
    makers = (
        latency_table, steadiness_table, pace_tables, roofline_table, placement_table, memory_table, soak_tables,
        energy_table, heat_table, comparison_table, change_table, gate_table, advice_table,
    )  # fmt: skip
    made = (maker(session) for maker in makers)
    return [table for some in made for table in ((some,) if isinstance(some, Table) else some) if table.rows]


def latency_table(session: Session) -> Table:
    """One row per case with the median of each stage, the tail and the stability."""
    return Table(
        title=titled(session, "Stage latency, ms"),
        columns=("variant/runtime", *("P99 (bound)" if one == "P99" else one for one in LATENCY)),
        groups=_by_model(session, _latency_row),
        notes=(LATENCY_NOTE, *_unsteady_note(session), *_functional_note(session), *_pretended_note(session)),
    )


def steadiness_table(session: Session) -> Table:
    """One row per case with how even its frames are."""
    return Table(
        title=titled(session, "Steadiness"),
        columns=("variant/runtime", *STEADINESS),
        groups=_by_model(session, _steadiness_row),
        notes=(STEADINESS_NOTE, *_functional_note(session), *_pretended_note(session)),
    )


def memory_table(session: Session) -> Table:
    """One row per case with what it takes of memory and disk."""
    return Table(
        title=titled(session, "Memory"),
        columns=("variant/runtime", *MEMORY),
        groups=_by_model(session, _memory_row),
        notes=(MEMORY_NOTE, *_pretended_note(session)),
    )


def comparison_table(session: Session) -> Table:
    """One row per case that has a score or a parent: accuracy, size and speed against the parent."""
    return Table(
        title=titled(session, "Accuracy, and each variant against its parent"),
        columns=("variant/runtime", "parent", "score", "frames", "before", "now", "loss", "blind", "smaller", "faster"),
        groups=_by_model(session, _comparison_row),
        left=3,
        notes=(COMPARISON_NOTE, *_pretended_note(session)),
    )


def _by_model(session: Session, row: Callable[[Session, Measurement], Row]) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    grouped = groupby(measured_cases(session), key=lambda one: one.case.model)
    models = ((model, tuple(row(session, one) for one in members)) for model, members in grouped)
    filled = ((model, tuple(one for one in rows if one)) for model, rows in models)
    return tuple((model, rows) for model, rows in filled if rows)


def _latency_row(session: Session, measured: Measurement) -> Row:
    name = _name(session, measured) + ("" if steady(measured.runs) else " *")
    numbers = (_tail(measured) if one == "frame_p99_ms" else number(measured.value(one)) for one in LATENCY.values())
    return (name, *numbers)


def _steadiness_row(session: Session, measured: Measurement) -> Row:
    """Nothing at the camera's pace, which has tables of its own."""
    if any(run.camera for run in measured.runs):
        return ()
    return (_name(session, measured), *(number(measured.value(metric)) for metric in STEADINESS.values()))


def _memory_row(session: Session, measured: Measurement) -> Row:
    return (_name(session, measured), *(number(measured.value(metric)) for metric in MEMORY.values()))


def _tail(measured: Measurement) -> str:
    """P99 and its upper bound, or how many frames it needs."""
    value = measured.value("frame_p99_ms")
    if value is None:
        return f"needs {METRICS['frame_p99_ms'].min_frames} frames"
    bound = quantile_upper_bound(np.concatenate([run.frame_ns for run in measured.runs]), 0.99)
    return number(value) if bound is None else f"{number(value)} <={number(bound / 1e6)}"


def _comparison_row(session: Session, measured: Measurement) -> Row:
    parent, score = session.parent(measured.case), measured.score
    other = session.measurements.get(parent) if parent else None
    if parent is None and score is None:
        return ()
    before = measured.parent_score or (other.score if other else None)
    return (
        _name(session, measured), parent.variant if parent else "-", score.name if score else "-",
        f"{score.frames}/{score.of_frames}" if score else "-",
        number(before.value if before else None), number(score.value if score else None),
        number(before.value - score.value if before and score else None), number(score.trivial if score else None),
        _ratio(other, measured, "file_size_mb"), _ratio(other, measured, "infer_p50_ms"),
    )  # fmt: skip


def _ratio(parent: Measurement | None, measured: Measurement, metric: str) -> str:
    before, now = parent.value(metric) if parent else None, measured.value(metric)
    return f"{before / now:.2f}x" if before is not None and now else "-"


def _name(session: Session, measured: Measurement) -> str:
    mark = " ~" if _mixed(session) and simulated(measured) else ""
    return f"{measured.case.variant}/{measured.case.runtime}{mark}"


def _mixed(session: Session) -> bool:
    return simulated_note(session).startswith("partly")


def _unsteady_note(session: Session) -> tuple[str, ...]:
    return () if all(steady(one.runs) for one in session.measurements.values()) else (UNSTEADY_NOTE,)


def _functional_note(session: Session) -> tuple[str, ...]:
    plan = session.setup.plan
    return () if plan.judges_speed else (f"the plan {plan.name} is too short for these to say how fast anything is",)


def _pretended_note(session: Session) -> tuple[str, ...]:
    return (PRETENDED_NOTE,) if _mixed(session) else ()
