"""`TrendRows` out of the tables: narrow columns, plain tuples, and equal texts read once."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from math import inf, isfinite
from operator import attrgetter
from sys import intern
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, Row, Select, case, func, select

from harness.case import Array, Case
from harness.history.database import damaged
from harness.history.invocations import read_runs
from harness.history.plain import Texts, batches
from harness.history.remarks import read_remarks
from harness.history.rows import checked_time, finite, table, verdict_of
from harness.history.schema import POINT, SESSION, VERDICT
from harness.history.trendrows import MeanRows, OutcomeRow, SessionHead, TrendRows
from harness.record import RecordedVerdict

# So many sessions are asked for by their numbers in one statement.
NUMBERS_AT_ONCE = 500
_HEAD = (
    "number", "id", "at", "purpose", "device", "model", "variant", "runtime", "simulated", "valid", "identity",
    "provenance",
)  # fmt: skip
_OUTCOME = ("session", "metric", "outcome", "gate", "rule", "value", "limit_value", "error_class")
_ID = re.compile(r"[0-9a-f]{32}")

Heads = list[SessionHead]


class _Identities(dict[str, int]):
    """The position of an identity's JSON in `known`."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Mapping[str, Any]] = []

    def __missing__(self, stored: str) -> int:
        self.known.append(table(stored))
        self[stored] = len(self.known) - 1
        return self[stored]


def read_trend_rows(connection: Connection, shown: str, metrics: Collection[str] | None) -> TrendRows:
    """See `History.trend_rows`; shown: the history, for the error about what is damaged."""
    texts = Texts()
    heads, identities = read_heads(connection, shown, texts)
    outcomes = read_outcomes(connection, shown, texts, heads)
    wanted = None if metrics is None else {*metrics, *(one.metric for one in outcomes)}
    return TrendRows(
        heads=heads, identities=identities, means=read_means(connection, shown, texts, heads, wanted),
        outcomes=outcomes, newest=read_newest(connection, shown, heads, outcomes),
        annotations=read_remarks(connection, shown), runs=read_runs(connection, shown, texts),
    )  # fmt: skip


def read_heads(connection: Connection, shown: str, texts: Texts) -> tuple[Heads, list[Mapping[str, Any]]]:
    """Every session, oldest first, and the identities that they have; `damaged` for one that cannot be read."""
    identities, case_of = _Identities(), lru_cache(None)(Case)
    heads: Heads = []
    columns = (SESSION.c[name] for name in _HEAD)
    for batch in batches(connection, select(*columns).order_by(SESSION.c.number)):
        provenances = _tables({row[-1] for row in batch})
        for number, id_, at, purpose, device, model, variant, runtime, simulated, valid, identity, provenance in batch:
            try:
                heads.append(SessionHead(
                    number, _checked_id(id_), intern(checked_time(at)), texts[purpose],
                    case_of(texts[device], texts[model], texts[variant], texts[runtime]), identities[identity],
                    provenances[provenance], bool(simulated), bool(valid),
                ))  # fmt: skip
            except Exception as error:
                # As with records: damage raises whatever it hits first.
                raise damaged(f"{shown}, session {id_}", error) from error
    heads.sort(key=attrgetter("at"))
    return heads, identities.known


def read_outcomes(connection: Connection, shown: str, texts: Texts, heads: Sequence[SessionHead]) -> list[OutcomeRow]:
    """The verdicts of these sessions."""
    known = {head.number for head in heads}
    found: list[OutcomeRow] = []
    columns = (VERDICT.c[name] for name in _OUTCOME)
    rows = chain.from_iterable(batches(connection, select(*columns).order_by(VERDICT.c.session, VERDICT.c.number)))
    for row in rows:
        session, metric, outcome, gate, rule, value, limit, error_class = row
        if session not in known:
            continue  # `check` tells of it; no report is about it
        try:
            if not (value is None or isfinite(value)) or not (limit is None or isfinite(limit)):
                raise ValueError(f"{texts[metric]}: not a finite number")
            found.append(OutcomeRow(
                session, texts[metric], texts[outcome], bool(gate), texts[rule], value, limit, texts[error_class],
            ))  # fmt: skip
        except Exception as error:
            raise damaged(f"{shown}, session {_id(heads, session)}", error) from error
    return found


def read_newest(
    connection: Connection, shown: str, heads: Sequence[SessionHead], outcomes: Iterable[OutcomeRow]
) -> dict[int, tuple[RecordedVerdict, ...]]:
    """The whole verdicts of each case's newest session that has any, and of its newest one beside another build."""
    judged = {one.session for one in outcomes}
    numbers = {(head.case, head.purpose == "paired"): head.number for head in heads if head.number in judged}
    found: dict[int, list[RecordedVerdict]] = defaultdict(list)
    for row in _of_sessions(connection, select(VERDICT), VERDICT.c.session, sorted(numbers.values())):
        try:
            found[row.session].append(verdict_of(row))
        except Exception as error:
            raise damaged(f"{shown}, session {_id(heads, row.session)}", error) from error
    return {number: tuple(verdicts) for number, verdicts in found.items()}


