"""Which board makes trouble of its own: failures, sessions that had to be thrown away, and since when. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from harness.case import Case
from harness.history.trendrows import SessionHead, TrendRows
from harness.trendreport.cells import MISSING, SIMULATED, some
from harness.trendreport.model import Table
from harness.verdict import INFRA

TIME = "%Y-%m-%dT%H:%M:%SZ"
TRIED = ("check", "accept")
# Neither says that the board failed.
NO_FAULT = ("not reached", "refused")
NOTES = (
    "INFRA: sessions whose numbers the device itself disturbed although they had been measured again; not valid: "
    "sessions that it disturbed, or in which other load ran",
    "cases with a failed attempt: of the cases that a run tried, those with a session that was not valid, also where "
    "it was measured again, or with an error; failures: by kind, over all runs",
    "days: from the last valid session of the device to the newest session of the whole history",
)


def boards_table(rows: TrendRows) -> Table:
    """One row per device that has a session or a failure."""
    heads, failures, infra, attempts = _heads(rows), _failures(rows), _infra(rows), _failed_attempts(rows)
    devices = sorted({*heads, *failures})
    newest = rows.heads[-1].at if rows.heads else ""
    return Table(
        title="Boards",
        columns=("device", "sessions", "not valid", "INFRA", "cases with a failed attempt", "failures",
                 "last valid session", "days"),
        rows=tuple(
            (_named(device, heads[device]), *_counts(heads[device]), str(infra[device]),
             attempts.get(device, MISSING), some(_kinds(failures[device]), 4) or MISSING,
             *_last_valid(heads[device], newest))
            for device in devices
        ),
        notes=NOTES,
    )  # fmt: skip


def _heads(rows: TrendRows) -> dict[str, list[SessionHead]]:
    found: dict[str, list[SessionHead]] = defaultdict(list)
    for head in rows.heads:
        found[head.case.device].append(head)
    return found


def _failures(rows: TrendRows) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for run in rows.runs:
        for failure in run.failures:
            found[failure.case.device][failure.kind] += 1
    return found


def _infra(rows: TrendRows) -> Counter[str]:
    """Device -> how many of its sessions have an INFRA verdict."""
    spoiled = {one.session for one in rows.outcomes if one.error_class == INFRA}
    return Counter(head.case.device for head in rows.heads if head.number in spoiled)


def _kinds(failures: Counter[str]) -> list[str]:
    return [f"{count} {kind}" for kind, count in sorted(failures.items(), key=lambda pair: (-pair[1], pair[0]))]


def _named(device: str, heads: Sequence[SessionHead]) -> str:
    return f"{device} {SIMULATED}" if heads and all(head.simulated for head in heads) else device


def _counts(heads: Sequence[SessionHead]) -> tuple[str, str]:
    return str(len(heads)), str(sum(not head.valid for head in heads))


def _failed_attempts(rows: TrendRows) -> dict[str, str]:
    """Device -> cases with a failed attempt, and all: each case once per run. Which session failed is not kept."""
    failed: dict[tuple[str, Case], bool] = {}
    for head in rows.heads:
        if head.purpose in TRIED:
            place = (head.provenance.get("run") or head.id, head.case)
            failed[place] = failed.get(place, False) or not head.valid
    errors = ((run.run, one) for run in rows.runs for one in run.failures)
    failed |= {(run, one.case): True for run, one in errors if not one.metric and one.kind not in NO_FAULT}
    count = Counter(case.device for _, case in failed)
    bad = Counter(case.device for (_, case), one in failed.items() if one)
    return {device: f"{bad[device]} of {count[device]}" for device in count}


def _last_valid(heads: Sequence[SessionHead], newest: str) -> tuple[str, str]:
    at = next((head.at for head in reversed(heads) if head.valid), "")
    if not at:
        return "never", MISSING
    days = (datetime.strptime(newest, TIME) - datetime.strptime(at, TIME)).days
    return at[:10], str(days)
