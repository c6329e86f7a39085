"""The store on both back ends: what goes in comes out, in order, whole or not at all."""

from __future__ import annotations

import math
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.case import Case, Plan, Run
from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.record import RecordedVerdict, SessionRecord
from tests.history.records import CASE, IDENTITY, OTHER, record, run, same, verdict

# JSON escapes surrogates one by one, and a high one before a low one comes back as the character that they make.
texts = st.text(st.characters(exclude_categories=["Cs"]) | st.just("\ud800"), max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | numbers | texts
flat = st.dictionaries(texts, scalars, max_size=4)
plain = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
columns = arrays(np.int64, st.integers(0, 9))
runs = st.builds(
    Run, stages=st.dictionaries(st.sampled_from(["pre", "infer", "post"]), columns), frame_ns=columns, start_ns=columns,
    cpu_ns=columns, warmup_ns=columns, marks=st.dictionaries(texts, numbers, max_size=3),
    facts=st.dictionaries(texts, plain, max_size=3), predictions=st.just(()),
)  # fmt: skip
verdicts = st.builds(
    RecordedVerdict, metric=texts, outcome=st.sampled_from(["PASS", "FAIL", "INVALID"]), gate=st.booleans(), rule=texts,
    inputs=st.dictionaries(texts, plain, max_size=3), sentence=texts, value=st.none() | numbers,
    limit=st.none() | numbers, error_class=texts,
)  # fmt: skip
records = st.builds(
    SessionRecord, id=st.just(""),
    at=st.datetimes().filter(lambda at: at.year >= 1000).map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")),
    purpose=st.sampled_from(["check", "accept", "paired", "import"]), case=st.builds(Case, texts, texts, texts, texts),
    plan=st.builds(Plan, texts, st.integers(1, 9)), identity=flat, context=flat, provenance=flat,
    simulated=st.booleans(), valid=st.booleans(),
    values=st.dictionaries(texts, st.lists(numbers, min_size=1, max_size=4).map(tuple), max_size=4),
    runs=st.lists(runs, max_size=2).map(tuple), verdicts=st.lists(verdicts, max_size=2).map(tuple),
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(session=records)
def test_any_session_comes_back_as_it_was(history, session):
    session = replace(session, id=uuid4().hex)
    history.record(session)
    assert same(history.find(session.id, with_runs=True), session)
    (found,) = [one for one in history.sessions(session.case) if one.id == session.id]
    assert same(found, replace(session, runs=()))


@pytest.mark.parametrize(
    "text", ["\0", "\ud800", "a\\u0041", "\\005c", "\U0001f697 ü\u202e", "'; DROP TABLE session;--", ""]
)
def test_odd_characters_come_back_everywhere(history, text):
    case = Case(text, "m", "v", "r")
    session = record(
        case=case, identity={text: text}, values={text: (1.0,)}, verdicts=(verdict(sentence=text, inputs={text: text}),)
    )
    history.record(session)
    assert same(history.sessions(case, with_runs=True)[0], session)
    assert history.series(case, text) == {session.id: (1.0,)}
    assert [one.id for one in history.recent(case, {text: text}, 1)] == [session.id]


def test_a_new_history_is_empty(history):
    assert (history.sessions(), history.cases(), history.annotations(), history.check()) == ([], [], [], [])


def test_the_newest_session_comes_last_whenever_it_was_recorded(history):
    sessions = [record(day) for day in (3, 1, 2)]
    for session in sessions:
        history.record(session)
    assert [one.at[8:10] for one in history.sessions()] == ["01", "02", "03"]


def test_sessions_of_one_second_stay_in_the_order_of_their_recording(history):
    sessions = [record(), record(), record()]
    for session in sessions:
        history.record(session)
    assert [one.id for one in history.sessions()] == [one.id for one in sessions]


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({"limit": 2}, [4, 5]),
        ({"limit": 0}, []),
        ({"before": "2026-01-03T03:00:00Z"}, [1, 2]),
        ({"before": "2026-01-03"}, [1, 2]),
        ({"before": "2026-01-05", "limit": 1}, [4]),
        ({"purpose": "accept"}, [2]),
        ({"case": OTHER}, [4]),
        ({"case": CASE, "limit": 2}, [3, 5]),
        ({"case": Case("no", "such", "case", "here")}, []),
    ],
)
def test_sessions_can_be_asked_for_by_time_purpose_and_case(history, asked, days):
    for day, changes in enumerate([{}, {"purpose": "accept"}, {}, {"case": OTHER}, {}], start=1):
        history.record(record(day, **changes))
    assert [int(one.at[8:10]) for one in history.sessions(**asked)] == days


def test_a_session_that_is_recorded_twice_is_there_once(history):
    session = record()
    history.record(session)
    history.record(replace(session, values={"frame_p50_ms": (9.0,)}))
    assert [one.values for one in history.sessions()] == [session.values]


