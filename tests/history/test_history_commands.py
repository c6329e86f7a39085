"""The console commands, as a user types them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.history.commands import add_history_commands
from tests.history.records import CASE, OTHER, record
from tests.history.test_history_export import benchmarks, cells, parquet_cells


@pytest.fixture
def harness(sqlite_path: Path) -> Callable[..., str]:
    """Run `harness history ...` on the history at `sqlite_path`."""
    parser = argparse.ArgumentParser()
    add_history_commands(parser.add_subparsers(required=True))

    def run(command: str, *arguments: object) -> str:
        parsed = parser.parse_args(["history", command, *map(str, arguments), "--history", str(sqlite_path)])
        return str(parsed.command(parsed))

    return run


@pytest.fixture
def filled(sqlite_path: Path) -> Path:
    """Three sessions of one case and one of another."""
    with open_history(sqlite_path) as history:
        for day in (1, 2, 3):
            history.record(record(day, id=f"{day}" * 32, values={"frame_p50_ms": (day, day + 1.0, day + 9.0)}))
        history.record(record(4, id="4" * 32, case=OTHER, valid=False, values={"load_ms": (1.0,)}))
    return sqlite_path


def test_list_shows_the_newest_sessions_last(harness, filled):
    assert [line.split() for line in harness("list", "--last", 2).splitlines()] == [
        ["id", "at", "case", "purpose", "valid", "frame_p50_ms", "frame_p99_ms", "fps_mean", "peak_memory_mb"],
        ["33333333", "2026-01-03T03:00:00Z", CASE.key, "check", "yes", "4", "-", "-", "-"],
        ["44444444", "2026-01-04T03:00:00Z", OTHER.key, "check", "no", "-", "-", "-", "-"],
    ]


def test_list_shows_one_case(harness, filled):
    assert [line.split()[0] for line in harness("list", "--case", OTHER.key).splitlines()] == ["id", "44444444"]


def test_a_misspelt_case_is_answered_with_the_nearest(harness, filled, refused):
    with refused("bench/eye/int8/ort", f"did you mean {CASE.key!r}", kind=ConfigError):
        harness("list", "--case", "bench/eye/int8/ort")


def test_control_characters_stay_off_the_terminal(harness, sqlite_path):
    from harness.case import Case

    with open_history(sqlite_path) as history:
        history.record(record(case=Case("\x1b[2J", "m", "v", "r")))
    assert "\x1b" not in harness("list")


@pytest.mark.parametrize("command", ["list", "check", "backup x", "prune --keep-raw 1", "export --csv x"])
def test_a_history_that_is_not_there_is_said_and_not_made(harness, sqlite_path, refused, command):
    with refused("no history yet", str(sqlite_path), kind=ConfigError):
        harness(*command.split())
    assert not sqlite_path.exists()


def test_an_empty_history_lists_nothing(harness, sqlite_path):
    open_history(sqlite_path)
    assert harness("list") == "the history holds no sessions yet"


def test_export_writes_a_table(harness, filled, tmp_path):
    assert harness("export", "--csv", tmp_path / "a.csv").startswith("10 values of 4 sessions")
    harness("export", "--parquet", tmp_path / "a.parquet")
    assert len(cells(tmp_path / "a.csv")) == len(parquet_cells(tmp_path / "a.parquet")) == 10


@pytest.mark.parametrize("forms", [[], ["--csv", "a", "--parquet", "b"]])
def test_export_wants_one_form(harness, filled, forms, capsys):
    with pytest.raises(SystemExit):
        harness("export", *forms)
    assert "--parquet" in capsys.readouterr().err


def test_prune_says_what_it_removed(harness, filled):
    said = harness("prune", "--keep-raw", 1, "--keep-sessions", 2)
    assert said.startswith("removed the raw times of 1 sessions, and 1 sessions: 0.1 MB before, 0.1 MB now")


def test_backup_and_check_speak_of_a_whole_history(harness, filled, tmp_path):
    assert "holds the whole history" in harness("backup", tmp_path / "copy.sqlite")
    assert "is whole" in harness("check")
    with open_history(tmp_path / "copy.sqlite", create=False) as copy:
        assert len(copy.sessions()) == 4


def test_check_fails_on_damage(harness, filled):
    import sqlite3

    connection = sqlite3.connect(filled, isolation_level=None)
    connection.execute("UPDATE raw SET data = x'00' WHERE session = 2")
    connection.close()
    with pytest.raises(HarnessError, match="session 2222") as caught:
        harness("check")
    assert "backup" in caught.value.remedy


def test_import_takes_over_a_file(harness, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(benchmarks()))
    assert harness("import", tmp_path / "a.json").startswith("1 benchmarks of")
    assert "host/eyes/fp32/ort" in harness("list")


def test_a_remark_is_kept_with_its_case(harness, filled):
    harness("annotate", "new fan", "--case", CASE.key, "--kind", "hardware", "--author", "ann")
    harness("annotate", "moved", "--at", "2026-01-01T00:00:00Z")
    with open_history(filled) as history:
        found = history.annotations()
    assert [(one.case_key, one.kind, one.text) for one in found] == [
        (None, "note", "moved"),
        (CASE.key, "hardware", "new fan"),
    ]
    assert found[1].author == "ann"


def test_a_remark_on_an_unknown_case_is_refused(harness, filled, refused):
    with refused("no case in the history", kind=ConfigError):
        harness("annotate", "new fan", "--case", "bench/none/int8/ort")
