"""The rows of the first screen: what the newest sessions say, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.case import Case
from harness.record import Failure
from harness.trendreport.gather.trends import trends_of
from tests.trendreport.histories import CASE, PARENT, budget, change, run, session, state, trend_rows

SPREAD = [5.0, 5.1, 4.9, 5.05, 5.0, 4.95, 5.1, 5.0, 4.9, 5.0, 5.05, 4.95]


def rows(sessions, runs=(), **options):
    """The rows by metric; those of another case than CASE by key."""
    found = trends_of(trend_rows(sessions, runs), **options).rows
    return {row.metric if row.case == CASE else row.key: row for row in found}


def checked(day, ms=5.0, limit=50.0, **changes):
    """A session with one gate on load_ms."""
    return session(day, {"load_ms": (ms,)}, verdicts=(budget("load_ms", ms, limit),), **changes)


def test_a_row_says_what_its_newest_session_says():
    row = rows([checked(1, 4.0, 3.0), checked(2, 5.0)])["load_ms"]
    assert (row.value, row.unit, row.at, row.outcome, row.advice) == (5.0, "ms", "2026-01-03T03:00:00Z", "PASS", False)
    assert (row.track, row.series, row.in_noise, row.missing) == (0, 0, True, "")
    (claim,) = row.claims
    assert (claim.limit, claim.margin_percent, claim.sentence) == (50.0, pytest.approx(90.0), "5 against 50")
    assert row.key == f"{CASE.key} load_ms"


def test_a_row_without_a_verdict_says_so_and_shows_the_newest_valid_value():
    row = rows([session(1, {"load_ms": (4.0,)}), session(2, {"load_ms": (9.0,)}, valid=False)])["load_ms"]
    assert (row.value, row.at, row.outcome) == (4.0, "2026-01-02T03:00:00Z", "")
    assert (row.claims, row.current, row.fold) == ((), False, "not current")


def test_gates_decide_the_row_and_failed_advice_keeps_it_open():
    gate, advice = budget("load_ms", 5.0, 50.0), budget("load_ms", 5.0, 3.0, gate=False)
    row = rows([session(1, {"load_ms": (5.0,)}, verdicts=(advice, gate))])["load_ms"]
    assert (row.outcome, row.advice, row.in_noise) == ("PASS", False, False)
    assert [one.gate for one in row.claims] == [True, False]


def test_a_row_of_advice_alone_is_marked_as_advice():
    row = rows([session(1, {"load_ms": (5.0,)}, verdicts=(budget("load_ms", 5.0, 3.0, gate=False),))])["load_ms"]
    assert (row.outcome, row.advice) == ("FAIL", True)


def test_the_same_verdict_asked_twice_is_one_claim():
    row = rows([session(1, {"load_ms": (5.0,)}, verdicts=(budget("load_ms", 5.0, 50.0),) * 3)])["load_ms"]
    assert len(row.claims) == 1


@pytest.mark.parametrize(
    ("before", "now", "noise", "improved"),
    [
        (SPREAD, [5.0], True, False),
        (SPREAD, [5.02, 5.01], True, False),
        ([5.0] * 12, [5.1, 5.1], False, False),
        ([5.0] * 12, [4.7, 4.7], False, True),
        ([5.0] * 12, [4.98, 4.98], True, False),
    ],
)
def test_a_pass_is_noise_unless_it_shows_a_change(before, now, noise, improved):
    verdict = replace(change("frame_p25_ms", before, now), outcome="PASS")
    row = rows([session(1, {"frame_p25_ms": (now[0],)}, verdicts=(verdict,))])["frame_p25_ms"]
    assert (row.in_noise, "improved" in row.flags) == (noise, improved)


def test_a_metric_that_fails_now_and_did_not_in_the_run_before_is_newly_failing():
    good, bad = checked(1), checked(2, limit=3.0)
    again = replace(bad, id="f" * 32)
    assert "newly failing" in rows([good, bad])["load_ms"].flags
    # Both sessions of a run carry the run's verdicts.
    assert "newly failing" in rows([good, again, bad])["load_ms"].flags
    assert "newly failing" not in rows([checked(1, limit=3.0), bad])["load_ms"].flags
    assert "newly failing" not in rows([bad])["load_ms"].flags


def test_outputs_that_die_are_newly_failing_although_they_have_no_value():
    found = rows([session(day, {}, verdicts=(state("outputs_alive", outcome),))
                  for day, outcome in enumerate(["PASS", "FAIL"])])  # fmt: skip
    assert "newly failing" in found["outputs_alive"].flags
    assert (found["outputs_alive"].series, found["outputs_alive"].value) == (None, None)


def test_a_series_or_case_that_the_newest_run_has_for_the_first_time_is_new():
    sessions = [
        checked(1),
        replace(checked(2), values={"load_ms": (5.0,), "fps_mean": (30.0,)}),
        checked(2, case=PARENT),
    ]
    found = rows(sessions)
    assert "new" not in found["load_ms"].flags
    assert "new" in found["fps_mean"].flags
    assert "new" in found[f"{PARENT.key} load_ms"].flags


def test_a_simulated_case_is_marked_in_every_row():
    found = rows([replace(checked(1), simulated=True)])
    assert all("simulated" in row.flags for row in found.values())


@pytest.mark.parametrize(("gate", "advice"), [(True, False), (False, True)])
def test_a_metric_that_was_judged_and_is_not_any_more_is_missing(gate, advice):
    before = replace(checked(1), verdicts=(budget("load_ms", 5.0, 50.0, gate), budget("fps_mean", 30.0, 10.0)))
    row = rows([before, replace(checked(2), verdicts=(budget("fps_mean", 30.0, 10.0),))])["load_ms"]
    assert "missing" in row.flags
    assert (row.outcome, row.value, row.advice, row.in_noise) == ("", None, advice, False)
    assert (
        row.missing
        == "last judged 2026-01-02T03:00:00Z (PASS), and the session of 2026-01-03T03:00:00Z has no verdict on it"
    )


def test_a_session_that_nobody_judged_leaves_every_metric_missing():
    row = rows([checked(1), session(2, {"load_ms": (5.0,)})])["load_ms"]
    assert row.missing == "measured 2026-01-03T03:00:00Z and not judged; last judged 2026-01-02T03:00:00Z (PASS)"


def test_what_was_judged_long_ago_is_reported_and_not_missing():
    row = rows([checked(0), *(session(day, {"load_ms": (5.0,), "fps_mean": (30.0,)}, verdicts=(
        budget("fps_mean", 30.0, 10.0, better="more"),)) for day in range(1, 40))])["load_ms"]  # fmt: skip
    assert (row.missing, row.outcome, row.in_noise) == ("", "", True)
    assert row.claims[0].sentence == "last judged 2026-01-01T03:00:00Z (PASS)"


def test_an_accepted_session_is_the_newest_state_whatever_was_judged_before():
    row = rows([checked(1), session(2, {"load_ms": (5.5,)}, purpose="accept")])["load_ms"]
    assert (row.outcome, row.value, row.missing, row.in_noise) == ("", 5.5, "", True)
    assert "measured by harness accept 2026-01-03T03:00:00Z; last judged" in row.claims[0].sentence


@pytest.mark.parametrize("outcome", ["NO_BASELINE", "NOT_COMPARABLE"])
def test_what_cannot_be_compared_is_one_row_and_not_missing_in_each_metric(outcome):
    before = session(1, {"frame_p25_ms": (5.0,)}, verdicts=(change("frame_p25_ms", SPREAD, [5.0]),))
    now = session(2, {"frame_p25_ms": (5.0,)}, verdicts=(state("baseline", outcome, "other engine"),))
    found = rows([before, now])
    assert (found["baseline"].outcome, found["baseline"].missing) == (outcome, "")
    assert (found["frame_p25_ms"].outcome, found["frame_p25_ms"].missing) == ("", "")
    assert found["frame_p25_ms"].claims[0].sentence.endswith("other engine")


def test_a_baseline_that_is_there_again_is_not_missing():
    before = session(1, {"frame_p25_ms": (5.0,)}, verdicts=(state("baseline", "NO_BASELINE"),))
    now = session(2, {"frame_p25_ms": (5.0,)}, verdicts=(change("frame_p25_ms", SPREAD, [5.0]),))
    assert "baseline" not in rows([before, now])


def test_rounds_beside_another_build_are_shown_and_hide_nothing_of_the_check():
    paired = replace(change("frame_p25_ms", SPREAD, [5.0]), rule="paired-ranks/1", inputs={}, outcome="FAIL",
                     sentence="proven slower: +9 % against HEAD~1, tolerated 2 %")  # fmt: skip
    beside = session(1, {"frame_p25_ms": (5.4,)}, purpose="paired", verdicts=(paired,))
    found = rows([checked(1), beside])
    assert (found["frame_p25_ms"].outcome, found["load_ms"].outcome) == ("FAIL", "PASS")
    later = rows([checked(1), beside, checked(2)])
    assert (later["frame_p25_ms"].outcome, later["frame_p25_ms"].missing) == ("", "")


def test_a_case_that_could_not_be_measured_is_a_row_above_all_others():
    failure = Failure(PARENT, "", "EngineError", "no such file")
    found = trends_of(trend_rows([checked(2, limit=3.0)], [run(2, CASE, PARENT, failures=[failure])])).rows
    assert [(row.key, row.missing) for row in found] == [
        (f"{PARENT.key} ", "EngineError: no such file"), (f"{CASE.key} load_ms", ""),
    ]  # fmt: skip
    assert (found[0].outcome, found[0].flags, found[0].advice) == ("", ("missing",), False)


def test_a_case_that_was_asked_and_left_nothing_is_missing_too():
    found = rows([checked(2)], [run(2, CASE, PARENT)])
    assert (
        found[f"{PARENT.key} "].missing == "not reached: asked for, and there is neither a session nor an error of it"
    )


def test_a_case_that_is_known_by_its_key_alone_is_named_all_the_same():
    found = rows([checked(2)], [replace(run(2, CASE), asked=(CASE.key, "bench/odd"))])
    assert [row.case for row in found.values() if row.missing] == [Case("bench", "odd", "", "")]


def test_a_metric_without_an_answer_is_missing_although_its_case_was_measured():
    failure = Failure(CASE, "load_ms", "HarnessError", "no answer")
    row = rows([checked(1), checked(2)], [run(2, CASE, failures=[failure])])["load_ms"]
    assert (row.missing, row.outcome, row.series) == ("HarnessError: no answer", "PASS", 0)
    assert "missing" in row.flags


def test_rows_from_before_the_newest_run_of_the_device_keep_their_date():
    found = rows([checked(1), checked(2, case=PARENT)], [run(1, CASE), run(2, PARENT)])
    assert found["load_ms"].at == "2026-01-02T03:00:00Z"
    assert found["load_ms"].outcome == "PASS"


def test_a_series_with_only_invalid_sessions_is_not_hidden():
    row = rows([session(day, {"load_ms": (5.0,)}, valid=False) for day in range(3)])["load_ms"]
    assert (row.outcome, row.advice, row.in_noise) == ("INVALID", True, False)
    assert "spoiled" in row.claims[0].sentence


def test_rows_are_sorted_by_weight_and_then_by_name():
    verdicts = (budget("fps_mean", 30.0, 10.0), budget("load_ms", 9.0, 5.0), budget("pss_mb", 9.0, 5.0))
    found = trends_of(trend_rows([session(1, {}, verdicts=verdicts)])).rows
    assert [row.metric for row in found] == ["load_ms", "pss_mb", "fps_mean"]
    assert [row.weight for row in found] == sorted((row.weight for row in found), reverse=True)
