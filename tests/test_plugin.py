"""`pytest suites/` as a person runs it, on the simulated device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from tests.workspace import CHECKOUT, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_good_model_passes_every_question(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated")
    assert done.status == 0, done.output
    assert "SIMULATED" in done.output
    outcomes = {one["outcome"] for one in done.verdicts("frame_p99_ms")}
    assert outcomes == {"PASS"}


def test_a_slow_model_is_red_with_one_sentence(workspace):
    workspace.add_simulated(infer_ms=70.0)
    done = workspace.pytest("--device=simulated", "-k", "p99")
    assert done.status == 1
    assert "FAIL: simulated/eyes/fp32/simulated frame_p99_ms: P99" in done.output
    assert "Traceback" not in done.output


def test_the_smoke_plan_never_judges_speed(workspace):
    workspace.add_simulated(infer_ms=70.0)
    done = workspace.pytest("--device=simulated", "--plan=smoke")
    assert done.status == 0, done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"INCONCLUSIVE"}
    assert "INCONCLUSIVE" in done.output


def test_what_the_pull_request_policy_forgives_the_nightly_policy_does_not(workspace):
    workspace.add_simulated()
    arguments = ("--device=simulated", "--plan=smoke", "-k", "p99")
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


def test_a_broken_card_ends_the_session_before_anything_is_measured(workspace):
    folder = workspace.add_simulated()
    card = folder / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("width = 32", "widht = 32", 1), encoding="utf-8")
    done = workspace.pytest("--device=simulated")
    assert done.status == 4
    assert "input.widht" in done.output
    assert "did you mean 'input.width'?" in done.output


def test_a_listed_file_that_is_absent_is_a_failure_and_the_rest_goes_on(workspace):
    folder = workspace.add_simulated()
    (folder / "int8.sim").unlink()
    done = workspace.pytest("--device=simulated")
    assert done.status == 1
    assert "int8.sim" in done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"PASS"}


def test_a_format_that_no_runtime_takes_makes_no_case_and_no_case_at_all_is_refused(workspace):
    folder = workspace.add_simulated()
    card = folder / "model.toml"
    card.write_text(card.read_text(encoding="utf-8").replace("sim =", "onnx ="), encoding="utf-8")
    done = workspace.pytest("--device=simulated")
    assert done.status == 4
    assert "no case to measure" in done.output


def test_a_crash_fails_its_own_case_only(workspace):
    workspace.add_simulated("good")
    workspace.add_simulated("crashing", fault="crash", fault_at=30)
    done = workspace.pytest("--device=simulated", "-k", "p99")
    assert done.status == 1
    assert "the worker crashed with SIGABRT" in done.output
    assert {one["outcome"] for one in done.verdicts("frame_p99_ms")} == {"PASS"}


def test_dead_outputs_fail_although_everything_is_fast(workspace):
    workspace.add_simulated("constant", answer="constant")
    done = workspace.pytest("--device=simulated", "-k", "alive")
    assert done.status == 1
    assert "are the same for every frame" in done.output


def test_nothing_measured_is_never_green(workspace):
    workspace.add_simulated(fault="refuse")
    done = workspace.pytest("--device=simulated")
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
    assert workspace.pytest("--device=simulated", "-k", "p99").status == 1
    done = workspace.pytest("--device=simulated", "--lf")
    assert {case["model"] for case in done.measured()} == {"slow"}


def test_a_cached_accuracy_is_used_and_said(workspace):
    workspace.add_simulated()
    first = workspace.pytest("--device=simulated", "-k", "accuracy")
    second = workspace.pytest("--device=simulated", "-k", "accuracy")
    assert first.status == second.status == 0, first.output
    assert "accuracy taken from the cache" not in first.output
    assert "accuracy taken from the cache" in second.output


def test_two_runs_on_the_simulated_device_give_the_same_nanoseconds(workspace):
    workspace.add_simulated()
    runs = [workspace.pytest("--device=simulated", "-k", "p99").measured() for _ in range(2)]
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
    stored = json.loads((workspace.folder / "benchmark.json").read_text(encoding="utf-8"))["benchmarks"][0]
    assert stored["stats"]["rounds"] == 660
    assert stored["stats"]["median"] * 1e3 == pytest.approx(8.0, abs=0.1)


def test_collecting_measures_nothing(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--collect-only", "-q")
    assert done.status == 0
    assert "simulated/eyes/int8/simulated" in done.output
    assert not done.report.exists()


def test_measuring_under_xdist_is_refused(workspace):
    workspace.add_simulated()
    # pytest-xdist marks its workers with `workerinput`; a plugin of three lines does the same.
    (workspace.folder / "conftest.py").write_text("def pytest_configure(config):\n    config.workerinput = {}\n")
    done = workspace.pytest("--device=simulated", "-p", "no:benchmark", "-k", "p99")
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
    done = workspace.pytest("--device=simulated", "-k", "own")
    assert done.status == 0, done.output


def test_hostile_names_stay_inert_on_the_terminal(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--models=\x1b[31m<script>\n")
    assert done.status == 4
    assert "\x1b[31m<script>" not in done.output


def test_pytest_benchmarks_histogram_can_be_drawn(workspace):
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--benchmark-histogram=drawn", "-k", "benchmark")
    assert done.status == 0, done.output
    assert list(workspace.folder.glob("drawn*.svg"))


def test_killing_the_session_leaves_no_worker_behind(workspace):
    workspace.add_simulated(fault="hang", fault_at=30)
    command = [sys.executable, "-m", "pytest", "suites/", "--device=simulated", "--report=report", "-k", "p99 and fp32"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    session = subprocess.Popen(command, cwd=workspace.folder, env=environment, stdout=subprocess.DEVNULL)
    log = workspace.folder / "report/runs/eyes/fp32.simulated/run-1-of-1/worker.log"
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
