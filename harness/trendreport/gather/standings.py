"""Where each case stands: which of its sessions speaks for it, and what was judged there. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from harness.case import Array
from harness.history.trendrows import TrendRows
from harness.record import RecordedVerdict
from harness.trendreport.gather.points import AGAINST_BEFORE, ALWAYS, GATE, Group, code_of
from harness.trendreport.gather.sessions import CHECK, IMPORT, Sessions
from harness.trendreport.gather.words import Words, why_failed, words_of
from harness.trendreport.model import SPARK_SESSIONS

BUILD = "model_sha256"
_FAIL, _PASS = code_of("FAIL"), code_of("PASS")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the sessions of late say of one metric. gate: one of its verdicts was a gate.

    only_before: it was judged against sessions of before and against nothing else.
    """

    gate: bool
    only_before: bool


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A gate that was FAIL. head: the session that decided it last; sentence: what it said."""

    head: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Sessions are positions in `Sessions`. last: the newest one; judged: the newest with verdicts, or None.

    Comparisons side by side with another build, and imported benchmarks, are neither where there are other sessions.
    whole: the newest check of a run from which nothing was left out, -1 for none. verdicts: by metric, those of
    `judged` and of a later comparison side by side; told: the newest session that has one of them. expected: what the
    last 30 checks judged without being asked for it. failed: gates that were FAIL when they were decided last, of the
    model file of `last`.
    """

    track: int
    last: int
    judged: int | None
    whole: int
    verdicts: Mapping[str, tuple[RecordedVerdict, ...]]
    told: Mapping[str, int]
    expected: Mapping[str, Expected]
    failed: Mapping[str, Failed]

    def verdicts_on(self, metric: str) -> tuple[RecordedVerdict, ...]:
        """In the order in which they were recorded."""
        return self.verdicts.get(metric, ())


def standings_of(rows: TrendRows, sessions: Sessions, judged: Iterable[Group]) -> tuple[Standing, ...]:
    """One for each track."""
    groups: dict[int, list[Group]] = defaultdict(list)
    for group in judged:
        groups[group.track].append(group)
    newest = [_newest(members, groups[track], sessions) for track, members in enumerate(sessions.members)]
    failed = [_failed(sessions, groups[track], last) for track, (last, *_) in enumerate(newest)]
    speaking = {one for _, *found in newest for one in found if one is not None}
    wanted = {int(sessions.number[one]) for one in speaking.union(*(one.values() for one in failed))}
    words = words_of(rows, wanted)
    partial = {one.run for one in rows.runs if one.selected or one.interrupted}
    return tuple(
        _standing(track, sessions, groups[track], newest[track], failed[track], words, partial)
        for track in range(len(newest))
    )


def accepted_since(sessions: Sessions, standing: Standing) -> bool:
    """True where the newest sessions are those of `harness accept`, and nothing was judged since."""
    return bool(sessions.accepted[standing.last]) and not is_current(sessions, standing)


def is_current(sessions: Sessions, standing: Standing) -> bool:
    """True where the verdicts are of the newest session's run."""
    judged = standing.judged
    return judged is not None and (judged >= standing.last or sessions.run[judged] == sessions.run[standing.last])


Newest = tuple[int, int | None, int | None]


def _newest(members: Array, groups: list[Group], sessions: Sessions) -> Newest:
    """The newest session, the newest judged one, and a later one side by side with another build."""
    paired = sessions.paired
    own = members[~paired[members]]
    judged = _last(one.head[~paired[one.head]] for one in groups)
    beside = _last(one.head[paired[one.head]] for one in groups)
    if not len(own):
        return int(members[-1]), beside, None
    measured = next((one for one in reversed(own.tolist()) if sessions.heads[one].purpose != IMPORT), int(own[-1]))
    return measured, judged, beside if beside is not None and (judged is None or beside > judged) else None


def _failed(sessions: Sessions, groups: Iterable[Group], last: int) -> dict[str, int]:
    """Of each metric that was FAIL when a gate of the case decided it last, the session that did."""
    found = {}
    for one in groups:
        decided = np.isin(one.outcome, (_FAIL, _PASS)) & (one.kinds & GATE > 0) & ~sessions.paired[one.head]
        places = np.flatnonzero(decided)
        if len(places) and one.outcome[places[-1]] == _FAIL:
            head = int(one.head[places[-1]])
            if _build(sessions, head) == _build(sessions, last):
                found[one.metric] = head
    return found


def _build(sessions: Sessions, head: int) -> object:
    return sessions.heads[head].provenance.get(BUILD)


def _last(heads: Iterable[Array]) -> int | None:
    return max((int(one[-1]) for one in heads if len(one)), default=None)


def _standing(
    track: int, sessions: Sessions, groups: list[Group], newest: Newest, failed: Mapping[str, int],
    words: Words, partial: Collection[str],
) -> Standing:  # fmt: skip
    last, judged, beside = newest
    verdicts: dict[str, list[RecordedVerdict]] = defaultdict(list)
    told: dict[str, int] = {}
    for head in (one for one in (judged, beside) if one is not None):
        for one in words.get(int(sessions.number[head]), ()):
            told[one.metric] = head
            if one not in verdicts[one.metric]:
                verdicts[one.metric].append(one)
    return Standing(
        track=track, last=last, judged=judged, told=told,
        whole=next((one for one in _checks(sessions, track) if sessions.run[one] not in partial), -1),
        verdicts={metric: tuple(found) for metric, found in verdicts.items()},
        expected=_expected(sessions, track, groups),
        failed={metric: Failed(head=head, sentence=why_failed(words.get(int(sessions.number[head]), ()), metric))
                for metric, head in failed.items()},
    )  # fmt: skip


def _checks(sessions: Sessions, track: int) -> Iterator[int]:
    """The newest first."""
    return (one for one in sessions.members[track][::-1].tolist() if sessions.heads[one].purpose == CHECK)


def _expected(sessions: Sessions, track: int, groups: list[Group]) -> dict[str, Expected]:
    recent = list(islice(_checks(sessions, track), SPARK_SESSIONS))
    found = {}
    for group in groups if recent else ():
        of_late = (group.head >= recent[-1]) & ~sessions.paired[group.head]
        kinds = int(np.bitwise_or.reduce(group.kinds[of_late], initial=0))
        if kinds & (ALWAYS | AGAINST_BEFORE):
            found[group.metric] = Expected(gate=bool(kinds & GATE), only_before=not kinds & ALWAYS)
    return found
