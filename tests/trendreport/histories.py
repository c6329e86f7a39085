"""Histories made by hand: cases with known values, verdicts, baselines and raw frames."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Case, Plan, Run
from harness.comparison import TEST
from harness.history import open_history
from harness.history.trendrows import MeanRows, OutcomeRow, SessionHead, TrendRows
from harness.record import Annotation, Failure, RecordedVerdict, RunRecord, SessionRecord
from harness.rules import decide
from harness.telemetry import Channel, Trace
from harness.verdict import Verdict

CASE = Case("bench", "eyes", "int8", "ort")
PARENT = Case("bench", "eyes", "fp32", "ort")
IDENTITY = {"device": "bench", "soc": "i.MX8MP", "cores": 4, "engine": "onnxruntime", "version": "1.2.3"}


def time_of(day: int) -> str:
    """The time of that day's session, counted from 2026-01-01."""
    return f"{datetime(2026, 1, 1, 3) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"


def frames_run(typical_ms: float = 5.0, frames: int = 300, seed: int = 0, **facts: Any) -> Run:
    """A run of one process with frames around `typical_ms`, and a temperature that rises."""
    rng = np.random.default_rng(seed)
    frame = (typical_ms * 1e6 * (1 + 0.02 * rng.standard_normal(frames))).astype(np.int64)
    start = np.cumsum(frame)
    time = np.linspace(0, float(start[-1]), 20).astype(np.int64)
    heat = Trace(
        probe="heat", channels=(Channel("CPU", "C"),), time_ns=time, values=np.linspace(40.0, 45.0, 20).reshape(-1, 1),
        period_ns=100_000_000,
    )  # fmt: skip
    return Run(
        stages={"pre": frame // 10, "infer": frame // 2, "post": frame // 10}, frame_ns=frame, start_ns=start,
        cpu_ns=frame - 1000, warmup_ns=frame[:5],
        marks={"load_ns": 1.5e8, "harness_cost_median_ns": 900.0, "harness_cost_p99_ns": 2100.0},
        facts={"engine": "onnxruntime", "version": "1.2.3", "phases": {"frames": [0, int(start[-1])]}, **facts},
        traces=(heat,),
    )  # fmt: skip


def budget(metric: str, value: float, limit: float, gate: bool = True, better: str = "less") -> RecordedVerdict:
    """A verdict against a budget, as the harness decides it."""
    inputs = {"value": value, "limit": limit, "better": better, "strict": False}
    outcome = decide("limit/1", inputs).outcome.value
    return RecordedVerdict(
        metric=metric, outcome=outcome, gate=gate, rule="limit/1", inputs=inputs,
        sentence=f"{value:g} against {limit:g}", value=value, limit=limit,
    )  # fmt: skip


def change(metric: str, before: Sequence[float], now: Sequence[float], margin: float = 0.05) -> RecordedVerdict:
    """A verdict against a baseline, as the harness decides it; values of sessions, smaller is better."""
    inputs = {
        "baseline": [math.log(one) for one in before], "candidate": [math.log(one) for one in now], "margin": margin,
        "invalid": "", "unjudged": "", "disturbed": False, "unsteady": False, **TEST,
    }  # fmt: skip
    outcome = decide("sessions-t/1", inputs).outcome.value
    return RecordedVerdict(
        metric=metric, outcome=outcome, gate=True, rule="sessions-t/1", inputs=inputs, sentence="compared",
        value=float(np.mean(now)), limit=None,
    )  # fmt: skip


def session(day: int, values: Mapping[str, Sequence[float]], **changes: Any) -> SessionRecord:
    """A session on the given day since 2026-01-01; its id, run and commit follow from case, day and purpose."""
    case, purpose = changes.get("case", CASE), changes.get("purpose", "check")
    name = hashlib.sha256(f"{case.key} {day} {purpose} {changes.get('seed', 0)}".encode()).hexdigest()
    changes.pop("seed", None)
    made: dict[str, Any] = {
        "id": name[:32], "at": time_of(day), "purpose": purpose, "case": case, "plan": Plan("quick", 300),
        "identity": {**IDENTITY, "device": case.device}, "context": {"background_percent": 0.5},
        "simulated": False, "valid": True,
        "provenance": {
            "commit": f"{day:012x}", "subject": f"change {day}", "model_sha256": "ab" * 32, "harness": "0.1.0",
            "command": f"pytest suites/ --device={case.device}", "run": f"run{day:09}",
        },
        "values": {metric: tuple(found) for metric, found in values.items()}, "runs": (), "verdicts": (),
    }  # fmt: skip
    return SessionRecord(**{**made, **changes})


def write_history(path: Path, sessions: Sequence[SessionRecord]) -> Path:
    """An SQLite history that holds these sessions."""
    with open_history(path) as history:
        for one in sessions:
            history.record(one)
    return path


def steady_case(case: Case = CASE, days: int = 40, typical_ms: float = 5.0, seed: int = 1) -> list[SessionRecord]:
    """12 accepted sessions, then one checked session a day, all of the same build; the newest two with raw frames."""
    rng = np.random.default_rng(seed)
    typical = typical_ms * np.exp(0.01 * rng.standard_normal(days))
    accepted = [float(one) for one in typical[:12]]
    found = []
    for day in range(days):
        now = float(typical[day])
        values = {"frame_p25_ms": (now,), "frame_p99_ms": (1.5 * now,), "load_ms": (150.0,)}
        judged = day >= 12
        verdicts = (budget("frame_p99_ms", 1.5 * now, 50.0), change("frame_p25_ms", accepted, [now]))
        found.append(session(
            day, values, case=case, purpose="check" if judged else "accept", verdicts=verdicts if judged else (),
            runs=(frames_run(now, seed=day),) if day >= days - 2 or day == 11 else (),
        ))  # fmt: skip
    return found


def recorded(verdict: Verdict) -> RecordedVerdict:
    """A verdict as the history gives it back: its inputs have been JSON."""
    return RecordedVerdict(
        metric=verdict.metric, outcome=verdict.outcome.value, gate=verdict.gate, rule=verdict.rule,
        inputs=json.loads(json.dumps(verdict.inputs)), sentence=verdict.sentence, value=verdict.value,
        limit=verdict.limit,
    )  # fmt: skip


def state(metric: str, outcome: str, sentence: str = "so it was seen", gate: bool = True) -> RecordedVerdict:
    """A verdict that was seen and not computed."""
    return RecordedVerdict(
        metric=metric, outcome=outcome, gate=gate, rule="given/1", inputs={"outcome": outcome}, sentence=sentence,
        value=None, limit=None,
    )  # fmt: skip


def run(day: int, *asked: Case, failures: Sequence[Failure] = (), **changes: Any) -> RunRecord:
    """The run whose sessions `session` makes for that day."""
    made: dict[str, Any] = {
        "run": f"run{day:09}", "at": time_of(day), "device": asked[0].device if asked else "bench",
        "command": "pytest suites/", "purpose": "check", "policy": "nightly", "interrupted": False,
        "asked": tuple(one.key for one in asked),
    }  # fmt: skip
    return RunRecord(**{**made, **changes}, failures=tuple(failures))


def trend_rows(
    sessions: Sequence[SessionRecord], runs: Sequence[RunRecord] = (), annotations: Sequence[Annotation] = ()
) -> TrendRows:
    """What `History.trend_rows` gives for a history of these, without a file."""
    ordered = sorted(enumerate(sessions, 1), key=lambda pair: pair[1].at)
    identities = list({str(sorted(one.identity.items())): one.identity for one in sessions}.values())
    metrics = sorted({metric for one in sessions for metric in one.values})
    means = sorted(
        (number, metrics.index(metric), float(np.mean(values)))
        for number, one in ordered for metric, values in one.values.items()
    )  # fmt: skip
    numbers, codes, values = zip(*means) if means else ((), (), ())
    judged = {one.case: (number, one.verdicts) for number, one in ordered if one.verdicts}
    return TrendRows(
        heads=[
            SessionHead(number, one.id, one.at, one.purpose, one.case, identities.index(one.identity), one.provenance,
                        one.simulated, one.valid) for number, one in ordered
        ],
        identities=identities,
        means=MeanRows(
            metrics=tuple(metrics), session=np.array(numbers, np.int64), metric=np.array(codes, np.int32),
            value=np.array(values, np.float64),
        ),
        outcomes=[
            OutcomeRow(number, one.metric, one.outcome, one.gate, one.rule, one.value, one.limit, one.error_class)
            for number, judged_session in enumerate(sessions, 1) for one in judged_session.verdicts
        ],
        newest=dict(judged.values()), annotations=list(annotations), runs=list(runs),
    )  # fmt: skip
