"""write_all: both files whole or a sentence, and nothing left behind."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.report import write_all
from tests.report.builders import case, measurement, session, verdict

HOSTILE = "<script>\x1b[31m\x00|\u202e\udc80\n"


def test_both_twins_are_written_and_say_the_same(tmp_path):
    known = session(measurement())
    known.verdicts.append(verdict("FAIL"))
    paths = write_all(known, tmp_path / "new" / "folder", started=0.0, command="pytest suites")
    assert [path.name for path in paths] == ["results.json", "summary.md"]
    results = json.loads(paths[0].read_text(encoding="utf-8"))
    summary = paths[1].read_text(encoding="utf-8")
    assert results["summary"]["state"] == "FAIL"
    assert results["summary"]["sentence"] in summary
    assert "- command: pytest suites" in summary
    assert sorted(one.name for one in paths[0].parent.iterdir()) == ["results.json", "summary.md"]


def test_hostile_text_is_written_as_plain_ascii_json(tmp_path):
    known = session(measurement(case(model=HOSTILE)))
    known.notes.append(HOSTILE)
    written = write_all(known, tmp_path, started=0.0, command=HOSTILE)
    assert written[0].read_bytes().isascii()
    assert json.loads(written[0].read_text(encoding="utf-8"))["notes"] == [HOSTILE.replace("\udc80", "\\udc80")]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"the report cannot be written: .*results\.json.*--report"):
        write_all(session(), tmp_path / "file" / "folder", started=0.0, command="")


def test_a_full_disk_is_one_sentence_and_leaves_the_old_report_whole(tmp_path, monkeypatch):
    write_all(session(), tmp_path, started=0.0, command="old")

    def full(self: Path, text: str, **options: object) -> int:
        self.write_bytes(text[:10].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(HarnessError, match="No space left on device"):
        write_all(session(), tmp_path, started=0.0, command="new")
    assert json.loads((tmp_path / "results.json").read_bytes())["environment"]["command"] == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["results.json", "summary.md"]
