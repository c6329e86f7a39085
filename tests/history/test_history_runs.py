"""Runs on both back ends: what they were asked and what failed comes back, also where nothing was measured."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.case import Case
from harness.errors import ConfigError
from harness.history import open_history
from harness.record import Failure, RunRecord
from tests.history.records import CASE, OTHER, record, run_record
from tests.history.test_history_store import texts

failures = st.builds(Failure, st.builds(Case, texts, texts, texts, texts), texts, texts, texts)
run_records = st.builds(
    RunRecord, run=st.just(""), at=st.just("2026-01-31T23:59:59Z"), device=texts, command=texts,
    purpose=st.sampled_from(["check", "accept"]), policy=texts, interrupted=st.booleans(), selected=st.booleans(),
    named=st.booleans(),
    asked=st.lists(texts, max_size=3).map(tuple), failures=st.lists(failures, max_size=3).map(tuple),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run=run_records, name=texts)
def test_any_run_comes_back_as_it_was(history, run, name):
    run = replace(run, run=f"{name}{uuid4().hex}")
    history.record_run(run)
    assert run in history.runs()


def test_a_new_history_has_no_runs(history):
    assert history.runs() == []


def test_runs_come_oldest_first_whenever_they_were_recorded(history):
    for day in (3, 1, 2):
        history.record_run(run_record(day))
    assert [one.at[8:10] for one in history.runs()] == ["01", "02", "03"]


def test_a_run_that_goes_on_is_there_once_as_it_ended(history):
    run, other = run_record(1), run_record(2)
    for one in (run, other):
        history.record_run(one)
    now = replace(run, command="another", failures=())
    history.record_run(now)
    assert history.runs() == [now, other]
    assert history.check() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"run": ""}, ["without a name"]), ({"at": "yesterday"}, ["time in UTC", "yesterday", "23:59:59Z"])],
)
def test_a_run_that_cannot_be_kept_is_refused_whole(history, refused, changes, words):
    with refused(*words):
        history.record_run(run_record(**changes))
    assert history.runs() == []


def test_runs_are_in_the_backup(history, tmp_path):
    run = run_record()
    history.record_run(run)
    with open_history(history.backup(tmp_path / "backup.sqlite"), create=False) as copy:
        assert copy.runs() == [run]
        assert copy.check() == []


@pytest.mark.parametrize(
    ("keep", "sessions", "left"),
    [
        (None, [1, 2, 3], [1, 2, 3, 4]),  # sessions are not pruned, so no run is either
        (2, [1, 2, 3], [2, 3, 4]),  # the runs since the oldest session that is left
        (1, [1, 2, 3], [3, 4]),
        (0, [1, 2, 3], []),
        (3, [], [2, 3, 4]),  # a device that never measured anything keeps its newest runs
        (9, [], [1, 2, 3, 4]),
    ],
)
def test_pruning_takes_the_runs_with_the_sessions(history, keep, sessions, left):
    for day in (1, 2, 3, 4):
        history.record_run(run_record(day))
    for day in sessions:
        history.record(record(day))
    history.prune(keep_raw=9, keep_sessions=keep)
    assert [int(one.at[8:10]) for one in history.runs()] == left
    assert all(one.failures for one in history.runs())
    assert history.check() == []


def test_pruning_looks_at_each_device_for_itself(history):
    for day in (1, 2, 3):
        history.record_run(run_record(day))
        history.record_run(run_record(day, device="other"))
        history.record(record(day))
    history.prune(keep_raw=0, keep_sessions=1)
    assert [(one.device, one.at[8:10]) for one in history.runs()] == [("bench", "03"), ("other", "03")]


DAMAGE = [
    "UPDATE invocation SET asked = '{}'",
    "UPDATE invocation SET asked = '[1]'",
    "UPDATE invocation SET asked = '['",
    "UPDATE invocation SET at = 'today'",
    "UPDATE invocation SET at = '2026-02-30T00:00:00Z'",
    "UPDATE invocation SET device = x'00ff'",
    "UPDATE invocation SET command = CAST(x'ff' AS TEXT)",
    "UPDATE failure SET sentence = x'00ff'",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_run_is_said_by_every_reader(sqlite_path, refused, damage):
    with open_history(sqlite_path) as history:
        history.record_run(run_record())
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    connection.execute(damage)
    connection.close()
    with open_history(sqlite_path, create=False) as history:
        assert len(history.check()) == 1
        for read in (history.runs, history.trend_rows):
            with refused("damaged", "harness history check", "backup", kind=ConfigError):
                read()


def test_a_damaged_run_is_named(sqlite_path, refused):
    with open_history(sqlite_path) as history:
        history.record_run(run_record(run="0123456789ab"))
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    connection.execute(DAMAGE[0])
    connection.close()
    with open_history(sqlite_path, create=False) as history, refused("run 0123456789ab", "not a list"):
        history.runs()


def test_a_damaged_run_does_not_hide_a_damaged_session(sqlite_path):
    with open_history(sqlite_path) as history:
        history.record_run(run_record())
        history.record(record())
    connection = sqlite3.connect(sqlite_path, isolation_level=None)
    connection.execute("UPDATE invocation SET at = 'today'")
    connection.execute("UPDATE session SET plan = '{'")
    connection.close()
    with open_history(sqlite_path, create=False) as history:
        faults = history.check()
    assert [word in fault for word, fault in zip((", run ", ", session "), faults)] == [True, True]


def test_the_cases_of_a_run_are_told_in_their_order(history):
    history.record_run(run_record(asked=(OTHER.key, CASE.key)))
    assert history.runs()[0].asked == (OTHER.key, CASE.key)
