"""The newest run of each device: what it was asked, what it measured, and what is missing. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from harness.case import Case
from harness.record import Annotation, Failure, Purpose, RunRecord
from harness.remember import NOT_REACHED
from harness.trendreport.gather.marks import expected_since
from harness.trendreport.gather.sessions import IMPORT, Sessions

SILENT = "asked for, and there is neither a session nor an error of it"
NOT_NAMED = "not asked for"
GONE = "no card or test names it any more; where that is meant: harness annotate REASON --kind expected --case {}"
PARTS = 4


@dataclass(frozen=True, kw_only=True)
class NewestRun:
    """The newest run of a device. first: the history has no other of it. measured: cases with a session of this run.

    failures: of cases that were asked, also of those that the run itself does not name, and of those that it should
    have asked for. unreached: cases that it was interrupted before. retired: cases that it was not asked for although
    nothing was left out by choice, as people expected.
    """

    record: RunRecord
    first: bool
    measured: frozenset[Case]
    failures: tuple[Failure, ...]
    unreached: frozenset[Case]
    retired: frozenset[Case]


def newest_runs(
    records: Sequence[RunRecord], sessions: Sessions, last: Sequence[int], annotations: Sequence[Annotation] = ()
) -> dict[str, NewestRun]:
    """By device, sorted. last: of each track the position of its newest session.

    Runs of which nothing but sessions was kept are known by the sessions' provenance. Imported benchmarks are a run of
    a device that has nothing else.
    """
    heads: dict[str, int] = {}
    for head in sorted(last, key=lambda one: (sessions.heads[one].purpose != IMPORT, one)):
        heads[sessions.heads[head].case.device] = head
    newest = {device: _of_session(sessions, head) for device, head in heads.items()}
    kept = {one.run for one in records}
    for one in sorted(records, key=lambda one: one.at):
        before = newest.get(one.device)
        if before is None or before.run in kept or one.at >= before.at:
            newest[one.device] = one
    return {device: _newest(one, records, sessions, annotations) for device, one in sorted(newest.items())}


def _of_session(sessions: Sessions, head: int) -> RunRecord:
    """What the newest session of a device tells of its run: nobody knows what else it was asked."""
    one = sessions.heads[head]
    return RunRecord(
        run=sessions.run[head], at=one.at, device=one.case.device, command=str(one.provenance.get("command") or ""),
        purpose=cast(Purpose, one.purpose), policy="", interrupted=False, asked=(),
    )  # fmt: skip


def _newest(
    run: RunRecord, records: Sequence[RunRecord], sessions: Sessions, annotations: Sequence[Annotation]
) -> NewestRun:
    tracks = [track for track, case in enumerate(sessions.cases) if case.device == run.device]
    measured = {sessions.cases[one] for one in tracks if run.run in _backwards(sessions, one)}
    alone = all(name == run.run for one in tracks for name in _backwards(sessions, one))
    named = {one.case for one in run.failures}
    silent = [one for one in _asked(run, sessions) if one not in measured and one not in named]
    left = [one for one in tracks if sessions.cases[one] not in measured | named] if _is_whole(run) else []
    retired = {sessions.cases[one] for one in left if _is_expected(sessions, one, annotations)}
    gone = [one for one in _unasked(run, sessions, left) if one not in retired]
    failures = (
        *_true_failures(run, measured), *(Failure(one, "", NOT_REACHED, SILENT) for one in silent),
        *(Failure(one, "", NOT_NAMED, GONE.format(shlex.quote(one.key))) for one in gone),
    )  # fmt: skip
    lost = {one.case for one in failures if one.kind == NOT_REACHED}
    return NewestRun(
        record=run, measured=frozenset(measured), failures=failures,
        first=alone and all(one.run == run.run for one in records if one.device == run.device),
        unreached=frozenset(lost if run.interrupted else ()), retired=frozenset(retired),
    )  # fmt: skip


def _is_whole(run: RunRecord) -> bool:
    """True where it is known that the run was asked for all that its device has."""
    return bool(run.asked) and not run.selected and not run.named


def _unasked(run: RunRecord, sessions: Sessions, tracks: Sequence[int]) -> Iterator[Case]:
    """The cases of these tracks that the run was not asked for; imported benchmarks never are."""
    for track in tracks:
        imported = all(sessions.heads[one].purpose == IMPORT for one in sessions.members[track])
        if sessions.cases[track].key not in run.asked and not imported:
            yield sessions.cases[track]


def _is_expected(sessions: Sessions, track: int, annotations: Sequence[Annotation]) -> bool:
    """True where people expected a change of the case after its newest session."""
    newest = sessions.heads[int(sessions.members[track][-1])].at
    return expected_since(sessions.cases[track].key, annotations) > newest


def _true_failures(run: RunRecord, measured: Collection[Case]) -> Iterator[Failure]:
    """What was reached all the same, beside another build, is none."""
    return (one for one in run.failures if one.kind != NOT_REACHED or one.case not in measured)


def _backwards(sessions: Sessions, track: int) -> Iterator[str]:
    """The runs of a track's sessions, the newest first."""
    return (sessions.run[one] for one in reversed(sessions.members[track].tolist()))


def _asked(run: RunRecord, sessions: Sessions) -> Iterator[Case]:
    """The cases of the keys; a case that was never measured is known by its key alone."""
    known: Mapping[str, Case] = {one.key: one for one in sessions.cases}
    for key in run.asked:
        parts = key.split("/", PARTS - 1)
        yield known[key] if key in known else Case(*parts, *[""] * (PARTS - len(parts)))
