"""A repository made by hand: a device, a model with real files, and a history of their sessions."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.baseline import Baseline, BaselineSession, baseline_path, write_baseline
from harness.case import Case
from harness.history import open_history
from harness.record import RecordedVerdict, RunRecord, SessionRecord
from harness.trendreport import read_trends
from harness.trendreport.model import Deployment, Evidence, Trends
from tests.simulated import CHECKOUT
from tests.trendreport.histories import CASE, PARENT, budget, session, time_of

SHIPPED = CHECKOUT / "suites" / "models" / "eye_state"
DEVICE = 'transport = "local"\n[runtimes.ort]\nengine = "onnxruntime"\n'
HEAD = """
task = "classification"
[input]
width = 96
height = 96
[options]
classes = ["open", "closed"]
"""
FP32 = '[variants.fp32]\nmade = "by hand"\nfiles = { onnx = "fp32.onnx" }\n'
INT8 = '[variants.int8]\nparent = "fp32"\nfiles = { onnx = "int8.onnx" }\n'
CARD = f"{HEAD}{FP32}{INT8}"
PASSED = budget("frame_p99_ms", 40.0, 50.0)


def repository(root: Path, card: str = CARD, device: str = DEVICE) -> Path:
    """The root of one whose model "eyes" has the eye_state net's ONNX files, and whose device is "bench"."""
    folder = eyes(root)
    folder.mkdir(parents=True)
    (folder / "model.toml").write_text(card, encoding="utf-8")
    for name in ("fp32.onnx", "int8.onnx"):
        shutil.copy(SHIPPED / name, folder)
    (root / "devices").mkdir()
    (root / "devices" / "bench.toml").write_text(device, encoding="utf-8")
    return root


def eyes(root: Path) -> Path:
    """The folder of the model."""
    return root / "suites" / "models" / "eyes"


def digest(variant: str) -> str:
    """The hash of its ONNX file."""
    return hashlib.sha256((SHIPPED / f"{variant}.onnx").read_bytes()).hexdigest()


def measured(day: int, case: Case = CASE, build: str = "", verdicts: Sequence[RecordedVerdict] = (PASSED,),
             **changes: Any) -> SessionRecord:  # fmt: skip
    """A session of the file that the case's variant has, or of another build."""
    one = session(day, {"frame_p99_ms": (40.0,)}, case=case, verdicts=tuple(verdicts), **changes)
    return replace(one, provenance={**one.provenance, "model_sha256": build or digest(case.variant)})


def both(day: int = 1, **changes: Any) -> list[SessionRecord]:
    """A session of each variant."""
    return [measured(day, case, **changes) for case in (PARENT, CASE)]


def accept(root: Path, case: Case = CASE, build: str = "") -> Path:
    """A baseline of five sessions of the case's file, or of another build."""
    one = BaselineSession(
        at=time_of(0), unit="", values={"frame_p99_ms": (40.0,)}, context={},
        provenance={"model_sha256": build or digest(case.variant)},
    )  # fmt: skip
    path = baseline_path(root / "baselines", case)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_baseline(path, Baseline(
        case=case, accepted_at=time_of(1), accepted_by="ann", reason="new compiler", commit="abc123", identity={},
        context={}, advice=(), sessions=(one,) * 5,
    ))  # fmt: skip
    return path


def recipe(root: Path, variant: str = "int8", *techniques: str, facts: Mapping[str, Any], **changes: Any) -> Path:
    """VARIANT.recipe.json as `harness optimize` writes it beside the files of the variant that was taken."""
    path = eyes(root) / f"{variant}.recipe.json"
    name = f"{variant}.onnx"
    told = {
        "recipes": [{"name": variant, "technique": one} for one in techniques or ("static",)], "facts": facts,
        "files": {"onnx": {"name": name, "sha256": digest(variant), "size_bytes": 1}}, **changes,
    }  # fmt: skip
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def read(root: Path, sessions: Iterable[SessionRecord] = (), runs: Iterable[RunRecord] = ()) -> Trends:
    """The trends of a new history of these."""
    with open_history(root / "history.sqlite") as history:
        for one in sessions:
            history.record(one)
        for run in runs:
            history.record_run(run)
        return read_trends(history, root=root)


def checklist(root: Path, sessions: Iterable[SessionRecord] = (), runs: Iterable[RunRecord] = ()) -> Deployment:
    """The only one."""
    (found,) = read(root, sessions, runs).deployments
    return found


def evidence(found: Deployment, item: str, what: str = "int8/ort") -> Evidence:
    """The only evidence of an item for one thing."""
    told = found.item(item)
    assert told is not None, f"no item {item}"
    (one,) = (one for one in told.evidence if one.what == what)
    return one


def states(found: Deployment) -> dict[str, str]:
    """Item -> state."""
    return {one.name: one.state for one in found.items}
