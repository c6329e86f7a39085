"""`harness events` as a person types it, on two short clips at a low rate."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.camera import Arrivals, due_ns
from harness.camera.policies import simulate
from harness.case import STAGES, Run
from harness.errors import ConfigError
from harness.eventscores.commands import add_events_command
from tests.simulated import CHECKOUT

pytest.importorskip("cv2")
pytest.importorskip("onnxruntime")

Command = Callable[..., tuple[str, int]]
SHORT = ("--clips=2", "--seconds=12", "--camera=5", "--seed=102")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a repository with the shipped models, pipelines and device profiles."""
    for name in ("suites", "devices"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[str, int]:
        parser = argparse.ArgumentParser()
        add_events_command(parser.add_subparsers(), lambda said: None)
        parsed = parser.parse_args(["events", *arguments])
        done: tuple[str, int] = parsed.command(parsed)
        return done

    return run


def recorded(folder: Path, *lost: int, frames: int = 90, fps: float = 5.0) -> Path:
    """A run at a camera's pace in which a stall at each of `lost` cost the frames after it."""
    service = np.full(frames, 5_000_000)
    service[list(lost)] = 1_000_000_000
    found = simulate(due_ns(Arrivals(fps=fps), frames), service, "drop-stale")
    none, taken = np.zeros(0, np.int64), len(found.index)
    folder.mkdir(parents=True)
    Run(
        stages={name: np.zeros(taken, np.int64) for name in STAGES}, frame_ns=found.end_ns - found.start_ns,
        start_ns=found.start_ns, cpu_ns=none, warmup_ns=none, marks={}, facts={},
        camera={"index": found.index, "due_ns": found.due_ns, "lateness_ns": np.zeros(taken, np.int64)},
    ).save(folder)  # fmt: skip
    return folder


def test_a_cascade_is_scored_compared_and_written(command: Command, tmp_path: Path) -> None:
    run = recorded(tmp_path / "night" / "runs" / "eyes", 10)
    text, status = command(
        *SHORT, "--against-variant=fp32", "--true-regions", "--drop-every=2",
        f"--dropped-from={run.parent}",
    )  # fmt: skip
    assert status == 0
    lines = text.splitlines()
    assert lines[0].startswith("events of cabin on host, ")
    assert "2 clips of 12 s at 5 fps, seed 102" in lines[0]
    kept = json.loads((tmp_path / "reports/events/host/cabin/events.json").read_text())
    conditions = ["all frames at once", "camera 5 fps, drop-stale", "one frame of 2 lost", "as in runs"]
    systems = ["int8", "fp32", "int8, true regions"]
    assert [(one["system"], one["condition"]) for one in kept["rows"]] == [(a, b) for a in systems for b in conditions]
    by_name = {(one["system"], one["condition"]): one for one in kept["rows"]}
    assert by_name["int8", "one frame of 2 lost"]["unanswered_share"] == pytest.approx(0.5)
    assert by_name["int8", "as in runs"]["unanswered_share"] == pytest.approx(8 / 120)
    assert by_name["int8, true regions", "all frames at once"]["detection"]["value"] == 1.0
    assert by_name["int8", "one frame of 2 lost"]["detection"]["value"] == 0.0
    assert [(one["reference"], one["candidate"]) for one in kept["comparisons"]][:2] == [
        ("fp32", "int8"), ("int8, true regions", "int8"),
    ]  # fmt: skip
    assert "nothing about real drivers" in kept["sentences"][0]
    assert "| int8 | all frames at once |" in (tmp_path / "reports/events/host/cabin/events.md").read_text()
    assert f"written: {tmp_path / 'reports/events/host/cabin/events.json'}" in lines


def test_a_broken_limit_of_the_card_is_told_by_the_exit_status(command: Command, tmp_path: Path) -> None:
    own = tmp_path / "strict"
    shutil.copytree(CHECKOUT / "suites" / "pipelines" / "cabin", own)
    limits = "\n[events]\nmissed_percent = 1\nfalse_alarms_per_hour = 2000\n"
    card = (own / "pipeline.toml").read_text().replace("on_share = 0.7", "on_share = 1.0")
    (own / "pipeline.toml").write_text(card + limits)
    text, status = command(f"--pipeline={own}", "--clips=3", "--seconds=27", "--camera=2", "--drop-every=2")
    assert "FAIL: missed_percent" in text
    assert "PASS: false_alarms_per_hour" in text
    assert status == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--pipeline=cabinet",), "no pipeline called 'cabinet', did you mean 'cabin'"),
        (("--device=hst",), "hst"),
        (("--against-variant=int4",), "no variant called 'int4'"),
        (("--against-variant=int8",), "int8 beside itself shows nothing"),
        (("--runtime=onnx",), "no runtime called 'onnx'"),
        (("--clips=0",), "--clips=0: at least 1"),
        (("--seconds=2",), "calls for an alarm: there is nothing to detect"),
        (("--seconds=0",), "a clip of 0 s"),
        (("--seconds=inf",), "a clip of inf s"),
        (("--seed=-1",), "a seed of -1"),
        (("--camera=0",), "camera=0"),
        (("--camera=5:block",), "the camera waits, and the driver does not"),
        (("--drop-every=1",), "nothing would be left"),
        (("--dropped-from=nowhere",), "nowhere is no folder"),
        (("--dropped-from=devices",), "no run at a camera's pace is kept here"),
        (("--device=simulated",), "no runtime of simulated takes a file"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_drawn(
    command: Command, arguments: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        command(*SHORT, *arguments)


def test_a_recorded_run_at_another_rate_or_not_the_only_one_is_refused(command: Command, tmp_path: Path) -> None:
    recorded(tmp_path / "other", fps=10.0)
    with pytest.raises(ConfigError, match="away from that of the clip"):
        command(*SHORT, "--dropped-from=other")
    recorded(tmp_path / "night" / "a")
    recorded(tmp_path / "night" / "b")
    with pytest.raises(ConfigError, match="2 runs at a camera's pace are kept here") as caught:
        command(*SHORT, "--dropped-from=night")
    assert "night/a" in (caught.value.remedy or "")


def test_a_run_back_to_back_is_no_camera_s(command: Command, tmp_path: Path) -> None:
    folder = recorded(tmp_path / "plain")
    replace(Run.load(folder), camera={}).save(folder)
    with pytest.raises(ConfigError, match="no run at a camera's pace is kept here"):
        command(*SHORT, "--dropped-from=plain")
