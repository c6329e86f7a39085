"""The rows of the first screen: what the newest session of each case says of each metric, and what is missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.lookback import NAME as BASELINE
from harness.record import Failure
from harness.remember import REFUSED
from harness.trendreport.gather.claims import claim_of
from harness.trendreport.gather.earlier import (
    failed_before,
    is_missing,
    is_new_failure,
    is_unasked,
    last_word,
    said_instead,
    state,
)
from harness.trendreport.gather.runs import NewestRun
from harness.trendreport.gather.standings import is_current
from harness.trendreport.gather.view import View
from harness.trendreport.gather.weight import in_noise, verdict_of, weight_of
from harness.trendreport.metricwords import place_of, unit_of
from harness.trendreport.model import OUTCOMES, Claim, Flag, Row

SPOILED = "every session that tells it was spoiled by its surroundings"


def rows_of(views: Sequence[View], runs: Mapping[str, NewestRun]) -> tuple[Row, ...]:
    """All rows, the heaviest first; rows of equal weight by their keys."""
    found = {row.key: row for view in views for row in _rows(view)}
    tracks = {view.case: view.standing.track for view in views}
    for run in runs.values():
        for failure in run.failures:
            row = _failed(failure, run, tracks.get(failure.case))
            found[row.key] = _joined(found[row.key], row) if row.key in found else row
    return tuple(sorted(found.values(), key=lambda row: (-row.weight, row.key)))


def _rows(view: View) -> Iterator[Row]:
    standing = view.standing
    for metric in sorted({*view.points, *view.judged}, key=place_of):
        if _speaks(view, metric):
            yield _judged(view, metric)
        elif is_missing(view, metric):
            yield _missing(view, metric)
        elif metric in view.points:
            yield _reported(view, metric)
        elif metric in standing.expected or metric in standing.failed:
            yield _row(view, metric, list(said_instead(view, metric)), None, standing.last)


def _speaks(view: View, metric: str) -> bool:
    """True where the newest verdicts on the metric are of the case's newest run, or of a later one side by side."""
    standing = view.standing
    if metric not in standing.verdicts:
        return False
    return is_current(view.sessions, standing) or standing.told[metric] > standing.last


def _judged(view: View, metric: str) -> Row:
    verdicts = view.standing.verdicts_on(metric)
    claims = {claim_of(one): one.value for one in verdicts}
    ordered = sorted(claims, key=lambda one: (not one.gate, OUTCOMES.index(one.outcome)))
    value = next((claims[one] for one in ordered if claims[one] is not None), None)
    return _row(view, metric, ordered, value, view.standing.told[metric])


def _missing(view: View, metric: str) -> Row:
    """No value and no verdict, with when there was one."""
    now, before = view.at(view.standing.whole), last_word(view, metric)
    unjudged = f"measured {now} and not judged; last judged {before}"
    gone = f"last judged {before}, and the session of {now} has no verdict on it"
    row = _row(view, metric, (), None, view.standing.last)
    advice = not view.standing.expected[metric].gate
    return replace(
        row, missing=gone if is_current(view.sessions, view.standing) else unjudged, advice=advice, in_noise=False,
        weight=weight_of(row.claims, advice=advice, missing=True), flags=_with_missing(row.flags),
    )  # fmt: skip


def _with_missing(flags: Iterable[Flag]) -> tuple[Flag, ...]:
    return tuple(dict.fromkeys((*flags, "missing")))


def _reported(view: View, metric: str) -> Row:
    """The newest valid value, that nobody judged, or the newest one where none is valid."""
    group = view.points[metric][1]
    valid = np.flatnonzero(view.sessions.valid[group.head])
    newest = int(valid[-1]) if len(valid) else -1
    claims = list(said_instead(view, metric))
    if not len(valid):
        claims.append(state("INVALID", SPOILED))
    return _row(view, metric, claims, float(group.drawn[newest]), int(group.head[newest]))


def _row(view: View, metric: str, said: Sequence[Claim], value: float | None, head: int) -> Row:
    """head: the session that says it. A gate that was FAIL and that nothing decided since is one of the claims."""
    claims = (*failed_before(view, metric, said), *said)
    outcome, advice = verdict_of(claims)
    return Row(
        case=view.case, metric=metric, unit=unit_of(metric), value=value, at=view.at(head), outcome=outcome,
        advice=advice, weight=weight_of(claims, advice=advice), track=view.standing.track,
        in_noise=in_noise(claims) and view.is_current(head),
        series=view.points[metric][0] if metric in view.points else None,
        flags=tuple(_flags(view, metric, claims, outcome, head)), claims=claims, current=view.is_current(head),
    )  # fmt: skip


def _flags(view: View, metric: str, claims: Sequence[Claim], outcome: str, head: int) -> Iterator[Flag]:
    sessions, track = view.sessions, view.standing.track
    seen = view.points[metric][1].head if metric in view.points else sessions.members[track]
    current = view.is_current(head)
    since = any(one.gate and one.outcome == "FAIL" and not (one.rule and current) for one in claims)
    flags: dict[Flag, bool] = {
        "new": view.is_current(int(seen[0])),
        "not judged since": since,
        "newly failing": outcome == "FAIL" and not since and is_new_failure(view, metric),
        "not asked": is_unasked(view, metric),
        "not current": not current,
        "retired": view.retired,
        "simulated": sessions.heads[view.standing.last].simulated,
        "improved": any(one.change is not None and one.change.improved for one in claims),
    }
    return (flag for flag, holds in flags.items() if holds)


def _failed(failure: Failure, run: NewestRun, track: int | None) -> Row:
    """What the newest run was asked and has not; a case that `harness accept` refused has no baseline of it."""
    metric = BASELINE if failure.kind == REFUSED else failure.metric
    return Row(
        case=failure.case, metric=metric, unit=unit_of(metric), value=None, at=run.record.at,
        outcome="", advice=False, weight=weight_of((), advice=False, missing=True), in_noise=False, track=track,
        series=None, flags=("missing",), missing=f"{failure.kind}: {failure.sentence}",
    )  # fmt: skip


def _joined(row: Row, failed: Row) -> Row:
    """A row with what failed of it; what it said before the newest run is left out, unless that was a FAIL."""
    if not row.current and not row.failed:
        return replace(failed, series=row.series)
    return replace(
        row, advice=False, in_noise=False, flags=_with_missing(row.flags),
        weight=weight_of(row.claims, advice=False, missing=True),
        missing="; ".join(filter(None, (row.missing, failed.missing))),
    )  # fmt: skip
