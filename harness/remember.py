"""What a measuring session found, into the history: every session of every case, with what was judged from it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.case import STAGES, Case, Run
from harness.context import context_of, disturbed
from harness.errors import HarnessError
from harness.history import open_history
from harness.lookback import NAME as BASELINE
from harness.measurement import Measurement
from harness.metrics import METRICS, MS
from harness.paired import PairedRun
from harness.pairing import CANDIDATE, REFERENCE
from harness.pairing import RULE as PAIRED_RULE
from harness.preconditions import faults
from harness.record import Failure, Purpose, RecordedVerdict, RunRecord, SessionRecord
from harness.session import Session
from harness.verdict import Verdict

NOT_REACHED, REFUSED = "not reached", "refused"
UNREACHED = "asked for, and no test came to it"
INTERRUPTED = "the run was interrupted before it"
ACCURACY = "accuracy_min_percent"


def remember(
    session: Session, command: str, purpose: Purpose = "check", policy: str = "", *, selected: bool = False,
    refused: Mapping[Case, str] | None = None,
) -> list[SessionRecord]:  # fmt: skip
    """Keep all that was measured, and the run with what failed; nothing where the session has no history.

    A run that goes on is kept again: what it had finished stays as it is, and what failed is what fails now.
    selected: as in RunRecord. refused: measured cases that must not become a baseline, and why. ConfigError or
    HarnessError where the history cannot be opened or written.
    """
    if not session.setup.history:
        return []
    run = run_record(session, command, purpose, policy, selected=selected, refused=refused or {})
    kept = [*records(session, run), *paired_records(session, run)]
    if kept or run.asked:
        with open_history(session.setup.history) as history:
            for one in kept:
                history.record(one)
            history.record_run(run)
    return kept


def run_record(
    session: Session, command: str, purpose: Purpose, policy: str, *, selected: bool, refused: Mapping[Case, str]
) -> RunRecord:
    """What was asked of a run and what of it failed, under a name of its own."""
    told = {*session.asked, *session.measurements, *session.errors}
    asked = [case for case in dict.fromkeys((*session.cases, *session.errors)) if case in told]
    return RunRecord(
        run=session.run, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        device=session.setup.profile.name, command=command, purpose=purpose, policy=policy,
        interrupted=session.interrupted, asked=tuple(case.key for case in asked),
        failures=(*_failures(session, asked), *_refusals(session, refused)),
        selected=selected, named=session.setup.named,
    )  # fmt: skip


def _failures(session: Session, asked: Sequence[Case]) -> Iterator[Failure]:
    for case in asked:
        if case in session.errors:
            yield _failure(case, _lost(session, case), session.errors[case])
        elif case not in session.measurements and not session.rounds.get(case):
            yield Failure(case, "", NOT_REACHED, INTERRUPTED if session.interrupted else UNREACHED)
    for (case, metric), error in session.unanswered.items():
        yield _failure(case, metric, error)


def _refusals(session: Session, refused: Mapping[Case, str]) -> Iterator[Failure]:
    for case, sentence in refused.items():
        if case in session.measurements:
            yield Failure(case, "", REFUSED, sentence)


def _lost(session: Session, case: Case) -> str:
    """What an error cost: the whole case, or of a measured one its accuracy, or else further sessions of it."""
    if case not in session.measurements:
        return ""
    unscored = session.measurements[case].score is None and case in session.accuracy_wanted
    return ACCURACY if unscored else BASELINE


def _failure(case: Case, metric: str, error: HarnessError) -> Failure:
    return Failure(case, metric, type(error).__name__, error.sentence)


def records(session: Session, run: RunRecord) -> Iterator[SessionRecord]:
    """One record per session of each measured case; each carries the verdicts on the case."""
    for case, measured in session.measurements.items():
        verdicts = tuple(_recorded(one) for one in session.verdicts if one.case == case)
        provenance = _provenance(session, case, run)
        for number, (runs, kept) in enumerate(_sessions_of(measured)):
            yield SessionRecord(
                id=uuid.uuid5(uuid.UUID(session.record_id(case)), str(number)).hex, at=run.at, purpose=run.purpose,
                case=case, plan=measured.plan, identity=session.identity(case), context=context_of(runs),
                provenance=provenance,
                simulated=measured.simulated, valid=kept and not disturbed(runs), values=values_of(runs), runs=runs,
                verdicts=verdicts if kept else (),
            )  # fmt: skip


def _provenance(session: Session, case: Case, run: RunRecord) -> dict[str, str]:
    parent = session.parent(case)
    made_from = {"parent": parent.variant} if parent else {}
    return {**session.provenance(case), **made_from, "command": run.command, "run": run.run}


def _sessions_of(measured: Measurement) -> Iterator[tuple[tuple[Run, ...], bool]]:
    """The sessions of a case, and whether their surroundings were as the profile asks; the discarded ones first."""
    size = max(measured.plan.runs, 1)
    for first in range(0, len(measured.discarded), size):
        yield measured.discarded[first : first + size], False
    for runs in measured.sessions:
        yield runs, not any(faults(run, measured.wanted) for run in runs)


def paired_records(session: Session, run: RunRecord) -> Iterator[SessionRecord]:
    """The rounds beside another build: one record per case, whose two runs are the reference and the candidate.

    values: the candidate's, one number per round. The null arm is in the inputs of the verdicts.
    """
    for case, rounds in session.rounds.items():
        if not rounds:
            continue
        verdicts = (one for one in session.verdicts if one.case == case and one.rule == PAIRED_RULE)
        yield SessionRecord(
            id=uuid.uuid4().hex, at=run.at, purpose="paired", case=case, plan=session.setup.plan,
            identity=session.identity(case), context={}, provenance=_provenance(session, case, run),
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
        error_class=verdict.error_class,
    )  # fmt: skip
