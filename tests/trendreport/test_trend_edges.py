"""Histories that are empty, tiny, huge or strange still give trends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.history import open_history
from harness.history.trendrows import MeanRows, OutcomeRow, SessionHead, TrendRows
from harness.record import Annotation, Failure
from harness.trendreport.gather.decimate import MOST_POINTS
from harness.trendreport.gather.trends import trends_of
from harness.trendreport.model import OUTCOMES
from tests.trendreport.histories import (
    CASE,
    IDENTITY,
    PARENT,
    budget,
    change,
    run,
    session,
    state,
    steady_case,
    trend_rows,
    write_history,
)

HOSTILE = ("<script>alert(1)</script>", '"onmouseover=alert(1) x="', "\x1b[31m", "\x00", "\u202e", "a/b", "", "{{7*7}}")


def test_an_empty_history_gives_empty_trends():
    found = trends_of(trend_rows([]))
    assert (found.newest, found.tracks, found.series, found.rows, found.notes) == ("", (), (), (), ())


def test_a_run_that_measured_nothing_in_an_empty_history_is_told():
    found = trends_of(trend_rows([], [run(1, CASE, failures=[Failure(CASE, "", "EngineError", "no engine")])]))
    assert [row.missing for row in found.rows] == ["EngineError: no engine"]
    assert (found.overview.state, found.newest) == ("ERROR", "2026-01-02T03:00:00Z")
    assert found.rows[0].track is None


def test_one_session_without_values_or_verdicts_is_a_track():
    found = trends_of(trend_rows([session(1, {})]))
    assert (len(found.tracks), found.series, found.rows) == (1, (), ())


def test_only_invalid_sessions_still_have_their_points():
    found = trends_of(trend_rows([session(day, {"load_ms": (5.0,)}, valid=False) for day in range(3)]))
    assert found.series[0].value.tolist() == [5.0] * 3
    assert found.tracks[0].valid.tolist() == [False] * 3
    assert found.series[0].steps == ()


def test_what_nobody_judged_is_folded_and_marked_where_its_sessions_were_spoiled():
    found = trends_of(trend_rows([session(day, {"load_ms": (5.0,)}, valid=False) for day in range(3)]))
    assert [(one.outcome, one.advice, one.fold) for one in found.rows] == [("INVALID", True, "reported")]


def test_only_rounds_beside_another_build_are_a_history_too():
    paired = replace(change("frame_p25_ms", [5.0] * 12, [5.0]), rule="paired-ranks/1", inputs={})
    found = trends_of(trend_rows([session(1, {"frame_p25_ms": (5.0,)}, purpose="paired", verdicts=(paired,))]))
    assert [(row.metric, row.outcome) for row in found.rows] == [("frame_p25_ms", "PASS")]


def test_imported_benchmarks_are_reported():
    sessions = [session(day, {"round_median_ms": (5.0,)}, purpose="import") for day in range(3)]
    found = trends_of(trend_rows(sessions), metrics=["all"])
    assert [(row.metric, row.outcome, row.value) for row in found.rows] == [("round_median_ms", "", 5.0)]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_pass_through_unchanged(name):
    case = replace(CASE, model=name)
    told = state(name, "FAIL", name)
    sessions = [
        session(1, {name: (5.0,)}, case=case, identity={name: name}, provenance={"commit": name, "run": "1"}),
        session(2, {name: (5.0,)}, case=case, verdicts=(told,), provenance={"commit": name, "run": name}),
    ]
    remarks = [Annotation(at=sessions[0].at, kind=name, text=name, author=name, case_key=name)]
    failed = replace(run(2, case, failures=[Failure(case, name, name, name)]), run=name, command=name)
    found = trends_of(trend_rows(sessions, [failed], remarks), metrics=["all"])
    assert found.tracks[0].case.model == found.tracks[0].commit[0] == name
    assert {row.metric for row in found.rows} == {name}


def test_the_order_of_names_does_not_depend_on_the_order_of_insertion():
    sessions = [*steady_case(), *steady_case(PARENT)]
    one, other = (trends_of(trend_rows(order)) for order in (sessions, sessions[::-1]))
    assert [row.key for row in one.rows] == [row.key for row in other.rows]
    assert (
        [track.case for track in one.tracks]
        == [track.case for track in other.tracks]
        == sorted({CASE, PARENT}, key=lambda case: case.key)
    )
    assert one.overview == other.overview


def long_case(count: int) -> TrendRows:
    """One metric of one case in so many sessions; one spike, one failure, few invalid sessions, two identities."""
    rng = np.random.default_rng(1)
    value = 5.0 + 0.01 * rng.standard_normal(count)
    value[count // 3] = 50.0
    told = {"run": "nightly", "commit": "c"}
    heads = [
        SessionHead(number, f"{number:032x}", "2026-01-01T00:00:00Z", "check", CASE, int(number > count // 2), told,
                    False, number % 100_000 != 7) for number in range(count)
    ]  # fmt: skip
    judged = {count // 4: "FAIL"} | dict.fromkeys(range(count - 100, count), "PASS")
    outcomes = [OutcomeRow(number, "load_ms", said, True, "limit/1", 5.0, 40.0) for number, said in judged.items()]
    means = MeanRows(metrics=("load_ms",), session=np.arange(count), metric=np.zeros(count, np.int32), value=value)
    newest = {count - 1: (budget("load_ms", float(value[-1]), 40.0), change("load_ms", [5.0, 5.01] * 6, [5.0]))}
    return TrendRows(
        heads=heads, identities=[IDENTITY, {**IDENTITY, "version": "2"}], means=means, outcomes=outcomes,
        newest=newest, annotations=[], runs=[],
    )  # fmt: skip


@pytest.mark.parametrize("count", [2001, 1_000_000])
def test_a_very_long_series_is_drawn_with_few_points_and_loses_nothing_that_stands_out(count):
    found = trends_of(long_case(count))
    (track,), (series,) = found.tracks, found.series
    assert (series.decimated, track.sessions) == (count, count)
    assert len(series.index) <= MOST_POINTS
    assert len(track.ids) <= MOST_POINTS + 50
    assert series.value.max() == 50.0
    assert track.ids[int(series.index[series.value.argmax()])] == f"{count // 3:032x}"
    assert track.ids[int(series.index[series.outcome == OUTCOMES.index("FAIL")][0])] == f"{count // 4:032x}"
    assert not track.valid[series.index].all()
    ((first, words),) = track.boundaries
    assert (track.ids[first], words) == (f"{count // 2 + 1:032x}", "version: 1.2.3 and now 2")
    assert series.band is not None
    assert series.band.first == first
    assert f"{count:,} points" in " ".join(found.notes)
    assert found.rows[0].outcome == "PASS"


def test_the_accepted_sessions_of_a_very_long_case_stay():
    rows = long_case(5000)
    heads = [one._replace(purpose="accept", provenance={"run": "accept"}) if 700 <= place < 712 else one
             for place, one in enumerate(rows.heads)]  # fmt: skip
    (track,) = trends_of(replace(rows, heads=heads)).tracks
    accepted = {id_ for id_, purpose in zip(track.ids, track.purpose) if purpose == "accept"}
    assert accepted == {f"{place:032x}" for place in range(700, 712)}


def test_imported_benchmarks_of_a_case_are_not_its_newest_state():
    imported = session(
        3, {"round_median_ms": (5.0,)}, purpose="import", identity={"engine": "pytest-benchmark"},
    )  # fmt: skip
    found = trends_of(trend_rows([session(1, {"load_ms": (5.0,)}, verdicts=(budget("load_ms", 5.0, 50.0),)), imported]))
    assert (found.overview.state, found.tracks[0].engine) == ("PASS", "onnxruntime 1.2.3")
    assert [(row.metric, row.outcome, row.current) for row in found.rows] == [("load_ms", "PASS", True)]


def test_imported_benchmarks_are_not_the_newest_run_of_a_device_that_was_checked():
    checked = session(1, {"load_ms": (5.0,)}, verdicts=(budget("load_ms", 5.0, 50.0),))
    imported = session(3, {"round_median_ms": (5.0,)}, case=PARENT, purpose="import")
    overview = trends_of(trend_rows([checked, imported])).overview
    assert (overview.state, overview.run) == ("PASS", "bench: 2026-01-02T03:00:00Z, pytest suites/ --device=bench")
    assert overview.not_asked == (f"{PARENT.key}: no metric of it is shown",)


def test_a_series_of_2000_points_is_whole():
    found = trends_of(long_case(2000))
    assert (len(found.series[0].index), found.series[0].decimated, found.tracks[0].sessions) == (2000, None, None)
    assert found.notes == ()


def test_a_history_in_a_file_gives_the_same_trends_as_its_sessions(tmp_path):
    sessions = [*steady_case(days=20), *steady_case(PARENT, days=15, seed=2)]
    path = write_history(tmp_path / "h.sqlite", sessions)
    with open_history(path) as history:
        rows = history.trend_rows()
    kept, made = trends_of(rows), trends_of(trend_rows(sessions))
    assert kept.overview == made.overview
    assert kept.rows == made.rows
    for one, other in zip(kept.series, made.series):
        assert (one.metric, one.limits, one.band, one.steps) == (other.metric, other.limits, other.band, other.steps)
        assert np.array_equal(one.index, other.index)
        np.testing.assert_allclose(one.value, other.value)
        assert np.array_equal(one.outcome, other.outcome)
    assert [track.ids for track in kept.tracks] == [track.ids for track in made.tracks]
