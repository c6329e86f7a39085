"""`harness optimize` as a person types it."""

from __future__ import annotations

import pytest

from harness.cli import CONFIG_STATUS, main
from tests.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    made = Workspace(tmp_path)
    made.add_simulated()
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("nobody --target simulated", "no model called 'nobody'"),
        (", --target simulated", "no model is named"),
        ("eyes --target orinn", "no device called 'orinn', did you mean 'orin'"),
        ("eyes --target host", "no runtime of host takes a file of eyes/fp32"),
        ("all --target host", "left out: no runtime of host takes a file of eyes/fp32"),
        ("eyes --target simulated", "there is nothing to try"),
        ("eyes --target simulated --candidates int9", "no candidate called 'int9'"),
        ("eyes --target simulated --accuracy-loss none", "'none' is no amount (--accuracy-loss)"),
        ("eyes --target simulated --latency-budget 20parsec", "is no amount (--latency-budget)"),
        ("eyes --target simulated --frames 0", "--frames=0: accuracy needs labelled frames"),
        ("eyes --target simulated --seed -1", "--seed=-1: no generator takes a negative seed"),
        ("eyes --target simulated --plan long", "no plan called 'long'"),
    ],
)
def test_what_cannot_be_right_ends_with_one_sentence_before_anything_is_made(workspace, capsys, arguments, said):
    assert main(["optimize", *arguments.split()]) == CONFIG_STATUS
    assert said in capsys.readouterr().err
    assert not (workspace.folder / "reports").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[variants.fp32]", "[variants.float]", "eyes has no variant 'fp32' to start from, only float, int8"),
        ('truth = "label"\n', "", "eyes has no labelled frames"),
    ],
)
def test_a_card_that_lacks_what_is_needed_is_told(workspace, capsys, old, new, said):
    workspace.rewrite("suites/models/eyes/model.toml", old, new)
    if "variants" in old:
        workspace.rewrite("suites/models/eyes/model.toml", 'parent = "fp32"', 'parent = "float"')
    assert main(["optimize", "eyes", "--target", "simulated"]) == CONFIG_STATUS
    assert said in capsys.readouterr().err


def test_a_device_without_a_latency_budget_asks_for_one(workspace, capsys):
    device = workspace.folder / "devices" / "simulated.toml"
    text = device.read_text().replace("embedded = true", "embedded = false").replace("frame_p99_ms = 50\n", "")
    device.write_text(text, encoding="utf-8")
    assert main(["optimize", "eyes", "--target", "simulated"]) == CONFIG_STATUS
    assert "--latency-budget=20ms" in capsys.readouterr().err
