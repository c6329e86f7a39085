"""Session records made by hand, and what makes two of them equal."""

from __future__ import annotations

import uuid
from dataclasses import fields, replace
from typing import Any

import numpy as np

from harness.case import Case, Plan, Run
from harness.record import Failure, RecordedVerdict, RunRecord, SessionRecord

CASE = Case("bench", "eyes", "int8", "ort")
OTHER = Case("bench", "gaze", "fp32", "ort")
IDENTITY = {"soc": "i.MX8MP", "cores": 4, "engine": "onnxruntime 1.2.3"}
ARRAYS = ("frame_ns", "start_ns", "cpu_ns", "warmup_ns")


def run(frames: int = 60, **changes: Any) -> Run:
    """A run of about 5 ms a frame."""
    frame = (5e6 + 1e5 * np.random.default_rng(frames).standard_normal(frames)).astype(np.int64)
    values: dict[str, Any] = {
        "stages": {"pre": frame // 10, "infer": frame // 2, "post": frame // 10}, "frame_ns": frame,
        "start_ns": np.cumsum(frame), "cpu_ns": frame - 1000, "warmup_ns": frame[:5],
        "marks": {"load_ns": 1.5e8}, "facts": {"engine": "ort", "placement": {"CPU": 1.0}},
    }  # fmt: skip
    return Run(**{**values, **changes})


def verdict(outcome: str = "PASS", **changes: Any) -> RecordedVerdict:
    """A verdict on the frame's P99."""
    values: dict[str, Any] = {
        "metric": "frame_p99_ms", "outcome": outcome, "gate": True, "rule": "limit/1",
        "inputs": {"value": 5.5, "limit": 50.0, "missed": [3, 9]}, "sentence": "so it is", "value": 5.5, "limit": 50.0,
    }  # fmt: skip
    return RecordedVerdict(**{**values, **changes})


def record(day: int = 1, **changes: Any) -> SessionRecord:
    """A session of two processes on some day of January."""
    values: dict[str, Any] = {
        "id": uuid.uuid4().hex, "at": f"2026-01-{day:02}T03:00:00Z", "purpose": "check", "case": CASE,
        "plan": Plan("quick", 60), "identity": IDENTITY, "context": {"temperature_c": 41.5}, "simulated": False,
        "provenance": {"commit": "abc", "dirty": None}, "valid": True,
        "values": {"frame_p50_ms": (5.0, 5.1), "load_ms": (150.0, 151.0)},
        "runs": (run(),), "verdicts": (verdict(),),
    }  # fmt: skip
    return SessionRecord(**{**values, **changes})


def run_record(day: int = 1, **changes: Any) -> RunRecord:
    """A run of pytest on some day of January that was asked for two cases and got one."""
    values: dict[str, Any] = {
        "run": uuid.uuid4().hex[:12], "at": f"2026-01-{day:02}T03:00:00Z", "device": "bench",
        "command": "pytest suites/ --device=bench", "purpose": "check", "policy": "nightly", "interrupted": False,
        "asked": (CASE.key, OTHER.key), "failures": (Failure(OTHER, "", "EngineError", "it refuses the model"),),
    }  # fmt: skip
    return RunRecord(**{**values, **changes})


def same(one: SessionRecord, other: SessionRecord) -> bool:
    """Equal in every field, to the last nanosecond and with the types of the arrays."""
    return replace(one, runs=()) == replace(other, runs=()) and list(map(comparable, one.runs)) == list(
        map(comparable, other.runs)
    )


def comparable(one: Run) -> dict[str, Any]:
    """A run as values that can be compared."""
    found = {field.name: getattr(one, field.name) for field in fields(one)}
    found |= {name: (found[name].dtype, found[name].tolist()) for name in ARRAYS}
    return {**found, "stages": {name: (values.dtype, values.tolist()) for name, values in one.stages.items()}}
