"""`harness memory MODEL` as a person types it."""

from __future__ import annotations

import argparse
import json
import shutil

import pytest

from harness.errors import ConfigError
from harness.memory.commands import add_memory_command
from tests.simulated import CHECKOUT, copied_model

BOARD = "[runtimes.litert]\nthreads = 1\n"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command in a repository with a simulated and a real model, the simulated device and this machine."""
    models = tmp_path / "suites" / "models"
    copied_model(models)
    shutil.copytree(CHECKOUT / "suites" / "models" / "eye_state", models / "eye_state")
    (tmp_path / "devices").mkdir()
    shutil.copy(CHECKOUT / "devices" / "simulated.toml", tmp_path / "devices")
    (tmp_path / "devices" / "board.toml").write_text(BOARD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[str, int]:
        parser = argparse.ArgumentParser()
        add_memory_command(parser.add_subparsers(), lambda said: None)
        parsed = parser.parse_args(["memory", *arguments])
        return parsed.command(parsed)

    return run


def test_an_engine_that_offers_nothing_is_told_and_is_no_success(command, tmp_path):
    text, status = command("eyes", "--device=simulated")
    assert status == 1
    assert text.startswith("SIMULATED: memory of eyes/fp32 on simulated")
    for part in ("settings", "sessions in one process", "frames in one inference"):
        assert f"simulated: {part}: nothing is known of this engine" in text
    kept = json.loads((tmp_path / "reports/memory/simulated/eyes/memory.json").read_text())
    assert (kept["sections"], kept["simulated"]) == ([], True)


def test_what_was_measured_is_printed_and_written(command, tmp_path):
    text, status = command(
        "eye_state", "--device=board", "--variant=int8", "--parts=sharing", "--processes=1", "--out=found"
    )
    assert status == 0
    lines = text.splitlines()
    assert lines[2] == "litert: sessions in one process"
    assert lines[3].split()[:6] == ["first", "MB", "second", "MB", "third", "MB"]
    assert [line.strip().split("  ")[0] for line in lines[4:7]] == ["interpreters", "compiled models", "weight cache"]
    assert f"written: {tmp_path / 'found/board/eye_state/memory.md'}" in lines
    assert "| weight cache |" in (tmp_path / "found/board/eye_state/memory.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eyes", "--parts=batch"), "no part called 'batch', did you mean 'batches'"),
        (("eyes", "--processes=0"), "--processes=0: at least 1"),
        (("eyes", "--variant=int4"), "no variant called 'int4'"),
        (("eyez",), "eyez"),
        (("eye_state",), "no runtime of simulated takes a file of eye_state/fp32"),
        (("eyes", "--plan=long"), "no plan called 'long'"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_measured(command, arguments, said):
    with pytest.raises(ConfigError, match=said):
        command(*arguments, "--device=simulated")
