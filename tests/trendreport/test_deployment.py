"""The deployment checklist: what the history and the baselines show, and that nothing else makes an item done."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.case import Case
from harness.record import Failure
from tests.trendreport.byhand import HOSTILE
from tests.trendreport.histories import CASE, PARENT, budget, change, run, state
from tests.trendreport.repository import (
    CARD,
    DEVICE,
    FP32,
    HEAD,
    PASSED,
    accept,
    both,
    checklist,
    digest,
    evidence,
    eyes,
    measured,
    read,
    recipe,
    repository,
    states,
)

TESTED, BUDGETS, ACCEPTED = "tested on target", "budgets met", "baseline accepted"
CALIBRATED = {"method": "entropy", "calibration_frames": 400, "calibration_key": "ab" * 32,
              "disjoint_from_evaluation_frames": 8000}  # fmt: skip
FAILED = budget("frame_p99_ms", 60.0, 50.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path)


def test_a_model_is_ready_where_everything_is_shown(root):
    recipe(root, "int8", "static", "simplified", facts={"onnx": CALIBRATED})
    for case in (PARENT, CASE):
        accept(root, case)
    found = checklist(root, both())
    assert states(found) == {
        "exported": "done", "simplified": "done", "calibrated": "done", TESTED: "done", BUDGETS: "done",
        ACCEPTED: "done",
    }  # fmt: skip
    assert (found.model, found.device, found.simulated, found.ready) == ("eyes", "bench", False, True)


def test_nothing_that_was_measured_is_never_done(root):
    found = checklist(root)
    assert found.device == ""
    assert {states(found)[name] for name in (TESTED, BUDGETS, ACCEPTED)} == {"not done"}
    assert states(found)["exported"] == "unknown"
    assert not found.ready


def test_the_sessions_on_the_target_are_counted_with_date_and_plan(root):
    found = evidence(checklist(root, [measured(1), measured(2), measured(5, valid=False)]), TESTED)
    assert (found.state, found.sentence) == (
        "done", "2 valid sessions of the present file, the newest of 2026-01-03 with plan quick"
    )  # fmt: skip
    assert found.where == f"session {measured(2).id[:8]}"


@pytest.mark.parametrize(
    ("session", "why"),
    [
        (measured(1, build="cd" * 32), "1 session, all of the file cdcdcdcdcdcd and not the present one"),
        (measured(1, valid=False), "1 session of the present file, none of them valid"),
        (measured(1, simulated=True), "SIMULATED, no real hardware's: 1 valid session"),
        (measured(1, purpose="import"), "no session in this history"),
        (measured(1, purpose="paired"), "no session in this history"),
        (replace(measured(1), provenance={}), "1 session, all of a file that nobody named"),
    ],
)
def test_what_is_no_valid_session_of_the_file_on_hardware_is_no_test(root, session, why):
    found = evidence(checklist(root, [session]), TESTED)
    assert found.state == "not done"
    assert found.sentence.startswith(why)


def test_a_file_that_changed_has_to_be_measured_again(root):
    accept(root)
    shutil.copy(eyes(root) / "fp32.onnx", eyes(root) / "int8.onnx")
    found = checklist(root, [measured(1, build=digest("int8"))])
    assert [evidence(found, name).state for name in (TESTED, BUDGETS, ACCEPTED)] == ["not done"] * 3
    assert evidence(found, BUDGETS).sentence == "no gate was judged on the present file"
    assert digest("int8")[:12] in evidence(found, ACCEPTED).sentence


def test_a_case_of_the_target_that_nobody_measured_is_not_done(root):
    found = checklist(root, [measured(1)])
    assert evidence(found, TESTED, "fp32/ort").state == "not done"
    assert states(found)[TESTED] == states(found)[BUDGETS] == "not done"


@pytest.mark.parametrize(
    ("verdicts", "wanted", "said"),
    [
        ([PASSED], "done", "1 of 1 gate PASS, judged 2026-01-02"),
        ([PASSED, FAILED], "failed", "1 of 2 gates PASS, judged 2026-01-02: frame_p99_ms FAIL"),
        ([PASSED, state("load_ms", "INCONCLUSIVE")], "unknown",
         "1 of 2 gates PASS, judged 2026-01-02: load_ms INCONCLUSIVE"),
        ([state("outputs_alive", "FAIL")], "failed", "0 of 1 gate PASS, judged 2026-01-02: outputs_alive FAIL"),
        ([PASSED, state("baseline", "NO_BASELINE")], "done", "1 of 1 gate PASS, judged 2026-01-02"),
        ([budget("frame_p99_ms", 60.0, 50.0, gate=False)], "not done", "no gate was judged on the present file"),
        ([], "not done", "no gate was judged on the present file"),
    ],
)  # fmt: skip
def test_budgets_are_met_where_every_gate_of_the_newest_verdicts_passed(root, verdicts, wanted, said):
    found = evidence(checklist(root, [measured(1, verdicts=verdicts)]), BUDGETS)
    assert (found.state, found.sentence) == (wanted, said)


def test_what_the_newest_run_was_asked_and_has_not_is_not_met(root):
    silent = Failure(case=CASE, metric="", kind="TransportError", sentence="the board is silent")
    found = evidence(checklist(root, [measured(1)], [run(1, CASE), run(2, CASE, failures=[silent])]), BUDGETS)
    assert found.state == "not done"
    assert "every metric MISSING" in found.sentence


def test_a_baseline_says_by_whom_when_and_why(root):
    accept(root)
    found = evidence(checklist(root, [measured(2)]), ACCEPTED)
    assert (found.state, found.sentence) == ("done", "by ann on 2026-01-02, of 5 sessions: new compiler")
    assert found.where == "baselines/bench/eyes/int8.ort.json"


def test_a_file_that_became_worse_than_what_was_accepted_fails(root):
    accept(root)
    worse = change("frame_p99_ms", [40.0, 40.1, 39.9, 40.0, 40.1], [60.0, 60.1, 59.9])
    assert worse.outcome == "FAIL"
    found = evidence(checklist(root, [measured(2, verdicts=[PASSED, worse])]), ACCEPTED)
    assert (found.state, found.sentence.rpartition("; ")[2]) == ("failed", "since then worse: frame_p99_ms")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00"])
def test_a_baseline_that_cannot_be_trusted_fails_without_the_machines_paths(root, content):
    accept(root).write_bytes(content)
    found = evidence(checklist(root, [measured(2)]), ACCEPTED)
    assert found.state == "failed"
    assert str(root) not in found.sentence


def test_simulated_numbers_and_their_baseline_make_nothing_done(tmp_path):
    root = repository(tmp_path, device=f"simulated = true\n{DEVICE}")
    for case in (PARENT, CASE):
        accept(root, case)
    found = checklist(root, [measured(1, simulated=True)])
    assert found.simulated
    for name in (TESTED, BUDGETS, ACCEPTED):
        assert evidence(found, name).state == "not done"
        assert evidence(found, name).sentence.startswith("SIMULATED, no real hardware's: ")
    assert evidence(found, ACCEPTED, "fp32/ort").state == "not done", "also of a case that nobody measured"


def test_a_failure_of_simulated_numbers_stays_one(root):
    assert evidence(checklist(root, [measured(1, simulated=True, verdicts=[FAILED])]), BUDGETS).state == "failed"


def test_real_sessions_speak_where_a_case_has_simulated_ones_too(root):
    found = checklist(root, [measured(1), measured(2, simulated=True)])
    assert not found.simulated
    assert evidence(found, TESTED).sentence.startswith("1 valid session of the present file, the newest of 2026-01-02")


def test_there_is_one_list_for_each_device_that_measured_the_model(root):
    (root / "devices" / "other.toml").write_text(DEVICE, encoding="utf-8")
    found = read(root, [*both(), measured(2, replace(CASE, device="other"))]).deployments
    assert [(one.model, one.device) for one in found] == [("eyes", "bench"), ("eyes", "other")]
    assert [states(one)[TESTED] for one in found] == ["done", "not done"]


def test_a_model_that_left_the_suites_has_no_list(root):
    shutil.rmtree(eyes(root))
    assert read(root, both()).deployments == ()


def test_without_a_repository_there_are_no_lists(root):
    from harness.history import open_history
    from harness.trendreport import read_trends

    read(root, both())
    with open_history(root / "history.sqlite") as history:
        assert read_trends(history).deployments == ()


def test_variants_and_entries_that_are_gone_take_no_part(root):
    gone = [measured(1, replace(CASE, variant="pruned"), build="cd" * 32), measured(1, replace(CASE, runtime="trt"))]
    told = checklist(root, [*both(), *gone]).item(TESTED)
    assert [one.what for one in told.evidence] == ["fp32/ort", "int8/ort"]


def test_a_device_without_a_profile_is_judged_by_what_it_measured(root):
    case = Case("lost", "eyes", "int8", "trt")
    found = checklist(root, [measured(1, case)])
    assert evidence(found, TESTED, "int8/trt").state == "done"
    told = evidence(found, "exported", "int8")
    assert (told.state, told.sentence) == (
        "unknown", f"no profile of lost says which file an engine takes; there are int8.onnx ({digest('int8')[:12]})"
    )  # fmt: skip


def test_files_are_told_with_their_hash_and_the_engines_that_take_them(root):
    found = evidence(checklist(root, both()), "exported", "fp32")
    assert (found.state, found.where) == ("done", "suites/models/eyes")
    assert found.sentence == f"fp32.onnx ({digest('fp32')[:12]}) for ort. Made by: by hand"


def test_a_file_that_the_card_lists_and_is_not_there_fails(root):
    (eyes(root) / "int8.onnx").unlink()
    found = checklist(root, both())
    assert states(found)["exported"] == "failed"
    assert evidence(found, "exported", "int8").sentence.startswith("int8.onnx (")
    assert str(root) not in str(found)


def test_a_device_whose_engines_take_no_file_has_none_exported(tmp_path):
    root = repository(tmp_path, device='transport = "local"\n[runtimes.litert]\n')
    found = checklist(root, [measured(1, replace(CASE, runtime="litert"))])
    assert states(found)["exported"] == states(found)[TESTED] == "not done"
    assert evidence(found, "exported", "int8").sentence == "no engine of bench takes a file of it"
    assert states(found)["simplified"] == "not needed"


def test_a_variant_for_other_devices_takes_nothing_from_the_others(tmp_path):
    phone = '[variants.phone]\nfiles = { tflite = "phone.tflite" }\n'
    root = repository(tmp_path, card=f"{HEAD}{FP32}{phone}")
    shutil.copy(eyes(root) / "fp32.onnx", eyes(root) / "phone.tflite")
    found = checklist(root, [measured(1, PARENT)])
    assert evidence(found, "exported", "phone").state == "not needed"
    assert states(found)["exported"] == states(found)[TESTED] == "done"


@pytest.mark.parametrize("card", ["", "task = 1", f"{CARD}[variants.int8]\n", "\x00"])
def test_a_card_that_cannot_be_read_says_so(tmp_path, card):
    root = repository(tmp_path, card=card)
    found = checklist(root, both())
    assert states(found) == {"exported": "unknown"}
    assert found.items[0].evidence[0].sentence.startswith("its card cannot be read: ")
    assert str(root) not in str(found)


@pytest.mark.parametrize("device", ["../..", HOSTILE, "\ud800", "x" * 5000])
def test_names_that_are_no_names_of_files_lead_nowhere(root, device):
    (root / "int8.ort.json").write_text("{}", encoding="utf-8")
    found = checklist(root, [replace(measured(1), case=replace(CASE, device=device))])
    assert evidence(found, ACCEPTED).state in ("failed", "not done")
    assert evidence(found, "exported", "int8").state == "unknown"
