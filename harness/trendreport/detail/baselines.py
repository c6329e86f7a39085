"""What a session is compared with when somebody looks at it: sessions before it, and how to say which. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.record import SessionRecord
from harness.trendreport.acceptance import Baselines
from harness.trendreport.cells import plural
from harness.trendreport.model import Track

MOST_SESSIONS = 12
ROUNDS = "the other build, measured beside it in the same process, round by round"
NONE_ACCEPTED = "; this history holds no accepted session under these conditions"
_OWN = ("check", "accept", "import")


@dataclass(frozen=True, kw_only=True)
class Before:
    """Ids of the sessions to compare with, oldest first. accepted: they are those of the baseline that held then."""

    ids: tuple[str, ...] = ()
    accepted: bool = False


def baseline_of(track: Track, position: int, baselines: Baselines, failed: Collection[int] = ()) -> Before:
    """What a session is compared with; fellows of the same run are none.

    The newest 12 of the baseline that held then, of its identity. Or else those of the newest build that had not
    failed, valid and of its identity; failed: places of sessions with a FAIL. Where there is none either, the last
    valid session before it, maybe under other conditions: then only its surroundings can be compared.
    """
    identity, build = track.identity.tolist(), track.build
    accepted = [one for one in baselines.at(position) if identity[one] == identity[position]]
    if accepted:
        return Before(ids=tuple(track.ids[one] for one in accepted[-MOST_SESSIONS:]), accepted=True)
    before = _before(track, position)
    slow = {build[one] for one in failed if one <= position} - {""}
    good = [one for one in before if identity[one] == identity[position] and build[one] not in slow]
    of_build = [one for one in good if build[one] == build[good[-1]]]
    return Before(ids=tuple(track.ids[one] for one in (of_build or before[-1:])[-MOST_SESSIONS:]))


def _before(track: Track, position: int) -> list[int]:
    """Valid sessions before it, of another run."""
    own_run = track.run[position]
    rows = enumerate(zip(track.valid[:position].tolist(), track.purpose, track.run, strict=False))
    return [place for place, (good, purpose, run) in rows
            if good and purpose in _OWN and (run != own_run or not run)]  # fmt: skip


def words(session: SessionRecord, baseline: Sequence[SessionRecord], accepted: bool) -> str:
    """Which sessions these are, and how many of them still have raw times."""
    if session.purpose == "paired":
        return ROUNDS
    newest = baseline[-1]
    if newest.identity != session.identity:
        return f"the session of {newest.at[:10]} was measured under other conditions: its numbers are not comparable"
    kind, why = ("accepted session", "") if accepted else ("earlier session", NONE_ACCEPTED)
    of_build = "" if accepted or not newest.provenance.get("model_sha256") else " of one build"
    raw = sum(bool(one.runs) for one in baseline)
    kept = "" if raw == len(baseline) else f"; {raw or 'none'} of them {'has' if raw == 1 else 'have'} raw times left"
    return f"{plural(len(baseline), kind)}{of_build} until {newest.at[:10]}{kept}{why}"
