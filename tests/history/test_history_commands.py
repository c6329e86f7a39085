"""The console commands, as a user types them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.history.commands import KINDS, add_annotate_command, add_history_commands
from tests.history.records import CASE, OTHER, record
from tests.history.test_history_export import benchmarks, cells, parquet_cells


@pytest.fixture
def harness(sqlite_path: Path) -> Callable[..., str]:
    """Run `harness history ...`, or `harness annotate`, on the history at `sqlite_path`."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    add_history_commands(commands)
    add_annotate_command(commands)

    def run(command: str, *arguments: object) -> str:
        head = [command] if command == "annotate" else ["history", command]
        parsed = parser.parse_args([*head, *map(str, arguments), "--history", str(sqlite_path)])
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


def test_a_remark_on_a_device_is_one_on_each_of_its_cases(harness, filled):
    with open_history(filled) as history:
        history.record(record(5, id="5" * 32, case=Case("other", "eyes", "int8", "ort")))
    assert len(harness("annotate", "new fan", "--device", "bench").splitlines()) == 2
    assert len(harness("annotate", "new lamp", "--device", "other").splitlines()) == 1
    with open_history(filled) as history:
        found = history.annotations()
    assert [(one.case_key, one.text) for one in found] == [
        (CASE.key, "new fan"), (OTHER.key, "new fan"), ("other/eyes/int8/ort", "new lamp"),
    ]  # fmt: skip
    assert "new lamp" not in harness("annotate", "--list", "--device", "bench")


def test_case_and_device_are_not_said_together(harness, filled, capsys):
    with pytest.raises(SystemExit):
        harness("annotate", "x", "--device", "bench", "--case", CASE.key)
    assert "not allowed with" in capsys.readouterr().err


def test_a_remark_never_makes_a_history(harness, sqlite_path, refused):
    with refused("no history yet", str(sqlite_path), kind=ConfigError):
        harness("annotate", "new fan")
    assert not sqlite_path.exists()


def test_without_a_history_there_are_no_remarks(sqlite_path, monkeypatch, tmp_path, refused):
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    add_annotate_command(parser.add_subparsers(required=True))
    for arguments in (["x"], ["--list"]):
        parsed = parser.parse_args(["annotate", *arguments, "--history", "none"])
        with refused("--history none", kind=ConfigError):
            parsed.command(parsed)
    assert list(tmp_path.iterdir()) == []


def test_the_clock_of_another_lab_may_be_ahead(harness, filled):
    soon = (datetime.now(UTC) + timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert soon in harness("annotate", "new fan", "--at", soon)


def test_a_remark_on_an_unknown_case_is_refused(harness, filled, refused):
    with refused("no case in the history", kind=ConfigError):
        harness("annotate", "new fan", "--case", "bench/none/int8/ort")


@pytest.mark.parametrize("kind", KINDS)
def test_a_remark_may_be_of_any_kind_of_the_table(harness, filled, kind):
    harness("annotate", "see the ticket", "--kind", kind)
    with open_history(filled) as history:
        assert [one.kind for one in history.annotations()] == [kind]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x", "--kind", "hardwar"], ["'hardwar'", "did you mean 'hardware'", *KINDS, "--kind"]),
        (["x", "--kind", ""], ["no kind of remark", *KINDS]),
        (["x", "--kind", "accepted"], ["'accepted'", "harness accept", "--kind approved"]),
        (["x", "--kind", "reverted"], ["'reverted'", "harness accept"]),
        (["x", "--at", "9999-01-01T00:00:00Z"], ["yet to come", "9999-01-01T00:00:00Z", "--at"]),
        (["x", "--list"], ["--list", "'x'", "keeps none"]),
        (["x", "--device", "bensh"], ["no device in the history", "did you mean 'bench'"]),
        (["x", "--case", ""], ["no case in the history"]),
        (["x", "--at", "yesterday"], ["not a time in UTC", "'yesterday'", "--at", "2026-01-31T23:59:59Z"]),
        (["x", "--at", "2026-02-30T00:00:00Z"], ["not a time in UTC"]),
        ([], ["needs a text", "--list"]),
        (["  "], ["needs a text"]),
        (["--case", CASE.key], ["needs a text"]),
    ],
)
def test_a_remark_that_means_nothing_is_refused(harness, filled, refused, arguments, words):
    with refused(*words, kind=ConfigError):
        harness("annotate", *arguments)
    with open_history(filled) as history:
        assert history.annotations() == []


def test_the_remarks_are_listed_oldest_first(harness, filled):
    harness("annotate", "new fan \x1b[2J\u202e", "--case", CASE.key, "--author", "ann", "--at", "2026-01-02T00:00:00Z")
    harness("annotate", "moved", "--kind", "hardware", "--author", "bob", "--at", "2026-01-01T00:00:00Z")
    harness("annotate", "other", "--case", OTHER.key, "--author", "bob", "--at", "2026-01-03T00:00:00Z")
    assert [" ".join(line.split()) for line in harness("annotate", "--list", "--case", CASE.key).splitlines()] == [
        "at kind case author text",
        "2026-01-01T00:00:00Z hardware all cases bob moved",
        f"2026-01-02T00:00:00Z note {CASE.key} ann new fan \\x1b[2J\\u202e",
    ]
    assert len(harness("annotate", "--list").splitlines()) == 4


def test_a_remark_of_a_kind_that_this_version_does_not_know_is_listed(harness, filled):
    with open_history(filled) as history:
        history.annotate(None, "2026-01-01T00:00:00Z", "sampler", "sampling costs nothing", "ann")
    assert "sampler" in harness("annotate", "--list")


def test_there_are_no_remarks_yet(harness, filled):
    assert harness("annotate", "--list") == "no remarks yet"


def test_remarks_of_a_history_that_is_not_there_are_said(harness, sqlite_path, refused):
    with refused("no history yet", kind=ConfigError):
        harness("annotate", "--list")
    assert not sqlite_path.exists()


def test_annotate_is_a_command_of_its_own(harness, filled, capsys):
    parser = argparse.ArgumentParser()
    add_history_commands(parser.add_subparsers(required=True))
    with pytest.raises(SystemExit):
        parser.parse_args(["history", "annotate", "x"])
    assert "invalid choice: 'annotate'" in capsys.readouterr().err
