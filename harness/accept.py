"""Accepting a baseline: measure many sessions, doubt them, write what withstands. A test run never does this."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.baseline import (
    Baseline,
    BaselineSession,
    baseline_path,
    difference_table,
    read_baseline,
    revert_baseline,
    write_baseline,
)
from harness.budgets import tolerances_of
from harness.case import Case, Run
from harness.comparison import FEWEST_SESSIONS, session_log, split_check
from harness.context import context_of, disturbed
from harness.errors import ConfigError, HarnessError
from harness.fingerprint import checkout_of, differences
from harness.history import open_history
from harness.measurement import residual_fault
from harness.remember import remember, values_of
from harness.rules import Outcome
from harness.session import Session
from harness.unchanged import EXACT, slack
from harness.verdict import judge_liveness

DEFAULT_SESSIONS = 12
MOST_DISTURBED = 0.2


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """Who accepts and why. add: lay the new sessions beside those that are accepted already, of other units."""

    reason: str
    by: str
    sessions: int = DEFAULT_SESSIONS
    add: bool = False


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """What became of one case: a Markdown table and a path, or the reason why it was refused.

    unkept: why the history does not tell of it.
    """

    case: Case
    path: Path | None = None
    table: str = ""
    refusal: str = ""
    unkept: str = ""


def check_acceptance(wanted: Acceptance, environment: Mapping[str, str]) -> None:
    """ConfigError in CI, without a reason, or for too few sessions."""
    if environment.get("CI", "").lower() in ("1", "true", "yes"):
        raise ConfigError(
            "a baseline is never accepted by CI", where="the environment variable CI",
            remedy="run harness accept by hand on the device and put the file up for review",
        )  # fmt: skip
    if not wanted.reason.strip():
        raise ConfigError("a baseline needs a reason", where="--reason", remedy="say what changed and why it is right")
    if wanted.sessions < FEWEST_SESSIONS:
        raise ConfigError(f"--sessions={wanted.sessions}: at least {FEWEST_SESSIONS}", where="--sessions")


def accept(session: Session, wanted: Acceptance, command: str) -> list[Accepted]:
    """Measure every case in turn, session by session, and write the baselines that may be written.

    All sessions go into the history, accepted or not, with what was refused, and a remark on each accepted case.
    Raises what opening the history raises, before anything is measured; what cannot be measured or written is the
    refusal of its case.
    """
    session.asked.update(session.cases)
    _check_history(session)
    done: list[Accepted] = []
    try:
        for _ in range(wanted.sessions):
            _one_round(session)
        for _ in range(max(int(wanted.sessions * MOST_DISTURBED), 1)):
            _one_round(session, at_least=wanted.sessions)
        done.extend(_accepted(session, case, wanted) for case in session.cases)
    finally:
        session.interrupted = len(done) < len(session.cases)
        unkept = _unkept(session, done, wanted, command)
    return [replace(one, unkept=unkept) for one in done]


def revert(session: Session, *, by: str = "", reason: str = "") -> list[Accepted]:
    """Go back to the baseline before, for every case that has one, with a remark; HarnessError where none has.

    Raises what opening the history raises, before any file is changed.
    """
    assert session.setup.baselines is not None
    _check_history(session)
    paths = {case: baseline_path(session.setup.baselines, case) for case in session.cases}
    found = {case: path for case, path in paths.items() if path.exists()}
    if not found:
        raise HarnessError("there is no accepted baseline to go back from", where=str(session.setup.baselines))
    done = [_reverted(case, path) for case, path in found.items()]
    try:
        _remark(session, done, "reverted", reason or "back to the baseline before", by)
    except HarnessError as error:
        return [replace(one, unkept=error.sentence) for one in done]
    return done


def _check_history(session: Session) -> None:
    """What is wrong with it is known before an hour of measuring, and before any baseline is another."""
    if session.setup.history:
        open_history(session.setup.history)


def _unkept(session: Session, done: Sequence[Accepted], wanted: Acceptance, command: str) -> str:
    """Why the history has not all of it, now that the baselines are written; empty where it has."""
    try:
        refused = {one.case: one.refusal for one in done if one.refusal}
        remember(session, command, purpose="accept", refused=refused)
        _remark(session, done, "accepted", wanted.reason, wanted.by)
    except HarnessError as error:
        return error.sentence
    return ""


def _remark(session: Session, done: Sequence[Accepted], kind: str, text: str, author: str) -> None:
    """A remark in the history, where there is one, on each case whose baseline is another now."""
    changed = [one.case.key for one in done if not one.refusal]
    if changed and session.setup.history:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open_history(session.setup.history) as history:
            for key in changed:
                history.annotate(key, at, kind, text, author)


def _one_round(session: Session, at_least: int = 0) -> None:
    """One more session of every case; with `at_least`, only of those with fewer undisturbed ones."""
    for case in session.cases:
        measured = session.measurements.get(case)
        if case in session.errors or (at_least and measured and len(_calm(measured.sessions)) >= at_least):
            continue
        try:
            session.measure_more(case) if measured else session.measurement(case)
        except HarnessError:
            continue  # the session remembers it, and it becomes the refusal of the case


def _calm(sessions: Sequence[Sequence[Run]]) -> list[Sequence[Run]]:
    return [one for one in sessions if not disturbed(one)]


def _accepted(session: Session, case: Case, wanted: Acceptance) -> Accepted:
    assert session.setup.baselines is not None
    path = baseline_path(session.setup.baselines, case)
    try:
        old = read_baseline(path) if wanted.add else _readable(path)
        new = _baseline(session, case, wanted, old)
        write_baseline(path, new)
    except HarnessError as error:
        return Accepted(case=case, refusal=error.sentence)
    return Accepted(case=case, path=path, table=difference_table(old, new))


def _readable(path: Path) -> Baseline | None:
    """The baseline before, for the table; one that cannot be read is replaced like any other."""
    try:
        return read_baseline(path)
    except HarnessError:
        return None


def _baseline(session: Session, case: Case, wanted: Acceptance, old: Baseline | None) -> Baseline:
    """HarnessError with the reason why these sessions must not become a baseline."""
    if case in session.errors:
        raise session.errors[case]
    sessions = _trustworthy(session, case, wanted)
    tolerances = tolerances_of(session.setup.profile)
    known = {metric: [session_log(one, metric) for one in sessions] for metric in tolerances}
    whole = {metric: [log for log in logs if log is not None] for metric, logs in known.items() if None not in logs}
    split = {metric: split_check(logs, tolerances[metric] / 100) for metric, logs in whole.items()}
    moved = [metric for metric, said in split.items() if said == "moved"]
    if moved:
        raise HarnessError(
            f"the first and the second half of the sessions differ in {', '.join(moved)} by more than is tolerated",
            where=case.key, remedy="the machine changed meanwhile: look for other load, heat and clocks",
        )  # fmt: skip
    kept = sorted({*whole, *_alike(session, case, sessions)})
    if wanted.add and old is not None:
        kept = [metric for metric in kept if metric not in EXACT or metric in old.sessions[0].values]
    identity = session.identity(case)
    fixed = {name: value for name, value in identity.items() if name != "unit"}
    return Baseline(
        case=case, accepted_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), accepted_by=wanted.by,
        reason=wanted.reason, commit=checkout_of(session.setup.root).commit, identity=fixed, context={},
        advice=tuple(sorted(metric for metric, said in split.items() if said == "noisy")),
        sessions=(*_kept(old, wanted, fixed), *_sessions(session, case, sessions, kept, identity)),
    )  # fmt: skip


def _alike(session: Session, case: Case, sessions: Sequence[Sequence[Run]]) -> list[str]:
    """The exact metrics that all processes tell; HarnessError where they tell different things."""
    told = values_of([run for one in sessions for run in one])
    for metric in EXACT:
        values = told.get(metric)
        if values and max(values) - min(values) > slack(values):
            raise HarnessError(
                f"{metric} is not the same in every process: {min(values):g} to {max(values):g}", where=case.key,
                remedy="see what the engine decides anew at each load, and fix it in the entry's options",
            )  # fmt: skip
    return [metric for metric in EXACT if metric in told]


def _trustworthy(session: Session, case: Case, wanted: Acceptance) -> list[Sequence[Run]]:
    measured = session.measurements[case]
    liveness = judge_liveness(measured)
    if liveness.outcome is not Outcome.PASS:
        raise HarnessError(f"{liveness.outcome}: {liveness.sentence}", where=case.key)
    faults = (*map(residual_fault, measured.runs), *measured.condition_faults(), measured.power_fault)
    fault = next(filter(None, faults), "")
    if fault:
        raise HarnessError(fault, where=case.key)
    calm = _calm(measured.sessions)
    if len(calm) < wanted.sessions:
        raise HarnessError(
            f"other load took more than 5 % of the cores in {len(measured.sessions) - len(calm)} of "
            f"{len(measured.sessions)} sessions", where=case.key, remedy="leave the machine alone and try again",
        )  # fmt: skip
    return calm[: wanted.sessions]


def _kept(old: Baseline | None, wanted: Acceptance, identity: Mapping[str, object]) -> tuple[BaselineSession, ...]:
    """With --add, the sessions that are there already."""
    if not wanted.add or old is None:
        return ()
    differing = differences(old.identity, identity)
    if differing:
        what = f"these sessions cannot be added to the accepted ones: {'; '.join(differing)}"
        raise HarnessError(what, where=old.case.key, remedy="accept without --add")
    return old.sessions


def _sessions(
    session: Session,
    case: Case,
    sessions: Sequence[Sequence[Run]],
    metrics: Sequence[str],
    identity: Mapping[str, object],
) -> list[BaselineSession]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    unit, provenance = str(identity.get("unit", "")), session.provenance(case)
    return [
        BaselineSession(
            at=at, unit=unit, values={name: values_of(runs)[name] for name in metrics}, context=context_of(runs),
            provenance=provenance,
        )
        for runs in sessions
    ]  # fmt: skip


def _reverted(case: Case, path: Path) -> Accepted:
    try:
        old = _readable(path)
        revert_baseline(path)
        now = read_baseline(path)
    except HarnessError as error:
        return Accepted(case=case, refusal=error.sentence)
    return Accepted(case=case, path=path, table=difference_table(old, now) if now else "")


def summary(accepted: Sequence[Accepted]) -> str:
    """Markdown for the review: what each case was and is, and what was refused."""
    parts = [
        f"### {one.case.key}\n\n{one.table}\nwritten: {os.path.relpath(one.path)}\n" for one in accepted if one.path
    ]
    refused = [f"REFUSED {one.case.key}: {one.refusal}" for one in accepted if one.refusal]
    unkept = dict.fromkeys(f"NOT IN THE HISTORY: {one.unkept}" for one in accepted if one.unkept)
    return "\n".join([*parts, *refused, *unkept])
