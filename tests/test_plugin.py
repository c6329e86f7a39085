"""`pytest suites/` as a person runs it, on the simulated device."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from harness.progress import CLEAR
from tests.warm import run_cold, run_warm
from tests.workspace import CHECKOUT, Workspace

CARD = "suites/models/eyes/model.toml"
DEVICE = "devices/simulated.toml"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_good_model_passes_every_question(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--assert=rewrite", run=run_cold)
    assert done.status == 0, done.output
    assert "SIMULATED" in done.output
    outcomes = {one["outcome"] for one in done.verdicts("frame_p99_ms")}
    assert outcomes == {"PASS"}


def test_a_slow_model_is_red_with_one_sentence(workspace):
    workspace.add_simulated(infer_ms=70.0)
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32")
    assert done.status == 1
    assert "FAIL: simulated/eyes/fp32/simulated frame_p99_ms: frame P99" in done.output
    assert "Traceback" not in done.output


def test_the_smoke_plan_never_judges_speed(workspace):
    workspace.add_simulated(infer_ms=70.0)
    done = workspace.pytest("--device=simulated", "--plan=smoke")
    assert done.status == 0, done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"INCONCLUSIVE"}
    assert "INCONCLUSIVE" in done.output


def test_what_the_pull_request_policy_forgives_the_nightly_policy_does_not(workspace):
    workspace.add_simulated()
    arguments = ("--device=simulated", "--plan=smoke", "-k", "p99 and fp32")
    assert workspace.pytest(*arguments).status == 0
    assert workspace.pytest(*arguments, "--policy=nightly").status == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--device=simulatd"], "did you mean 'simulated'?"),
        (["--device=../../etc/passwd"], "no device called"),
        (["--device=simulated", "--plan=smok"], "did you mean 'smoke'?"),
        (["--device=simulated", "--models=eyse"], "did you mean 'eyes'?"),
        (["--device=simulated", "--models=/nowhere/at/all"], "no model called"),
    ],
)
def test_a_wrong_name_ends_with_status_4_and_the_nearest_known_name(workspace, arguments, said):
    workspace.add_simulated()
    done = workspace.pytest(*arguments)
    assert done.status == 4, done.output
    assert said in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("frame_p99_ns = 50", "did you mean 'frame_p99_ms'?"),
        ("frame_p99_ms = -1", "budgets.frame_p99_ms = -1"),
        ("frame_p99_ms = nan", "budgets.frame_p99_ms = nan"),
        ('frame_p99_ms = "fast"', "budgets.frame_p99_ms = 'fast'"),
        ("frame_p99_ms = 50\nframe_p99_ms = 51", "not valid TOML"),
    ],
)
def test_a_wrong_budget_names_file_key_and_value(workspace, line, said):
    workspace.add_simulated()
    profile = workspace.folder / "devices" / "simulated.toml"
    text = profile.read_text(encoding="utf-8").replace("frame_p99_ms = 50", line)
    profile.write_text(text, encoding="utf-8")
    done = workspace.pytest("--device=simulated")
    assert done.status == 4, done.output
    assert said in done.output
    assert "simulated.toml" in done.output


SEED = "seed = 1"
OPTIONS = "[options]\n"
# file, what is replaced in it -> what the message says beside the file
WRONG = [
    (DEVICE, SEED, "sede = 1", ["no key called 'sede', did you mean 'seed'?", "runtimes.simulated"]),
    (DEVICE, SEED, 'seed = "one"', ["seed = 'one': Input should be a valid integer", "runtimes.simulated"]),
    (DEVICE, SEED, "[runtimes.litert]\nthreads = 0", ["threads = 0: at least 1", "runtimes.litert"]),
    (DEVICE, 'transport = "local"', 'transport = "local"\naddress = "root@board"', ["address = 'root@board', but the"]),
    (CARD, OPTIONS, f"{OPTIONS}softmx = true\n", ["called 'softmx', did you mean 'softmax'?", "[options]"]),
    (CARD, OPTIONS, f'{OPTIONS}softmax = "yes"\n', ["option softmax = 'yes'", "[options]"]),
    (CARD, 'kind = "raw"', 'kind = "rwa"', ["no data set kind called 'rwa', did you mean 'raw'?", "[dataset] kind"]),
    (CARD, 'format = "Y8"', 'fromat = "Y8"', ["no option called 'fromat', did you mean 'format'?", "kind 'raw'"]),
    (CARD, 'parent = "fp32"', 'parent = "fp23"', ["no variant called 'fp23', did you mean 'fp32'?"]),
    (CARD, "accuracy_min_percent", "accuracy_mim_percent", ["did you mean 'accuracy_min_percent'?"]),
]


KIND, RAILS, SCOPE, START_C = 'kind = "simulated"', 'rails = ["VDD_SIM"]', 'scope = "SIMULATED"', "max_start_c = 60"
# What is wrong with a sensor, its power or the conditions, in the same form.
WRONG_SENSORS = [
    (DEVICE, KIND, 'kind = "simulate"', ["no probe called 'simulate', did you mean 'simulated'?", "probes.board"]),
    (DEVICE, KIND, f"{KIND}\nrate_hz = 0", ["rate_hz = 0: Input should be greater than 0", "probes.board"]),
    (DEVICE, KIND, f"{KIND}\nrate_hz = 2000", ["rate_hz = 2000", "less than or equal to 1000", "probes.board"]),
    (DEVICE, KIND, f'{KIND}\nrate_hz = "fast"', ["rate_hz = 'fast'", "valid number", "probes.board"]),
    (DEVICE, KIND, f"{KIND}\npower_w = 3", ["called 'power_w', did you mean 'power_mw'?", "probes.board"]),
    (DEVICE, RAILS, "rails = []", ["power.rails = ", "at least 1 item"]),
    (DEVICE, RAILS, 'rails = ["VDD_SIM", "VDD_SIM"]', ["rails = ['VDD_SIM', 'VDD_SIM']: each rail once"]),
    (DEVICE, RAILS, 'rails = "VDD_SIM"', ["power.rails = 'VDD_SIM': Input should be a valid list"]),
    (DEVICE, 'probe = "board"', 'probe = "borad"', ["no probe called 'borad', did you mean 'board'?", "power.probe"]),
    (DEVICE, SCOPE, "", ["power.scope is missing"]),
    (DEVICE, SCOPE, f"{SCOPE}\nwindow_s = 5", ["power.window_s = 5", "greater than or equal to 10"]),
    (DEVICE, SCOPE, f'{SCOPE}\nbeside = ["borad/VIN"]', ["'borad/VIN' is no channel of a probe", "power.beside"]),
    (DEVICE, START_C, 'max_start_c = "hot"', ["conditions.max_start_c = 'hot': Input should be a valid number"]),
    (DEVICE, START_C, "max_star_c = 60", ["'conditions.max_star_c', did you mean 'conditions.max_start_c'?"]),
    (DEVICE, START_C, "max_swap_mib = -1", ["conditions.max_swap_mib = -1", "greater than or equal to 0"]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "old", "new", "said"), [*WRONG, *WRONG_SENSORS])
def test_what_is_misspelt_ends_the_session_with_status_4_file_key_and_nearest_name(workspace, path, old, new, said):
    workspace.add_simulated()
    workspace.rewrite(path, old, new)
    done = workspace.pytest("--device=simulated")
    assert done.status == 4, done.output
    for one in [*said, path.removeprefix("suites/models/")]:
        assert one in done.output
    assert "Traceback" not in done.output
    assert not done.report.exists()


def test_an_address_by_hand_is_refused_where_this_machine_would_be_measured(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--address=root@board")
    assert done.status == 4
    assert "address = 'root@board', but the transport is local" in done.output
    assert workspace.pytest("--device=simulated", "--plan=smoke", "-k", "p99 and fp32").status == 0


@pytest.mark.parametrize(("arguments", "status"), [(["--device=simulatd"], 4), (["--device=simulated"], 0)])
def test_a_test_that_asks_for_the_device_alone_is_no_way_around_a_wrong_configuration(workspace, arguments, status):
    workspace.add_simulated()
    workspace.add_suite("test_own.py", "def test_own(device):\n    assert device.simulated\n")
    done = workspace.pytest(*arguments, "suites/test_own.py", "-k", "own")
    assert done.status == status, done.output
    assert ("did you mean 'simulated'?" in done.output) == (status == 4)
    assert "Traceback" not in done.output


@pytest.mark.parametrize(("metric", "status"), [("frame_p9_ms", 1), ("frame_p99_ms", 0)])
def test_a_metric_misspelt_in_a_suite_is_red_with_the_nearest_name(workspace, metric, status):
    workspace.add_simulated()
    workspace.add_suite("test_own.py", f"def test_own(check):\n    check({metric!r})\n")
    done = workspace.pytest("--device=simulated", "-k", "own and fp32")
    assert done.status == status, done.output
    assert ("no metric called 'frame_p9_ms', did you mean 'frame_p99_ms'?" in done.output) == (status == 1)
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("body", "policy", "status"),
    [
        ("measurement): pass", "pr", 0),
        ("measurement): pass", "nightly", 5),
        ("measurement): pass", "release", 5),
        ("check): check('frame_p99_ms')", "nightly", 0),
    ],
)
def test_under_a_strict_policy_a_session_that_judged_no_gate_is_not_green(workspace, body, policy, status):
    workspace.add_simulated()
    workspace.add_suite("test_own.py", f"def test_own({body}\n")
    done = workspace.pytest("--device=simulated", f"--policy={policy}", "-k", "own and fp32")
    assert done.status == status, done.output


def test_a_broken_card_ends_the_session_before_anything_is_measured(workspace):
    workspace.add_simulated()
    workspace.rewrite(CARD, "width = 16\nheight = 10\n\n[options]", "widht = 16\nheight = 10\n\n[options]")
    done = workspace.pytest("--device=simulated")
    assert done.status == 4
    assert "input.widht" in done.output
    assert "did you mean 'input.width'?" in done.output


def test_a_listed_file_that_is_absent_is_a_failure_and_the_rest_goes_on(workspace):
    folder = workspace.add_simulated()
    (folder / "int8.sim").unlink()
    done = workspace.pytest("--device=simulated", "-k", "p99")
    assert done.status == 1
    assert "int8.sim" in done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"PASS"}


def test_a_format_that_no_runtime_takes_makes_no_case_and_no_case_at_all_is_refused(workspace):
    folder = workspace.add_simulated()
    card = folder / "model.toml"
    text = card.read_text(encoding="utf-8").replace("sim =", "onnx =").replace('.sim"', '.onnx"')
    card.write_text(text, encoding="utf-8")
    done = workspace.pytest("--device=simulated")
    assert done.status == 4
    assert "no case to measure" in done.output


def test_a_crash_fails_its_own_case_only(workspace):
    workspace.add_simulated("good")
    workspace.add_simulated("crashing", fault="crash", fault_at=30)
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32")
    assert done.status == 1
    assert "the worker crashed with SIGABRT" in done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"PASS"}


def test_dead_outputs_fail_although_everything_is_fast(workspace):
    workspace.add_simulated("constant", answer="constant")
    done = workspace.pytest("--device=simulated", "-k", "alive and fp32")
    assert done.status == 1
    assert "are the same for every frame" in done.output


def test_nothing_measured_is_never_green(workspace):
    workspace.add_simulated(fault="refuse")
    done = workspace.pytest("--device=simulated", "-k", "fp32")
    assert done.status != 0
    assert "nothing measured" in done.output.lower()


def test_only_the_chosen_cases_are_measured(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "p99 and int8")
    assert done.status == 0, done.output
    assert [case["variant"] for case in done.measured()] == ["int8"]


def test_last_failed_measures_only_what_failed(workspace):
    workspace.add_simulated("good")
    workspace.add_simulated("slow", infer_ms=70.0)
    assert workspace.pytest("--device=simulated", "-k", "p99 and fp32").status == 1
    done = workspace.pytest("--device=simulated", "--lf")
    assert {case["model"] for case in done.measured()} == {"slow"}


def test_a_cached_accuracy_is_used_and_said(workspace):
    workspace.add_simulated()
    first = workspace.pytest("--device=simulated", "-k", "accuracy and fp32")
    second = workspace.pytest("--device=simulated", "-k", "accuracy and fp32")
    assert first.status == second.status == 0, first.output
    assert "accuracy taken from the cache" not in first.output
    assert "accuracy taken from the cache" in second.output


def test_two_runs_on_the_simulated_device_give_the_same_nanoseconds(workspace):
    workspace.add_simulated()
    runs = [workspace.pytest("--device=simulated", "-k", "p99 and fp32").measured() for _ in range(2)]
    assert [case["runs"][0]["nanoseconds"] for case in runs[0]] == [case["runs"][0]["nanoseconds"] for case in runs[1]]


def test_junit_carries_the_metrics_as_properties(workspace):
    workspace.add_simulated()
    workspace.pytest("--device=simulated", "--junitxml=junit.xml", "-k", "p99 and fp32")
    tree = ElementTree.parse(workspace.folder / "junit.xml")
    properties = {one.get("name"): one.get("value") for one in tree.iter("property")}
    assert float(properties["frame_p99_ms"]) == pytest.approx(8.4, abs=0.2)
    assert properties["dms_outcome"] == "PASS"


def test_the_frames_reach_pytest_benchmarks_own_storage(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--benchmark-json=benchmark.json", "-k", "benchmark and fp32")
    assert done.status == 0, done.output
    (measured,) = done.measured()
    frames, *others = (run["nanoseconds"]["frame"] for run in measured["runs"])
    assert [one["count"] for one in others] == [660, 660]
    stored = json.loads((workspace.folder / "benchmark.json").read_text(encoding="utf-8"))["benchmarks"][0]["stats"]
    assert stored["rounds"] == frames["count"] > 660
    told = [stored["min"], stored["median"], stored["max"]]
    assert [1e9 * one for one in told] == pytest.approx([frames["min"], frames["median"], frames["max"]], abs=1)
    assert frames["median"] == pytest.approx(8e6, abs=1e5)


def test_without_pytest_benchmark_at_work_the_rest_is_measured_all_the_same(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--benchmark-disable", "-k", "fp32 and (benchmark or p99)")
    assert done.status == 0, done.output
    assert "1 passed, 1 skipped" in done.output


def properties(workspace, test: str) -> dict[str, str]:
    """The properties of the one test case in junit.xml whose name starts with `test`."""
    cases = ElementTree.parse(workspace.folder / "junit.xml").iter("testcase")
    (found,) = [one for one in cases if one.get("name").startswith(test)]
    pairs = [(one.get("name"), one.get("value")) for one in found.iter("property")]
    assert len(pairs) == len(set(pairs))
    return dict(pairs)


def test_junit_carries_the_score_with_the_tests_of_accuracy_and_the_loss_with_its_own(workspace):
    workspace.add_simulated()
    workspace.pytest("--device=simulated", "--junitxml=junit.xml", "-k", "int8")
    solved, loss = properties(workspace, "test_task_is_solved"), properties(workspace, "test_loss_against_parent")
    assert solved["score_name"] == "accuracy"
    assert solved["score_frames"] == "2000 of 2000"
    assert float(solved["accuracy_min_percent"]) == float(solved["score_percent"]) == pytest.approx(94.5, abs=2)
    assert float(loss["accuracy_loss_points"]) == pytest.approx(0.5, abs=1)
    assert {"infer_p50_ms", "memory_share_percent", "case"} <= set(solved) & set(loss)
    assert not [name for name in properties(workspace, "test_outputs_are_alive") if name.startswith("score_")]


# With this tail one frame of twenty takes 40 ms: within a limit of 50 ms, and over one of 30 ms.
TAIL = {"tail_share": 0.05, "tail_ms": 40.0}


def test_of_two_gates_of_one_metric_the_worst_is_shown(workspace):
    workspace.add_simulated(**TAIL)
    done = workspace.pytest("--device=simulated", "--junitxml=junit.xml", "-k", "p99 and fp32")
    assert {one["limit"]: one["outcome"] for one in done.verdicts("frame_p99_ms")} == {30: "FAIL", 50: "PASS"}
    assert done.status == 1
    assert "1 failed" in done.output
    assert properties(workspace, "test_frame_p99")["dms_outcome"] == "FAIL"


@pytest.mark.parametrize("metrics", [["frame_p99_ms", "peak_memory_mb"], ["peak_memory_mb", "frame_p99_ms"]])
def test_of_two_questions_of_one_test_the_worst_answer_is_shown(workspace, metrics):
    workspace.add_simulated()
    lines = "".join(f"    check({metric!r})\n" for metric in metrics)
    workspace.add_suite("test_own.py", f"def test_own(check):\n{lines}")
    done = workspace.pytest("--device=simulated", "--plan=smoke", "-k", "own and fp32")
    assert "1 inconclusive" in done.output
    assert "1 passed" not in done.output


@pytest.mark.parametrize(("limit", "status"), [(1, 1), (1000, 0)])
def test_a_limit_that_no_test_asks_for_by_name_is_judged_too(workspace, limit, status):
    workspace.add_simulated()
    workspace.rewrite(CARD, "[budgets]\n", f"[budgets]\nload_ms = {limit}\n")
    done = workspace.pytest("--device=simulated", "-k", "fp32")
    assert done.status == status, done.output
    assert {one["outcome"] for one in done.verdicts("load_ms")} == {"FAIL" if status else "PASS"}


def outcomes(done, *metrics: str) -> set[str]:
    return {one["outcome"] for metric in metrics for one in done.verdicts(metric)}


ACCURACY_TESTS = {
    "test_task_is_solved", "test_loss_against_parent_is_within_budget", "test_answers_agree_with_the_parents",
}  # fmt: skip


def failed_tests(done) -> set[str]:
    """The names of the tests that did not pass, without their cases."""
    red = [line for line in done.output.splitlines() if line.startswith(("FAILED", "ERROR suites"))]
    return {line.split("::")[1].split("[")[0] for line in red}


LATENCY = ("frame_p99_ms", "fps_mean", "peak_memory_mb", "outputs_alive")


def test_wrong_labels_make_only_the_accuracy_red(workspace):
    workspace.add_simulated()
    workspace.rewrite("suites/models/eyes/frames.csv", "\n7,bright,", "\n7,brigth,")
    done = workspace.pytest("--device=simulated", "-k", "int8")
    assert done.status == 1
    assert outcomes(done, *LATENCY) == {"PASS"}
    assert outcomes(done, "accuracy_min_percent", "accuracy_loss_points") == set()
    assert "brigth" in done.output
    assert failed_tests(done) == ACCURACY_TESTS
    assert "Traceback" not in done.output


def test_one_limit_that_cannot_be_judged_does_not_hide_the_others(workspace):
    workspace.add_simulated()
    workspace.rewrite("suites/models/eyes/frames.csv", "\n7,bright,", "\n7,brigth,")
    workspace.rewrite(CARD, "[budgets]\n", "[budgets]\nload_ms = 1\n")
    done = workspace.pytest("--device=simulated", "-k", "other and fp32")
    assert done.status == 1
    assert outcomes(done, "load_ms") == {"FAIL"}
    assert outcomes(done, *LATENCY[:3]) == {"PASS"}
    assert "FAIL: simulated/eyes/fp32/simulated load_ms: 40 ms is over 1 ms" in done.output
    assert "no class called 'brigth', did you mean 'bright'?" in done.output


# Without a sensor of power the first timed worker shows the engine 830 frames: 1, 50 to warm up, 660 timed, 21 to see
# whether the outputs live, 98 to see whether each is computed.
@pytest.mark.parametrize("fault", ["fail_at_run", "crash"])
def test_an_engine_that_fails_at_the_labelled_frames_makes_only_the_accuracy_red(workspace, fault):
    workspace.add_simulated(sigma=0.0, fault=fault, fault_at=830)
    workspace.without_power()
    done = workspace.pytest("--device=simulated", "-k", "int8")
    assert done.status == 1
    assert len(done.measured()) == 1
    assert outcomes(done, *LATENCY) == {"PASS"}
    assert outcomes(done, "accuracy_min_percent", "accuracy_loss_points") == set()
    assert failed_tests(done) == ACCURACY_TESTS
    assert "Traceback" not in done.output


def test_an_engine_that_fails_at_the_last_frame_of_the_timed_phase_has_no_verdict(workspace):
    workspace.add_simulated(sigma=0.0, fault="fail_at_run", fault_at=731)
    workspace.without_power()
    done = workspace.pytest("--device=simulated", "-k", "fp32")
    assert done.status == 1
    assert done.measured() == []


def test_a_variant_alone_is_compared_with_its_parent_which_is_not_timed_for_that(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "int8")
    assert done.status == 0, done.output
    assert [case["variant"] for case in done.measured()] == ["int8"]
    assert done.results()["not_asked"] == ["simulated/eyes/fp32/simulated"]
    assert outcomes(done, "accuracy_loss_points") == {"PASS"}
    work = done.report / "runs" / "eyes"
    assert [one.name for one in (work / "fp32.simulated").iterdir()] == ["predict"]
    timed = sorted(one.name for one in (work / "int8.simulated").iterdir())
    assert timed == ["run-1-of-3", "run-2-of-3", "run-3-of-3"]


def test_a_parent_that_cannot_run_touches_only_the_loss(workspace):
    workspace.add_simulated()
    workspace.rewrite("suites/models/eyes/fp32.sim", "{", '{"fault": "refuse",')
    done = workspace.pytest("--device=simulated", "-k", "int8")
    assert done.status == 1
    assert outcomes(done, *LATENCY, "accuracy_min_percent") == {"PASS"}
    assert outcomes(done, "accuracy_loss_points") == set()
    assert failed_tests(done) == ACCURACY_TESTS - {"test_task_is_solved"}
    assert "refuses the model" in done.output
    assert "the accuracy of 1 case is not known" in done.output


FOREIGN = """
import pytest

