"""Small sessions made by hand, with numbers that a test can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Case, Plan, Run
from harness.measurement import Measurement
from harness.model import Input, ModelCard, Variant
from harness.plans import PLANS
from harness.prepare import Setup
from harness.profile import DeviceProfile
from harness.rules import Outcome
from harness.session import Session
from harness.tasks import Score
from harness.verdict import Verdict

MARKS = {
    "import_ns": 50e6, "load_ns": 120e6, "first_inference_ns": 9e6, "file_bytes": 400_000.0,
    "rss_before_import_bytes": 60e6, "rss_after_import_bytes": 90e6, "rss_after_load_bytes": 95e6,
    "rss_steady_bytes": 100e6, "peak_steady_bytes": 110e6,
    "harness_cost_median_ns": 1200.0, "harness_cost_p99_ns": 2500.0,
    "harness_residual_median_ns": 400.0, "harness_residual_p99_ns": 900.0, "timer_resolution_ns": 40.0,
}  # fmt: skip
FACTS = {
    "engine": "onnxruntime", "version": "1.2.3", "precision": "fp32", "threads": 1, "placement": {"CPU": 1.0},
    "model_sha256": "ab" * 32, "steady": True,
}  # fmt: skip


def run(frames: int = 660, infer_ms: float = 5.0, marks: Mapping[str, float] | None = None, **facts: Any) -> Run:
    """Frames of 0.2 ms pre, `infer_ms`, 0.1 ms post and 400 ns of harness; the last frame is 1 ms slower."""
    infer = np.full(frames, round(infer_ms * 1e6), np.int64)
    infer[-1:] += 1_000_000
    pre, post = np.full(frames, 200_000, np.int64), np.full(frames, 100_000, np.int64)
    frame = pre + infer + post + 400
    return Run(
        stages={"pre": pre, "infer": infer, "post": post}, frame_ns=frame, start_ns=np.cumsum(frame) - frame,
        cpu_ns=frame - 1000, warmup_ns=frame[:50], marks=MARKS if marks is None else marks, facts={**FACTS, **facts},
    )  # fmt: skip


def card(name: str = "eyes", variants: Mapping[str, str] | None = None) -> ModelCard:
    """A classification card; `variants` maps a variant to its parent."""
    known = {"fp32": "", "int8": "fp32"} if variants is None else variants
    made = {one: Variant(files={"onnx": f"{one}.onnx"}, parent=parent) for one, parent in known.items()}
    return ModelCard(
        name=name, task="classification", input=Input(width=32, height=20), variants=made,
        options={"classes": ("open", "closed")},
    )  # fmt: skip


def session(
    *measured: Measurement, cards: Sequence[ModelCard] = (), plan: str = "standard", **profile: Any
) -> Session:  # fmt: skip
    """A session of the device "bench" with the runtime "ort" that has already measured `measured`.

    Without `cards` it has one for each model that was measured.
    """
    device = DeviceProfile(**{"name": "bench", "runtimes": {"ort": {"engine": "onnxruntime"}}, **profile})
    models = dict.fromkeys(one.case.model for one in measured) or ("eyes",)
    setup = Setup(
        profile=device, cards=tuple(cards) or tuple(map(card, models)), plan=PLANS[plan], work=Path(), cache=Path()
    )
    made = Session(setup=setup, progress=lambda *said: None)
    made.measurements.update({one.case: one for one in measured})
    return made


def case(variant: str = "fp32", model: str = "eyes") -> Case:
    """A case of `session`."""
    return Case("bench", model, variant, "ort")


def measurement(of: Case | None = None, *runs: Run, plan: Plan = PLANS["standard"], **more: Any) -> Measurement:
    """`of` measured; one plain run where none is given."""
    return Measurement(case=of or case(), plan=plan, runs=runs or (run(),), **more)


def score(value: float = 97.5) -> Score:
    """An accuracy of `value` per cent."""
    return Score("accuracy", value, 52.0, None, {"recall_open_percent": 96.0}, 2000, 2600)


def verdict(outcome: str = "PASS", of: Case | None = None, **fields: Any) -> Verdict:
    """A verdict on the frame's P99, by default a gate of 50 ms."""
    value = {"metric": "frame_p99_ms", "value": 5.3, "unit": "ms", "limit": 50.0, "gate": True, "sentence": "so it is",
             "margin_percent": 89.4}  # fmt: skip
    return Verdict(**{"case": of or case(), "outcome": Outcome(outcome), **value, **fields})
