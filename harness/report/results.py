"""The raw results as strict JSON values; docs/results-format.md documents every field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.budgets import DERIVED
from harness.case import CAMERA, Array, Case, Run
from harness.energy import Energy
from harness.errors import HarnessError
from harness.history.traces import columns_of
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.parity import Parity
from harness.profile import DeviceProfile
from harness.report.banner import banner
from harness.report.environment import Environment
from harness.report.nanoseconds import encode_ns
from harness.report.pace_values import pace_values, ranking_values
from harness.report.plain import plain
from harness.report.roofline_table import roofline_values
from harness.report.values import all_cases, measured_cases, simulated, verdicts_of
from harness.session import Session
from harness.tasks import Score
from harness.verdict import Verdict
from harness.wording import unmeasured

SCHEMA_VERSION = 1
DEVICE_FIELDS = (
    "name", "description", "soc", "simulated", "embedded", "transport", "cpu_cores", "memory_limit_mib", "probes",
)  # fmt: skip


def results(session: Session, environment: Environment) -> dict[str, Any]:
    """Everything that the session knows, raw numbers included."""
    found: dict[str, Any] = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "environment": asdict(environment),
            "device": _device(session.setup.profile),
            "plan": asdict(session.setup.plan),
            "summary": asdict(banner(session)),
            "cases": [_case(session, case) for case in all_cases(session) if _has_result(session, case)],
            "not_reached": [case.key for case in _without_result(session) if case in session.asked],
            "not_asked": [case.key for case in _without_result(session) if case not in session.asked],
            "errors": [
                *(_error(case, error) for case, error in session.errors.items()),
                *({**_error(case, error), "metric": name} for (case, name), error in session.unanswered.items()),
            ],
            "soak_ranking": ranking_values(measured_cases(session)),
            "notes": session.notes,
        }
    )
    return found


def _device(profile: DeviceProfile) -> Mapping[str, Any]:
    essentials = {name: getattr(profile, name) for name in DEVICE_FIELDS}
    return {**essentials, "facts": profile.facts.model_dump(), "runtimes": profile.runtimes, **_sensors(profile)}


def _sensors(profile: DeviceProfile) -> Mapping[str, Any]:
    power = profile.power.model_dump() if profile.power else None
    return {"power": power, "conditions": profile.conditions.model_dump(exclude_defaults=True)}


def _has_result(session: Session, case: Case) -> bool:
    return case in session.measurements or case in session.errors


def _without_result(session: Session) -> list[Case]:
    return [case for case in all_cases(session) if not _has_result(session, case)]


def _case(session: Session, case: Case) -> Mapping[str, Any]:
    parent, card, measured = session.parent(case), session.cases.get(case), session.measurements.get(case)
    return {
        "key": case.key,
        **asdict(case),
        "task": card.task if card else None,
        "parent": parent.key if parent else None,
        "status": "measured" if measured else "error",
        "verdicts": [_verdict(one) for one in verdicts_of(session) if one.case == case],
        **({**_measured(measured), "roofline": roofline_values(session, measured)} if measured else {}),
    }


def _measured(measured: Measurement) -> Mapping[str, Any]:
    return {
        "simulated": simulated(measured),
        "device_memory_mb": measured.device_memory_mb,
        "metrics": {name: _metric(name, measured) for name in METRICS},
        "derived": {name: _derived(name, measured) for name in DERIVED},
        "score": _score(measured.score),
        "parent_score": _score(measured.parent_score),
        "parity": _parity(measured.parity),
        "energy": [_energy(one) for one in measured.energies],
        "condition_faults": measured.condition_faults(),
        "discarded_runs": len(measured.discarded),
        **pace_values(measured),
        "runs": [_run(run) for run in measured.runs],
    }


def _metric(name: str, measured: Measurement) -> Mapping[str, Any]:
    metric = METRICS[name]
    head = {"unit": metric.unit, "better": metric.better}
    value = plain(measured.value(name))
    if value is None:
        return {**head, "reason": unmeasured(name, measured)}
    per_run = [metric.value(run) for run in measured.runs] if len(measured.runs) > 1 else None
    return {**head, "value": value, "per_run": per_run}


def _derived(name: str, measured: Measurement) -> Mapping[str, Any] | None:
    value = plain(measured.value(name))
    return None if value is None else {"unit": DERIVED[name].unit, "better": DERIVED[name].better, "value": value}


def _energy(energy: Energy | str) -> Mapping[str, Any]:
    return {"reason": energy} if isinstance(energy, str) else {**asdict(energy), "resolved": energy.resolved}


def _score(score: Score | None) -> Mapping[str, Any] | None:
    if score is None:
        return None
    return {
        "name": score.name,
        "value": score.value,
        "trivial": score.trivial,
        "frames": score.frames,
        "of_frames": score.of_frames,
        "extras": score.extras,
    }


def _parity(parity: Parity | None) -> Mapping[str, Any] | None:
    if parity is None:
        return None
    slices = {name: asdict(one) for name, one in parity.slices.items()}
    return {"frames": parity.frames, "loss_points": parity.loss_points, "flips": parity.flips, "slices": slices}


def _run(run: Run) -> Mapping[str, Any]:
    columns = {**run.stages, "frame": run.frame_ns, "start": run.start_ns, "warmup": run.warmup_ns, **_camera(run)}
    return {
        "facts": run.facts, "marks": run.marks,
        "nanoseconds": {name: _column(values) for name, values in columns.items()},
        "cpu_nanoseconds": _column(run.cpu_ns),
        "traces": [one.to_wire() for one in run.traces],
        "trace_columns": {name: encode_ns(values) for name, values in columns_of(run.traces).items()},
    }  # fmt: skip


def _camera(run: Run) -> Mapping[str, Array]:
    return {f"{CAMERA}{name}": values for name, values in run.camera.items()}


def _column(values: Array) -> Mapping[str, Any] | None:
    if not len(values):
        return None
    return {
        "count": len(values), "min": values.min(), "median": np.median(values), "max": values.max(),
        "data": encode_ns(values),
    }  # fmt: skip


def _verdict(verdict: Verdict) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(verdict).items() if name != "case"}


def _error(case: Case, error: HarnessError) -> Mapping[str, Any]:
    return {"case": case.key, **error.to_wire()}