def test_raw_times_come_only_where_they_are_asked_for(history):
    session = record(runs=(run(), run(30)))
    history.record(session)
    assert history.sessions()[0].runs == ()
    assert len(history.sessions(with_runs=True)[0].runs) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "../x"}, ["id"]),
        ({"id": "A" * 32}, ["id"]),
        ({"at": "2026-01-01"}, ["time in UTC", "2026-01-01", "23:59:59Z"]),
        ({"at": "2026-01-01T00:00:00+00:00"}, ["time in UTC"]),
        ({"at": "2026-13-01T00:00:00Z"}, ["time in UTC"]),
        ({"values": {"x_ms": (1.0, math.nan)}}, ["nan", "x_ms", "leave the metric out"]),
        ({"values": {"x_ms": (math.inf,)}}, ["inf", "x_ms"]),
        ({"values": {"x_ms": ()}}, ["without values", "x_ms"]),
        ({"identity": {"gpu": math.nan}}, ["not JSON", "identity"]),
        ({"identity": {"gpu": ["a"]}}, ["list", "identity.gpu"]),
        ({"context": {"t": {"a": 1}}}, ["dict", "context.t"]),
        ({"provenance": {"x": b"a"}}, ["bytes", "provenance.x"]),
        ({"runs": (run(facts={"a": {1, 2}}),)}, ["facts of run 0"]),
        ({"runs": (run(marks={"a": math.nan}),)}, ["marks of run 0"]),
        ({"verdicts": (verdict(inputs={"a": [math.inf]}),)}, ["verdict on frame_p99_ms"]),
        ({"verdicts": (verdict(value=math.nan),)}, ["nan", "verdict on frame_p99_ms"]),
        ({"verdicts": (verdict(limit=math.inf),)}, ["inf", "verdict on frame_p99_ms"]),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(history, refused, changes, words):
    with refused(*words):
        history.record(record(**changes))
    assert history.sessions() == []


def test_numpy_scalars_are_numbers(history):
    history.record(record(values={"x_ms": (np.float64(1.5), np.float32(0.5), 2)}))
    assert history.sessions()[0].values == {"x_ms": (1.5, 0.5, 2.0)}


def test_a_session_is_found_by_the_beginning_of_its_id(history):
    session = record(id="abc" + "0" * 29)
    history.record(session)
    history.record(record(id="abd" + "0" * 29))
    assert same(history.find("abc", with_runs=True), session)
    assert history.find("ABC0").id == session.id


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("ab", ["several", "'ab'", "abc00", "abd00"]),
        ("", ["several"]),
        ("ff", ["no session", "'ff'", "abc00", "abd00"]),
        ("a%", ["no session"]),
        ("_", ["no session"]),
        ("'; --", ["no session"]),
    ],
)
def test_an_unknown_or_ambiguous_beginning_lists_the_candidates(history, refused, prefix, words):
    for start in ("abc", "abd"):
        history.record(record(id=start + "0" * 29))
    with refused(*words, kind=ConfigError):
        history.find(prefix)


def test_nothing_is_found_in_an_empty_history(history, refused):
    with refused("no session", "empty", kind=ConfigError):
        history.find("ab")


@pytest.mark.parametrize("with_runs", [True, False])
def test_records_are_given_in_the_order_of_the_ids(history, with_runs):
    sessions = [record(day) for day in (1, 2, 3)]
    for session in sessions:
        history.record(session)
    ids = [sessions[2].id, "f" * 32, sessions[0].id, sessions[2].id]
    found = history.records(ids, with_runs=with_runs)
    assert [one.id for one in found] == [sessions[2].id, sessions[0].id, sessions[2].id]
    assert same(found[0], sessions[2] if with_runs else replace(sessions[2], runs=()))
    assert history.records([], with_runs=with_runs) == []


def test_many_records_are_read_at_once(history):
    sessions = [record(runs=(), verdicts=(), values={"a": (1.0,)}) for _ in range(12)]
    for session in sessions:
        history.record(session)
    ids = [one.id for one in sessions] + [uuid4().hex for _ in range(1100)]
    assert history.records(ids[::-1], with_runs=True) == sessions[::-1]


def test_the_sessions_with_raw_times_are_known(history):
    kept = [record(1), record(2), record(2, case=OTHER, runs=())]
    for session in kept:
        history.record(session)
    assert history.raw_ids() == {kept[0].id, kept[1].id}
    history.prune(keep_raw=1)
    assert history.raw_ids() == {kept[1].id}


def test_the_cases_are_sorted_and_each_is_there_once(history):
    for case in (OTHER, CASE, CASE):
        history.record(record(case=case))
    assert history.cases() == [CASE, OTHER]


def test_a_series_is_one_metric_of_the_valid_sessions_oldest_first(history):
    later, earlier = record(2, values={"a_ms": (2.0, 3.0), "b_ms": (9.0,)}), record(1, values={"a_ms": (1.0,)})
    for session in (later, earlier, record(3, valid=False), record(4, case=OTHER), record(5)):
        history.record(session)
    assert list(history.series(CASE, "a_ms").items()) == [(earlier.id, (1.0,)), (later.id, (2.0, 3.0))]
    assert history.series(CASE, "c_ms") == {}


