"""What a baseline file holds, and how it is written so that a diff of it reads: one line per session."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any, Protocol, TypeAlias

from harness.case import Case
from harness.errors import HarnessError
from harness.metrics import METRICS

SCHEMA_VERSION = 1
DIGEST_DIGITS = 8
SIGNIFICANT_DIGITS = 4
Scalar: TypeAlias = str | int | float | bool | None
Band: TypeAlias = tuple[float, float]
# Metrics of these units are stored as integers of the smaller one, under its name.
STORED = {"ms": ("_ms", "_ns", 1_000_000), "MB": ("_mb", "_bytes", 1_000_000)}


class BaselineError(HarnessError):
    """A baseline file that cannot be trusted, or cannot be written."""


@dataclass(frozen=True, kw_only=True)
class BaselineSession:
    """values: metric -> one number per fresh process, in the metric's unit. unit: a mark of the device.

    at: UTC, 2026-11-20T20:46:20Z. context: what it was like then. provenance: what a change may be blamed on.
    """

    at: str
    unit: str
    values: Mapping[str, tuple[float, ...]]
    context: Mapping[str, Scalar]
    provenance: Mapping[str, Scalar]


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What was accepted of a case, at a time (as in a session), by whom, why and on which commit (empty: none).

    identity: what must be equal to compare. context: what was the same for all sessions, or a band (low, high).
    advice: metrics that were too noisy in their own sessions to gate.
    """

    case: Case
    accepted_at: str
    accepted_by: str
    reason: str
    commit: str
    identity: Mapping[str, Scalar]
    context: Mapping[str, Scalar | Band]
    advice: tuple[str, ...]
    sessions: tuple[BaselineSession, ...]


class HasValues(Protocol):
    """A session of a baseline or of the history."""

    @property
    def values(self) -> Mapping[str, tuple[float, ...]]: ...


def session_logs(sessions: Sequence[HasValues], metric: str) -> list[float]:
    """Per session the mean of the natural logs over its processes, signed so that larger is worse."""
    sign = 1 if METRICS[metric].better == "less" else -1
    return [sign * mean(map(math.log, one.values[metric])) for one in sessions]


def stored_name(metric: str) -> str:
    """The key of a metric in the file, with the unit that stands there."""
    suffix, stored, _ = STORED.get(METRICS[metric].unit, ("", "", 1))
    return metric.removesuffix(suffix) + stored if suffix and metric.endswith(suffix) else metric


METRIC_OF = {stored_name(name): name for name in METRICS}


def is_whole(metric: str) -> bool:
    """True where the file holds an integer of the smaller unit."""
    return stored_name(metric) != metric


def stored_value(metric: str, value: float) -> float | int:
    """The number in the file: an integer of the smaller unit, else four significant digits."""
    if is_whole(metric):
        return round(value * STORED[METRICS[metric].unit][2])
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def loaded_value(metric: str, stored: float) -> float:
    """The number in the metric's own unit."""
    return stored / STORED[METRICS[metric].unit][2] if is_whole(metric) else float(stored)


def baseline_text(baseline: Baseline) -> str:
    """The whole file: sorted keys, one line per session and per condition of identity, the same bytes every time.

    ValueError, OverflowError or TypeError for what JSON cannot say: NaN, infinity, numbers that are not Python's.
    """
    header, sessions = header_of(baseline), [_session_table(one) for one in baseline.sessions]
    header["digest"] = header_digest(header, [str(one["digest"]) for one in sessions])
    lines = [f" {json.dumps(name)}: {_block(name, value)}" for name, value in sorted(header.items())]
    rows = ",\n".join(f"  {_line(one)}" for one in sessions)
    return "{\n" + ",\n".join([*lines, f' "sessions": [\n{rows}\n ]']) + "\n}\n"


def header_of(baseline: Baseline) -> dict[str, Any]:
    """Everything but the sessions and the digest."""
    return {
        "schema_version": SCHEMA_VERSION,
        "case": asdict(baseline.case),
        "accepted": {
            "at": baseline.accepted_at, "by": baseline.accepted_by, "reason": baseline.reason,
            "commit": baseline.commit,
        },
        "identity": dict(baseline.identity),
        "context": dict(baseline.context),
        "advice": sorted(baseline.advice),
    }  # fmt: skip


def session_digest(table: Mapping[str, Any]) -> str:
    """Of a session's line, without the digest itself."""
    return _digest({name: value for name, value in table.items() if name != "digest"})


def header_digest(header: Mapping[str, Any], session_digests: Sequence[str]) -> str:
    """Of everything else, and of which sessions there are."""
    rest = {name: value for name, value in header.items() if name not in ("digest", "sessions")}
    return _digest({**rest, "sessions": list(session_digests)})


def _session_table(session: BaselineSession) -> dict[str, Any]:
    table = {
        "at": session.at, "unit": session.unit, "context": dict(session.context),
        "provenance": dict(session.provenance),
        "values": {
            stored_name(name): [stored_value(name, one) for one in values] for name, values in session.values.items()
        },
    }  # fmt: skip
    return {**table, "digest": session_digest(table)}


def _block(name: str, value: Any) -> str:
    if name != "identity":
        return _line(value)
    return "{\n" + ",\n".join(f"  {json.dumps(key)}: {_line(one)}" for key, one in sorted(value.items())) + "\n }"


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _digest(value: Any) -> str:
    return hashlib.sha256(_line(value).encode()).hexdigest()[:DIGEST_DIGITS]
