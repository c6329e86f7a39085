"""The scenario times through the whole of pytest: asked at a camera's pace, and red only where a card says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workspace import Workspace

AT_30_FPS = ("--device=simulated", "--plan=camera", "-k", "fp32 and scenario", "--history=none")
STATED = '\n[filter]\ntells = ["eyes_closed"]\nwindow_s = 1.0\non_share = 1.0\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "repository")
    made.without_power()
    made.add_simulated()
    return made


def stated(workspace: Workspace, text: str = STATED) -> None:
    card = workspace.folder / "suites" / "models" / "eyes" / "model.toml"
    card.write_text(card.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_time_that_is_not_kept_is_advice_and_red_only_where_the_card_makes_it_a_gate(workspace: Workspace) -> None:
    stated(workspace)
    done = workspace.pytest(*AT_30_FPS)
    assert done.status == 0, done.output
    (microsleep,) = done.verdicts("scenario_microsleep_s")
    assert (microsleep["outcome"], microsleep["gate"]) == ("FAIL", False)
    assert "leaves no slack" in microsleep["sentence"]
    assert "not verified" in microsleep["sentence"]
    assert [one["outcome"] for one in done.verdicts("scenario_sleep_s")] == ["PASS"]
    stated(workspace, "gate = true\n")
    assert workspace.pytest(*AT_30_FPS).status == 1


def test_a_model_that_tells_no_state_is_skipped_with_a_sentence(workspace: Workspace) -> None:
    done = workspace.pytest(*AT_30_FPS, "-rs")
    assert "says which state of the driver this model tells" in " ".join(done.output.split())


def test_runs_back_to_back_are_not_asked(workspace: Workspace) -> None:
    stated(workspace)
    done = workspace.pytest("--device=simulated", "--plan=smoke", "-k", "fp32", "--history=none")
    assert done.verdicts("scenario_microsleep_s") == []
