"""Session records as rows and back. What cannot be kept exactly is refused; what is damaged is a ValueError."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table

from harness.case import CAMERA, Array, Case, Plan, Run, camera_columns
from harness.errors import HarnessError
from harness.history.nanoseconds import pack_ns, unpack_ns
from harness.history.schema import POINT, RAW, RUN, VERDICT
from harness.history.traces import columns_of, traces_of
from harness.record import RecordedVerdict, SessionRecord

COLUMNS = ("frame_ns", "start_ns", "cpu_ns", "warmup_ns")
STAGE = "stage_"
TRACES = "traces"
TIME = "%Y-%m-%dT%H:%M:%SZ"
_ID = re.compile(r"[0-9a-f]{32}")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_JSON_REMEDY = "record text, true, false, null and finite numbers only"

Entries = list[dict[str, Any]]


def identity_sha256(identity: Mapping[str, Any]) -> str:
    """The hash of an identity; equal for equal names and values in any order."""
    return hashlib.sha256(b"identity/1\n" + _flat(identity, "identity").encode("ascii")).hexdigest()


def session_row(session: SessionRecord) -> dict[str, Any]:
    """The row of the table session; HarnessError where a value cannot be kept."""
    if not _ID.fullmatch(session.id):
        raise HarnessError("a session's id has 32 hexadecimal digits", where=session.id, remedy="use uuid4().hex")
    return {
        **asdict(session.case),
        "id": session.id,
        "at": checked_time(session.at),
        "purpose": session.purpose,
        "plan": _json(asdict(session.plan), "plan"),
        "identity": _flat(session.identity, "identity"),
        "identity_sha256": identity_sha256(session.identity),
        "context": _flat(session.context, "context"),
        "provenance": _flat(session.provenance, "provenance"),
        "simulated": session.simulated,
        "valid": session.valid,
    }


def child_rows(session: SessionRecord) -> dict[Table, Entries]:
    """The rows of the other tables, still without the session's number; parents come before their children."""
    runs = list(enumerate(session.runs))
    return {
        POINT: [point for metric, values in session.values.items() for point in _points(metric, values)],
        RUN: [_run(number, run) for number, run in runs],
        RAW: [raw for number, run in runs for raw in _raw(number, run)],
        VERDICT: [_verdict(number, verdict) for number, verdict in enumerate(session.verdicts)],
    }


def session_of(row: Row[Any], children: Mapping[Table, list[Row[Any]]]) -> SessionRecord:
    """The record that the rows were made from; any exception means damage."""
    values: dict[str, list[float]] = defaultdict(list)
    for point in children[POINT]:
        values[point.metric].append(finite(float(point.value), point.metric))
    return SessionRecord(
        id=row.id, at=checked_time(row.at), purpose=row.purpose,
        case=Case(row.device, row.model, row.variant, row.runtime), plan=_plan(row.plan),
        identity=table(row.identity), context=table(row.context), provenance=table(row.provenance),
        simulated=row.simulated, valid=row.valid,
        values={metric: tuple(found) for metric, found in values.items()},
        runs=tuple(_runs(children[RUN], children[RAW])), verdicts=tuple(map(verdict_of, children[VERDICT])),
    )  # fmt: skip


def checked_time(at: str) -> str:
    """`at` where it is of the form 2026-01-31T23:59:59Z, otherwise HarnessError."""
    try:
        if _AT.fullmatch(at) and datetime.fromisoformat(at):
            return at
    except ValueError:
        pass
    raise HarnessError("not a time in UTC", where=at, remedy="write it as 2026-01-31T23:59:59Z")


def _points(metric: str, values: tuple[float, ...]) -> Iterator[dict[str, Any]]:
    if not values:
        raise HarnessError("a metric without values", where=metric, remedy="leave it out")
    for process, value in enumerate(values):
        yield {"metric": metric, "process": process, "value": finite(value, metric)}


