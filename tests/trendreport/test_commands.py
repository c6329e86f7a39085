"""`harness report`, through the console command as a person types it."""

from __future__ import annotations

import csv
import json
import math
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.history import open_history
from harness.record import Failure
from tests.trendreport.histories import CASE, PARENT, frames_run, run, session, steady_case, write_history

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def harness(tmp_path, monkeypatch, capsys) -> Run:
    """Run `harness ...` in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def filled(tmp_path) -> Path:
    """A history at the default place."""
    return write_history(tmp_path / "reports" / "history.sqlite", steady_case(days=16))


def test_report_writes_the_page_and_says_what_it_says(harness, filled, tmp_path):
    status, said, errors = harness("report")
    page = tmp_path / "reports" / "trends.html"
    assert (status, errors) == (0, "")
    assert said.startswith(f"written: reports/trends.html ({page.stat().st_size / 1000:.1f} kB)\n")
    assert said.splitlines()[-1].startswith("PASS: ")
    assert page.read_text(encoding="utf-8").lower().startswith("<!doctype html>")
    assert sorted(one.name for one in page.parent.iterdir()) == ["history.sqlite", "trends.html"]


def test_the_same_history_gives_the_same_bytes_in_any_process_and_folder(filled, tmp_path):
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = ("report", "--history", filled, "--out", "trends.html", "--twins", "--figures", ".")
        subprocess.run([sys.executable, "-m", "harness.cli", *map(str, command)], cwd=tmp_path / seed, check=True,
                       env=environment, capture_output=True)  # fmt: skip
    first, second = (sorted((tmp_path / seed).iterdir()) for seed in ("1", "2"))
    assert [one.name for one in first] == [one.name for one in second]
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]


def test_a_history_in_postgresql_gives_the_same_bytes_as_one_in_sqlite(harness, server, tmp_path):
    server.sql("CREATE SCHEMA reported")
    odd = session(16, {"load_ms": (math.pi, 1e-300)}, valid=False, simulated=True, context={"said": "\u00fc\x00\ud800"})
    later = steady_case(PARENT, days=30, seed=2)[::-1]
    silent = Failure(case=CASE, metric="", kind="TransportError", sentence="the board is silent")
    written = []
    for location in ("history.sqlite", server.url("reported")):
        with open_history(location) as history:
            for one in (*later, odd, *steady_case(days=16)):
                history.record(one)
            history.record_run(run(29, CASE, PARENT, failures=[silent]))
            for text in ("new BSP", "Z before a", "a after Z"):
                history.annotate(None, "2026-01-05T00:00:00Z", "note", text, "ann")
        status, said, _ = harness("report", "--history", location, "--twins", "--detail", later[0].id)
        assert status == 0
        written.append([said, *(one.read_bytes() for one in sorted((tmp_path / "reports").iterdir()))])
    assert len(written[0]) == 7
    assert written[0] == written[1]


def test_twins_lie_beside_the_page(harness, filled, tmp_path):
    status, said, _ = harness("report", "--out", "out/page.html", "--twins")
    names = ["page.csv", "page.html", "page.json", "page.junit.xml", "page.md", "page.prom"]
    assert status == 0
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == names
    assert all(f"written: out/{name} (" in said for name in names)


def test_each_twin_goes_where_it_is_wanted(harness, filled, tmp_path):
    wanted = ("--json", "a.json", "--markdown", "b.md", "--csv", "c.csv", "--junit", "d.xml", "--prometheus", "e.prom")
    assert harness("report", *wanted)[0] == 0
    rows = json.loads((tmp_path / "a.json").read_bytes())["rows"]
    with (tmp_path / "c.csv").open(encoding="utf-8", newline="") as file:
        assert [one["metric"] for one in csv.DictReader(file)] == [one["metric"] for one in rows]
    cases = list(ElementTree.parse(tmp_path / "d.xml").iter("testcase"))
    assert len(cases) == len(rows) > 0
    assert "**PASS**" in (tmp_path / "b.md").read_text(encoding="utf-8")
    assert 'dms_state{state="PASS"} 1.0' in (tmp_path / "e.prom").read_text(encoding="utf-8")


def test_two_forms_are_never_one_file(harness, filled, tmp_path):
    status, _, errors = harness("report", "--json", "x", "--csv", tmp_path / "x")
    assert (status, "2 forms of the report would be one file" in errors) == (4, True)


@pytest.fixture
def linked(filled, tmp_path) -> Path:
    """Another name of the folder that holds the history."""
    (tmp_path / "link").symlink_to(filled.parent)
    return filled


@pytest.mark.parametrize("option", ["--out", "--json", "--junit"])
@pytest.mark.parametrize(
    "place",
    ["reports/history.sqlite", "x/../reports/history.sqlite", "link/history.sqlite", "reports/history.sqlite-journal"],
)
def test_no_form_takes_the_place_of_the_history(harness, linked, option, place):
    (linked.parent.parent / "x").mkdir()
    before = linked.read_bytes()
    status, _, errors = harness("report", option, place)
    assert (status, "would take the place of the history" in errors) == (4, True)
    assert linked.read_bytes() == before
    assert [one.name for one in linked.parent.iterdir()] == ["history.sqlite"]


def test_a_history_under_another_name_is_safe_too(harness, linked, tmp_path):
    assert harness("report", "--history", "link/history.sqlite", "--out", "reports/history.sqlite")[0] == 4
    assert harness("report", "--history", f"sqlite:///{linked}", "--out", "link/history.sqlite")[0] == 4
    assert linked.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--out", "p.html", "--json", "reports/../p.html"],
        ["--out", "reports/p", "--json", "link/p"],
        ["--csv", "figures/overview.svg", "--figures", "figures"],
    ],
)
def test_two_names_of_one_file_are_one_file(harness, linked, tmp_path, arguments):
    status, _, errors = harness("report", *arguments)
    assert (status, "2 forms of the report would be one file" in errors) == (4, True)
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize("option", ["--out", "--json"])
@pytest.mark.parametrize("place", ["", ".", "/"])
def test_a_place_without_a_name_is_a_sentence(harness, filled, option, place):
    status, _, errors = harness("report", option, place, "--twins")
    assert (status, f"names no file ({option})" in errors) == (4, True)


def test_a_link_stays_a_link_and_its_target_is_written(harness, filled, tmp_path):
    (tmp_path / "kept").mkdir()
    for name, target in {"a.json": "kept/a.json", "b.csv": "kept/not-yet.csv"}.items():
        (tmp_path / name).symlink_to(target)
    (tmp_path / "kept" / "a.json").write_text("old", encoding="utf-8")
    assert harness("report", "--json", "a.json", "--csv", "b.csv")[0] == 0
    assert all((tmp_path / name).is_symlink() for name in ("a.json", "b.csv"))
    assert json.loads((tmp_path / "kept" / "a.json").read_bytes())["rows"]
    assert (tmp_path / "kept" / "not-yet.csv").read_text(encoding="utf-8").startswith("device,")


def test_a_pipe_is_written_into_and_stays(harness, filled, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    # Open for both ways, so that neither side waits for the other; the summary is smaller than a pipe's room.
    descriptor = os.open(tmp_path / "pipe", os.O_RDWR)
    status, said, _ = harness("report", "--markdown", "pipe")
    found = os.read(descriptor, 60_000).decode()
    os.close(descriptor)
    assert (status, (tmp_path / "pipe").is_fifo()) == (0, True)
    assert "**PASS**" in found
    assert "written: pipe\n" in said


def test_standard_output_is_a_place_like_any_other(filled, tmp_path):
    (tmp_path / "out").symlink_to("/dev/stdout")
    command = [sys.executable, "-m", "harness.cli", "report", "--markdown", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "**PASS**" in done.stdout
    assert (tmp_path / "out").is_symlink()


def test_without_matplotlib_nothing_is_written(harness, filled, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, _, errors = harness("report", "--twins", "--figures", "figures")
    assert (status, "pip install 'dms-harness[plots]'" in errors) == (4, True)
    assert [one.name for one in filled.parent.iterdir()] == ["history.sqlite"]


def test_a_form_that_fails_does_not_cost_the_others(harness, filled, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, _, errors = harness(
        "report", "--figures", "file/x", "--json", "file/y", "--csv", "a.csv", "--markdown", "b.md"
    )
    assert status == 4
    assert "the figure cannot be written" in errors
    assert "file/y" in errors
    assert "written all the same: reports/trends.html, b.md, a.csv" in errors
    assert (tmp_path / "a.csv").exists()


def test_a_failing_history_is_still_reported_with_status_0(harness, tmp_path):
    slow = steady_case(days=15)[:-1] + steady_case(days=15, typical_ms=60.0)[-1:]
    write_history(tmp_path / "h.sqlite", slow)
    status, said, _ = harness("report", "--history", "h.sqlite", "--figures", "figures", "--junit", "j.xml")
    assert status == 0
    assert said.splitlines()[-1].startswith("FAIL: ")
    assert (tmp_path / "figures" / "overview.svg").exists()
    attached = [one.text.strip() for one in ElementTree.parse(tmp_path / "j.xml").iter("system-out")]
    assert attached
    for one in attached:
        assert (tmp_path / one.removeprefix("[[ATTACHMENT|").removesuffix("]]")).exists()


def test_one_session_is_enough_for_a_page(harness, tmp_path):
    write_history(tmp_path / "h.sqlite", steady_case(days=14)[:1])
    status, said, _ = harness("report", "--history", "h.sqlite", "--twins")
    assert status == 0
    assert said.count("written: ") == 6


def test_an_empty_history_gives_a_page_that_says_what_to_do(harness, tmp_path):
    open_history(tmp_path / "h.sqlite")
    status, said, _ = harness("report", "--history", "h.sqlite", "--twins", "--figures", "figures")
    assert status == 0
    assert "Next: " in said.splitlines()[-1]
    suite = ElementTree.parse(tmp_path / "reports" / "trends.junit.xml").getroot()[0]
    assert suite.get("failures") == "1"


def test_a_history_that_is_not_there_is_said_and_not_made(harness, tmp_path):
    status, said, errors = harness("report")
    assert (status, said) == (4, "")
    assert "there is no history yet (reports/history.sqlite)" in errors
    assert list(tmp_path.iterdir()) == []


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE history_version SET version_num = '99'")
    connection.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def broken_json(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE session SET provenance = '{'")
    connection.close()


def broken(table: str, column: str, value: str) -> Callable[[Path], None]:
    """Put `value` into every row, as no writer of ours would."""

    def spoil(path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        changed = connection.execute(f"UPDATE {table} SET {column} = ?", (value,)).rowcount
        connection.close()
        assert changed

    return spoil


MARKS = broken("run", "marks", '{"harness_cost_median_ns": "x", "harness_cost_p99_ns": "y"}')
PROVENANCE = broken("session", "provenance", '{"run": {"a": 1}}')


@pytest.mark.parametrize(
    ("command", "spoil", "said"),
    [
        ("report", newer, "schema version 99"),
        ("report", garbage, "damaged"),
        ("report", broken_json, "damaged"),
        ("report", MARKS, "damaged"),
        ("report", PROVENANCE, "damaged"),
        ("serve", broken_json, "damaged"),
        ("serve", MARKS, "damaged"),
        ("serve", newer, "schema version 99"),
        ("serve", garbage, "damaged"),
    ],
)
def test_a_history_that_cannot_be_read_is_one_sentence_and_status_4(harness, filled, tmp_path, command, spoil, said):
    spoil(filled)
    status, out, errors = harness(command)
    assert (status, out) == (4, "")
    assert said in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "reports" / "trends.html").exists()


@pytest.mark.parametrize("arguments", [["--out", "file/x.html"], ["--json", "file/x"], ["--figures", "file/x"]])
def test_a_place_that_cannot_be_written_is_one_sentence(harness, filled, tmp_path, arguments):
    (tmp_path / "file").write_text("", encoding="utf-8")
    status, _, errors = harness("report", *arguments)
    assert status == 4
    assert "cannot be written: " in errors
    assert "file/x" in errors


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: a write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_page_whole(harness, filled, tmp_path):
    assert harness("report")[0] == 0
    page = tmp_path / "reports" / "trends.html"
    old = page.read_bytes()
    with open_history(filled) as history:
        history.annotate(None, "2026-01-05T00:00:00Z", "note", "a remark", "ann")
    with largest_file(1000):
        status, _, errors = harness("report")
    assert status == 4
    assert "the report cannot be written: File too large" in errors
    assert "--out" in errors
    assert page.read_bytes() == old
    assert sorted(one.name for one in page.parent.iterdir()) == ["history.sqlite", "trends.html"]


def test_an_unknown_metric_is_answered_with_the_nearest(harness, filled):
    status, _, errors = harness("report", "--metric", "frame_p25_sm")
    assert status == 4
    assert "'frame_p25_sm'" in errors
    assert "did you mean 'frame_p25_ms'?" in errors


def test_further_metrics_are_drawn_when_they_are_asked_for(harness, tmp_path):
    write_history(tmp_path / "h.sqlite", [session(day, {"post_max_ms": (1.0 + day / 10,)}) for day in range(3)])

    def metrics(*arguments: str) -> set[str]:
        assert harness("report", "--history", "h.sqlite", "--json", "x.json", *arguments)[0] == 0
        return {one["metric"] for one in json.loads((tmp_path / "x.json").read_bytes())["series"]}

    assert "post_max_ms" not in metrics()
    assert "post_max_ms" in metrics("--metric", "post_max_ms")
    assert "post_max_ms" in metrics("--metric", "all")


def test_an_unknown_detail_is_answered_with_candidates(harness, filled):
    status, _, errors = harness("report", "--detail", "ffffffff")
    assert status == 4
    assert "no session begins with 'ffffffff'" in errors


def test_a_session_is_embedded_when_it_is_asked_for(harness, tmp_path):
    days = [session(day, {"frame_p50_ms": (5.0,)}, runs=(frames_run(seed=day),)) for day in range(6)]
    write_history(tmp_path / "h.sqlite", days)

    def size(*arguments: str) -> int:
        assert harness("report", "--history", "h.sqlite", *arguments)[0] == 0
        return (tmp_path / "reports" / "trends.html").stat().st_size

    assert size("--detail", days[0].id[:10]) > size() + 1000


def test_the_address_of_commits_comes_from_the_option_or_from_pyproject(harness, filled, tmp_path):
    page = tmp_path / "reports" / "trends.html"
    harness("report")
    assert "git.example" not in page.read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ndms_commit_url = "https://git.example/a/{commit}"\n', encoding="utf-8"
    )
    harness("report")
    assert "https://git.example/a/" in page.read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest]\ndms_commit_url = "https://git.example/b/{commit}"\n', encoding="utf-8"
    )
    harness("report")
    assert "https://git.example/b/" in page.read_text(encoding="utf-8")
    harness("report", "--commit-url", "https://other.example/{commit}")
    assert "git.example" not in page.read_text(encoding="utf-8")


INI = "[tool.pytest.ini_options]\n"


@pytest.mark.parametrize(
    "written",
    [f"{INI}dms_commit_url = 3", f"{INI}dms_commit_url = [", 'tool = "x"', "[tool]\npytest = 3",
     "[tool.pytest]\nini_options = []"],
)  # fmt: skip
def test_a_pyproject_that_cannot_be_is_named(harness, filled, tmp_path, written):
    (tmp_path / "pyproject.toml").write_text(f"{written}\n", encoding="utf-8")
    status, _, errors = harness("report")
    assert (status, "pyproject.toml" in errors) == (4, True)


@pytest.mark.parametrize("address", ["javascript:alert({commit})", "https://git.example/", "ftp://x/{commit}"])
def test_an_address_that_is_none_is_refused(harness, filled, address):
    status, _, errors = harness("report", "--commit-url", address)
    assert (status, "address of a commit" in errors) == (4, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--commit-url", "javascript:x"], "no address of a commit"),
        (["--metric", "nope"], "'nope'"),
        (["--refresh", "-3"], "-3 s cannot be waited (--refresh)"),
    ],
)
def test_serve_refuses_at_once_what_it_could_never_answer(harness, filled, arguments, said):
    status, out, errors = harness("serve", "--port", "0", *arguments)
    assert (status, out) == (4, "")
    assert said in errors
    assert "is at http" not in errors


def test_a_remark_is_drawn(harness, filled, tmp_path):
    assert harness("annotate", "new BSP 36.4", "--kind", "firmware", "--at", "2026-01-05T00:00:00Z")[0] == 0
    assert harness("report")[0] == 0
    assert "new BSP 36.4" in (tmp_path / "reports" / "trends.html").read_text(encoding="utf-8")


def test_the_help_says_that_report_does_not_judge(harness, capsys):
    with pytest.raises(SystemExit):
        harness("report", "--help")
    assert "exit status is 0 whatever it says" in " ".join(capsys.readouterr().out.split())
