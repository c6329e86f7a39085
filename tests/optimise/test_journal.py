"""What every step found is found again, or done again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.optimise.journal import Journal, Kept, Step

STEP = Step(kind="measure", name="eyes fast on simulated")
KEY = {"files": {"fp32": "aa"}, "plan": {"frames": 660}}
KEPT = Kept(result={"reason": "", "values": {"frame_p50_ms": 1.25}}, seconds=3.5)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(folder=tmp_path / "journal")
    made.write(STEP, KEY, KEPT)
    return made


def only_file(journal: Journal) -> Path:
    (path,) = journal.folder.iterdir()
    return path


def test_what_was_written_is_read_again(journal):
    assert journal.read(STEP, KEY) == KEPT


@pytest.mark.parametrize(
    ("step", "key"),
    [
        (STEP, {**KEY, "plan": {"frames": 40}}),
        (STEP, {**KEY, "more": None}),
        (Step(kind="speed-up", name=STEP.name), KEY),
        (Step(kind=STEP.kind, name="eyes faster on simulated"), KEY),
    ],
)
def test_another_step_or_key_finds_nothing(journal, step, key):
    assert journal.read(step, key) is None


def test_results_under_two_keys_stand_beside_each_other(journal):
    other = {**KEY, "plan": {"frames": 40}}
    journal.write(STEP, other, Kept(result={"reason": "x"}, seconds=1.0))
    assert journal.read(STEP, KEY) == KEPT
    assert journal.read(STEP, other).result == {"reason": "x"}
    assert journal.seconds() == {"measure": 2.25}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"body": {}, "sha256": ""}', "\0" * 100])
def test_a_damaged_file_counts_as_none_and_is_written_anew(journal, text):
    only_file(journal).write_text(text, encoding="utf-8")
    assert journal.read(STEP, KEY) is None
    assert journal.seconds() == {}
    journal.write(STEP, KEY, KEPT)
    assert journal.read(STEP, KEY) == KEPT


def test_a_result_that_somebody_edited_is_not_believed(journal):
    path = only_file(journal)
    path.write_text(path.read_text().replace("1.25", "1.05"), encoding="utf-8")
    assert journal.read(STEP, KEY) is None


@given(st.data())
def test_no_byte_can_change_unseen(tmp_path_factory, data):
    journal = Journal(folder=tmp_path_factory.mktemp("journal"))
    journal.write(STEP, KEY, KEPT)
    path = only_file(journal)
    content = bytearray(path.read_bytes())
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    assert journal.read(STEP, KEY) in (None, KEPT)


def test_a_key_is_the_same_whatever_its_order_and_its_tuples(journal):
    assert journal.read(STEP, {"plan": {"frames": 660}, "files": {"fp32": "aa"}}) == KEPT
    journal.write(STEP, {"formats": ("onnx", "tflite")}, KEPT)
    assert journal.read(STEP, {"formats": ["onnx", "tflite"]}) == KEPT


def test_nothing_is_left_of_writing_but_the_file(journal):
    assert json.loads(only_file(journal).read_text())["body"]["name"] == STEP.name


def test_a_folder_that_is_a_file_is_told_with_a_remedy(tmp_path):
    (tmp_path / "journal").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match="--out"):
        Journal(folder=tmp_path / "journal").write(STEP, KEY, KEPT)
