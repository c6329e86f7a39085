"""The first screen above the table: state, sentence, next step, and what stands out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.case import Case
from harness.record import Failure
from harness.trendreport.gather.trends import trends_of
from tests.trendreport.histories import CASE, PARENT, budget, change, run, session, state, steady_case, trend_rows

OTHER = Case("anvil", "eyes", "int8", "ort")
PASSED, FAILED = budget("load_ms", 5.0, 50.0), budget("load_ms", 5.0, 3.0)


def overview(sessions, runs=()):
    return trends_of(trend_rows(sessions, runs)).overview


def checked(day, *verdicts, **changes):
    return session(day, {"load_ms": (5.0,)}, verdicts=verdicts or (PASSED,), **changes)


LOST = Failure(PARENT, "", "EngineError", "no such file")
UNREACHED = Failure(PARENT, "", "not reached", "the run was interrupted before it")


@pytest.mark.parametrize(
    ("state_", "sessions", "runs"),
    [
        ("FAIL", [checked(1, FAILED)], []),
        ("FAIL", [checked(1, FAILED)], [run(1, CASE, PARENT, failures=[LOST])]),
        ("ERROR", [checked(1)], [run(1, CASE, PARENT, failures=[LOST])]),
        ("ERROR", [checked(1)], [run(2, CASE)]),
        ("INTERRUPTED", [checked(1)], [run(2, CASE, interrupted=True)]),
        ("INTERRUPTED", [checked(1)], [run(1, CASE, PARENT, interrupted=True, failures=[UNREACHED])]),
        ("ERROR", [checked(1)], [run(1, CASE, PARENT, failures=[UNREACHED])]),
        ("ERROR", [checked(1)], [run(1, CASE, PARENT, interrupted=True, failures=[LOST])]),
        ("INTERRUPTED", [checked(1)], [run(1, CASE, interrupted=True)]),
        ("NOTHING MEASURED", [checked(1)], [run(2, device="bench")]),
        ("NOTHING JUDGED", [session(1, {"load_ms": (5.0,)})], []),
        ("NOTHING JUDGED", [checked(1, replace(FAILED, gate=False))], []),
        ("INVALID", [checked(1, state("load_ms", "INVALID"), PASSED)], []),
        ("INCONCLUSIVE", [checked(1, state("load_ms", "INCONCLUSIVE"), PASSED)], []),
        ("NOT_COMPARABLE", [checked(1, state("baseline", "NOT_COMPARABLE"), PASSED)], []),
        ("NO_BASELINE", [checked(1, state("baseline", "NO_BASELINE"), PASSED)], []),
        ("PASS", [checked(1)], []),
        ("PASS", [checked(1, replace(FAILED, gate=False), PASSED)], []),
        ("FAIL", [checked(1, FAILED), checked(2, case=OTHER)], []),
        ("PASS", [checked(1, FAILED), checked(2)], []),
        ("FAIL", [checked(1, FAILED), session(2, {"load_ms": (5.0,)}, purpose="accept")], []),
        ("NOTHING JUDGED", [checked(1), session(2, {"load_ms": (5.0,)}, purpose="accept")], []),
        ("FAIL", [checked(1, FAILED), session(2, {"round_median_ms": (5.0,)}, purpose="import")], []),
        ("FAIL", [checked(1, FAILED), checked(2, state("load_ms", "INCONCLUSIVE"))], []),
        ("NOTHING JUDGED", [checked(1), session(2, {"load_ms": (5.0,)}, case=OTHER)], []),
        ("PASS", [checked(1), session(2, {"load_ms": (5.0,)}, case=OTHER, purpose="import")], []),
    ],
)
def test_the_state_is_the_worst_of_the_newest_runs_of_all_devices(state_, sessions, runs):
    found = overview(sessions, runs)
    assert found.state == state_
    assert found.next_step


def test_an_empty_history_says_what_to_do():
    found = overview([])
    assert (found.state, found.sentence) == ("NOTHING MEASURED", "the history is empty")
    assert found.next_step == "measure: pytest suites/ --device=DEVICE"


def test_the_sentence_counts_gates_cases_and_what_is_missing():
    sessions = [checked(1, PASSED, FAILED, replace(FAILED, gate=False)), checked(1, case=OTHER)]
    sentence = overview(sessions, [run(1, CASE, PARENT, failures=[LOST])]).sentence
    assert sentence == ("3 gates: 1 FAIL, 2 PASS; 2 of 3 cases measured; 1 case could not be measured; advice: 1 FAIL")


def test_only_the_newest_run_of_a_device_is_counted_and_older_cases_are_named_with_their_date():
    chosen = [run(1, PARENT), run(2, CASE, selected=True)]
    found = overview([checked(1, PASSED, case=PARENT), checked(2)], chosen)
    assert found.state == "PASS"
    assert found.sentence == "1 gate: 1 PASS; 1 of 2 cases measured; 1 case not asked for"
    assert found.next_step.startswith("the newest run was asked for a part: measure all before you approve")
    failed = overview([checked(1, FAILED, case=PARENT), checked(2)], chosen)
    assert failed.state == "FAIL"
    assert "1 metric FAIL when last judged and not decided since" in failed.sentence
    assert "1 case not asked for, 1 of them FAIL when last judged" in failed.sentence
    assert failed.not_asked == (f"{PARENT.key}: last measured 2026-01-02T03:00:00Z, FAIL then",)
    assert failed.failed == (f"{PARENT.key} load_ms (FAIL when last judged 2026-01-02T03:00:00Z): 5 against 3",)


def test_what_failed_is_told_the_worst_first_and_advice_last():
    verdicts = (budget("load_ms", 5.0, 4.0), budget("pss_mb", 9.0, 1.0), budget("fps_mean", 9.0, 1.0, gate=False))
    found = overview([checked(0), checked(1, *verdicts)])
    assert found.failed == (
        f"{CASE.key} pss_mb: 9 against 1", f"{CASE.key} load_ms (newly failing): 5 against 4",
        f"{CASE.key} fps_mean (advice): 9 against 1",
    )  # fmt: skip


def test_what_is_new_is_told_by_device_case_and_metric():
    alone = "bench: the only run of it in this history, so everything of it counts as new"
    assert overview([checked(1)]).new == (alone,)
    both = replace(checked(2), values={"load_ms": (5.0,), "fps_mean": (30.0,)})
    found = overview([checked(1), both, checked(2, case=PARENT)])
    assert found.new == (f"{PARENT.key}: its first run in this history", f"{CASE.key}: fps_mean")


def test_what_is_missing_is_told_once_for_each_reason():
    before = checked(1, PASSED, budget("pss_mb", 5.0, 50.0), budget("fps_mean", 5.0, 50.0))
    found = overview([before, checked(2)])
    assert len(found.missing) == 1
    assert found.missing[0].startswith(f"{CASE.key} fps_mean, pss_mb: last judged")
    assert "2 metrics missing" in found.sentence


def test_advice_that_nobody_gives_any_more_is_missing_and_no_error():
    before = checked(1, PASSED, replace(FAILED, metric="pss_mb", gate=False))
    found = overview([before, checked(2)])
    assert len(found.missing) == 1
    assert found.state == "PASS"


def test_simulated_numbers_are_named():
    found = overview([replace(checked(1), simulated=True), checked(1, case=OTHER)])
    assert found.simulated == (CASE.key,)
    assert "partly SIMULATED: these numbers are no real hardware's" in found.sentence
    assert "; SIMULATED: " in overview([replace(checked(1), simulated=True)]).sentence


def test_it_says_what_was_compared_and_how_many_rows_were_inside_the_noise():
    compared = replace(change("frame_p25_ms", [5.0] * 12, [5.0]), sentence="of the accepted baseline (12 sessions)")
    verdicts = (compared, PASSED, budget("frame_p99_ms", 60.0, 50.0))
    found = overview([replace(checked(1, *verdicts), values={"load_ms": (5.0,), "fps_mean": (30.0,)})])
    assert found.compared == (
        "1 comparison with the accepted baseline; 2 budgets; 3 rows judged; folded: 2 inside the noise, 1 only reported"
    )


def test_rows_that_are_not_of_the_newest_run_are_counted_apart():
    found = overview([checked(1, case=PARENT), checked(2)], [run(1, PARENT), run(2, CASE, selected=True)])
    assert found.compared == "1 budget; 1 row judged; folded: 1 inside the noise, 1 not of the newest run"


def test_a_run_of_rounds_beside_another_build_alone_is_judged_by_them():
    paired = replace(change("frame_p25_ms", [5.0] * 12, [5.0]), rule="paired-ranks/1", inputs={})
    beside = session(2, {"frame_p25_ms": (5.0,)}, purpose="paired", verdicts=(paired,))
    unreached = Failure(CASE, "", "not reached", "asked for, and no test came to it")
    found = overview([checked(1), beside], [run(2, CASE, failures=[unreached])])
    assert (found.state, found.missing) == ("PASS", ())
    assert found.sentence.startswith("1 gate: 1 PASS; 1 of 1 case measured")


def test_rounds_beside_another_build_do_not_settle_what_failed():
    paired = replace(change("frame_p25_ms", [5.0] * 12, [5.0]), rule="paired-ranks/1", inputs={})
    beside = session(2, {"frame_p25_ms": (5.0,)}, purpose="paired", verdicts=(paired,))
    found = overview([checked(1, FAILED), beside], [run(2, CASE)])
    assert found.state == "FAIL"
    said = "FAIL when last judged 2026-01-02T03:00:00Z): 5 against a limit of 3"
    assert found.failed == (f"{CASE.key} load_ms ({said}",)


def test_runs_are_told_with_time_command_and_policy():
    found = overview([checked(1), checked(1, case=OTHER)], [run(1, CASE, interrupted=True)])
    assert found.run == (
        "anvil: 2026-01-02T03:00:00Z, pytest suites/ --device=anvil; "
        "bench: 2026-01-02T03:00:00Z, pytest suites/, policy nightly, interrupted"
    )


def test_the_next_step_names_the_device_so_that_it_can_be_pasted():
    accepted = session(1, {"load_ms": (5.0,)}, case=replace(CASE, device="my board"), purpose="accept")
    assert overview([accepted]).next_step == "judge the build: pytest suites/ --device='my board'"


@pytest.mark.parametrize(
    ("sessions", "said"),
    [
        ([session(1, {"load_ms": (5.0,)})], "give the metrics a limit in the device profile or the model card"),
        ([checked(1, state("baseline", "NO_BASELINE"))], "harness accept --device=bench --reason="),
        ([checked(1, state("baseline", "NOT_COMPARABLE"))], "harness accept --device=bench --reason="),
        ([checked(1)], "approve, after a look at the smallest change"),
        ([replace(checked(1), simulated=True)], "nothing here is of real hardware: measure on the device that matters"),
        ([replace(checked(1), simulated=True), checked(1, case=OTHER)], "approve, after a look"),
        ([checked(1, FAILED)], "the FAIL rows give value and limit"),
        ([checked(1, FAILED), checked(2, state("load_ms", "INCONCLUSIVE"))], "what was FAIL was not decided since"),
    ],
)
def test_the_next_step_can_be_taken(sessions, said):
    assert said in overview(sessions).next_step


def test_a_device_that_did_not_run_for_long_is_named_with_its_age():
    old = "anvil last ran 2026-01-02, 30 days before the newest run"
    assert old in overview([checked(1, case=OTHER), checked(31)]).sentence
    assert "last ran" not in overview([checked(1, case=OTHER), checked(8)]).sentence


def test_an_interrupted_run_counts_the_cases_that_it_did_not_reach():
    sentence = overview([checked(1)], [run(1, CASE, PARENT, interrupted=True, failures=[UNREACHED])]).sentence
    assert sentence == "1 gate: 1 PASS; 1 of 2 cases measured; 1 case asked for and not measured"


def test_a_baseline_that_was_refused_is_told():
    refused = Failure(CASE, "", "refused", "the outputs hold NaN")
    found = overview([checked(1), checked(2, purpose="accept")], [run(2, CASE, purpose="accept", failures=[refused])])
    assert found.state == "ERROR"
    assert "1 case refused by harness accept" in found.sentence
    assert "missing" not in found.sentence
    assert found.missing == (f"{CASE.key} baseline: refused: the outputs hold NaN",)


def test_a_plan_that_never_judges_speed_is_named_as_the_reason():
    smoke = "the plan smoke is functional and never judges speed"
    assert overview([checked(1, state("load_ms", "INCONCLUSIVE", smoke))]).next_step == (
        "the plan never judges speed: pytest suites/ --device=bench --plan=standard"
    )


def test_the_newest_run_is_found_by_its_sessions_where_nobody_recorded_it():
    found = overview([checked(1, FAILED), *(checked(2, case=case) for case in (CASE, PARENT))])
    assert (found.state, found.sentence) == ("PASS", "2 gates: 2 PASS; 2 of 2 cases measured")
    unnamed = {"commit": "abc"}
    assert overview([checked(1, FAILED, provenance=unnamed), checked(2, provenance=unnamed)]).state == "PASS"


def test_a_recorded_run_counts_before_older_sessions_that_nobody_recorded():
    found = overview([checked(1, FAILED), checked(3)], [run(3, CASE)])
    assert found.state == "PASS"
    older = overview([checked(1), checked(3, FAILED)], [run(1, CASE)])
    assert older.state == "FAIL"


def test_baselines_that_were_measured_and_not_judged_are_counted():
    sentence = overview([checked(1), session(2, {"load_ms": (5.0,)}, purpose="accept")], [
        run(2, CASE, purpose="accept")]).sentence  # fmt: skip
    assert "1 case measured by harness accept and not judged since" in sentence


def test_a_steady_case_passes_and_everything_is_inside_the_noise():
    found = overview(steady_case())
    assert found.state == "PASS"
    assert "2 rows judged; folded: 2 inside the noise" in found.compared
