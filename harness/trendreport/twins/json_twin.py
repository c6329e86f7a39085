"""Everything as strict JSON, numbers in full; docs/trend-report.md documents every key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from harness.trendreport.model import OUTCOMES, Deployment, Row, Series, Track, Trends
from harness.trendreport.page.embed import json_text

SCHEMA = 1
Sources = dict[tuple[str, ...], int]


def json_twin(trends: Trends) -> str:
    """ASCII JSON on one line; what is unmeasured is null, and text is shown as on the page."""
    return json_text(_values(trends)) + "\n"


def _values(trends: Trends) -> dict[str, Any]:
    sources: Sources = {}
    tracks = [_track(one, sources) for one in trends.tracks]
    names = ("commit", "subject", "build", "command")
    return {
        "schema": SCHEMA, "newest": trends.newest, "overview": asdict(trends.overview),
        "rows": [_row(one) for one in trends.rows], "outcomes": OUTCOMES,
        "tracks": tracks, "series": [_series(one) for one in trends.series],
        "sources": [dict(zip(names, one)) for one in sources], "identities": trends.identities,
        "annotations": [asdict(one) for one in trends.annotations], "views": asdict(trends.views),
        "sections": [asdict(one) for one in trends.sections],
        "deployments": [_deployment(one) for one in trends.deployments],
        "health": [asdict(one) for one in trends.health], "provenance": [asdict(one) for one in trends.provenance],
        "notes": trends.notes,
    }  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    return {"key": row.key, **asdict(row)}


def _deployment(deployment: Deployment) -> dict[str, Any]:
    """With the states that follow from the evidence."""
    items = [{"state": one.state, **asdict(one)} for one in deployment.items]
    return {**asdict(deployment), "ready": deployment.ready, "items": items}


def _track(track: Track, sources: Sources) -> dict[str, Any]:
    """Columns of one entry per session; where each came from is told once, in `sources`."""
    told = zip(track.commit, track.subject, track.build, track.command)
    return {
        "case": asdict(track.case), "engine": track.engine, "simulated": track.simulated, "id": track.ids,
        "at": track.at, "purpose": track.purpose, "valid": track.valid, "identity": track.identity,
        "source": [sources.setdefault(one, len(sources)) for one in told], "boundaries": track.boundaries,
    }  # fmt: skip


def _series(series: Series) -> dict[str, Any]:
    limits, steps = ([asdict(one) for one in some] for some in (series.limits, series.steps))
    return {
        "track": series.track, "metric": series.metric, "unit": series.unit, "better": series.better,
        "index": series.index, "value": series.value, "outcome": series.outcome, "decimated": series.decimated,
        "limits": limits, "band": asdict(series.band) if series.band else None, "steps": steps,
    }  # fmt: skip
