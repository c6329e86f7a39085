"""One model from its parent to the best variant, on the simulated device."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.history import open_history
from harness.model import read_card
from harness.optimise.candidates import EngineOption
from harness.optimise.models import optimise
from harness.optimise.results import Result, read_result
from harness.optimise.rows import Row
from harness.optimise.run import NO_CHANGE
from tests.optimise.conftest import Asker
from tests.optimise.techniques import candidate
from tests.simulated import copied_model
from tests.variants.rawmodel import CALIBRATION, pictures, record

TRIED = (
    candidate("fast", infer_ms=4.0), candidate("faster", parent="fast", infer_ms=2.5),
    candidate("wrong", integer=True, infer_ms=2.0, error_share=0.3), candidate("damaged", goes_wrong="damaged"),
    candidate("broken", goes_wrong="crash"), candidate("child", parent="broken"), candidate("idle", goes_wrong="idle"),
)  # fmt: skip


DOUBLED = EngineOption(name="doubled", engine="simulated", option="speed", value=2.0, instead_of=1.0)
BF16 = EngineOption(name="bf16", engine="openvino", option="precision", value="bf16", instead_of="f32")


def calibrated(folder: Path) -> Path:
    """The model with frames of its own to calibrate and to tune on."""
    record(folder, "calibration", pictures(900, seed=2))
    with (folder / "model.toml").open("a", encoding="utf-8") as card:
        card.write(f"\n{CALIBRATION}")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(result, lines that were said, what was asked, the card) of one run over all of them."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        history = str(folder / "history.sqlite")
        wanted = Asker(folder, patch)(*TRIED, options=(DOUBLED, BF16), history=history, command="harness optimize")
        card = read_card(calibrated(copied_model(folder / "models", process_sigma=0.004)))
        said: list[str] = []
        (result,) = optimise(wanted, [card], said.append, write=True, over=False)
        assert isinstance(result, Result)
        yield result, said, wanted, card


def row_of(run, name: str) -> Row:
    found = run[0].row(f"{name} on simulated") or run[0].row(name)
    assert found is not None
    return found


def test_the_fastest_that_is_as_good_as_its_parent_is_taken_and_written(run):
    result, _, _, card = run
    assert result.best.name == "faster on simulated"
    assert json.loads((card.folder / "faster.sim").read_text())["infer_ms"] == 2.5
    assert read_card(card.folder).variants["faster"].parent == "fp32"


def test_every_candidate_has_its_row(run):
    assert {row.candidate for row in run[0].rows} == {"fp32", "doubled", *(one.name for one in TRIED)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("broken", "making it crashed with SIGABRT"),
        ("child", "broken, which it is made from, has no file: making it crashed with SIGABRT"),
        ("damaged", "not a .sim file"),
        ("idle", "no change: there was nothing to do"),
    ],
)
def test_a_candidate_that_failed_says_why(run, name, reason):
    assert row_of(run, name).reason.startswith(reason)


@pytest.mark.parametrize(
    ("name", "unmet"),
    [
        ("fp32", "it is the parent itself"),
        ("wrong", "the accuracy loss is FAIL"),
        ("wrong", "accuracy_min_percent is FAIL"),
        ("broken", "making it crashed with SIGABRT"),
    ],
)
def test_a_candidate_that_cannot_be_taken_says_why(run, name, unmet):
    found = run[0].standings[row_of(run, name).name].unmet
    assert any(one.startswith(unmet) for one in found), found


def test_speed_and_loss_come_with_intervals_that_hold_the_truth(run):
    found = row_of(run, "faster")
    assert found.speedup.low < 8.0 / 2.5 < found.speedup.high
    assert found.loss.low < 0 < found.loss.high < 1.0
    wrong = row_of(run, "wrong")
    assert wrong.loss.low < 25 < wrong.loss.high
    assert wrong.accuracy.low < wrong.accuracy.value < wrong.accuracy.high
    assert wrong.values["label_flips_percent"] == pytest.approx(wrong.loss.value, abs=5)


def test_integers_that_the_engine_does_not_vouch_for_are_told(run):
    assert any("that they are integers is not shown" in one for one in row_of(run, "wrong").remarks)
    assert not any("integers" in one for one in row_of(run, "fast").remarks)


def test_an_engine_option_runs_the_parents_own_file_on_an_entry_of_its_own(run):
    (found,) = [row for row in run[0].rows if row.candidate == "doubled"]
    assert (found.runtime, found.beside, found.entry) == ("simulated-doubled", "simulated", True)
    assert found.sha256 == row_of(run, "fp32").sha256
    assert found.speedup.low < 2.0 < found.speedup.high
    assert found.loss.value == 0
    assert [one.outcome for one in found.gates_on("accuracy_loss_points")] == ["PASS"]


def test_an_option_that_no_engine_of_the_target_takes_is_told(run):
    assert run[0].notes == ("not tried, since no engine of simulated takes that option for eyes: bf16",)


def test_rows_are_compared_by_their_paired_speed_up(run):
    parent, faster = row_of(run, "fp32"), row_of(run, "faster")
    assert faster.typical_ms == pytest.approx(parent.values["frame_p25_ms"] / faster.speedup.value)
    assert parent.typical_ms == parent.values["frame_p25_ms"]


def test_the_parent_loses_nothing_and_is_compared_with_nothing(run):
    parent = row_of(run, "fp32")
    assert parent.loss.value == 0
    assert parent.speedup is None
    assert parent.beside == ""


def test_sessions_are_kept_in_the_history_of_the_run(run):
    with open_history(run[2].history, create=False) as history:
        kept = {one.variant for one in history.cases()}
    assert {"fp32", "faster", "wrong"} <= kept


def test_a_second_run_finds_every_step_again_and_the_same_result(run):
    result, first, wanted, card = run
    said: list[str] = []
    (again,) = optimise(wanted, [card], said.append, write=True, over=False)
    assert again.rows == result.rows
    assert again.best == result.best
    assert "the very same files" in again.adopted
    assert [line for line in said if not line.endswith(("kept from before", "no file was made", "it was not measured",
                                                        "nothing to make it from", NO_CHANGE))] == []  # fmt: skip
    assert [line.split("]")[0] for line in said if line[0] == "["] == [
        line.split("]")[0] for line in first if line[0] == "["
    ]


def test_failures_alone_are_tried_again_where_that_is_asked_for(run):
    _, _, wanted, card = run
    said: list[str] = []
    (again,) = optimise(replace(wanted, retry=True), [card], said.append, write=False, over=False)
    begun = [line for line in said if "so far" in line]
    assert [line.split()[2] for line in begun] == ["broken:", "damaged"]
    assert again.adopted == "the card was left alone"


def test_the_recipe_of_what_was_taken_tells_how_far_its_confidences_can_be_believed(run):
    _, said, wanted, card = run
    told = json.loads((card.folder / "faster.recipe.json").read_text(encoding="utf-8"))["facts"]["confidence"]
    assert told["sim"]["temperature"] > 0
    assert told["sim"]["before"]["answers"] == 500
    assert told["sim"]["after"]["log_loss"] <= told["sim"]["before"]["log_loss"] + 0.01
    assert "sim temperature" in (wanted.folder(card) / "report.md").read_text(encoding="utf-8")
    assert [line.split()[1:3] for line in said if ": confidence;" in line] == [["eyes", "faster:"]]


def test_what_changed_nothing_is_not_measured(run):
    _, said, _, _ = run
    assert [line.split("; ")[1] for line in said if " idle on simulated" in line] == [NO_CHANGE, NO_CHANGE]


def test_the_report_can_be_read_again(run):
    result, _, wanted, card = run
    assert read_result(wanted.folder(card) / "report.json").rows == result.rows


def test_the_reports_tell_of_every_candidate(run):
    _, _, wanted, card = run
    for name in ("report.md", "report.html"):
        text = (wanted.folder(card) / name).read_text(encoding="utf-8")
        for one in TRIED:
            assert one.name in text
        assert "SIGABRT" in text
        assert "SIMULATED" in text
