"""`trends.html` at the end of `pytest suites/`: from the same history, and never at the cost of the results."""

from __future__ import annotations

import sqlite3

import pytest

from harness.history import open_history
from tests.workspace import Workspace

QUICK = ("--device=simulated", "--plan=smoke", "-k", "p99 and fp32")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    made = Workspace(tmp_path)
    made.add_simulated()
    made.without_power()
    return made


def configure(workspace: Workspace, line: str) -> None:
    ini = workspace.folder / "pytest.ini"
    ini.write_text(f"{ini.read_text(encoding='utf-8')}{line}\n", encoding="utf-8")


def test_every_run_writes_the_trends_of_all_runs(workspace):
    configure(workspace, "dms_commit_url = https://git.example/repo/{commit}")
    first = workspace.pytest(*QUICK)
    page = first.report / "trends.html"
    assert first.status == 0, first.output
    assert "written: report/trends.html" in first.output
    assert sorted(one.name for one in first.report.iterdir() if one.is_file()) == [
        "cases.journal", "results.json", "summary.md", "trends.html",
    ]  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert "SIMULATED" in text
    assert "simulated/eyes/fp32/simulated" in text
    assert "https://git.example/repo/{commit}" in text
    second = workspace.pytest(*QUICK, "--policy=nightly")
    assert second.status == 1, second.output
    assert len((second.report / "trends.html").read_text(encoding="utf-8")) > len(text)

    with open_history(workspace.folder / "reports" / "history.sqlite") as history:
        assert [(one.policy, one.interrupted) for one in history.runs()] == [("pr", False), ("nightly", False)]


def test_without_a_history_there_are_no_trends(workspace):
    done = workspace.pytest(*QUICK, "--history=none")
    assert done.status == 0, done.output
    assert "trends.html" not in done.output
    assert not (done.report / "trends.html").exists()


def test_an_address_that_is_none_is_refused_before_anything_is_measured(workspace):
    configure(workspace, "dms_commit_url = javascript:alert(1)")
    done = workspace.pytest(*QUICK)
    assert done.status == 4
    assert "'javascript:alert(1)' is no address of a commit" in done.output
    assert not done.report.exists()


def test_sessions_that_tell_nonsense_cost_the_page_alone(workspace):
    assert workspace.pytest(*QUICK).status == 0
    connection = sqlite3.connect(workspace.folder / "reports" / "history.sqlite", isolation_level=None)
    connection.execute("UPDATE session SET provenance = json_set(provenance, '$.run', json('[1]'))")
    connection.close()
    done = workspace.pytest(*QUICK)
    assert done.status == 1
    assert "not written: not a history, or a damaged one: " in done.output
    assert "written: report/results.json" in done.output
    assert "Traceback" not in done.output


FAULTY = """
import harness.trendreport


def read_trends(*arguments, **options):
    raise ZeroDivisionError("a fault of ours")


harness.trendreport.read_trends = read_trends
"""


def test_a_fault_of_the_page_costs_the_page_alone(workspace):
    (workspace.folder / "conftest.py").write_text(FAULTY, encoding="utf-8")
    done = workspace.pytest(*QUICK)
    assert done.status == 1
    assert "not written: the trend report cannot be made: ZeroDivisionError; harness report says more" in done.output
    assert "written: report/results.json" in done.output
    assert "Traceback" not in done.output


def test_what_the_history_could_not_keep_stands_in_no_page(workspace):
    assert workspace.pytest(*QUICK).status == 0
    history = workspace.folder / "reports" / "history.sqlite"
    connection = sqlite3.connect(history, isolation_level=None)
    connection.execute("CREATE TRIGGER full BEFORE INSERT ON session BEGIN SELECT RAISE(FAIL, 'no room'); END")
    connection.close()
    done = workspace.pytest(*QUICK)
    assert done.status == 1
    assert "no room" in done.output
    assert "the trends lack this run and are not written" in done.output
    assert done.results()["cases"]
    assert not (done.report / "trends.html").exists()


def test_the_page_never_takes_the_place_of_the_history(workspace):
    done = workspace.pytest(*QUICK, f"--history={workspace.folder / 'report' / 'trends.html'}")
    assert done.status == 1
    assert "would take the place of the history" in done.output
    assert (done.report / "trends.html").read_bytes().startswith(b"SQLite format 3")


def test_a_history_of_a_newer_schema_is_said_once_and_costs_no_results(workspace):
    history = workspace.folder / "reports" / "history.sqlite"
    history.parent.mkdir()
    connection = sqlite3.connect(history)
    connection.execute("CREATE TABLE history_version (version_num VARCHAR)")
    connection.execute("INSERT INTO history_version VALUES ('99')")
    connection.commit()
    connection.close()
    done = workspace.pytest(*QUICK)
    assert done.status == 1
    assert done.output.count("the history has schema version 99") == 1
    assert done.results()["cases"]
    assert "Traceback" not in done.output
