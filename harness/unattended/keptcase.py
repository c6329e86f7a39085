"""A finished case in one file, so that a resumed run need not measure it again: what was measured, judged and refused.

REPORT/finished/MODEL.VARIANT.RUNTIME.npz: the arrays, and beside them the rest as JSON. Only the types named here come
back out of it, and nothing in it is ever run.
"""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Case, Plan, Run
from harness.errors import HarnessError
from harness.files import replace_in_order
from harness.measurement import Measurement
from harness.parity import Parity, SliceLoss
from harness.profile import Conditions
from harness.rules import Outcome
from harness.session import Session
from harness.tasks import Score
from harness.telemetry import Channel, Trace
from harness.verdict import Change, Verdict

FOLDER = "finished"
TEXT = "text"
TYPES: dict[str, type[Any]] = {
    one.__name__: one
    for one in (Case, Plan, Run, Measurement, Parity, SliceLoss, Score, Channel, Trace, Change, Verdict)
}


def kept_path(folder: Path, case: Case) -> Path:
    """Where the finished case lies in a report folder."""
    return folder / FOLDER / f"{case.model}.{case.variant}.{case.runtime}.npz"


def keep_case(session: Session, case: Case, folder: Path) -> None:
    """Write what the session knows of the case; HarnessError where it cannot be written."""
    told: dict[str, Any] = {
        "case": case,
        "record_id": session.record_id(case),
        "verdicts": [one for one in session.verdicts if one.case == case],
        "unanswered": {metric: error.to_wire() for (one, metric), error in session.unanswered.items() if one == case},
    }
    if case in session.measurements:
        told["measurement"] = _lean(session.measurements[case])
    if case in session.errors:
        told["error"] = session.errors[case].to_wire()
    path = kept_path(folder, case)
    try:
        replace_in_order({path: _packed(told)})
    except OSError as error:
        what = f"the finished case cannot be kept: {error.strerror or error}"
        raise HarnessError(what, where=str(path), remedy="free space there, or choose another --report") from error


def take_case(session: Session, case: Case, folder: Path) -> bool:
    """Put a kept case into the session as if it had been measured there; False where the file is not whole."""
    try:
        told = _unpacked(kept_path(folder, case).read_bytes())
        verdicts: list[Verdict] = told["verdicts"]
        record_id = uuid.UUID(told["record_id"]).hex
        measured: Measurement | None = told.get("measurement")
        if told["case"] != case:
            return False
        unanswered = {metric: HarnessError.from_wire(wire) for metric, wire in told["unanswered"].items()}
    except Exception:
        # Damage raises whatever it hits first: BadZipFile, EOFError, KeyError, struct.error and more.
        return False
    session.record_ids[case] = record_id
    session.errors.pop(case, None)  # a device out of reach now was not then
    if measured is not None:
        session.measurements[case] = replace(measured, wanted=session.setup.profile.conditions)
    if "error" in told:
        session.errors[case] = HarnessError.from_wire(told["error"])
    session.verdicts += verdicts
    session.unanswered.update({(case, metric): error for metric, error in unanswered.items()})
    return True


def _lean(measured: Measurement) -> Measurement:
    """Without predictions, which lie in the cache, and the profile's conditions, which are the profile's."""
    runs, discarded = (
        tuple(replace(run, predictions=()) for run in some) for some in (measured.runs, measured.discarded)
    )
    return replace(measured, runs=runs, discarded=discarded, wanted=Conditions())


def _packed(told: Mapping[str, Any]) -> bytes:
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    text = json.dumps(_frozen(told, arrays))
    content = io.BytesIO()
    columns: dict[str, Any] = {TEXT: np.frombuffer(text.encode(), np.uint8), **arrays}
    np.savez(content, **columns)
    return content.getvalue()


def _unpacked(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    found: dict[str, Any] = _thawed(json.loads(arrays.pop(TEXT).tobytes()), arrays)
    return found


def _frozen(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """`value` as JSON: ["kind", content] for all that JSON has no word for; its arrays go into `arrays`."""
    if isinstance(value, Outcome):
        return ["outcome", value.value]
    if isinstance(value, np.ndarray):
        name = f"a{len(arrays)}"
        arrays[name] = value
        return ["array", name]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Conditions):
        return ["conditions", None]
    if is_dataclass(value):
        own = {one.name: _frozen(getattr(value, one.name), arrays) for one in fields(value)}
        return [type(value).__name__, own]
    if isinstance(value, Mapping):
        return ["table", [[key, _frozen(one, arrays)] for key, one in value.items()]]
    if isinstance(value, tuple | list):
        return [type(value).__name__, [_frozen(one, arrays) for one in value]]
    return value


def _thawed(value: Any, arrays: Mapping[str, np.ndarray[Any, Any]]) -> Any:
    """What `_frozen` took apart; KeyError for a type that is none of ours."""
    if not isinstance(value, list):
        return value
    kind, content = value
    if kind in ("tuple", "list"):
        parts = [_thawed(one, arrays) for one in content]
        return tuple(parts) if kind == "tuple" else parts
    if kind == "table":
        return {key: _thawed(one, arrays) for key, one in content}
    if kind == "array":
        return arrays[content]
    if kind in ("outcome", "conditions"):
        return Outcome(content) if kind == "outcome" else Conditions()
    return TYPES[kind](**{name: _thawed(one, arrays) for name, one in content.items()})
