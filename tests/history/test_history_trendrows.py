"""What a trend report reads, on both back ends: the same as the records say, and the same errors."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.trendhistory import synthetic_history
from harness.errors import ConfigError
from harness.history import open_history
from harness.history.database import Database
from harness.history.location import parse_location
from harness.history.plain import Texts
from harness.history.schema import METADATA
from harness.history.store import History
from harness.history.trendreading import read_heads, read_means, read_outcomes
from harness.history.trendrows import SessionHead, TrendRows
from harness.record import SessionRecord
from tests.history.records import CASE, IDENTITY, OTHER, record, run_record, verdict
from tests.history.test_history_damage import DAMAGE
from tests.history.test_history_store import records

P50, P99, LOAD = "frame_p50_ms", "frame_p99_ms", "load_ms"
READ = [one for one in DAMAGE if not one.startswith(("UPDATE raw", "UPDATE run", "UPDATE session SET plan"))]


def heads_of(sessions: Sequence[SessionRecord]) -> list[tuple[object, ...]]:
    return [(one.id, one.at, one.purpose, one.case, dict(one.provenance), one.simulated, one.valid) for one in sessions]


def told(head: SessionHead) -> tuple[object, ...]:
    return (head.id, head.at, head.purpose, head.case, dict(head.provenance), head.simulated, head.valid)


def means_of(rows: TrendRows) -> dict[tuple[str, str], float]:
    ids, means = {head.number: head.id for head in rows.heads}, rows.means
    columns = zip(means.session.tolist(), means.metric.tolist(), means.value.tolist())
    return {(ids[number], means.metrics[metric]): value for number, metric, value in columns}


def same_as_records(rows: TrendRows, sessions: Sequence[SessionRecord]) -> None:
    """All that the rows say is what these records say, oldest first."""
    assert [told(head) for head in rows.heads] == heads_of(sessions)
    assert [dict(rows.identities[head.identity]) for head in rows.heads] == [dict(one.identity) for one in sessions]
    expected = {
        (one.id, name): sum(value / len(values) for value in values)
        for one in sessions for name, values in one.values.items()
    }  # fmt: skip
    found = means_of(rows)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], expected[key], rel_tol=1e-12, abs_tol=1e-300) for key in expected)
    by_id = {one.id: one for one in sessions}
    for head in rows.heads:
        outcomes = [one[1:] for one in rows.outcomes if one.session == head.number]
        assert outcomes == [
            (one.metric, one.outcome, one.gate, one.rule, one.value, one.limit, one.error_class)
            for one in by_id[head.id].verdicts
        ]


@pytest.fixture
def emptied_location(history, common_location):
    """The location of the common history, emptied again: hypothesis makes many examples in one test."""

    def empty() -> str:
        with Database(parse_location(common_location)).writing() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())
        return str(common_location)

    return empty


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(session=records)
def test_any_session_is_told_as_its_record_tells_it(emptied_location, session):
    """Values up to 1e300: PostgreSQL refuses to add up what is larger, in its own words."""
    kept = {name: values for name, values in session.values.items() if max(map(abs, values)) < 1e300}
    session = replace(session, id=uuid4().hex, runs=(), values=kept)
    with open_history(emptied_location()) as history:
        history.record(session)
        rows = history.trend_rows()
        same_as_records(rows, [session])
        assert [list(one) for one in rows.newest.values()] == [list(session.verdicts)] * bool(session.verdicts)


def test_many_sessions_are_told_oldest_first_whenever_they_were_recorded(history):
    days = (3, 1, 2, 1)
    sessions = [record(day, case=case, runs=()) for day in days for case in (CASE, OTHER)]
    for session in sessions:
        history.record(session)
    rows = history.trend_rows()
    same_as_records(rows, sorted(sessions, key=lambda one: one.at))
    assert rows.means.metrics == (P50, LOAD)
    assert np.all(np.diff(rows.means.session * 2 + rows.means.metric) > 0)
    assert (rows.means.session.dtype, rows.means.metric.dtype, rows.means.value.dtype) == (np.int64, np.int32, float)


def test_more_sessions_than_are_read_at_once_are_all_there(sqlite_path):
    synthetic_history(sqlite_path, cases=3, metrics=2, sessions=250)
    with open_history(sqlite_path) as history:
        rows, sessions = history.trend_rows(), history.sessions()
    same_as_records(rows, sessions)
    assert len(rows.heads) == 750
    assert len(rows.identities) == 6


def test_an_empty_history_has_no_rows(history):
    rows = history.trend_rows()
    assert (rows.heads, rows.identities, rows.outcomes, rows.newest) == ([], [], [], {})
    assert (rows.annotations, rows.runs, rows.means.metrics, rows.means.left_out) == ([], [], (), ())
    assert len(rows.means.session) == len(rows.means.metric) == len(rows.means.value) == 0


def test_equal_identities_are_there_once(history):
    identities = [IDENTITY, {**IDENTITY, "cores": 8}, dict(reversed(IDENTITY.items()))]
    for day, identity in enumerate(identities, start=1):
        history.record(record(day, identity=identity))
    rows = history.trend_rows()
    assert [head.identity for head in rows.heads] == [0, 1, 0]
    assert rows.identities == identities[:2]


def test_newest_holds_the_whole_verdicts_of_the_newest_judged_session_of_each_case(history):
    judged = (verdict("FAIL", sentence="worse", error_class="INFRA"), verdict(metric=LOAD, limit=None))
    sessions = [
        record(1), record(2, verdicts=judged), record(3, verdicts=(), purpose="accept"),
        record(1, case=OTHER), record(4, case=replace(OTHER, variant="int8"), verdicts=()),
    ]  # fmt: skip
    for session in sessions:
        history.record(session)
    rows = history.trend_rows()
    ids = {head.number: head.id for head in rows.heads}
    assert {ids[number]: verdicts for number, verdicts in rows.newest.items()} == {
        sessions[1].id: judged, sessions[3].id: sessions[3].verdicts,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told_of", "left_out"),
    [
        (None, {P50, LOAD, "fps_mean", P99}, ()),
        ([], {P99}, ("fps_mean", P50)),  # what a verdict names is always there
        ([P50], {P50, P99}, ("fps_mean",)),
        ([P50, "no_such_metric"], {P50, P99}, ("fps_mean",)),
        ([LOAD, "fps_mean", P50], {P50, LOAD, P99, "fps_mean"}, ()),
    ],
)
def test_only_the_metrics_that_are_asked_for_are_read_and_the_others_named(history, asked, told_of, left_out):
    history.record(record(1, values={P50: (5.0, 7.0), LOAD: (150.0,), P99: (9.0,)}))
    history.record(record(2, values={P50: (5.0,), "fps_mean": (30.0,), P99: (9.0,)}, verdicts=()))
    means = history.trend_rows(asked).means
    assert set(means.metrics) == told_of
    assert means.left_out == left_out
    assert len(means.value) == len(set(zip(means.session, means.metric)))


@pytest.mark.parametrize("name", ["'; DROP TABLE point;--", "\0", "\ud800", "\\0041", "<script>"])
def test_odd_names_of_metrics_are_found(history, name):
    history.record(record(values={name: (1.0, 2.0), LOAD: (1.0,)}, verdicts=(verdict(metric=name),)))
    rows = history.trend_rows([name])
    assert rows.means.metrics == (name,)
    assert rows.means.value.tolist() == [1.5]
    assert rows.outcomes[0].metric == name


def test_remarks_and_runs_come_along(history):
    history.annotate(None, "2026-01-01T00:00:00Z", "note", "moved", "ann")
    run = run_record()
    history.record_run(run)
    rows = history.trend_rows()
    assert [one.text for one in rows.annotations] == ["moved"]
    assert rows.runs == [run]


def test_what_is_written_meanwhile_is_not_half_there(location):
    """One transaction: a session that comes after the heads were read has no values and verdicts either."""
    with open_history(location) as history:
        history.record(record(1))
        texts = Texts()
        with Database(parse_location(location)).reading() as connection:
            heads, _ = read_heads(connection, "h", texts)
            if "postgresql" in location:  # SQLite lets nobody write while it is read
                history.record(record(2))
            assert {one.session for one in read_outcomes(connection, "h", texts, heads)} == {heads[0].number}
            assert set(read_means(connection, "h", texts, heads, None).session.tolist()) == {heads[0].number}


def broken(path: Path, damage: str) -> History:
    """A history of three sessions after another program changed it."""
    with open_history(path) as history:
        for day in range(1, 4):
            history.record(record(day, id=f"{day}" * 32))
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(damage)
    connection.close()
    return open_history(path, create=False)


@pytest.mark.parametrize("damage", [
    *READ, "UPDATE session SET provenance = '{\"a\":1},{\"b\":2}' WHERE number = 2",
    "UPDATE session SET provenance = '[]' WHERE number = 2", "UPDATE session SET provenance = 7 WHERE number = 2",
    "UPDATE session SET id = 'x' WHERE number = 2", "UPDATE verdict SET value = 9e999 WHERE session = 2",
    "UPDATE verdict SET limit_value = 'much' WHERE session = 2",
    "UPDATE verdict SET metric = x'00ff' WHERE session = 2",
])  # fmt: skip
def test_a_damaged_session_is_the_same_error_as_elsewhere(sqlite_path, refused, damage):
    with broken(sqlite_path, damage) as history:
        if "verdict SET inputs" in damage:  # of an older session, and so never read here
            assert len(history.trend_rows().heads) == 3
            return
        named = [] if "CAST(x'ff'" in damage else ["session x" if "SET id" in damage else "session 2222"]
        with refused("damaged", "harness history check", "backup", *named, kind=ConfigError):
            history.trend_rows()


def test_damaged_inputs_of_the_newest_verdict_are_named(sqlite_path, refused):
    damage = "UPDATE verdict SET inputs = '' WHERE session = 3"
    with broken(sqlite_path, damage) as history, refused("damaged", "session 3333", kind=ConfigError):
        history.trend_rows()


def test_rows_of_no_session_are_left_out(sqlite_path):
    with broken(sqlite_path, "DELETE FROM session WHERE number = 2") as history:
        rows = history.trend_rows()
    assert set(rows.means.session.tolist()) == {one.session for one in rows.outcomes} == {1, 3}


def test_values_too_large_to_add_up_have_their_mean(sqlite_path):
    with open_history(sqlite_path) as history:
        history.record(record(values={"a": (1.5e308, 1.5e308), "b": (1.0, 2.0)}))
        assert history.trend_rows().means.value.tolist() == [1.5e308, 1.5]


@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5))
def test_the_mean_is_that_of_all_processes(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("mean") / "h.sqlite"
    with open_history(path) as history:
        history.record(record(values={"a": tuple(values)}))
        assert history.trend_rows().means.value.tolist() == pytest.approx([np.mean(values)], rel=1e-9, abs=1e-6)
