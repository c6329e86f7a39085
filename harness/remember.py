"""What a measuring session found, into the history: every session of every case, with what was judged from it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence

import numpy as np

from harness.case import STAGES, Run
from harness.context import context_of, disturbed
from harness.history import open_history
from harness.measurement import Measurement
from harness.metrics import METRICS, MS
from harness.paired import PairedRun
from harness.pairing import CANDIDATE, REFERENCE
from harness.pairing import RULE as PAIRED_RULE
from harness.preconditions import faults
from harness.record import Purpose, RecordedVerdict, SessionRecord
from harness.session import Session
from harness.verdict import Verdict


def remember(session: Session, command: str, purpose: Purpose = "check") -> list[SessionRecord]:
    """Keep all that was measured; nothing where the session has no history.

    ConfigError or HarnessError where the history cannot be opened or written.
    """
    made = (*records(session, command, purpose), *paired_records(session, command)) if session.setup.history else ()
    kept = list(made)
    if kept:
        with open_history(session.setup.history) as history:
            for one in kept:
                history.record(one)
    return kept


def records(session: Session, command: str, purpose: Purpose) -> Iterator[SessionRecord]:
    """One record per session of each measured case; each carries the verdicts on the case."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    run = uuid.uuid4().hex[:12]
    for case, measured in session.measurements.items():
        verdicts = tuple(_recorded(one) for one in session.verdicts if one.case == case)
        for runs, kept in _sessions_of(measured):
            yield SessionRecord(
                id=uuid.uuid4().hex, at=at, purpose=purpose, case=case, plan=measured.plan,
                identity=session.identity(case), context=context_of(runs),
                provenance={**session.provenance(case), "command": command, "run": run},
                simulated=measured.simulated, valid=kept and not disturbed(runs), values=values_of(runs), runs=runs,
                verdicts=verdicts if kept else (),
            )  # fmt: skip


def _sessions_of(measured: Measurement) -> Iterator[tuple[tuple[Run, ...], bool]]:
    """The sessions of a case, and whether their surroundings were as the profile asks; the discarded ones first."""
    size = max(measured.plan.runs, 1)
    for first in range(0, len(measured.discarded), size):
        yield measured.discarded[first : first + size], False
    for runs in measured.sessions:
        yield runs, not any(faults(run, measured.wanted) for run in runs)


def paired_records(session: Session, command: str) -> Iterator[SessionRecord]:
    """The rounds beside another build: one record per case, whose two runs are the reference and the candidate.

    values: the candidate's, one number per round. The null arm is in the inputs of the verdicts.
    """
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for case, rounds in session.rounds.items():
        if not rounds:
            continue
        verdicts = (one for one in session.verdicts if one.case == case and one.rule == PAIRED_RULE)
        yield SessionRecord(
            id=uuid.uuid4().hex, at=at, purpose="paired", case=case, plan=session.setup.plan,
            identity=session.identity(case), context={}, provenance={**session.provenance(case), "command": command},
            simulated=session.setup.profile.simulated, valid=True,
            values={"frame_p25_ms": tuple(_typical_ms(rounds))},
            runs=(_arm(rounds, REFERENCE, "reference"), _arm(rounds, CANDIDATE, "candidate")),
            verdicts=tuple(map(_recorded, verdicts)),
        )  # fmt: skip


def _typical_ms(rounds: Sequence[PairedRun]) -> list[float]:
    return [float(np.quantile(one, 0.25)) / MS for run in rounds for one in run.frame_ns[:, CANDIDATE]]


def _arm(rounds: Sequence[PairedRun], arm: int, name: str) -> Run:
    """All frames of one arm, round after round."""
    frame_ns, cpu_ns = (
        np.concatenate([one[:, arm].ravel() for one in columns])
        for columns in ([run.frame_ns for run in rounds], [run.cpu_ns for run in rounds])
    )
    nothing = frame_ns[:0]
    return Run(
        stages=dict.fromkeys(STAGES, nothing), frame_ns=frame_ns, start_ns=nothing, cpu_ns=cpu_ns, warmup_ns=nothing,
        marks={"rounds": float(sum(len(run.frame_ns) for run in rounds))}, facts=dict(rounds[-1].facts[name]),
    )  # fmt: skip


def values_of(runs: Sequence[Run]) -> dict[str, tuple[float, ...]]:
    """Every metric that a session tells: one value per process, or of the one process that is asked."""
    found = {name: [metric.value(run) for run in runs] for name, metric in METRICS.items()}
    known = {name: tuple(float(one) for one in values if one is not None) for name, values in found.items()}
    return {name: values for name, values in known.items()
            if values and (METRICS[name].once or len(values) == len(runs))}  # fmt: skip


def _recorded(verdict: Verdict) -> RecordedVerdict:
    return RecordedVerdict(
        metric=verdict.metric, outcome=verdict.outcome.value, gate=verdict.gate, rule=verdict.rule,
        inputs=verdict.inputs, sentence=verdict.sentence, value=verdict.value, limit=verdict.limit,
    )  # fmt: skip