@pytest.mark.parametrize("case", ["a", "b"])
def test_marked(case):
    assert case in "ab"

@pytest.mark.parametrize("number, case", [(1, "a")])
def test_marked_with_others(number, case):
    assert (number, case) == (1, "a")

@pytest.mark.parametrize(["case", "number"], [("a", 1)])
def test_marked_with_a_list(number, case):
    assert (number, case) == (1, "a")

@pytest.mark.parametrize(argnames="case", argvalues=["a"])
def test_marked_by_keyword(case):
    assert case == "a"

@pytest.mark.parametrize("case", ["a"])
class TestClass:
    def test_marked_class(self, case):
        assert case == "a"

def test_generated(case):
    assert case == "made by the team's own hook"

def pytest_generate_tests(metafunc):
    if metafunc.function is test_generated:
        metafunc.parametrize("case", ["made by the team's own hook"])
"""
FOREIGN_FIXTURE = """
import pytest

@pytest.fixture(params=["a", "b"])
def case(request):
    return request.param * 2

def test_fixture(case):
    assert case in ("aa", "bb")
"""


@pytest.mark.parametrize("worker", [False, True])
def test_a_teams_own_parameter_or_fixture_named_case_is_left_alone(workspace, worker):
    workspace.add_suite("test_foreign.py", FOREIGN)
    workspace.add_suite("test_foreign_fixture.py", FOREIGN_FIXTURE)
    arguments = ["--device=no-such-device", "-k", "foreign"]
    if worker:
        (workspace.folder / "conftest.py").write_text("def pytest_configure(config):\n    config.workerinput = {}\n")
        arguments += ["-p", "no:benchmark"]
    for suite in (CHECKOUT / "suites").glob("test_*.py"):
        (workspace.folder / "suites" / suite.name).unlink()
    done = workspace.pytest(*arguments)
    assert done.status == 0, done.output
    assert "9 passed" in done.output
    assert not done.report.exists()


def test_a_teams_own_parameters_stand_beside_the_harness_in_one_suite(workspace):
    workspace.add_simulated()
    workspace.add_suite(
        "test_own.py",
        "import pytest\n"
        "@pytest.mark.parametrize('share', [2, 3])\n"
        "def test_own(share, measurement):\n"
        "    assert measurement.value('pre_p50_ms') < measurement.value('frame_p50_ms') / share\n",
    )
    done = workspace.pytest("--device=simulated", "-k", "own and fp32")
    assert done.status == 0, done.output
    assert "2 passed" in done.output


@pytest.mark.parametrize("capture", ["--capture=fd", "--capture=sys", "-s"])
def test_a_log_shows_one_whole_line_of_progress_per_case_although_pytest_captures(workspace, capture):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "p99", capture)
    for start in ("[1/2] simulated/eyes/fp32/simulated: ", "[2/2] simulated/eyes/int8/simulated: "):
        (line,) = [line for line in done.errors.splitlines() if start in line]
        assert line.startswith(f"{start}run 1 of 3, loading 0/1")
    assert "\x1b" not in done.errors


@pytest.mark.parametrize("capture", ["--capture=fd", "-s"])
def test_a_terminal_shows_progress_in_one_line_although_pytest_captures(workspace, capture):
    workspace.add_simulated()
    shown = on_terminal(workspace, "--device=simulated", "-k", "p99 and fp32", capture)
    start = "[1/1] simulated/eyes/fp32/simulated: run"
    steps = [one for one in shown.split(CLEAR) if one.startswith(start)]
    for said in ("1 of 3, idle 4/5", "1 of 3, warm-up", "1 of 3, measuring 9/10", "2 of 3, warm-up"):
        assert any(one.startswith(f"{start} {said}") for one in steps), said
    assert any("2 of 3, measuring" in one and "/660" in one for one in steps)
    assert not any("\n" in one for one in steps)
    assert shown.endswith(CLEAR)


def on_terminal(workspace, *arguments: str) -> str:
    """What a terminal as standard error is sent by `pytest suites/`."""
    terminal, end = os.openpty()
    command = [sys.executable, "-m", "pytest", "suites/", "--report=report", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    session = subprocess.Popen(
        command, cwd=workspace.folder, env=environment, stdout=subprocess.DEVNULL, stderr=end, stdin=subprocess.DEVNULL
    )
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO at the end
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    assert session.wait(60) == 0
    return shown.decode()


@pytest.mark.parametrize("run", [run_cold, run_warm])
def test_collecting_measures_nothing(workspace, run):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--collect-only", "-q", run=run)
    assert done.status == 0
    assert "simulated/eyes/int8/simulated" in done.output
    assert not done.report.exists()


def test_measuring_under_xdist_is_refused(workspace):
    workspace.add_simulated()
    # pytest-xdist marks its workers with `workerinput`; a plugin of three lines does the same.
    (workspace.folder / "conftest.py").write_text("def pytest_configure(config):\n    config.workerinput = {}\n")
    done = workspace.pytest(
        "--device=simulated", "-p", "no:benchmark", "-W", "ignore::pytest.PytestUnknownMarkWarning", "-k", "p99"
    )
    assert done.status == 1
    assert "under pytest-xdist is refused" in done.output


def test_a_teams_own_suite_uses_the_public_fixtures(workspace):
    workspace.add_simulated(error_share=0.0)
    (workspace.folder / "suites" / "test_own.py").write_text(
        "import numpy as np\n"
        "def test_own(device, case, runtime, measurement):\n"
        "    assert device.simulated and device.name == case.device\n"
        "    assert runtime.facts['engine'] == 'simulated'\n"
        "    bright, dark = runtime.predict([np.full((20, 32), level, np.uint8) for level in (250, 5)])\n"
        "    assert bright.argmax() == 1 and dark.argmax() == 0\n"
        "    assert measurement.value('frame_p99_ms') < 50\n",
        encoding="utf-8",
    )
    done = workspace.pytest("--device=simulated", "-k", "own and fp32")
    assert done.status == 0, done.output


def test_a_teams_own_suite_sees_the_score_and_its_junit_file_too(workspace):
    workspace.add_simulated()
    workspace.add_suite(
        "test_own.py",
        "import pytest\n"
        "@pytest.mark.labelled\n"
        "def test_own(labelled_measurement):\n"
        "    assert labelled_measurement.score.value > 80\n"
        "    assert labelled_measurement.parent_score is None\n",
    )
    done = workspace.pytest("--device=simulated", "--junitxml=junit.xml", "-k", "own and int8")
    assert done.status == 0, done.output
    assert properties(workspace, "test_own")["score_frames"] == "2000 of 2000"


def test_hostile_names_stay_inert_on_the_terminal(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--models=\x1b[31m<script>\n")
    assert done.status == 4
    assert "\x1b[31m<script>" not in done.output


def test_pytest_benchmarks_histogram_can_be_drawn(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--benchmark-histogram=drawn", "-k", "benchmark and fp32")
    assert done.status == 0, done.output
    assert list(workspace.folder.glob("drawn*.svg"))


def test_killing_the_session_leaves_no_worker_behind(workspace):
    workspace.add_simulated(fault="hang", fault_at=30)
    command = [sys.executable, "-m", "pytest", "suites/", "--device=simulated", "--report=report", "-k", "p99 and fp32"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    session = subprocess.Popen(command, cwd=workspace.folder, env=environment, stdout=subprocess.DEVNULL)
    log = workspace.folder / "report/runs/eyes/fp32.simulated/run-1-of-3/worker.log"
    wait_for(lambda: log.is_file() and "warm-up" in log.read_text(encoding="utf-8"))
    (worker,) = psutil.Process(session.pid).children()
    session.kill()
    session.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def wait_for(condition, limit_s=30.0):
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.05)


def test_an_interrupted_session_says_so_and_keeps_what_it_has(workspace):
    workspace.add_simulated()
    workspace.add_suite(
        "test_zz_stop.py",
        "def test_stop(case, measurement):\n    if case.variant == 'fp32':\n        raise KeyboardInterrupt\n",
    )
    done = workspace.pytest("--device=simulated", "-k", "p99 or stop")
    assert done.status == 2
    assert done.results()["summary"]["state"] == "INTERRUPTED"
    assert done.results()["not_reached"] == ["simulated/eyes/int8/simulated"]
    assert done.results()["not_asked"] == []


def test_a_case_that_cannot_be_measured_is_one_error_without_a_second(workspace):
    folder = workspace.add_simulated()
    (folder / "int8.sim").unlink()
    done = workspace.pytest("--device=simulated", "-k", "benchmark and int8")
    assert "1 error" in done.output
    assert "was not used" not in done.output


def test_a_benchmark_file_without_benchmarks_does_not_cost_the_report(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "memory and fp32", "--benchmark-json=b.json")
    assert (done.report / "results.json").is_file()
    assert "3 gates: 3 PASS" in done.output


def test_a_job_summary_that_cannot_be_written_names_its_own_remedy(workspace, monkeypatch):
    workspace.add_simulated()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(workspace.folder / "nowhere" / "summary.md"))
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32")
    assert done.status == 1
    assert "the job summary cannot be written" in done.output
    assert "unset GITHUB_STEP_SUMMARY" in done.output


def test_a_timeline_is_a_trace_and_a_figure_per_case_that_say_simulated(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--timeline", "-k", "p99")
    assert done.status == 0, done.output
    folder = done.report / "traces"
    assert {one.name for one in folder.iterdir()} == {
        f"eyes.{variant}.simulated.{suffix}" for variant in ("fp32", "int8") for suffix in ("json", "svg")
    }
    for variant in ("fp32", "int8"):
        written = folder / f"eyes.{variant}.simulated.json"
        assert f"written: {written.relative_to(workspace.folder)}" in done.output
        trace = json.loads(written.read_text(encoding="utf-8"), parse_constant=pytest.fail)
        assert trace["otherData"]["simulated"] is True
        assert trace["otherData"]["case"] == f"simulated/eyes/{variant}/simulated"
        names = {one["name"] for one in trace["traceEvents"]}
        assert {"frame", "pre", "infer", "post", "idle_before", "frames", "idle_after", "board/VDD_SIM"} <= names
        figure = written.with_suffix(".svg").read_text(encoding="utf-8")
        assert ElementTree.fromstring(figure).tag.endswith("svg")
        assert "SIMULATED" in figure


def test_a_timeline_is_written_only_where_it_is_asked_for(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "-k", "p99 and fp32")
    assert not (done.report / "traces").exists()


def test_clocks_of_a_simulated_device_cannot_be_pinned_and_nothing_is_measured(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--pin-clocks")
    assert done.status == 4, done.output
    assert "a simulated device has no clocks to pin (--pin-clocks)" in done.output
    assert "Traceback" not in done.output
    assert not done.report.exists()


def test_a_model_within_its_power_passes_and_tells_gross_and_idle_power_too(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--policy=nightly", "-k", "fp32 and (p99 or rate or net_power)")
    assert done.status == 0, done.output
    (verdict,) = done.verdicts("net_power_w")
    assert (verdict["outcome"], verdict["error_class"]) == ("PASS", "")
    assert verdict["value"] == pytest.approx(0.15, abs=0.005)  # 5 mJ a frame above idle, 30 frames a second
    said = r"net 0\.15 \+- 0\.\d+ W at 30 fps, within 5 W \(.*\); gross 3\.6\d W at 12\d fps, idle 3 W \(SIMULATED\)"
    assert re.fullmatch(said, verdict["sentence"])
    (measured,) = done.measured()
    assert (measured["discarded_runs"], measured["condition_faults"]) == (0, [])
    assert "Power and energy [SIMULATED]" in done.output
    assert "Power and energy [SIMULATED], 1 row" in (done.report / "summary.md").read_text(encoding="utf-8")


def test_a_model_over_its_power_budget_is_red_and_gross_and_idle_power_stand_beside(workspace):
    workspace.add_simulated(infer_mj=250.0)
    done = workspace.pytest("--device=simulated", "-k", "fp32 and (p99 or net_power)")
    assert done.status == 1
    assert failed_tests(done) == {"test_net_power_at_the_cameras_pace_is_within_budget"}
    (verdict,) = done.verdicts("net_power_w")
    assert (verdict["outcome"], verdict["limit"]) == ("FAIL", 5)
    assert verdict["value"] == pytest.approx(7.5, abs=0.05)
    said = (
        r"net 7\.5 \+- 0\.\d+ W at 30 fps, over 5 W \(.*\); gross 34\.\d W at 12\d fps, idle 3 W \(SIMULATED\); next: "
    )
    assert re.match(said, verdict["sentence"])
    assert f"FAIL: simulated/eyes/fp32/simulated net_power_w: {verdict['sentence']}" in done.output


SPEED = {
    "frame_p99_ms": "test_frame_p99_is_within_budget", "fps_mean": "test_mean_frame_rate_is_within_budget",
    "fps_fluctuation_percent": "test_frame_rate_is_steady",
    "net_power_w": "test_net_power_at_the_cameras_pace_is_within_budget",
}  # fmt: skip


@pytest.mark.parametrize("policy", ["pr", "nightly"])
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("throttled", "throttled: oc1 rose by 3 while frames ran"),
        ("reclocked", "clocks: cpu0.min went from 2000000 to 700000 kHz while frames ran"),
        ("dies", "sensors: the simulated sampler died"),
    ],
)
def test_a_disturbed_model_is_measured_again_then_invalid_and_red_under_a_strict_policy_only(
    workspace, fault, said, policy
):
    workspace.add_simulated(sensor_fault=fault)
    asked = "fp32 and (p99 or rate or net_power or memory)"
    done = workspace.pytest("--device=simulated", f"--policy={policy}", "-k", asked)
    strict = policy == "nightly"
    assert done.status == (1 if strict else 0), done.output
    assert failed_tests(done) == (set(SPEED.values()) if strict else set())
    spoiled = [one for metric in SPEED for one in done.verdicts(metric)]
    assert {one["metric"] for one in spoiled} == set(SPEED)
    assert {(one["outcome"], one["error_class"]) for one in spoiled} == {("INVALID", "INFRA")}
    assert all("measured again too (INFRA" in one["sentence"] for one in spoiled)
    assert outcomes(done, "peak_memory_mb", "memory_growth_kb_per_frame") == {"PASS"}
    assert done.results()["summary"]["state"] == "INVALID"
    (measured,) = done.measured()
    assert (measured["discarded_runs"], measured["condition_faults"][0]) == (3, said)
    note = "simulated/eyes/fp32/simulated: measured again, since "
    assert f"{note}{said}" in done.results()["notes"]
    assert f"note: {note}{said.split()[0]}" in done.output


@pytest.mark.parametrize(
    ("behaviour", "wanted", "speed", "power"),
    [
        ({"sensor_fault": "missing"}, "SIMULATED",
         "power_mode before the frames: nobody told, the profile wants SIMULATED (harness doctor says why)",
         "power: the simulated sensor cannot be opened"),
        ({"temperature_c": 61.5}, "SIMULATED",
         "temperature at the start: 61.5 C, the profile allows 60 C: let it cool", None),
        ({}, "15W", "power_mode before the frames: SIMULATED, the profile wants 15W (sudo nvpmodel -m ID)", None),
    ],
)  # fmt: skip
def test_a_device_that_is_not_as_its_profile_asks_makes_speed_and_power_invalid_and_is_not_tried_again(
    workspace, behaviour, wanted, speed, power
):
    workspace.add_simulated(**behaviour)
    workspace.rewrite(DEVICE, 'power_mode = "SIMULATED"', f'power_mode = "{wanted}"')
    done = workspace.pytest("--device=simulated", "-k", "fp32 and (p99 or net_power or memory)")
    assert done.status == 0, done.output
    for metric, said in (("frame_p99_ms", speed), ("net_power_w", power or speed)):
        told = {(one["outcome"], one["error_class"], one["sentence"]) for one in done.verdicts(metric)}
        assert told == {("INVALID", "", said)}
    assert outcomes(done, "peak_memory_mb", "memory_growth_kb_per_frame") == {"PASS"}
    assert done.measured()[0]["discarded_runs"] == 0
    assert not any("measured again" in note for note in done.results()["notes"])
    silent = "note: not to be read here: board; harness doctor --device=simulated says why"
    assert (silent in done.output) == (power is not None)
