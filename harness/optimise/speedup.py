"""How much faster than its parent: both in one process, in turn, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.case import Case
from harness.dispatch import run_pair
from harness.errors import HarnessError
from harness.optimise.measuring import Subject, open_session
from harness.optimise.rows import Interval
from harness.optimise.wanted import Wanted
from harness.paired import PairedJob, PairedRun
from harness.pairing import ROUNDS, judge_pair
from harness.rules import Outcome
from harness.session import Session
from harness.verdict import Change, Verdict

WALL, CPU = "frame_p25_ms", "frame_cpu_p25_ms"
MOST_LOOKS = 2


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """Times as fast as the parent: the typical frame, by wall time and by the thread's CPU time where that is known,
    and its inference alone.

    rounds: how many there were. reason: why it is not known.
    """

    wall: Interval | None = None
    cpu: Interval | None = None
    infer: Interval | None = None
    rounds: int = 0
    reason: str = ""


def beside_reference(wanted: Wanted, subject: Subject) -> Speedup:
    """Processes of 12 and 8 rounds, the second where the first had a reference that differs from itself.

    HarnessError where the engine cannot take turns, or one of the two builds does not run.
    """
    assert subject.reference is not None
    if not wanted.plan.judges_speed:
        return Speedup(reason=f"the plan {wanted.plan.name} is functional and never judges speed")
    session, runs, found = open_session(wanted, subject), list[PairedRun](), Speedup()
    for rounds in ROUNDS[:MOST_LOOKS]:
        runs.append(_run(session, subject, rounds, len(runs)))
        found = speedup_of(subject.case, runs, subject.reference.key, session)
        if not found.reason:
            break
    return found


def _run(session: Session, subject: Subject, rounds: int, number: int) -> PairedRun:
    assert subject.reference is not None
    candidate = session.job(subject.case)
    reference = session.job(subject.reference)
    if reference.frames_path != candidate.frames_path:
        raise HarnessError("the two builds were to see different frames", where=subject.case.key)
    job = PairedJob(reference=reference, candidate=candidate, rounds=rounds, seed=number)
    setup = session.setup
    folder = setup.work / f"{subject.candidate}.{subject.runtime}" / f"pair-{number + 1}"
    return run_pair(job, setup.profile, folder, lambda *said: None, setup.root)


def speedup_of(case: Case, runs: Sequence[PairedRun], reference: str, session: Session) -> Speedup:
    """What the rounds show; a reason where the surroundings disqualify them."""
    frames, infers = (_judged(case, some, reference, session) for some in (runs, _inference_alone(runs)))
    wall = frames[WALL]
    if wall.outcome is Outcome.INVALID or wall.change is None:
        return Speedup(reason=wall.sentence)
    return Speedup(
        wall=_times(wall.change), cpu=_known(frames.get(CPU)), infer=_known(infers.get(WALL)), rounds=wall.change.count
    )


def _judged(case: Case, runs: Sequence[PairedRun], reference: str, session: Session) -> dict[str, Verdict]:
    if not runs:
        return {}
    return {one.metric: one for one in judge_pair(case, runs, reference, session.setup.profile.conditions)}


def _inference_alone(runs: Sequence[PairedRun]) -> list[PairedRun]:
    """The same runs with the time of the inference in the place of the frame's; none where it was not kept."""
    return [replace(one, frame_ns=one.infer_ns) for one in runs if one.infer_ns is not None]


def _known(verdict: Verdict | None) -> Interval | None:
    return None if verdict is None or verdict.change is None else _times(verdict.change)


def _times(change: Change) -> Interval:
    """So many per cent longer, as a factor of speed; the longest time is the lowest speed."""
    return Interval(
        value=_factor(change.percent), low=None if change.high_percent is None else _factor(change.high_percent),
        high=None if change.low_percent is None else _factor(change.low_percent),
    )  # fmt: skip


def _factor(percent: float) -> float:
    return 1 / (1 + percent / 100)
