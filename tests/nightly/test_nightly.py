"""`harness nightly`: healthy boards only, the strict policy, resume, one exit code, and a chat that is told."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.errors import BusyError
from harness.fleet.boardresult import BoardResult, status_of, summary_lines
from harness.fleet.boards import Board
from harness.fleet.healthcheck import check_boards
from harness.fleet.nightfolder import Asked, held, interrupted_night, keep_asked, new_folder
from harness.fleet.webhook import message
from harness.report.casejournal import CaseJournalWriter
from tests.nightly.journals import HEADER, TESTS, journal_with, phase
from tests.nightly.junitfiles import counts
from tests.nightly.killing import LIMIT_S, finished, killed_when, start, wait_for
from tests.nightly.test_webhook import SECRET, Chat, chat
from tests.workspace import Workspace

__all__ = ["chat"]
ASKED = Asked(devices="simulated", arguments=("-k", "x"), history="", commit="abc", at_s=1_000_000.0)
QUESTIONS = ("--history=h.sqlite", "--", "--plan=smoke", "-k", "peak or alive")


def nights(workspace: Workspace) -> list[Path]:
    return sorted((workspace.folder / "reports" / "nightly").iterdir())


def result(label: str, *classes: str, sentence: str = "") -> BoardResult:
    return BoardResult(board=Board(label=label, device=label), folder=Path(label), status=0, classes=classes,
                       tests={}, sentence=sentence)  # fmt: skip


def test_a_night_is_told_to_the_chat_with_its_first_red_sentence(workspace, chat: Chat, monkeypatch):
    workspace.add_simulated(infer_ms=70.0)
    monkeypatch.setenv("DMS_WEBHOOK", chat.url)
    for name in ("GITHUB_SERVER_URL", "CI_JOB_URL", "DMS_REPORT_URL", "BUILD_URL"):
        monkeypatch.delenv(name, raising=False)
    done = workspace.harness("nightly", "--device=simulated", "--history=none", "--", "-k", "p99 and fp32")
    assert done.status == 1, done.output
    ((_, _, told),) = chat.told
    (night,) = nights(workspace)
    lines = told["text"].splitlines()
    assert lines[0] == "harness nightly: ended with status 1"
    assert lines[1].startswith("simulated: FAIL: simulated/eyes/fp32/simulated frame_p99_ms: frame P99 7")
    assert lines[2:] == ["1 board: 1 FAIL", f"report: {night}"]
    assert SECRET not in done.output
    kept = [one for one in night.rglob("*") if one.is_file() and SECRET.encode() in one.read_bytes()]
    assert kept == []


def test_what_is_no_address_ends_the_night_before_it_begins(workspace):
    done = workspace.harness("nightly", "--device=simulated", "--webhook=file:///etc/passwd")
    assert done.status == 4
    assert "passwd" not in done.output
    assert not (workspace.folder / "reports" / "nightly").exists()


def test_the_policy_is_strict_the_quarantine_holds_and_a_chat_that_refuses_is_a_warning(workspace, chat: Chat):
    workspace.add_simulated()
    added = workspace.harness("quarantine", "add", "simulated/eyes/fp32/*", "--owner=ann", "--reason=x", "--days=3")
    assert added.status == 0
    # Under the plan smoke no speed is judged, which the strict policy does not take for a pass.
    chat.status = 500
    done = workspace.harness(
        "nightly", "--device=simulated", "--history=none", f"--webhook={chat.url}", "--", "-k", "p99", "--plan=smoke"
    )
    assert done.status == 1, done.output
    assert "warning: the webhook http://127.0.0.1/*** was not told: it answered 500" in done.output
    assert SECRET not in done.output
    assert "simulated: FAIL (1 FAIL, 1 quarantined): INCONCLUSIVE: simulated/eyes/int8/simulated" in done.output


def test_a_night_that_was_killed_is_gone_on_with_by_itself(workspace):
    workspace.add_simulated()
    words = ("harness.cli", "nightly", "--device=simulated", *QUESTIONS)
    root = workspace.folder / "reports" / "nightly"
    killed_when(start(workspace, *words), lambda: any(finished(one.parent) for one in root.glob("*/*/cases.journal")))
    (night,) = nights(workspace)
    before = finished(night / "simulated")
    done = workspace.harness(*words[1:])
    assert done.status == 0, done.output
    assert "was cut off: it is gone on with" in done.output
    assert nights(workspace) == [night]
    assert counts(night / "simulated" / "junit.xml") == {"tests": 4, "errors": 0, "failures": 0, "skipped": 0}
    log = (night / "simulated" / "pytest.log").read_text()
    assert f"resumed: {len(before)} of 2 cases were finished before" in log


def test_a_sick_board_is_not_used_and_the_others_are(workspace):
    workspace.add_simulated()
    devices = workspace.folder / "devices"
    text = (devices / "simulated.toml").read_text(encoding="utf-8")
    (devices / "well.toml").write_text(text, encoding="utf-8")
    sick = text.replace('transport = "local"', 'transport = "ssh"\naddress = "nobody@127.0.0.1"')
    (devices / "sick.toml").write_text(sick.replace("[facts]", "[board]\nport = 1\n[facts]"), encoding="utf-8")
    done = workspace.harness(
        "nightly", "--devices=well,sick", "--history=none", "--", "--plan=smoke", "-k", "peak and fp32"
    )
    assert done.status in (4, 6), done.output
    assert "sick: " in done.output
    assert "not used, its health check failed" in done.output
    assert "well: PASS (1 PASS)" in done.output
    (night,) = nights(workspace)
    assert not (night / "sick").exists()


def test_a_board_that_never_answers_costs_bounded_time(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    (checked,) = check_boards([Board(label="simulated", device="simulated")], deadline_s=0.05)
    assert (checked.failure_class, checked.sentence) == ("INFRA", "no answer of the board within 0.05 s")


def checks_below(pid: int) -> list[psutil.Process]:
    """Its health checks; it starts other programs too, which are over at once."""
    found = []
    for one in psutil.Process(pid).children():
        with contextlib.suppress(psutil.Error):
            found += [one] if "harness.cli" in one.cmdline() else []
    return found


def test_a_night_that_is_ended_during_the_health_check_leaves_no_process_behind(workspace):
    workspace.add_simulated()
    process = start(workspace, "harness.cli", "nightly", "--device=simulated", "--history=none")
    below: list[psutil.Process] = []
    wait_for(lambda: below.extend(checks_below(process.pid)) or below or process.poll() is not None)
    assert below
    process.terminate()
    assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
    assert "ended by SIGTERM" in (workspace.folder / "said.txt").read_text()
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, True),
        ({"at_s": ASKED.at_s + 23 * 3600}, True),
        ({"at_s": ASKED.at_s + 25 * 3600}, False),
        ({"at_s": ASKED.at_s - 10}, False),
        ({"commit": "abd"}, False),
        ({"devices": "host"}, False),
        ({"arguments": ()}, False),
        ({"history": "other"}, False),
    ],
)
def test_only_the_same_night_of_the_last_day_is_gone_on_with(tmp_path, change, found):
    folder = new_folder(ASKED.at_s, tmp_path)
    keep_asked(ASKED, folder)
    journal_with(folder / "simulated")
    assert (interrupted_night(replace(ASKED, **change), tmp_path) == folder) == found


def test_a_night_that_is_over_is_not_gone_on_with(tmp_path):
    keep_asked(ASKED, tmp_path / "1")
    folder = tmp_path / "1" / "simulated"
    journal_with(folder, begun=0)
    assert interrupted_night(ASKED, tmp_path) == tmp_path / "1"
    writer = CaseJournalWriter(folder, HEADER)
    for test in TESTS:
        writer.begin(test)
        for when in ("setup", "call", "teardown"):
            writer.report(test, phase(when))
    assert interrupted_night(ASKED, tmp_path) is None


def test_a_tree_with_changes_is_never_gone_on_with(tmp_path):
    dirty = replace(ASKED, commit="abc+")
    keep_asked(dirty, tmp_path / "1")
    journal_with(tmp_path / "1" / "simulated")
    assert interrupted_night(dirty, tmp_path) is None


def test_two_nights_of_one_second_have_folders_of_their_own(tmp_path):
    folders = [new_folder(ASKED.at_s, tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(one.is_dir() for one in folders)


def test_a_night_that_still_runs_is_not_gone_on_with(tmp_path):
    folder = new_folder(ASKED.at_s, tmp_path)
    keep_asked(ASKED, folder)
    journal_with(folder / "simulated")
    with held(folder):
        assert interrupted_night(ASKED, tmp_path) is None
        with pytest.raises(BusyError, match="still running"), held(folder):
            pass
    assert interrupted_night(ASKED, tmp_path) == folder


def test_the_night_of_another_board_beside_it_changes_nothing(tmp_path):
    folder = new_folder(ASKED.at_s, tmp_path)
    keep_asked(ASKED, folder)
    journal_with(folder / "simulated")
    keep_asked(replace(ASKED, devices="another"), new_folder(ASKED.at_s + 60, tmp_path))
    assert interrupted_night(ASKED, tmp_path) == folder


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume=nowhere"], "no night that can be resumed"),
        (["--retry=3"], "--retry 3: from 0 to 2"),
        (["--device=nope"], "no device called 'nope'"),
        (["--device=simulated", "--history=mysql://x/y"], "no kind of database called 'mysql'"),
        (["--device=simulated", "--history=postgresql://me:hush@db/x"], "set PGPASSWORD or write ~/.pgpass"),
    ],
)
def test_a_wrong_night_is_refused_before_any_board_is_touched(workspace, arguments, said):
    done = workspace.harness("nightly", *arguments)
    assert done.status == 4, done.output
    assert said in done.output
    assert "hush" not in done.output
    assert not (workspace.folder / "reports" / "nightly").exists()


def test_the_summary_counts_boards_and_tells_the_red_ones_first():
    results = [result("a", "PASS"), result("b", "FAIL", "PASS", sentence="too slow"), result("c")]
    lines = summary_lines(results)
    assert lines[0] == "3 boards: 1 PASS, 1 FAIL, 1 NOTHING"
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["b", "c", "a"]
    assert status_of(results) == 1
    assert status_of([results[0]], interrupted=True) == 2
    told = message("harness nightly", results, 1, lines, "here")
    assert told.splitlines() == ["harness nightly: ended with status 1", "b: too slow", lines[0], "report: here"]


def test_junit_is_rebuilt_by_the_command(workspace):
    folder = workspace.folder / "report"
    journal_with(folder, phase("setup"), phase("call"), phase("teardown"), begun=2)
    said = workspace.harness("junit", "report")
    assert said.status == 0, said.output
    assert "written: report/junit.xml: 1 of 2 tests are over, 1 aborted" in said.output
    assert counts(folder / "junit.xml") == {"tests": 2, "errors": 1, "failures": 0, "skipped": 0}
    assert workspace.harness("junit", "nowhere").status == 4
