"""What the newest run does not say: failures that were not decided since, what was not asked for, what is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.record import Annotation, Failure
from harness.trendreport.gather.trends import trends_of
from tests.trendreport.histories import CASE, IDENTITY, PARENT, budget, change, run, session, state, trend_rows

DAY_1, DAY_2 = "2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z"
PASSED, FAILED = budget("load_ms", 5.0, 50.0), budget("load_ms", 5.0, 3.0)
OTHER = budget("fps_mean", 30.0, 10.0, better="more")
SLOWER = change("frame_p25_ms", [5.0] * 12, [5.7, 5.7])
VALUES = {"load_ms": (5.0,), "fps_mean": (30.0,), "frame_p25_ms": (5.7,)}
EXPECTED = Annotation(at="2026-01-03T00:00:00Z", kind="expected", text="it is meant", author="ann")


def checked(day, *verdicts, **changes):
    return session(day, VALUES, verdicts=verdicts, **changes)


def trends(sessions, runs=(), annotations=()):
    return trends_of(trend_rows(sessions, runs, annotations))


def row(found, metric, case=CASE):
    return next(one for one in found.rows if (one.case, one.metric) == (case, metric))


UNDECIDED = {
    "smoke": checked(2, state("load_ms", "INCONCLUSIVE"), state("baseline", "NOT_COMPARABLE"), OTHER),
    "accept": session(2, VALUES, purpose="accept"),
    "no verdict": checked(2),
    "another metric": checked(2, OTHER),
    "without the value": session(2, {}, verdicts=(OTHER,)),
    "another case": checked(2, PASSED, case=PARENT),
    "import": session(2, {"round_median_ms": (5.0,)}, purpose="import", provenance={"run": "imported"}),
    "another plan": checked(2, OTHER, identity={**IDENTITY, "plan_name": "smoke"}),
}


@pytest.mark.parametrize("selected", [False, True])
@pytest.mark.parametrize("later", UNDECIDED.values(), ids=UNDECIDED)
def test_a_failure_that_nothing_decided_since_stays_open_and_above_all(later, selected):
    runs = [run(2, later.case, selected=selected)] if later.purpose != "import" else []
    found = trends([checked(1, FAILED, SLOWER), later], runs)
    assert found.overview.state == "FAIL"
    if later.purpose != "import":
        assert "2 metrics FAIL when last judged and not decided since" in found.overview.sentence
    for metric in ("load_ms", "frame_p25_ms"):
        one = row(found, metric)
        assert (one.outcome, one.advice, one.fold, one.in_noise) == ("FAIL", False, "", False)
        assert any(one.key in sentence for sentence in found.overview.failed)
        if later.purpose != "import":
            assert "not judged since" in one.flags
            assert f"FAIL when last judged {DAY_1}" in next(s for s in found.overview.failed if one.key in s)
    assert {one.metric for one in [one for one in found.rows if one.metric][:2]} == {"load_ms", "frame_p25_ms"}


@pytest.mark.parametrize(
    "later",
    [
        checked(2, PASSED, OTHER),
        checked(2, state("load_ms", "INCONCLUSIVE"), provenance={"model_sha256": "cd" * 32, "run": "run000000002"}),
    ],
    ids=["passed", "another model file"],
)
def test_a_failure_that_was_decided_or_is_of_another_model_file_is_over(later):
    found = trends([checked(1, FAILED), later])
    assert found.overview.state != "FAIL"
    assert found.overview.failed == ()
    assert "not judged since" not in row(found, "load_ms").flags


def test_a_failure_stays_although_the_newest_run_could_not_answer():
    broken = Failure(CASE, "load_ms", "HarnessError", "no answer")
    found = trends([checked(1, FAILED)], [run(2, CASE, failures=[broken])])
    one = row(found, "load_ms")
    assert (one.outcome, one.missing, one.fold) == ("FAIL", "HarnessError: no answer", "")
    assert found.overview.state == "FAIL"


def test_advice_that_failed_before_does_not_stay():
    found = trends(
        [checked(1, replace(FAILED, gate=False)), checked(2, replace(FAILED, gate=False, outcome="INVALID"))]
    )
    assert (row(found, "load_ms").outcome, found.overview.failed) == ("INVALID", ())


def test_a_failure_with_a_newer_word_shows_both():
    one = row(trends([checked(1, FAILED), checked(2, state("load_ms", "INCONCLUSIVE", "too few frames"))]), "load_ms")
    assert [claim.outcome for claim in one.claims] == ["FAIL", "INCONCLUSIVE"]
    assert one.claims[0].sentence == f"FAIL when last judged {DAY_1}, not decided since: 5 against a limit of 3"
    assert (one.at, one.current) == (DAY_2, True)


def test_a_failed_comparison_of_which_the_words_are_not_at_hand_is_told_with_its_figure():
    found = trends([checked(1, SLOWER), checked(2, state("baseline", "NOT_COMPARABLE"))])
    assert found.overview.failed[0].endswith("not decided since: 5.7 ms against what was before")


def test_dead_outputs_of_which_there_is_no_value_stay_too():
    dead = state("outputs_alive", "FAIL", "the outputs hold NaN")
    found = trends([checked(1, dead), session(2, VALUES, purpose="accept")])
    assert found.overview.failed == (
        f"{CASE.key} outputs_alive: FAIL when last judged {DAY_1}, not decided since: the outputs hold NaN",
    )


def test_what_was_not_asked_for_shows_its_new_value_and_is_no_error():
    now = replace(checked(2, OTHER), values={**VALUES, "load_ms": (6.0,)})
    found = trends([checked(1, PASSED, OTHER, SLOWER), now], [run(1, CASE), run(2, CASE, selected=True)])
    one = row(found, "load_ms")
    assert (one.value, one.missing, one.outcome, one.fold) == (6.0, "", "", "reported")
    assert "not asked" in one.flags
    assert one.claims[0].sentence == f"not asked for by the newest run; last judged {DAY_1} (PASS)"
    assert f"{CASE.key}: " in found.overview.not_asked[0]
    assert "load_ms" in found.overview.not_asked[0]


def test_a_metric_that_all_tests_of_a_named_model_lost_is_missing():
    found = trends([checked(1, PASSED, OTHER), checked(2, OTHER)], [run(1, CASE), run(2, CASE, named=True)])
    assert row(found, "load_ms").missing
    assert found.overview.state == "ERROR"


def test_a_part_that_passes_is_a_pass_of_a_part():
    found = trends([checked(1, PASSED, OTHER), checked(2, OTHER)], [run(1, CASE), run(2, CASE, selected=True)])
    assert found.overview.state == "PASS"
    assert found.overview.next_step.startswith("the newest run was asked for a part")
    assert "1 metric not asked for" in found.overview.sentence
    assert ", asked for a part" in found.overview.run


def test_an_interrupted_run_says_what_it_did_not_reach():
    found = trends([checked(1, PASSED, OTHER), checked(2, OTHER)], [run(1, CASE), run(2, CASE, interrupted=True)])
    assert found.overview.state == "INTERRUPTED"
    assert row(found, "load_ms").claims[0].sentence.startswith("not reached by the newest run")


def test_what_a_whole_run_lost_is_missing_although_a_part_was_run_since():
    sessions = [checked(1, PASSED, OTHER), checked(2, OTHER), checked(3, OTHER)]
    found = trends(sessions, [run(1, CASE), run(2, CASE), run(3, CASE, selected=True)])
    assert "the session of 2026-01-03" in row(found, "load_ms").missing


@pytest.mark.parametrize(
    ("remark", "missing"),
    [
        (EXPECTED, False),
        (replace(EXPECTED, case_key=CASE.key), False),
        (replace(EXPECTED, case_key=PARENT.key), True),
        (replace(EXPECTED, at="2026-01-01T00:00:00Z"), True),
        (replace(EXPECTED, kind="note"), True),
    ],
)
def test_a_budget_that_was_removed_on_purpose_is_settled_by_a_remark(remark, missing):
    found = trends([checked(1, PASSED, OTHER), checked(2, OTHER)], [run(1, CASE), run(2, CASE)], [remark])
    assert bool(row(found, "load_ms").missing) is missing
    assert found.overview.state == ("ERROR" if missing else "PASS")


def test_a_case_that_nothing_names_any_more_is_missing_with_what_to_do():
    found = trends([checked(1, PASSED, case=PARENT), checked(2, PASSED)], [run(1, PARENT), run(2, CASE)])
    assert found.overview.state == "ERROR"
    assert row(found, "", PARENT).missing == (
        "not asked for: no card or test names it any more; where that is meant: "
        f"harness annotate REASON --kind expected --case {PARENT.key}"
    )
    assert row(found, "load_ms", PARENT).fold == "not current"


@pytest.mark.parametrize("verdict", [PASSED, FAILED])
def test_a_case_that_was_removed_on_purpose_is_settled_by_a_remark(verdict):
    remark = replace(EXPECTED, case_key=PARENT.key)
    found = trends([checked(1, verdict, case=PARENT), checked(2, PASSED)], [run(1, PARENT), run(2, CASE)], [remark])
    assert (found.overview.state, found.overview.failed, found.overview.missing) == ("PASS", (), ())
    assert found.overview.not_asked[0].endswith(", as was expected")
    old = row(found, "load_ms", PARENT)
    assert (old.fold, "retired" in old.flags) == ("not current", True)


@pytest.mark.parametrize(
    ("runs", "purpose"),
    [
        ([run(2, CASE, selected=True)], "check"),
        ([run(2, CASE, named=True)], "check"),
        ([], "check"),
        ([run(2, CASE)], "import"),
    ],
    ids=["a part", "by name", "nobody knows what was asked", "imported"],
)
def test_a_case_that_was_left_out_or_never_asked_for_is_not_missing(runs, purpose):
    found = trends([session(1, VALUES, case=PARENT, purpose=purpose), checked(2, PASSED)], runs)
    assert (found.overview.state, found.overview.missing) == ("PASS", ())


def test_a_pass_from_before_the_newest_run_is_marked_and_never_inside_the_noise():
    lost = Failure(PARENT, "", "EngineError", "no such file")
    found = trends([checked(1, PASSED, case=PARENT), checked(2, PASSED)], [run(2, CASE, PARENT, failures=[lost])])
    old = row(found, "load_ms", PARENT)
    assert (old.outcome, old.current, old.in_noise, old.fold) == ("PASS", False, False, "not current")
    assert "not current" in old.flags
    assert "not current" not in row(found, "load_ms").flags


@pytest.mark.parametrize(
    ("between", "newly"),
    [
        ([checked(2, state("load_ms", "INCONCLUSIVE"))], False),
        ([checked(2, PASSED)], True),
        ([checked(2, PASSED, identity={**IDENTITY, "plan_name": "quick"})], False),
    ],
    ids=["undecided", "passed", "passed elsewhere"],
)
def test_newly_failing_is_told_against_the_last_decision_under_the_same_conditions(between, newly):
    found = trends([checked(1, FAILED), *between, checked(3, FAILED)])
    assert ("newly failing" in row(found, "load_ms").flags) is newly
