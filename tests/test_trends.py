"""`harness changes`: where the history of a metric changed its level."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from harness.cli import main
from harness.history import open_history
from tests.history.records import CASE, record


def fill(path: Path, *steps: float, per_step: int = 15, expected: int = 0) -> None:
    """Sessions around 5 ms whose level is multiplied by each step in turn; `expected` names one as expected."""
    chance = random.Random(1)
    with open_history(path) as history:
        for number in range(per_step * len(steps)):
            level = 5.0 * steps[number // per_step] * math.exp(chance.gauss(0, 0.004))
            at = f"2026-03-{1 + number // 24:02d}T{number % 24:02d}:00:00Z"
            history.record(
                record(1, id=f"{number:032x}", at=at, values={"frame_p25_ms": (level, level)}, runs=(), verdicts=())
            )
            if expected and number == expected:
                history.annotate(CASE.key, at, "expected", "new firmware", "me")


@pytest.fixture
def command(tmp_path, capsys):
    """`harness changes` on a history of these levels."""

    def run(*steps: float, arguments: tuple[str, ...] = (), **more) -> str:
        path = tmp_path / "h.sqlite"
        fill(path, *steps, **more)
        assert main(["changes", f"--history={path}", *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_a_step_is_told_with_its_size_and_the_session_where_it_began(command):
    said = command(1.0, 1.06)
    assert f"{CASE.key} frame_p25_ms: worse by 6." in said or f"{CASE.key} frame_p25_ms: worse by 5." in said
    assert f"session {15:032x}"[:16] in said
    assert "1 changes; " in said


def test_a_level_series_has_no_change(command):
    assert command(1.0, 1.0).startswith("0 changes; 1 series")


def test_a_step_that_people_expected_is_no_finding(command):
    assert command(1.0, 1.06, expected=15).startswith("0 changes; ")


def test_a_small_step_is_told_only_where_it_is_asked_for(command):
    assert command(1.0, 1.015).startswith("0 changes; ")


def test_a_missing_history_is_one_sentence(tmp_path, capsys):
    assert main(["changes", f"--history={tmp_path / 'none.sqlite'}"]) == 4
    assert "Traceback" not in capsys.readouterr().err
