"""What a measuring session found, into the history: every session of every case, with what was judged from it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence

from harness.case import Run
from harness.context import context_of, disturbed
from harness.history import open_history
from harness.metrics import METRICS
from harness.record import Purpose, RecordedVerdict, SessionRecord
from harness.session import Session
from harness.verdict import Verdict


def remember(session: Session, command: str, purpose: Purpose = "check") -> list[SessionRecord]:
    """Keep all that was measured; nothing where the session has no history.

    ConfigError or HarnessError where the history cannot be opened or written.
    """
    kept = list(records(session, command, purpose)) if session.setup.history else []
    if kept:
        with open_history(session.setup.history) as history:
            for one in kept:
                history.record(one)
    return kept


def records(session: Session, command: str, purpose: Purpose) -> Iterator[SessionRecord]:
    """One record per session of each measured case; each carries the verdicts on the case."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for case, measured in session.measurements.items():
        verdicts = tuple(_recorded(one) for one in session.verdicts if one.case == case)
        for runs in measured.sessions:
            yield SessionRecord(
                id=uuid.uuid4().hex, at=at, purpose=purpose, case=case, plan=measured.plan,
                identity=session.identity(case), context=context_of(runs),
                provenance={**session.provenance(case), "command": command},
                simulated=measured.simulated, valid=not disturbed(runs), values=values_of(runs), runs=runs,
                verdicts=verdicts,
            )  # fmt: skip


def values_of(runs: Sequence[Run]) -> dict[str, tuple[float, ...]]:
    """Every metric that all processes of a session tell: one value per process."""
    found = {name: [metric.value(run) for run in runs] for name, metric in METRICS.items()}
    return {name: tuple(float(one) for one in values if one is not None)
            for name, values in found.items() if None not in values}  # fmt: skip


def _recorded(verdict: Verdict) -> RecordedVerdict:
    return RecordedVerdict(
        metric=verdict.metric, outcome=verdict.outcome.value, gate=verdict.gate, rule=verdict.rule,
        inputs=verdict.inputs, sentence=verdict.sentence, value=verdict.value, limit=verdict.limit,
    )  # fmt: skip