def read_means(
    connection: Connection, shown: str, texts: Texts, heads: Sequence[SessionHead], metrics: Collection[str] | None
) -> MeanRows:
    """The means of these sessions; metrics None: of all."""
    session, code, value, names = _grouped(connection, texts, metrics)
    order, place = np.argsort(names), np.zeros(len(names), np.int32)
    place[order] = np.arange(len(names))
    metric = place[code]
    kept = np.isin(session, np.array([head.number for head in heads], np.int64))
    by_session = np.lexsort((metric, session))
    chosen = by_session[kept[by_session]]
    found = MeanRows(
        metrics=tuple(names[index] for index in order), session=session[chosen], metric=metric[chosen],
        value=value[chosen], left_out=() if metrics is None else _left_out(connection, texts, heads, metrics),
    )  # fmt: skip
    _mend(connection, shown, heads, found)
    return found


def _grouped(
    connection: Connection, texts: Texts, metrics: Collection[str] | None
) -> tuple[Array, Array, Array, list[str]]:
    """Session, metric, mean as columns; metrics are indexes into the names."""
    codes: dict[str, int] = defaultdict(lambda: len(codes))  # of the stored texts
    wanted = select(POINT.c.session, POINT.c.metric, _mean(connection))
    if metrics is not None:
        wanted = wanted.where(POINT.c.metric.in_(sorted(metrics)))
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0))]
    for batch in batches(connection, wanted.group_by(POINT.c.session, POINT.c.metric)):
        session, stored, value = zip(*batch)
        metric = np.fromiter(map(codes.__getitem__, stored), np.int32, len(batch))
        parts.append((np.array(session, np.int64), metric, np.array(value, np.float64)))
    columns = [np.concatenate(column) for column in zip(*parts)]
    return columns[0], columns[1], columns[2], [texts[one] for one in codes]


def _mean(connection: Connection) -> ColumnElement[Any]:
    """Text in the place of a number, for SQLite a 0, becomes infinite; PostgreSQL's own avg would add up squares."""
    if connection.dialect.name != "sqlite":
        return func.sum(POINT.c.value) / func.count()
    return func.avg(case((func.typeof(POINT.c.value) == "real", POINT.c.value), else_=inf))


def _mend(connection: Connection, shown: str, heads: Sequence[SessionHead], means: MeanRows) -> None:
    """Values too large to add up get their mean here; `damaged` for a session with a value that is no number."""
    for place in np.flatnonzero(~np.isfinite(means.value)).tolist():
        number, metric = int(means.session[place]), means.metrics[means.metric[place]]
        wanted = select(POINT.c.value).where(POINT.c.session == number, POINT.c.metric == metric)
        values = connection.scalars(wanted).all()
        try:
            means.value[place] = sum(finite(float(one), metric) / len(values) for one in values)
        except Exception as error:
            raise damaged(f"{shown}, session {_id(heads, number)}", error) from error


def _left_out(
    connection: Connection, texts: Texts, heads: Sequence[SessionHead], metrics: Collection[str]
) -> tuple[str, ...]:
    newest = {head.case: head.number for head in heads}
    wanted = select(POINT.c.metric).distinct()
    rows = _of_sessions(connection, wanted, POINT.c.session, sorted(newest.values()))
    return tuple(sorted({row.metric for row in rows} - set(metrics)))


def _of_sessions(
    connection: Connection, wanted: Select[Any], column: ColumnElement[int], numbers: Sequence[int]
) -> Iterator[Row[Any]]:
    """The rows whose column is one of these numbers."""
    for first in range(0, len(numbers), NUMBERS_AT_ONCE):
        some = wanted.where(column.in_(numbers[first : first + NUMBERS_AT_ONCE]))
        yield from connection.execute(some.order_by(*some.selected_columns[:2]))


def _id(heads: Sequence[SessionHead], number: int) -> str:
    return next(head.id for head in heads if head.number == number)


def _checked_id(id_: str) -> str:
    if not _ID.fullmatch(id_):
        raise ValueError(f"not 32 hexadecimal digits: {id_[:80]}")
    return id_


class _Tables(dict[str, dict[str, Any]]):
    """What JSON objects hold; one that is damaged raises ValueError only when it is asked for."""

    def __missing__(self, stored: str) -> dict[str, Any]:
        return table(stored)


def _tables(stored: Collection[str]) -> _Tables:
    """All of them read at once, which takes a third of the time, and every name and text there once."""
    try:
        found = json.loads(f"[{','.join(stored)}]")
    except (TypeError, ValueError, RecursionError):
        found = []
    if len(found) != len(stored) or not all(isinstance(one, dict) for one in found):
        return _Tables()  # one is damaged: each is read for itself
    return _Tables(zip(stored, map(_shared, found)))


def _shared(values: dict[str, Any]) -> dict[str, Any]:
    for name, value in values.items():
        if type(value) is str:
            values[name] = intern(value)
    return values
