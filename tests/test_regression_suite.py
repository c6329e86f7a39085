"""`harness accept` and `pytest suites/` after it, as a person runs them, on the simulated device."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from harness.history import open_history
from harness.record import SessionRecord
from harness.rules import decide
from tests.warm import run_cold
from tests.workspace import Workspace

ACCEPT = ("accept", "--device=simulated", "--sessions=5")
BASELINE = ("--device=simulated", "-k", "baseline")
REFERENCE = ("--device=simulated", "-k", "reference")
FILE = Path("baselines", "simulated", "eyes", "int8.simulated.json")
SIM = "suites/models/eyes/int8.sim"
HISTORY = Path("reports", "history.sqlite")
FIRST = "the first one"
# The same noise for every process would make all sessions alike.
NOISE = {"process_sigma": 0.004}


def with_one_variant(workspace: Workspace, **behaviour) -> Workspace:
    """A simulated model of the variant int8 alone."""
    card = workspace.add_simulated(**{**NOISE, **behaviour}) / "model.toml"
    text = re.sub(r"(?s)\[variants.fp32\].*?\n\n", "", card.read_text(encoding="utf-8"))
    card.write_text(text.replace('parent = "fp32"\n', ""), encoding="utf-8")
    return workspace


def slow_down(workspace: Workspace) -> None:
    workspace.rewrite(SIM, '"infer_ms": 3.5', '"infer_ms": 3.9')


def sessions(path: Path) -> list[SessionRecord]:
    with open_history(path, create=False) as history:
        return history.sessions()


@pytest.fixture(autouse=True)
def not_in_ci(monkeypatch):
    """A person types these commands, wherever the tests themselves run."""
    monkeypatch.delenv("CI", raising=False)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "shop")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """A folder in which a baseline was accepted; nobody changes it."""
    workspace = with_one_variant(Workspace(tmp_path_factory.mktemp("accepted") / "shop"))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("CI", raising=False)
        done = workspace.harness(*ACCEPT, f"--reason={FIRST}", run=run_cold)
    assert done.status == 0, done.output
    assert f"written: {FILE}" in done.output
    assert "| frame_p25_ms | - | 3.4" in done.output
    return workspace.folder


@pytest.fixture
def accepted(workspace, original) -> Workspace:
    """A copy of it."""
    shutil.copytree(original, workspace.folder, dirs_exist_ok=True)
    return workspace


def test_the_accepted_model_passes_and_is_shown_beside_what_was_before(accepted):
    baseline = (accepted.folder / FILE).read_bytes()
    done = accepted.pytest(*BASELINE)
    assert done.status == 0, done.output
    assert "Against what was before" in done.output
    assert "eyes, accepted baseline" in done.output
    outcomes = {one["metric"]: one["outcome"] for case in done.measured() for one in case["verdicts"]}
    assert {"frame_p25_ms", "peak_memory_mb"} <= outcomes.keys()
    assert set(outcomes.values()) == {"PASS"}
    assert (accepted.folder / FILE).read_bytes() == baseline
    *before, last = sessions(accepted.folder / HISTORY)
    assert {one.purpose for one in before} == {"accept"}
    assert last.purpose == "check"
    assert {one.metric for one in last.verdicts} == outcomes.keys()


def test_a_fall_in_placement_is_red_although_the_time_still_fits(accepted):
    accepted.rewrite(SIM, '"infer_ms": 3.5', '"infer_ms": 3.5, "placed_share": 0.25, "partitions": 20')
    done = accepted.pytest(*BASELINE)
    assert done.status == 1
    outcomes = {one["metric"]: one["outcome"] for case in done.measured() for one in case["verdicts"]}
    assert {name for name, outcome in outcomes.items() if outcome == "FAIL"} == {"placed_share_percent", "partitions"}
    assert outcomes["frame_p25_ms"] == "PASS"
    assert "placed_share_percent: 25 %, 100 % in the accepted baseline; worse, whatever the time says" in done.output
    assert "simulated 25, CPU 75" in done.output or "CPU 75, simulated 25" in done.output


def test_a_slower_model_is_red_with_what_is_tolerated_and_what_would_be_seen(accepted):
    slow_down(accepted)
    done = accepted.pytest(*BASELINE)
    assert done.status == 1
    (verdict,) = done.verdicts("frame_p25_ms")
    assert verdict["outcome"] == "FAIL"
    assert re.match(
        r"proven worse: 3\.\d+ ms, \+1\d\.\d+ % \[.+\] against 3\.\d+ ms of the accepted baseline \(5 sessions\), "
        r"tolerated 5 %, clock: wall time; \d sessions; it would have seen \d\.\d %",
        verdict["sentence"],
    )
    assert "FAIL: simulated/eyes/int8/simulated frame_p25_ms: proven worse: " in done.output
    assert "Traceback" not in done.output
    kept = [one for one in sessions(accepted.folder / HISTORY) if one.purpose == "check"]
    assert len(kept) == len(kept[-1].verdicts[0].inputs["candidate"])
    for one in kept[-1].verdicts:
        assert decide(one.rule, one.inputs).outcome.value == one.outcome
    assert "FAIL" in {one.outcome for one in kept[-1].verdicts}


@pytest.mark.parametrize(("policy", "status"), [("pr", 0), ("nightly", 1)])
def test_without_a_baseline_the_policy_decides_and_the_banner_counts(workspace, policy, status):
    workspace.add_simulated()
    done = workspace.pytest(*BASELINE, "--plan=smoke", f"--policy={policy}")
    assert done.status == status, done.output
    assert "NO_BASELINE: 2 gates: 2 NO_BASELINE" in done.output
    assert "harness accept --device=simulated" in done.output
    assert not (workspace.folder / "baselines").exists()
    kept = sessions(workspace.folder / HISTORY)
    assert sorted(one.case.variant for one in kept) == ["fp32", "int8"]
    for session in kept:
        assert [one.outcome for one in session.verdicts] == ["NO_BASELINE"]
        assert all(decide(one.rule, one.inputs).outcome.value == one.outcome for one in session.verdicts)


def test_without_a_history_none_is_written(workspace):
    with_one_variant(workspace)
    done = workspace.pytest(*BASELINE, "--plan=smoke", "--history=none")
    assert done.status == 0, done.output
    assert not list(workspace.folder.rglob("*.sqlite*"))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (FIRST, "another one", 6),
        ('"accepted": {', '"accepted": [', 2),
    ],
)
def test_a_damaged_baseline_is_red_with_file_and_line(accepted, old, new, line):
    accepted.rewrite(str(FILE), old, new)
    done = accepted.pytest(*BASELINE)
    assert done.status == 1, done.output
    assert re.search(rf"int8\.simulated\.json, line {line}\b", done.output)
    assert "Traceback" not in done.output
    assert "PASS:" not in done.output


@pytest.mark.parametrize(("slower", "outcome", "status"), [(False, "PASS", 0), (True, "FAIL", 1)])
def test_another_folder_of_models_is_measured_in_turn_with_the_candidate(workspace, slower, outcome, status):
    with_one_variant(workspace)
    shutil.copytree(workspace.models, workspace.folder / "before")
    if slower:
        slow_down(workspace)
    done = workspace.pytest(*REFERENCE, "--against=before")
    assert done.status == status, done.output
    (verdict,) = done.verdicts("frame_p25_ms")
    assert verdict["outcome"] == outcome
    assert "Against what was before" in done.output
    said = "proven slower: +11." if slower else "proven within the tolerance: "
    assert verdict["sentence"].startswith(said)
    assert "against before (" in verdict["sentence"]


def test_what_names_no_other_build_ends_with_status_4_before_anything_is_measured(workspace):
    with_one_variant(workspace)
    done = workspace.pytest(*REFERENCE, "--against=nonsense")
    assert done.status == 4
    said = [line for line in done.output.splitlines() if "nonsense" in line]
    assert len(said) == 1
    assert "'nonsense' is neither a file, nor a directory, nor a revision" in said[0]
    assert "Traceback" not in done.output
    assert not done.report.exists()


@pytest.mark.parametrize("question", ["alive", "baseline"])
def test_a_history_that_cannot_be_opened_is_red_and_the_tables_are_printed_all_the_same(accepted, question):
    notes = accepted.folder / "notes.txt"
    notes.write_text("these are notes\n" * 100, encoding="utf-8")
    before = notes.read_bytes()
    done = accepted.pytest("--device=simulated", "-k", question, "--history=notes.txt")
    assert done.status == 1, done.output
    assert "Stage latency" in done.output
    assert "not written: not a history, or a damaged one: file is not a database (notes.txt)" in done.output
    assert "Traceback" not in done.output
    assert done.measured()
    assert notes.read_bytes() == before


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ({"CI": "true"}, ["--reason=it is faster"], "a baseline is never accepted by CI"),
        ({}, [], "a baseline needs a reason"),
        ({}, ["--reason=  "], "a baseline needs a reason"),
    ],
)
def test_accepting_is_refused_to_ci_and_without_a_reason(workspace, monkeypatch, environment, arguments, said):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with_one_variant(workspace)
    done = workspace.harness(*ACCEPT, *arguments)
    assert done.status == 4, done.output
    assert done.errors.startswith("harness: ")
    assert said in done.errors
    assert len(done.errors.splitlines()) == 1
    assert not (workspace.folder / "baselines").exists()
    assert not (workspace.folder / "reports").exists()


def test_nothing_is_accepted_from_a_disturbed_machine(workspace):
    with_one_variant(workspace, background_share=0.4)
    done = workspace.harness(*ACCEPT, f"--reason={FIRST}")
    assert done.status == 1, done.output
    assert "REFUSED simulated/eyes/int8/simulated: other load took more than 5 % of the cores" in done.output
    assert not list(workspace.folder.glob("baselines/**/*.json"))
    kept = sessions(workspace.folder / HISTORY)
    assert len(kept) >= 5
    assert not any(one.valid for one in kept)


def test_a_later_baseline_shows_the_change_and_can_be_taken_back(accepted):
    first = (accepted.folder / FILE).read_bytes()
    slow_down(accepted)
    later = accepted.harness(*ACCEPT, "--reason=slower on purpose")
    assert later.status == 0, later.output
    assert re.search(r"\| frame_p25_ms \| 3\.4\d+ ms \| 3\.8\d+ ms \| \+1\d", later.output)
    assert "slower on purpose" in (accepted.folder / FILE).read_text(encoding="utf-8")
    back = accepted.harness("accept", "--device=simulated", "--revert")
    assert back.status == 0, back.output
    assert f"written: {FILE}" in back.output
    assert (accepted.folder / FILE).read_bytes() == first


def test_there_is_nothing_to_take_back_before_the_second_baseline(accepted):
    first = (accepted.folder / FILE).read_bytes()
    done = accepted.harness("accept", "--device=simulated", "--revert")
    assert done.status == 1, done.output
    assert "REFUSED simulated/eyes/int8/simulated: there is no previous baseline" in done.output
    assert (accepted.folder / FILE).read_bytes() == first
