"""A session in detail, as docs/trend-report.md has it: what a click on its point shows. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.case import Array, Run
from harness.errors import printable
from harness.record import SessionRecord
from harness.trendreport.detail.baselines import words
from harness.trendreport.detail.curves import MS, rounded, stages, stretches
from harness.trendreport.detail.quantiles import Shift, pooled, quantiles, shift_of
from harness.trendreport.detail.sensorlines import line_table, lines
from harness.trendreport.provenance import sensed_of, text

MOST_FACTS = 40
SERVICE = "a camera sent the frames: these are service times, from a frame's start; waiting is not in them"
PAIRED = "paired"
OF_ONE_RUN = ("command", "subject", "run")
HASH, SHORT = re.compile(r"[0-9a-f]{40,}"), 12
COMMIT = re.compile(r"([0-9a-f]{7,64})(\+?)")

Detail = dict[str, Any]


def detail_of(session: SessionRecord, baseline: Sequence[SessionRecord], *, accepted: bool = False) -> Detail:
    """Plain JSON values; what is not known is None, an empty list or empty text.

    baseline: the sessions to compare with, oldest first; those of another identity are compared in their surroundings
    only. Rounds beside another build have that build as their baseline instead. accepted: they are what was accepted.
    """
    runs, others = _sides(session, baseline)
    drawn, notes = lines(runs)
    return {
        "id": session.id, "at": session.at, "case": printable(session.case.key),
        "environment": environment(session, baseline),
        "baseline": _baseline(session, baseline, others, accepted),
        "context": _flat(sensed_of(session)), "provenance": _flat(_builds(session)),
        "verdicts": _verdicts(session),
        "quantiles_ms": _quantiles_ms(_frames(runs)),
        "shift": _shift(shift_of(_frames(runs), others, beside=session.purpose == PAIRED)),
        "frames": stretches(runs), "traces": [line_table(one) for one in drawn], "stages": stages(runs),
        "command": reproduced(session), "commit": _text(session, "commit"), "subject": _text(session, "subject"),
        "notes": [*notes, *([SERVICE] if any(run.camera for run in runs) else [])],
    }  # fmt: skip


def environment(session: SessionRecord, baseline: Sequence[SessionRecord]) -> list[list[str]]:
    """Name, then and now of all that differs from the newest session of the baseline.

    Identity and builds, and of surroundings and settings what both sides tell and is no reading of the moment.
    """
    if not baseline:
        return []
    then, now = baseline[-1], session
    before, after = _settings(then), _settings(now)
    return [
        *_differing(then.identity, now.identity, {*then.identity, *now.identity}),
        *_differing(_builds(then), _builds(now), {*_builds(then), *_builds(now)}),
        *_differing(before, after, before.keys() & after.keys()),
    ]


def _differing(then: Mapping[str, Any], now: Mapping[str, Any], names: Iterable[str]) -> list[list[str]]:
    return [[printable(name), *(printable(_short(text(one.get(name)))) for one in (then, now))]
            for name in sorted(names) if then.get(name) != now.get(name)]  # fmt: skip


def _short(told: str) -> str:
    """The beginning of a long hash is enough to tell two of them apart."""
    return told[:SHORT] if HASH.fullmatch(told) else told


def _builds(session: SessionRecord) -> dict[str, Any]:
    return {name: value for name, value in session.provenance.items() if name not in OF_ONE_RUN}


def _settings(session: SessionRecord) -> dict[str, Any]:
    return {name: value for name, value in sensed_of(session).items() if not isinstance(value, (int, float))}


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """Names and scalars; lists and tables as text."""
    plain = (bool, int, float, type(None))
    return {printable(name): value if isinstance(value, plain) else printable(text(value))
            for name, value in list(told.items())[:MOST_FACTS]}  # fmt: skip


def _sides(session: SessionRecord, baseline: Sequence[SessionRecord]) -> tuple[Sequence[Run], list[Sequence[Array]]]:
    """The processes of the session, and the frame times of each session of the baseline that may be compared."""
    if session.purpose == PAIRED:
        reference, candidate = session.runs[:1], session.runs[1:]
        return candidate, [_frames(reference)]
    return session.runs, [_frames(one.runs) for one in baseline if one.identity == session.identity]


def _frames(runs: Sequence[Run]) -> list[Array]:
    return [run.frame_ns[run.frame_ns > 0] for run in runs]


def _baseline(
    session: SessionRecord, baseline: Sequence[SessionRecord], others: Sequence[Sequence[Array]], accepted: bool
) -> Detail | None:
    if not baseline and session.purpose != PAIRED:
        return None
    frames = [one for processes in others for one in processes]
    return {"what": words(session, baseline, accepted), "quantiles_ms": _quantiles_ms(frames)}


def _quantiles_ms(processes: Sequence[Array]) -> list[float] | None:
    """p0 to p100 of all frames."""
    ordered = pooled(processes)
    return rounded(quantiles(ordered) / MS) if len(ordered) else None


def _shift(found: Shift | None) -> Detail | None:
    if found is None:
        return None
    ratio, low, high = ([round(100 * one, 2) for one in column.tolist()] for column in
                        (found.ratio, found.low, found.high))  # fmt: skip
    return {"at_percent": found.percent.tolist(), "ratio_percent": ratio, "low": low, "high": high,
            "basis": found.basis}  # fmt: skip


def _verdicts(session: SessionRecord) -> list[Detail]:
    return [{"metric": printable(one.metric), "outcome": printable(one.outcome), "gate": one.gate,
             "sentence": printable(one.sentence)} for one in session.verdicts]  # fmt: skip


def reproduced(session: SessionRecord) -> str:
    """Checks out the commit, and measures again; the command is quoted as it was recorded, "" where it was not.

    What is copied into a shell must be what is shown: no invisible characters, and as a commit nothing but a hash.
    """
    command = _text(session, "command")
    found = COMMIT.fullmatch(_text(session, "commit"))
    if not command or not found:
        return command
    changed = f"  # files differed from {found[1]} then" if found[2] else ""
    return f"git checkout {found[1]} && {command}{changed}"


def _text(session: SessionRecord, name: str) -> str:
    return printable(session.provenance.get(name) or "")
