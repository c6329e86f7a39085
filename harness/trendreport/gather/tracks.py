"""The sessions of each case as the columns of a track, and where their identity changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.case import Array
from harness.fingerprint import differences
from harness.trendreport.gather.sessions import IMPORT, Sessions, listed, texts
from harness.trendreport.model import Track

# Two plans in turn change the identity at every session: of so many changes the newest are drawn.
MOST_BOUNDARIES = 40
PROVENANCE = {
    "commit": "commit", "subject": "subject", "build": "model_sha256", "command": "command", "run": "run",
}  # fmt: skip
ENGINE = ("engine", "version")
Identities = Sequence[Mapping[str, Any]]
Boundaries = tuple[tuple[int, str], ...]


def boundaries_of(identity: Array, identities: Identities) -> Boundaries:
    """The first session of another identity than the one before, and what differs; the newest 40."""
    changed = (np.flatnonzero(np.diff(identity)) + 1)[-MOST_BOUNDARIES:].tolist()
    return tuple((place, _differing(identities, *identity[place - 1 : place + 1].tolist())) for place in changed)


def _differing(identities: Identities, before: int, now: int) -> str:
    return "; ".join(differences(identities[before], identities[now]))


def track_of(
    sessions: Sessions, number: int, identities: Identities, boundaries: Boundaries, kept: Array | None = None
) -> Track:
    """One case. kept: the places of the sessions that stay, ascending, with those of the boundaries; None: all."""
    members = sessions.members[number]
    shown = members if kept is None else members[kept]
    heads = [sessions.heads[one] for one in shown.tolist()]
    last = next((one for one in reversed(heads) if one.purpose != IMPORT), heads[-1])
    newest = identities[last.identity]
    ids, at, purpose = (tuple(listed(heads, name)) for name in ("id", "at", "purpose"))
    provenance = listed(heads, "provenance")
    return Track(
        case=sessions.cases[number], engine=" ".join(filter(None, texts([newest.get(name) for name in ENGINE]))),
        simulated=last.simulated, ids=ids, at=at, purpose=purpose, valid=sessions.valid[shown],
        identity=sessions.identity[shown],
        boundaries=boundaries if kept is None else _moved(boundaries, kept),
        sessions=None if kept is None else len(members),
        **{column: texts([told.get(name) for told in provenance]) for column, name in PROVENANCE.items()},
    )  # fmt: skip


def _moved(boundaries: Boundaries, kept: Array) -> Boundaries:
    return tuple((int(np.searchsorted(kept, place)), text) for place, text in boundaries)
