"""What worker processes leave: their error, their last words, and how they died."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from harness.errors import ConfigError, WorkerError
from harness.workers import death, environment, last_words, left_error


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (-signal.SIGKILL, "making it was killed (SIGKILL), most likely by the system for lack of memory"),
        (-signal.SIGSEGV, "making it crashed with SIGSEGV"),
        (-63, "making it crashed with signal 63"),
        (3, "making it ended with status 3"),
    ],
)
def test_a_death_has_its_words(status: int, words: str) -> None:
    assert death(status, "making it") == words


def test_the_error_that_was_left_keeps_its_own_place_and_gets_one_where_it_has_none(tmp_path: Path) -> None:
    path = tmp_path / "error.json"
    path.write_text(json.dumps(ConfigError("wrong", where="card.toml").to_wire()))
    found = left_error(path, "case", "see the log")
    assert isinstance(found, ConfigError)
    assert (found.where, found.remedy) == ("card.toml", "see the log")


@pytest.mark.parametrize("text", ["", "{", "[]", '"words"'])
def test_an_error_that_cannot_be_read_is_told_as_such(text: str, tmp_path: Path) -> None:
    path = tmp_path / "error.json"
    path.write_text(text)
    found = left_error(path, "case", "see the log")
    assert isinstance(found, WorkerError)
    assert "not readable" in found.sentence


def test_the_last_words_are_no_word_of_progress(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text('loading\nNo space left\n\n@dms {"say": "on it"}\n')
    assert last_words(log) == ": No space left"
    assert last_words(tmp_path / "none.log") == ""


def test_another_interpreter_sees_the_harness_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert environment(tmp_path, None, own_python=False)["PYTHONPATH"].endswith(":/elsewhere")
    alone = environment(tmp_path, None, own_python=True)["PYTHONPATH"]
    assert alone == str(tmp_path / "path")
    assert [one.name for one in Path(alone).iterdir()] == ["harness"]