@pytest.mark.parametrize(
    "unfit",
    [
        {"valid": False},
        {"purpose": "paired"},
        {"purpose": "import"},
        {"case": OTHER},
        {"identity": {**IDENTITY, "cores": 8}},
        {"identity": {**IDENTITY, "cores": "4"}},
        {"identity": {**IDENTITY, "more": None}},
        {"verdicts": (verdict(), verdict("FAIL", rule="sessions-t/1"))},
    ],
)
def test_the_rolling_baseline_leaves_out_what_may_not_be_compared_with(history, unfit):
    fit = record(2, purpose="accept", identity=dict(reversed(IDENTITY.items())))
    for session in (record(1, verdicts=()), fit, record(3, **unfit)):
        history.record(session)
    assert [one.at[8:10] for one in history.recent(CASE, IDENTITY, 5)] == ["01", "02"]


def test_the_rolling_baseline_is_the_newest_oldest_first(history):
    # A broken budget and failed advice are no regression.
    others = (verdict("INCONCLUSIVE"), verdict("FAIL"), verdict("FAIL", rule="sessions-t/1", gate=False))
    for day in range(1, 8):
        history.record(record(day, verdicts=others))
    assert [int(one.at[8:10]) for one in history.recent(CASE, IDENTITY, 3)] == [5, 6, 7]
    assert history.recent(CASE, IDENTITY, 3)[-1].values == record().values


def test_remarks_come_back_in_the_order_of_their_time(history):
    history.annotate(None, "2026-02-01T00:00:00Z", "note", "moved", "ann")
    history.annotate(CASE.key, "2026-01-01T00:00:00Z", "hardware", "new fan \0\ud800", "bob")
    assert [(one.case_key, one.kind, one.text, one.author) for one in history.annotations()] == [
        (CASE.key, "hardware", "new fan \0\ud800", "bob"),
        (None, "note", "moved", "ann"),
    ]


def test_a_remark_without_a_time_is_refused(history, refused):
    with refused("time in UTC"):
        history.annotate(None, "yesterday", "note", "moved", "ann")


def test_a_history_that_is_opened_again_is_the_same(location):
    session = record()
    with open_history(location) as history:
        history.record(session)
    with open_history(location, create=False) as history:
        assert same(history.sessions(with_runs=True)[0], session)


def test_a_missing_history_is_not_made_by_looking(location, refused):
    with refused("no history yet", "measure first", kind=ConfigError):
        open_history(location, create=False)


@pytest.mark.parametrize(
    ("keep_raw", "keep_sessions", "raw", "left"),
    [(2, None, [3, 4], [1, 2, 3, 4]), (0, 3, [], [2, 3, 4]), (9, 9, [1, 2, 3, 4], [1, 2, 3, 4]), (1, 0, [], [])],
)
def test_pruning_keeps_the_newest_of_each_case(history, keep_raw, keep_sessions, raw, left):
    for day in (4, 1, 3, 2):
        history.record(record(day))
        history.record(record(day, case=OTHER))
    found = history.prune(keep_raw=keep_raw, keep_sessions=keep_sessions)
    for case in (CASE, OTHER):
        kept = history.sessions(case, with_runs=True)
        assert [int(one.at[8:10]) for one in kept] == left
        assert [int(one.at[8:10]) for one in kept if one.runs] == raw
        assert all(same(one, replace(record(1), id=one.id, at=one.at, case=case, runs=one.runs)) for one in kept)
    assert found.sessions == 2 * (4 - len(left))
    assert found.raw_sessions == 2 * (len(left) - len(raw))
    assert history.check() == []


def test_pruning_gives_the_space_back(history):
    for day in range(1, 9):
        history.record(record(day, runs=(run(9000),)))
    found = history.prune(keep_raw=1)
    assert found.bytes_after < found.bytes_before / 3


@pytest.mark.parametrize("counts", [{"keep_raw": -1}, {"keep_raw": 1, "keep_sessions": -1}])
def test_a_negative_count_is_refused(history, refused, counts):
    history.record(record())
    with refused("negative", kind=ConfigError):
        history.prune(**counts)
    assert len(history.sessions()) == 1


def test_a_backup_is_a_history_with_everything(history, tmp_path):
    sessions = [record(1), record(2, case=OTHER, runs=(run(), run(9)), valid=False)]
    for session in sessions:
        history.record(session)
    history.annotate(None, "2026-02-01T00:00:00Z", "note", "moved", "ann")
    path = history.backup(tmp_path / "new" / "backup.sqlite")
    with open_history(path, create=False) as copy:
        assert all(map(same, copy.sessions(with_runs=True), sessions))
        assert copy.annotations() == history.annotations()
        assert copy.check() == []
        copy.record(record(3))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_backup_replaces_nothing(history, refused, tmp_path):
    path = tmp_path / "backup.sqlite"
    path.write_text("precious")
    with refused("exists already", str(path), kind=ConfigError):
        history.backup(path)
    assert path.read_text() == "precious"


def test_a_backup_that_cannot_be_written_leaves_nothing(history, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError):
        history.backup(tmp_path / "file" / "backup.sqlite")
