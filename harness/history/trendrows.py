"""What a trend report reads of the history: few columns of all sessions, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.case import Array, Case
from harness.record import Annotation, RecordedVerdict, RunRecord
from harness.record import Failure as Failure

# One pytest run or `harness accept`, also where it measured nothing.
RunRow = RunRecord


class SessionHead(NamedTuple):
    """A session without its numbers.

    number: its key in `MeanRows` and `OutcomeRow`; identity: index into `TrendRows.identities`.
    """

    number: int
    id: str
    at: str
    purpose: str
    case: Case
    identity: int
    provenance: Mapping[str, Any]
    simulated: bool
    valid: bool


class OutcomeRow(NamedTuple):
    """A verdict without its inputs and its sentence; error_class as in RecordedVerdict."""

    session: int
    metric: str
    outcome: str
    gate: bool
    rule: str
    value: float | None
    limit: float | None
    error_class: str = ""


@dataclass(frozen=True, kw_only=True)
class MeanRows:
    """The mean over the processes of every value, as three columns of one length, ordered by session and metric.

    session: int64 numbers; metric: int32 index into `metrics`; value: float64. left_out: metrics that the newest
    session of some case has values of, and that were not asked for.
    """

    metrics: tuple[str, ...]
    session: Array
    metric: Array
    value: Array
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrendRows:
    """All of it. heads: oldest first. outcomes: in the order of sessions and of their verdicts.

    newest: by number, the whole verdicts of each case's newest judged session, and of its newest one beside another
    build.
    """

    heads: Sequence[SessionHead]
    identities: Sequence[Mapping[str, Any]]
    means: MeanRows
    outcomes: Sequence[OutcomeRow]
    newest: Mapping[int, tuple[RecordedVerdict, ...]]
    annotations: Sequence[Annotation]
    runs: Sequence[RunRow]
