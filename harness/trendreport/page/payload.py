"""What the page's script draws from: the columns of all sessions as compact JSON values (docs/trend-report.md)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.case import Array
from harness.trendreport.model import OUTCOMES, Series, Track, Trends
from harness.trendreport.page.columns import deltas_of, runs_of, scaled, seconds_of, shortened

SCHEMA = 1
ID_DIGITS = 8


class _Numbered(dict[Hashable, int]):
    """Things by the number that they got when they were first seen."""

    def codes(self, things: Iterable[Hashable]) -> Array:
        """The numbers of `things`, int64."""
        return np.array([self.setdefault(one, len(self)) for one in things], np.int64)


@dataclass(frozen=True)
class _Known:
    """What many sessions share, told once."""

    commits: _Numbered = field(default_factory=_Numbered)
    builds: _Numbered = field(default_factory=_Numbered)
    commands: _Numbered = field(default_factory=_Numbered)
    purposes: _Numbered = field(default_factory=_Numbered)


def payload_of(trends: Trends, commit_url: str = "") -> dict[str, Any]:
    """Plain values whose JSON is the element `trends`; texts are still raw."""
    known = _Known()
    cases = [_case(one, known) for one in trends.tracks]
    return {
        "schema": SCHEMA, "newest": trends.newest, "commit_url": commit_url, "outcomes": OUTCOMES,
        "identities": trends.identities, "commits": list(known.commits), "builds": list(known.builds),
        "commands": list(known.commands), "purposes": list(known.purposes), "cases": cases,
        "series": [_series(one, trends) for one in trends.series], "annotations": _annotations(trends),
        "details": detail_elements(trends.details),
    }  # fmt: skip


def detail_elements(details: Mapping[str, Any]) -> dict[str, str]:
    """Session id -> id of the element that holds its detail."""
    return {session: f"detail-{number}" for number, session in enumerate(details)}


def _case(track: Track, known: _Known) -> dict[str, Any]:
    case, seconds = track.case, seconds_of(track.at)
    return {
        "parts": [case.device, case.model, case.variant, case.runtime], "engine": track.engine,
        "simulated": int(track.simulated), "count": len(track.ids), "sessions": track.sessions,
        "ids": "".join(one[:ID_DIGITS] for one in track.ids),
        "start": int(seconds[0]) if len(seconds) else None, "steps": np.diff(seconds).tolist(),
        "valid": runs_of(np.asarray(track.valid, np.int64)), "identity": runs_of(np.asarray(track.identity)),
        "commit": runs_of(known.commits.codes(zip(track.commit, track.subject, strict=True))),
        "build": runs_of(known.builds.codes(track.build)), "command": runs_of(known.commands.codes(track.command)),
        "purpose": runs_of(known.purposes.codes(track.purpose)), "boundaries": track.boundaries,
    }  # fmt: skip


def _series(series: Series, trends: Trends) -> dict[str, Any]:
    track = trends.tracks[series.track]
    known = np.isfinite(series.value)
    index, value, outcome = (column[known] for column in (series.index, series.value, series.outcome))
    scale, deltas = scaled(value)
    band = series.band
    return {
        "case": series.track, "metric": series.metric, "unit": series.unit, "better": series.better,
        "index": None if len(index) == len(track.ids) else deltas_of(index), "scale": scale, "value": deltas,
        "outcome": runs_of(outcome), "limits": [[shortened(one.limit), int(one.gate)] for one in series.limits],
        "band": band and [shortened(band.low), shortened(band.high), band.first, band.sessions],
        "steps": [[one.index, shortened(one.percent), shortened(one.p_value)] for one in series.steps],
        "decimated": series.decimated,
    }  # fmt: skip


def _annotations(trends: Trends) -> list[dict[str, Any]]:
    """Those of all cases, and those of a case that has sessions."""
    places: dict[str | None, int | None] = {one.case.key: number for number, one in enumerate(trends.tracks)}
    places[None] = None
    return [
        {"at": one.at, "kind": one.kind, "text": one.text, "author": one.author, "case": places[one.case_key]}
        for one in trends.annotations
        if one.case_key in places
    ]
