"""What sampling does to latency on a device: the same job with and without its sampler, in turn, in paired rounds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.case import Case, Job
from harness.dispatch import run_pair
from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.paired import PairedJob, PairedRun
from harness.pairing import ROUNDS, judge_pair
from harness.session import Session
from harness.telemetry import Telemetry
from harness.verdict import Verdict

KIND = "sampler"
RESTING = "the same without sampling"


@dataclass(frozen=True, kw_only=True)
class Influence:
    """The verdicts of one case: sampling on against off, per metric."""

    case: Case
    verdicts: tuple[Verdict, ...]

    @property
    def sentence(self) -> str:
        """What is kept in the history, and told by `harness doctor` from then on."""
        changes = {one.metric: one.change for one in self.verdicts if one.change is not None}
        rounds = max((one.count for one in changes.values()), default=0)
        told = "; ".join(f"{metric} {change.interval}" for metric, change in changes.items())
        return f"{self.case.key}: sampling on against off, {rounds} rounds: {told}"


def measure_influence(session: Session, rounds: Sequence[int] = ROUNDS) -> Influence:
    """The session's first case, in processes of so many rounds each; ConfigError where the profile has no probe."""
    setup = session.setup
    if not setup.profile.probes:
        raise ConfigError("nothing is sampled on this device", where=f"{setup.profile.file}, probes")
    case = next(iter(session.cases))
    sampled = session.job(case)
    runs = [_run(session, sampled, number, count) for number, count in enumerate(rounds)]
    return Influence(case=case, verdicts=tuple(judge_pair(case, runs, RESTING)))


def remember_influence(found: Influence, history: str, author: str) -> None:
    """Keep it as an annotation of the case; nothing where there is no history."""
    if not history:
        return
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with open_history(history) as kept:
        kept.annotate(found.case.key, at, KIND, found.sentence, author)


def last_influence(history: str, device: str) -> str:
    """What was measured last on a device; empty where nothing was, or there is no history."""
    try:
        with open_history(history, create=False) as kept:
            told = [one.text for one in kept.annotations() if one.kind == KIND and one.text.startswith(f"{device}/")]
    except HarnessError:
        return ""
    return told[-1] if told else ""


def _run(session: Session, sampled: Job, number: int, rounds: int) -> PairedRun:
    resting = replace(sampled, telemetry=Telemetry())
    job = PairedJob(reference=resting, candidate=sampled, rounds=rounds, seed=number)

    def said(phase: str, done: int, total: int) -> None:
        session.progress(sampled.case, f"sampling on and off, {phase}", done, total)

    setup = session.setup
    return run_pair(job, setup.profile, setup.work / "influence" / str(number), said, setup.root)
