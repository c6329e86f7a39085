"""`harness replay`: a recorded verdict is decided again from what was kept with it."""

from __future__ import annotations

import pytest

from harness.cli import main
from harness.history import open_history
from harness.rejudge import replayed
from tests.history.records import record, verdict

LIMIT = {"value": 5.5, "limit": 50.0, "better": "less"}


@pytest.mark.parametrize(
    ("changes", "said", "status"),
    [
        ({"inputs": LIMIT}, "frame_p99_ms  limit/1  PASS", 0),
        ({"inputs": {**LIMIT, "value": 55.0}}, "PASS then, FAIL now", 1),
        ({"inputs": {**LIMIT, "invalid": "the stages do not add up"}}, "PASS then, INVALID now", 1),
        ({"inputs": {"value": 5.5}}, "PASS then, cannot be decided", 1),
        ({"inputs": {"value": "x", "limit": None, "better": "less"}}, "PASS then, cannot be decided", 1),
        ({"rule": "limit/9", "inputs": LIMIT}, "no rule called 'limit/9'", 1),
    ],
)
def test_a_verdict_is_decided_again(changes, said, status):
    text, found = replayed(record(verdicts=(verdict(**changes),)))
    assert said in text
    assert found == status


def test_the_command_takes_the_beginning_of_an_id(tmp_path, capsys):
    kept = record(verdicts=(verdict(inputs=LIMIT), verdict("FAIL", inputs={**LIMIT, "limit": 5.0})))
    with open_history(tmp_path / "h.sqlite") as history:
        history.record(kept)
    assert main(["replay", kept.id[:6], f"--history={tmp_path / 'h.sqlite'}"]) == 0
    assert "2 verdicts, 0 differ" in capsys.readouterr().out


def test_an_unknown_id_and_a_missing_history_are_one_sentence(tmp_path, capsys):
    with open_history(tmp_path / "h.sqlite"):
        pass
    for place in ("h.sqlite", "none.sqlite"):
        assert main(["replay", "ffff", f"--history={tmp_path / place}"]) == 4
        assert "Traceback" not in capsys.readouterr().err
