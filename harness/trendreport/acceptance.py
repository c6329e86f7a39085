"""Which sessions a baseline consists of, session by session, as `harness accept` left it in the history. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

from harness.history.trendrows import SessionHead
from harness.record import Annotation, RunRecord
from harness.trendreport.model import Track

ACCEPTED, REVERTED = "accepted", "reverted"
ACCEPT, ADDED = "accept", "--add"
# Later than any time.
NEVER = "~"

Places = tuple[int, ...]


class Attempt(NamedTuple):
    """One `harness accept` of a case. places: of its valid sessions; start, end: of all of its sessions, half-open."""

    at: str
    run: str
    build: str
    added: bool
    places: Places
    start: int
    end: int

    def goes_on(self, before: Attempt) -> bool:
        """True where nothing was measured between two attempts of one build."""
        return before.end == self.start and before.build == self.build


Event = tuple[int, str, Attempt | None]


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """The baselines that a case had one after the other. starts: the first session that each holds for, ascending.

    sessions: what each consists of, as positions in the track, ascending; empty where the history does not know.
    """

    starts: Places = ()
    sessions: tuple[Places, ...] = ()

    def at(self, position: int) -> Places:
        """The sessions of the baseline that holds for the session at this position."""
        found = bisect_right(self.starts, position)
        return self.sessions[found - 1] if found else ()


@dataclass(frozen=True, kw_only=True)
class Acceptances:
    """What the remarks and the runs of a history say. remarks: those that change a baseline, oldest first.

    refused: run and case key of each attempt that became no baseline. interrupted: runs that may have written none.
    known_since: when the first such remark was made; of what `harness accept` measured before, nobody noted more.
    """

    remarks: Sequence[Annotation]
    refused: Collection[tuple[str, str]]
    interrupted: Collection[str]
    known_since: str

    def of_track(self, track: Track) -> Baselines:
        """The baselines of a case, by positions in its track."""
        rows = zip(track.purpose, track.at, track.run, track.build, track.command, track.valid.tolist())
        tried = [_Session(place, *rest) for place, (purpose, *rest) in enumerate(rows) if purpose == ACCEPT]
        return self._baselines(track.case.key, _attempts(tried), track.at)

    def of_heads(self, heads: Sequence[SessionHead]) -> Baselines:
        """The same by positions in `heads`, which are all sessions of one case, oldest first."""
        if not heads:
            return Baselines()
        tried = [
            _Session(place, one.at, _told(one, "run"), _told(one, "model_sha256"), _told(one, "command"), one.valid)
            for place, one in enumerate(heads) if one.purpose == ACCEPT
        ]  # fmt: skip
        return self._baselines(heads[0].case.key, _attempts(tried), list(map(attrgetter("at"), heads)))

    def _baselines(self, key: str, attempts: Sequence[Attempt], at: Sequence[str]) -> Baselines:
        now, before = Places(), Places()
        starts, sessions = [0], [now]
        for start, kind, attempt in self._events(key, attempts, at):
            if kind == REVERTED:
                now, before = before, now
            else:
                places = attempt.places if attempt else ()
                now, before = (*now, *places) if attempt and attempt.added else places, now
            starts.append(max(start, starts[-1]))
            sessions.append(now)
        return Baselines(starts=tuple(starts), sessions=tuple(sessions))

    def _events(self, key: str, attempts: Sequence[Attempt], at: Sequence[str]) -> Iterator[Event]:
        """Each change of the baseline: the first session it holds for, its kind, and the attempt that is accepted."""
        tried = [one for one in attempts if (one.run, key) not in self.refused]
        unnoted = [one for one in tried if one.at < self.known_since and one.run not in self.interrupted]
        noted = [one for one in self.remarks if one.case_key in (None, key)]
        last: Attempt | None = None
        told: list[Attempt | Annotation] = [*unnoted, *noted]
        for one in sorted(told, key=attrgetter("at")):
            if isinstance(one, Attempt):
                goes_on = last is not None and one.goes_on(last)
                last = one
                yield one.end, ACCEPTED, one._replace(added=one.added or goes_on)
            elif one.kind == REVERTED:
                last = None
                yield bisect_right(at, one.at), REVERTED, None
            else:
                newest = next((attempt for attempt in reversed(tried) if attempt.at <= one.at), None)
                if newest is None or newest != last:
                    last = newest
                    yield max(newest.end if newest else 0, bisect_left(at, one.at)), ACCEPTED, newest


def acceptances_of(annotations: Iterable[Annotation], runs: Iterable[RunRecord] = ()) -> Acceptances:
    """What the history says of its acceptances. runs: without them a refusal from before the first remark is not seen.

    Each `accepted` remark belongs to the newest `harness accept` of its case before it, `reverted` swaps the baseline
    and the one before. Of histories from before there were such remarks, all that `harness accept` measured was
    accepted, and what it measured of one build in a row is one baseline.
    """
    remarks = sorted((one for one in annotations if one.kind in (ACCEPTED, REVERTED)), key=attrgetter("at"))
    accepts = [one for one in runs if one.purpose == ACCEPT]
    return Acceptances(
        remarks=remarks, known_since=remarks[0].at if remarks else NEVER,
        refused={(run.run, one.case.key) for run in accepts for one in run.failures if not one.metric},
        interrupted={run.run for run in accepts if run.interrupted},
    )  # fmt: skip


class _Session(NamedTuple):
    place: int
    at: str
    run: str
    build: str
    command: str
    valid: bool


def _attempts(tried: Iterable[_Session]) -> list[Attempt]:
    """The sessions of each run, oldest first; a run without a valid one is no attempt."""
    runs: dict[str, list[_Session]] = defaultdict(list)
    for one in tried:
        runs[one.run or one.at].append(one)
    return [_attempt(some) for some in runs.values() if any(one.valid for one in some)]


def _attempt(sessions: Sequence[_Session]) -> Attempt:
    last = sessions[-1]
    return Attempt(
        at=last.at, run=last.run, build=last.build, added=ADDED in last.command.split(),
        places=tuple(one.place for one in sessions if one.valid), start=sessions[0].place, end=last.place + 1,
    )  # fmt: skip


def _told(head: SessionHead, name: str) -> str:
    return str(head.provenance.get(name) or "")