def _run(number: int, run: Run) -> dict[str, Any]:
    return {
        "number": number,
        "facts": _json({**run.facts, **_told(run)}, f"facts of run {number}"),
        "marks": _json(run.marks, f"marks of run {number}"),
    }


def _told(run: Run) -> dict[str, Any]:
    """The traces but for their columns, which lie with the raw times."""
    return {TRACES: [one.to_wire() for one in run.traces]} if run.traces else {}


def _raw(number: int, run: Run) -> Iterator[dict[str, Any]]:
    columns: dict[str, Array] = {name: getattr(run, name) for name in COLUMNS}
    columns |= {f"{STAGE}{name}": values for name, values in run.stages.items()}
    columns |= {f"{CAMERA}{name}": values for name, values in run.camera.items()}
    columns |= columns_of(run.traces)
    for name, values in columns.items():
        yield {"run": number, "name": name, "length": len(values), "data": pack_ns(values)}


def _verdict(number: int, verdict: RecordedVerdict) -> dict[str, Any]:
    where = f"verdict on {verdict.metric}"
    return {
        "number": number, "metric": verdict.metric, "outcome": str(verdict.outcome), "gate": verdict.gate,
        "rule": verdict.rule, "inputs": _json(verdict.inputs, where), "sentence": verdict.sentence,
        "value": _optional(verdict.value, where), "limit_value": _optional(verdict.limit, where),
        "error_class": verdict.error_class,
    }  # fmt: skip


def verdict_of(row: Row[Any]) -> RecordedVerdict:
    """The verdict of a row; any exception means damage."""
    return RecordedVerdict(
        metric=row.metric, outcome=row.outcome, gate=row.gate, rule=row.rule, inputs=table(row.inputs),
        sentence=row.sentence, value=_optional(row.value, row.metric), limit=_optional(row.limit_value, row.metric),
        error_class=row.error_class,
    )  # fmt: skip


def _plan(text: str) -> Plan:
    """What this version still knows of the plan; what it has added since takes its default."""
    found = table(text)
    return Plan(**{one.name: found[one.name] for one in fields(Plan) if one.name in found})


def _runs(runs: Iterable[Row[Any]], raws: Iterable[Row[Any]]) -> Iterator[Run]:
    columns: dict[int, dict[str, Array]] = defaultdict(dict)
    for raw in raws:
        columns[raw.run][raw.name] = unpack_ns(raw.data, raw.length)
    for run in runs:
        found = columns[run.number]
        stages = {name.removeprefix(STAGE): values for name, values in found.items() if name.startswith(STAGE)}
        facts = table(run.facts)
        traces = traces_of(facts.pop(TRACES, []), found)
        yield Run(
            stages=stages, frame_ns=found["frame_ns"], start_ns=found["start_ns"], cpu_ns=found["cpu_ns"],
            warmup_ns=found["warmup_ns"], marks=table(run.marks), facts=facts, traces=traces,
            camera=camera_columns(found),
        )  # fmt: skip


def _flat(values: Mapping[str, Any], where: str) -> str:
    for name, value in values.items():
        if not (value is None or isinstance(value, str | bool | int | float)):
            raise HarnessError(f"{type(value).__name__} is no scalar", where=f"{where}.{name}", remedy=_JSON_REMEDY)
    return _json(values, where)


def _json(values: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(dict(values), allow_nan=False, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise HarnessError(f"cannot be kept: {error}", where=where, remedy=_JSON_REMEDY) from error


def table(text: str) -> dict[str, Any]:
    """The JSON object that is written there; ValueError where it is none."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"not a table: {text[:80]}")
    return found


def _optional(value: float | None, where: str) -> float | None:
    return None if value is None else finite(float(value), where)


def finite(value: float, where: str) -> float:
    """The value, which belongs to `where`; HarnessError for NaN and infinity."""
    if not math.isfinite(value):
        raise HarnessError(f"{value} is not a finite number", where=where, remedy="leave the metric out")
    return float(value)
