"""Rows and results made by hand."""

from __future__ import annotations

from typing import Any

from harness.optimise.pareto import best, standings
from harness.optimise.results import Result
from harness.optimise.rows import Interval, Judged, Row

PARENT = "fp32"


def judged(metric: str, outcome: str = "PASS", gate: bool = True) -> Judged:
    return Judged(metric=metric, outcome=outcome, gate=gate, sentence=f"{metric} was judged")


def row(
    candidate: str, p50_ms: float = 1.0, loss: float = 0.0, size_mb: float = 1.0, speedup: float | None = 2.0,
    runtime: str = "onnxruntime", energy_mj: float | None = None, refused: str = "", **changes: Any,
) -> Row:  # fmt: skip
    """A good row; `refused` names the metric whose verdict is FAIL."""
    energy = {} if energy_mj is None else {"energy_per_frame_mj": energy_mj}
    limits = ("outputs_alive", "accuracy_loss_points", "frame_p99_ms", "peak_memory_mb")
    values: dict[str, Any] = {
        "candidate": candidate, "runtime": runtime, "beside": "" if candidate == PARENT else runtime,
        "file_format": "onnx", "sha256": "0" * 64, "at": "2026-11-21T10:00:00Z", "frames": 8000, "score": "accuracy",
        "values": {"frame_p50_ms": p50_ms, "frame_p99_ms": 1.2 * p50_ms, "infer_p25_ms": 0.8 * p50_ms,
                   "file_size_mb": size_mb, **energy},
        "typical_ms": p50_ms,
        "accuracy": Interval(value=97.0 - loss, low=96.0 - loss, high=98.0 - loss),
        "loss": Interval(value=loss, low=loss - 0.2, high=loss + 0.2),
        "speedup": None if speedup is None or candidate == PARENT else Interval(
            value=speedup, low=0.95 * speedup, high=1.05 * speedup),
        "infer_speedup": None if speedup is None or candidate == PARENT else Interval(value=speedup),
        "verdicts": tuple(judged(one, "FAIL" if one == refused else "PASS") for one in limits),
        "facts": {"engine": "onnxruntime", "version": "1.31.1", "cpu": "A processor", "cores": 2},
    }  # fmt: skip
    return Row(**{**values, **changes})


def result(*rows: Row, **changes: Any) -> Result:
    """A result of these rows; every candidate was made by a recipe of its own."""
    names = dict.fromkeys(one.candidate for one in rows if one.candidate != PARENT)
    values: dict[str, Any] = {
        "model": "eyes", "device": "host", "description": "a machine", "simulated": False, "parent": PARENT,
        "at": "2026-11-21T12:00:00Z", "harness": "0.1.0", "seed": 1, "plan": "standard", "frames": 8000,
        "loss_points": 1.0, "latency_ms": 20.0, "rows": rows, "standings": standings(rows, PARENT),
        "best": best(rows, PARENT), "made": {name: made(name) for name in names}, "libraries": {"onnx": "1.23.2"},
    }  # fmt: skip
    return Result(**{**values, **changes})


def made(name: str, **files: dict[str, Any]) -> dict[str, Any]:
    recipe = {"name": name, "technique": "static", "parent": PARENT, "options": {"method": "minmax"}, "seed": 1}
    return {"recipe": recipe, "files": files, "facts": {}, "failures": {}, "reason": ""}
