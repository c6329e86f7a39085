"""Runs of pytest and of `harness accept` as rows and back: what they were asked, and what failed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from operator import attrgetter
from sys import intern
from typing import Any, cast

from sqlalchemy import Connection, Row, delete, insert, select

from harness.case import Case
from harness.errors import HarnessError
from harness.history.database import damaged
from harness.history.plain import Texts, batches
from harness.history.rows import checked_time
from harness.history.schema import FAILURE, INVOCATION, decoded
from harness.record import Failure, Purpose, RunRecord


def invocation_row(run: RunRecord) -> dict[str, Any]:
    """The row of the table invocation; HarnessError where a value cannot be kept."""
    if not run.run:
        raise HarnessError("a run without a name", where=run.at, remedy="use uuid4().hex[:12]")
    return {
        "run": run.run, "at": checked_time(run.at), "device": run.device, "command": run.command,
        "purpose": run.purpose, "policy": run.policy, "interrupted": run.interrupted,
        "selected": run.selected, "named": run.named,
        "asked": json.dumps(list(run.asked), separators=(",", ":")),
    }  # fmt: skip


def failure_rows(run: RunRecord) -> list[dict[str, Any]]:
    """The rows of the table failure, still without the run's number."""
    return [
        {"number": number, **asdict(one.case), "metric": one.metric, "kind": one.kind, "sentence": one.sentence}
        for number, one in enumerate(run.failures)
    ]


def write_run(connection: Connection, run: RunRecord) -> None:
    """In place of what is there of this run, which goes on then."""
    wanted = select(INVOCATION.c.number).where(INVOCATION.c.run == run.run)
    before = connection.scalar(wanted)
    if before is not None:
        connection.execute(delete(FAILURE).where(FAILURE.c.invocation == before))
        connection.execute(delete(INVOCATION).where(INVOCATION.c.number == before))
    connection.execute(insert(INVOCATION).values(invocation_row(run)))
    number = connection.scalar(wanted)
    failures = [{"invocation": number, **row} for row in failure_rows(run)]
    if failures:
        connection.execute(insert(FAILURE), failures)


def read_runs(connection: Connection, shown: str, texts: Texts | None = None) -> list[RunRecord]:
    """Every run, oldest first; shown: the history, for the error about a damaged run."""
    failures: dict[int, list[Row[Any]]] = defaultdict(list)
    for failure in connection.execute(select(FAILURE).order_by(FAILURE.c.invocation, FAILURE.c.number)):
        failures[failure.invocation].append(failure)
    known, found = Texts() if texts is None else texts, []
    for batch in batches(connection, select(INVOCATION).order_by(INVOCATION.c.number)):
        for number, *row in batch:
            try:
                found.append(_record(row, failures.get(number, ()), known))
            except Exception as error:
                # As with sessions: damage raises whatever it hits first.
                raise damaged(f"{shown}, run {row[0]}", error) from error
    return sorted(found, key=attrgetter("at"))


def _record(row: Sequence[Any], failures: Sequence[Row[Any]], texts: Texts) -> RunRecord:
    """row: what is stored in the columns after the number."""
    run, at, device, command, purpose, policy, interrupted, selected, named, asked = row
    return RunRecord(
        run=intern(decoded(run)), at=intern(checked_time(at)), device=texts[device], command=texts[command],
        purpose=cast(Purpose, texts[purpose]), policy=texts[policy], interrupted=bool(interrupted),
        selected=bool(selected), named=bool(named), asked=_keys(asked), failures=tuple(map(_failure, failures)),
    )  # fmt: skip


def _failure(row: Row[Any]) -> Failure:
    case = Case(row.device, row.model, row.variant, row.runtime)
    return Failure(case=case, metric=row.metric, kind=row.kind, sentence=row.sentence)


@lru_cache
def _keys(text: str) -> tuple[str, ...]:
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"not a list of texts: {text[:80]}")
    return tuple(found)
