"""The sessions of a history by case, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from harness.case import Array, Case
from harness.history.trendrows import SessionHead

CHECK, ACCEPT, PAIRED, IMPORT = "check", "accept", "paired", "import"


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """heads: oldest first, as in TrendRows. cases: sorted by their keys, one for each track.

    Columns with one entry per head: number, valid and identity as there; accepted: by `harness accept`; paired:
    measured in turn with another build; track: index into `cases`; place: position among the sessions of its case; run:
    the name of the run that measured it. members: per track, the positions of its heads, oldest first.
    """

    heads: Sequence[SessionHead]
    cases: tuple[Case, ...]
    number: Array
    valid: Array
    identity: Array
    accepted: Array
    paired: Array
    track: Array
    place: Array
    run: tuple[str, ...]
    members: tuple[Array, ...]

    def heads_of(self, numbers: Array) -> tuple[Array, Array]:
        """Which of these session numbers are known, as a mask, and the positions of the heads of those that are."""
        if not len(self.number):
            return np.zeros(len(numbers), bool), numbers[:0]
        order = self.number.argsort()
        found = order[np.searchsorted(self.number, numbers, sorter=order).clip(max=len(order) - 1)]
        known = self.number[found] == numbers
        return known, found[known]


def sessions_of(heads: Sequence[SessionHead]) -> Sessions:
    """The same sessions, sorted into cases."""
    case = listed(heads, "case")
    cases = sorted(set(case), key=lambda one: one.key)
    index = {one: track for track, one in enumerate(cases)}
    track = np.fromiter(map(index.__getitem__, case), np.int64, len(case))
    order = track.argsort(kind="stable")
    starts = np.searchsorted(track[order], np.arange(len(cases)))
    place = np.empty(len(heads), np.int64)
    place[order] = np.arange(len(heads)) - starts[track[order]]
    purpose = listed(heads, "purpose")
    return Sessions(
        heads=heads, cases=tuple(cases), number=column(heads, "number", np.int64), valid=column(heads, "valid", bool),
        identity=column(heads, "identity", np.int64), accepted=_are(purpose, ACCEPT), paired=_are(purpose, PAIRED),
        track=track, place=place, run=_runs(listed(heads, "at"), listed(heads, "provenance")),
        members=tuple(np.split(order, starts[1:])) if cases else (),
    )  # fmt: skip


def listed(rows: Sequence[Any], name: str) -> list[Any]:
    """One column of rows; a zip over them all would leave as many iterators for the collector of garbage to visit."""
    return list(map(attrgetter(name), rows))


def column(rows: Sequence[Any], name: str, kind: type) -> Array:
    """The same as an array; None becomes NaN."""
    return np.array(listed(rows, name), kind)


def _are(purpose: Sequence[str], wanted: str) -> Array:
    return np.fromiter((one == wanted for one in purpose), bool, len(purpose))


def _runs(at: Sequence[str], provenance: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of the runs; sessions from before these had names share the time at which their run was kept."""
    return texts([told.get("run") or when for when, told in zip(at, provenance)])


def texts(values: Sequence[Any]) -> tuple[str, ...]:
    """Scalars as text; "" for what is not told."""
    if set(map(type, values)) <= {str}:
        return tuple(values)
    return tuple("" if one is None else str(one) for one in values)
