"""What is kept of a measurement for good: one session of one case, its verdicts, and notes. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.case import Case, Plan, Run

Purpose = Literal["check", "accept", "paired", "import"]


@dataclass(frozen=True, kw_only=True)
class RecordedVerdict:
    """A verdict with all that it was decided from, so that it can be decided again.

    rule: id and version of the procedure ("sessions-t/1"). inputs: its arguments as plain JSON. error_class: "INFRA"
    where the device itself disturbed the numbers; empty otherwise, and where it was recorded before that was kept.
    """

    metric: str
    outcome: str
    gate: bool
    rule: str
    inputs: Mapping[str, Any]
    sentence: str
    value: float | None
    limit: float | None
    error_class: str = ""


@dataclass(frozen=True, kw_only=True)
class SessionRecord:
    """One case measured in one session: the unit of replication.

    id: a UUID (version 4) as 32 hexadecimal digits. at: UTC, "2026-01-31T23:59:59Z". identity must match
    for two sessions to be compared; context is kept, and out of its band it disqualifies; provenance says
    who measured what: all three are flat, with JSON scalars. valid: False where the environment
    disqualified the session. values: metric name -> one finite value per fresh process, in the metric's
    unit. runs: the raw times; empty where they were pruned, imported without, or not asked for.
    """

    id: str
    at: str
    purpose: Purpose
    case: Case
    plan: Plan
    identity: Mapping[str, Any]
    context: Mapping[str, Any]
    provenance: Mapping[str, Any]
    simulated: bool
    valid: bool
    values: Mapping[str, tuple[float, ...]]
    runs: tuple[Run, ...] = ()
    verdicts: tuple[RecordedVerdict, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A remark on the history of one case, or of all where `case_key` is None; at: as in SessionRecord."""

    at: str
    kind: str
    text: str
    author: str
    case_key: str | None = None


@dataclass(frozen=True)
class Failure:
    """A case, or one of its metrics, of which a run was asked and has nothing.

    metric: "" where it is the whole case. kind: the name of the error's class, "not reached", or "refused" where it was
    measured and must not become a baseline.
    """

    case: Case
    metric: str
    kind: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRecord:
    """One pytest run or `harness accept`, also where it measured nothing.

    run: the `run` of its sessions' provenance. at: as in SessionRecord. policy: which outcomes were red, "" where none
    was chosen. asked: keys of the cases that it was to measure. selected: a choice of tests (-k, a
    node id) left some out, so that nothing follows from a metric that is not there. named: models were asked for by
    name, so that nothing follows from a case that is not there.
    """

    run: str
    at: str
    device: str
    command: str
    purpose: Purpose
    policy: str
    interrupted: bool
    asked: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    selected: bool = False
    named: bool = False
