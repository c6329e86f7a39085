"""Provenance: what each device was, who accepted what and why, and every remark."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.baseline import Baseline, BaselineSession, baseline_path, write_baseline
from harness.case import Case
from harness.record import Annotation, SessionRecord
from harness.telemetry import Channel, Trace
from harness.trendreport.model import Table
from harness.trendreport.provenance import provenance_of
from tests.trendreport.handmade import HOSTILE, trends
from tests.trendreport.histories import CASE, IDENTITY, frames_run, session, trend_rows

THOR = Case("thor", "eyes", "int8", "trt")


def tables(*sessions: SessionRecord, root: Path | None = None, **told: Any) -> dict[str, Table]:
    """Title -> table."""
    recent = told.pop("recent", ())
    return {one.title: one for one in provenance_of(trend_rows(sessions, **told), trends(), root, recent)}


def plain(day: int = 1, **changes: Any) -> SessionRecord:
    return session(day, {"frame_p25_ms": (5.0,)}, **changes)


def remark(day: int, kind: str = "note", text: str = "new firmware", **changes: Any) -> Annotation:
    return Annotation(**{"at": f"2026-01-{day:02}T03:00:00Z", "kind": kind, "text": text, "author": "kim", **changes})


def baseline(case: Case, **changes: Any) -> Baseline:
    one = BaselineSession(
        at="2026-01-05T03:00:00Z", unit="", values={"frame_p25_ms": (5.0,)}, context={}, provenance={}
    )
    made: dict[str, Any] = {
        "case": case, "accepted_at": "2026-01-05T04:00:00Z", "accepted_by": "ann", "reason": "new compiler",
        "commit": "abc123", "identity": {}, "context": {}, "advice": (), "sessions": (one,) * 5,
    }  # fmt: skip
    return Baseline(**{**made, **changes})


def accept(root: Path, one: Baseline) -> Path:
    path = baseline_path(root / "baselines", one.case)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_baseline(path, one)
    return path


def test_an_empty_history_has_no_provenance(tmp_path):
    assert tables(root=tmp_path) == {}


def test_each_device_tells_its_newest_conditions():
    old = plain(1, identity={**IDENTITY, "os": "JetPack 5", "device": "bench"})
    new = plain(2, identity={**IDENTITY, "os": "JetPack 6", "device": "bench"})
    found = tables(old, new, plain(3, case=THOR))["Devices and their conditions"]
    assert found.columns == ("what", "bench", "thor")
    assert ("os", "JetPack 6", "-") in found.rows
    assert ("soc", "i.MX8MP", "i.MX8MP") in found.rows
    (newest,) = (row for row in found.rows if row[0] == "session")
    assert newest[2].startswith("2026-01-04")


@pytest.mark.parametrize("purpose", ["import", "paired"])
@pytest.mark.parametrize("measured", [True, False])
def test_what_knows_less_of_its_conditions_tells_them_only_where_nothing_else_does(purpose, measured):
    other = plain(9, purpose=purpose, identity={"os": "of a file", "device": "bench"})
    before = [plain(1, identity={**IDENTITY, "os": "JetPack"})] if measured else []
    found = tables(*before, other)
    assert ("os", "JetPack" if measured else "of a file") in found["Devices and their conditions"].rows
    assert found["Engines"].rows[0][2] == ("onnxruntime" if measured else "-")


def test_settings_come_from_the_sensors_of_the_newest_recent_session():
    def with_mode(day: int, mode: str) -> SessionRecord:
        facts = {"power_mode": mode, "pinned": {"cpu": True}, "no_turbo": None}
        trace = Trace("clocks", (Channel("cpu0.cur", "kHz"),), np.arange(2), np.ones((2, 1)), 1, facts=facts)
        return plain(day, runs=(replace(frames_run(), traces=(trace,)),), context={"kernel": "5.15"})

    recent = [with_mode(2, "MAXN"), with_mode(1, "15W"), plain(3)]
    rows = tables(plain(3), recent=recent)["Devices and their conditions"].rows
    assert ("clocks: power_mode", "MAXN") in rows
    assert ("clocks: pinned", '{"cpu": true}') in rows
    assert ("kernel", "5.15") in rows
    assert not any("no_turbo" in what for what, _ in rows)


def test_each_entry_tells_its_engine_and_what_it_ran_last():
    other = Case("bench", "eyes", "int8", "litert")
    found = tables(plain(1), plain(2, case=other, identity={"engine": "litert", "precision": "int8"}))["Engines"]
    told = {row[1]: dict(zip(found.columns, row, strict=True)) for row in found.rows}
    assert told["ort"]["version"] == "1.2.3"
    assert (told["litert"]["engine"], told["litert"]["precision"], told["litert"]["threads"]) == ("litert", "int8", "-")
    assert told["litert"]["newest session"] == "2026-01-03 eyes/int8"


def test_files_and_notes_say_who_accepted_what_and_why(tmp_path):
    accept(tmp_path, baseline(CASE, advice=("load_ms",)))
    notes = [
        remark(9, "approved", "seen by the board", case_key=CASE.key),
        remark(2, "reverted"),
        remark(3, "hardware"),
    ]
    rows = tables(plain(), root=tmp_path, annotations=notes)["Who accepted what, and why"].rows
    assert [row[0][:10] for row in rows] == ["2026-01-09", "2026-01-05", "2026-01-02"]
    assert rows[0][1:] == (CASE.key, "approved", "kim", "seen by the board", "-", "history")
    assert rows[1][1:6] == (
        CASE.key, "accepted", "ann", "new compiler", "abc123, 5 sessions, too noisy to gate: load_ms"
    )  # fmt: skip
    assert rows[1][6] == "baselines/bench/eyes/int8.ort.json"
    assert rows[2][1:4] == ("all cases", "reverted", "kim")


def test_the_previous_baseline_is_no_approval(tmp_path):
    accept(tmp_path, baseline(CASE))
    accept(tmp_path, baseline(CASE, reason="newer", accepted_at="2026-01-06T04:00:00Z"))
    rows = tables(plain(), root=tmp_path)["Who accepted what, and why"].rows
    assert [row[4] for row in rows] == ["newer"]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b"[" * 5000])
def test_a_baseline_that_cannot_be_trusted_says_so_without_the_machines_paths(tmp_path, content):
    accept(tmp_path, baseline(CASE)).write_bytes(content)
    (row,) = tables(plain(), root=tmp_path)["Who accepted what, and why"].rows
    assert row[2] == "not readable"
    assert row[4]
    assert not any(str(tmp_path) in cell for cell in row)


def test_a_link_is_not_followed(tmp_path):
    path = accept(tmp_path, baseline(CASE))
    shutil.copy(path, tmp_path / "outside.json")
    path.unlink()
    path.symlink_to(tmp_path / "outside.json")
    (row,) = tables(plain(), root=tmp_path)["Who accepted what, and why"].rows
    assert row[2] == "not readable"


def test_without_a_repository_only_the_history_speaks(tmp_path):
    accept(tmp_path, baseline(CASE))
    assert "Who accepted what, and why" not in tables(plain())


def test_remarks_are_all_there_the_newest_first_and_a_cut_is_told():
    notes = [remark(1 + one % 28, text=f"remark {one}") for one in range(230)]
    found = tables(plain(), annotations=notes)["Remarks"]
    assert len(found.rows) == 200
    assert [row[0] for row in found.rows] == sorted((row[0] for row in found.rows), reverse=True)
    assert found.notes == ("30 older ones are left out: harness annotate --list",)


def test_simulated_devices_say_so():
    rows = tables(plain(simulated=True))["Devices and their conditions"].rows
    assert rows[0][1].endswith("SIMULATED")


def test_hostile_names_and_endless_values_stay_text_of_bounded_length():
    case = Case(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    told = {HOSTILE: HOSTILE, "board": "x" * 5000, "engine": HOSTILE, "list": [HOSTILE]}
    note = remark(1, HOSTILE, HOSTILE, author=HOSTILE, case_key=HOSTILE)
    found = tables(plain(case=case, identity=told, provenance={"commit": HOSTILE}), annotations=[note])
    assert all(isinstance(cell, str) for one in found.values() for row in one.rows for cell in row)
    assert all(len(row) == len(one.columns) for one in found.values() for row in one.rows)
    assert max(len(cell) for row in found["Devices and their conditions"].rows for cell in row) <= 310
