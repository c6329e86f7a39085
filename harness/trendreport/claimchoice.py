"""Which of a row's claims its cells tell, in every form of the report. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from harness.trendreport.model import OUTCOMES, Claim, Row

_RANK = {name: rank for rank, name in enumerate(OUTCOMES)}


def budget_claim(row: Row) -> Claim | None:
    """The claim on a limit that the row's cells tell; None where nothing limits it."""
    return _for_the_cell(one for one in row.claims if one.limit is not None)


def change_claim(row: Row) -> Claim | None:
    """The claim on a change that the row's cells tell; None where it was compared with nothing."""
    return _for_the_cell(one for one in row.claims if one.change is not None)


def _for_the_cell(claims: Iterable[Claim]) -> Claim | None:
    """Gates before advice, then the worst outcome, then the least room to the limit, then the first recorded."""
    return min(claims, key=_place, default=None)


def _place(claim: Claim) -> tuple[bool, int, float]:
    room = math.inf if claim.margin_percent is None else claim.margin_percent
    return not claim.gate, _RANK.get(claim.outcome, len(_RANK)), room
