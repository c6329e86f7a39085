"""Runs whose sensors told what a function of time says; seconds count from the start of the first idle phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.case import Run
from harness.telemetry import Array, Channel, PowerRule, Trace

Values = Callable[[Array], Any] | float
IDLE_S, WARMUP_S, FRAMES_S, FRAME_S, PERIOD_S = 5.0, 1.0, 20.0, 0.02, 0.05
BEGIN_S = IDLE_S + WARMUP_S
END_S = BEGIN_S + FRAMES_S
TOLD_S = END_S + IDLE_S
BOOTED_NS = 10**12
RULE = PowerRule("one rail", "board", ("VDD_IN",), "module")


def milliwatt(name: str = "VDD_IN", **more: Any) -> Channel:
    return Channel(name, "mW", **more)


def working(idle: float, load: float, after: float | None = None) -> Callable[[Array], Array]:
    """`idle` through the first idle phase, `load` until the frames end, then `after`, or `idle` again."""
    late, slack_s = idle if after is None else after, 1e-6
    return lambda at_s: np.where(at_s < IDLE_S + slack_s, idle, np.where(at_s < END_S + slack_s, load, late))


def trace(
    columns: Mapping[Channel, Values], *, probe: str = "board", period_s: float = PERIOD_S, told_s: float = TOLD_S,
    silent: Callable[[Array], Array] | None = None, **more: Any,
) -> Trace:  # fmt: skip
    """A probe that was read every `period_s` from 0 to `told_s`; at those times that are `silent` no sample came."""
    at_s = np.arange(0, round((told_s + 1e-9) / period_s) + 1) * period_s
    at_s = at_s[~silent(at_s)] if silent else at_s
    told = [one(at_s) if callable(one) else np.full(len(at_s), float(one)) for one in columns.values()]
    values = np.stack(told, axis=1).astype(np.float64) if told else np.zeros((len(at_s), 0))
    return Trace(probe, tuple(columns), nanoseconds(at_s), values, round(period_s * 1e9), **more)


def run_of(
    *traces: Trace, rule: PowerRule | None = RULE, frames_s: float = FRAMES_S, frame_s: float = FRAME_S,
    phases: Mapping[str, tuple[float, float]] | None = None, marks: Mapping[str, float] | None = None, **facts: Any,
) -> Run:  # fmt: skip
    """Frames back to back for `frames_s`, between two idle phases, or with `phases` of one's own."""
    count = round(frames_s / frame_s)
    end_s = BEGIN_S + count * frame_s
    spans = {"idle_before": (0.0, IDLE_S), "frames": (BEGIN_S, end_s), "idle_after": (end_s, end_s + IDLE_S)}
    known = {name: nanoseconds(np.array(span)).tolist() for name, span in (spans if phases is None else phases).items()}
    asked = {} if rule is None else {"power": vars(rule)}
    frame_ns = np.full(count, round(frame_s * 1e9))
    edge = np.full(count, 1_000_000)
    return Run(
        stages={"pre": edge, "infer": frame_ns - 2 * edge, "post": edge}, frame_ns=frame_ns,
        start_ns=nanoseconds(BEGIN_S) + np.arange(count) * round(frame_s * 1e9), cpu_ns=edge[:0], warmup_ns=edge[:0],
        marks=dict(marks or {}), facts={"phases": known, **asked, **facts}, traces=traces,
    )  # fmt: skip


def nanoseconds(at_s: Array) -> Array:
    """On a clock that has run for some time."""
    return BOOTED_NS + np.round(np.asarray(at_s) * 1e9).astype(np.int64)
