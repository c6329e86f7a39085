"""Where numbers come from: the newest conditions of each device, who accepted what and why, all remarks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.baseline import Baseline, read_baseline
from harness.errors import HarnessError
from harness.fingerprint import ENGINE_FACTS
from harness.history.trendrows import SessionHead, TrendRows
from harness.record import SessionRecord
from harness.trendreport.cells import MISSING, SIMULATED, plural
from harness.trendreport.model import Table, Trends

APPROVALS = ("accepted", "approved", "reverted")
MOST_REMARKS, LONGEST = 200, 300
PREVIOUS = ".previous.json"
EVERYTHING = "all cases"
# Imported results and rounds beside another build know less of their conditions.
MEASURED = ("check", "accept")
# Of one case and not of its device: digests that tell a reader nothing, and the engine's own, which has its table.
OF_THE_CASE = ("device", "input", "task", "frames", "engine_options", *ENGINE_FACTS)
CONDITIONS_NOTE = (
    "as the newest session of the device was measured, imported results and rounds beside another build left aside "
    "where there is another; sensors: settings and states as their probes told them before the frames, of recent runs "
    "that still have raw times"
)
ENGINES_NOTE = "as each entry of the profile ran in its newest session; settings: hash of the entry's options"
APPROVALS_NOTE = (
    "file: an accepted baseline in the repository, reviewed in git; history: what harness accept and people noted there"
)


def provenance_of(
    rows: TrendRows, trends: Trends, root: Path | None, recent: Sequence[SessionRecord] = ()
) -> tuple[Table, ...]:
    """The tables; those without a row are left out. root: the repository, whose baselines/ says who accepted what.

    recent: sessions with their raw runs, whose sensors tell power mode, clocks and governors.
    """
    tables = (conditions_table(rows, recent), engines_table(rows), approvals_table(rows, root), remarks_table(rows))
    return tuple(table for table in tables if table.rows)


def conditions_table(rows: TrendRows, recent: Sequence[SessionRecord]) -> Table:
    """What every device is and how it was set, a column each."""
    sensed = {one.case.device: sensed_of(one) for one in sorted(recent, key=lambda one: (one.at, one.id)) if one.runs}
    newest = {head.case.device: head for head in [*_imported(rows), *_measured(rows)]}
    told = {device: dict([*_device_facts(head, rows.identities[head.identity]), *sensed.get(device, {}).items()])
            for device, head in sorted(newest.items())}  # fmt: skip
    names = dict.fromkeys(name for one in told.values() for name, value in one.items() if value not in (None, ""))
    return Table(
        title="Devices and their conditions", columns=("what", *told), left=1 + len(told), notes=(CONDITIONS_NOTE,),
        rows=tuple((name, *(text(one.get(name)) for one in told.values())) for name in names),
    )  # fmt: skip


def _measured(rows: TrendRows) -> list[SessionHead]:
    return [head for head in rows.heads if head.purpose in MEASURED]


def _imported(rows: TrendRows) -> list[SessionHead]:
    """What tells the conditions of a device only where nothing else does."""
    return [head for head in rows.heads if head.purpose not in MEASURED]


def _device_facts(head: SessionHead, identity: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "session", f"{head.at} {head.id[:8]}{f' {SIMULATED}' if head.simulated else ''}"
    yield from ((name, value) for name, value in sorted(identity.items()) if name not in OF_THE_CASE)
    yield from ((name, head.provenance[name]) for name in ("harness", "commit") if head.provenance.get(name))


def sensed_of(session: SessionRecord) -> dict[str, Any]:
    """The surroundings by name, and the settings of the first process's sensors as "probe: name"."""
    facts = {f"{trace.probe}: {name}": value for run in session.runs[:1] for trace in run.traces
             for name, value in trace.facts.items() if value not in (None, "", [], {})}  # fmt: skip
    return {**session.context, **facts}


def engines_table(rows: TrendRows) -> Table:
    """One row per device and entry."""
    newest = {(head.case.device, head.case.runtime): head for head in [*_imported(rows), *_measured(rows)]}
    return Table(
        title="Engines",
        columns=("device", "entry", *ENGINE_FACTS, "settings", "newest session"),
        rows=tuple((*key, *_engine_cells(rows.identities[head.identity]), _session(head))
                   for key, head in sorted(newest.items())),
        left=2 + len(ENGINE_FACTS) + 2, notes=(ENGINES_NOTE,),
    )  # fmt: skip


def _engine_cells(identity: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(text(identity.get(name)) for name in (*ENGINE_FACTS, "engine_options"))


def _session(head: SessionHead) -> str:
    return f"{head.at[:10]} {head.case.model}/{head.case.variant}"


def approvals_table(rows: TrendRows, root: Path | None) -> Table:
    """Every accepted baseline with who and why, the newest first."""
    noted = [
        (one.at, one.case_key or EVERYTHING, one.kind, one.author, one.text, MISSING, "history")
        for one in rows.annotations if one.kind in APPROVALS
    ]  # fmt: skip
    found = sorted([*noted, *(_approvals(root) if root else ())], reverse=True)
    return Table(
        title="Who accepted what, and why",
        columns=("at", "case", "what", "by", "reason", "commit and sessions", "from"), rows=tuple(found), left=7,
        notes=(APPROVALS_NOTE,) if found else (),
    )  # fmt: skip


def _approvals(root: Path) -> Iterator[tuple[str, ...]]:
    for path in sorted((root / "baselines").glob("**/*.json")):
        if path.is_file() and not path.name.endswith(PREVIOUS):
            yield from _approval(path, path.relative_to(root).as_posix())


def _approval(path: Path, shown: str) -> Iterator[tuple[str, ...]]:
    """A file that cannot be trusted says so in its row: a check against it does the same."""
    try:
        found = read_baseline(path)
    except HarnessError as error:
        yield MISSING, MISSING, "not readable", MISSING, error.what, MISSING, shown
        return
    if found is not None:
        yield found.accepted_at, found.case.key, "accepted", found.accepted_by, found.reason, _based_on(found), shown


def _based_on(baseline: Baseline) -> str:
    advice = f", too noisy to gate: {', '.join(baseline.advice)}" if baseline.advice else ""
    return f"{baseline.commit or 'no commit'}, {plural(len(baseline.sessions), 'session')}{advice}"


def remarks_table(rows: TrendRows) -> Table:
    """Every remark on the history, the newest first."""
    found = sorted(rows.annotations, key=lambda one: one.at, reverse=True)
    left_out = len(found) - MOST_REMARKS
    return Table(
        title="Remarks",
        columns=("at", "case", "kind", "by", "text"),
        rows=tuple((one.at, one.case_key or EVERYTHING, one.kind, one.author, one.text)
                   for one in found[:MOST_REMARKS]),
        left=5, notes=(f"{left_out} older ones are left out: harness annotate --list",) if left_out > 0 else (),
    )  # fmt: skip


def text(value: Any) -> str:
    """A scalar, list or table of a record as one cell."""
    if value is None or value == "":
        return MISSING
    told = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}..."
