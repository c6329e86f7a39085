"""Runs at the camera's pace, measured on the simulated engine, whose minutes pass at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Case, InputSpec, Job, Plan, Run, TaskSpec
from harness.frames import Frame, write_pack
from harness.measure import measure
from harness.plans import PLANS
from harness.telemetry import Telemetry

CAMERA, SOAK = PLANS["camera"], PLANS["soak"]
STALLING = {"tail_share": 0.0003, "tail_ms": 1000.0}
STAGES = {
    "face": {"pre_p50_ms": 0.4, "infer_p50_ms": 12.1, "post_p50_ms": 0.2, "p99_ms": 15.0, "ran": 1500, "held": 1500,
             "skipped": 0, "critical_share": 1.0},
    "eyes": {"pre_p50_ms": 0.2, "infer_p50_ms": 2.1, "post_p50_ms": None, "p99_ms": 3.0, "ran": 2900, "held": 0,
             "skipped": 100, "critical_share": 0.25},
}  # fmt: skip


def paced_run(folder: Path, plan: Plan = CAMERA, infer_ms: float = 5.2, **sim: Any) -> Run:
    """One process of the simulated engine, with its sensors; sim: what its .sim file says beside."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.sim").write_text(json.dumps({"infer_ms": infer_ms, **sim}), encoding="utf-8")
    write_pack(folder / "frames", (Frame(np.full((20, 32), grey, np.uint8)) for grey in (10, 240)))
    job = Job(
        case=Case("simulated", "eyes", "fp32", "simulated"), plan=plan, engine="simulated", options={"seed": 1},
        model_path=str(folder / "model.sim"), model_sha256="0" * 64, frames_path=str(folder / "frames"),
        input=InputSpec(32, 20), task=TaskSpec("classification", {"classes": ["dark", "bright"]}),
        telemetry=Telemetry(probes={"simulated": {}}),
    )  # fmt: skip
    kept: list[Run] = []
    measure(job, lambda *words: None, kept.append)
    return kept[0]


def cascaded(run: Run, **changes: Any) -> Run:
    """The same run, which tells of the stages of a cascade."""
    return replace(run, facts={**run.facts, "cascade": {"execution": "serial", "stages": STAGES, **changes}})
