"""Several boards side by side, one pytest process each, into one history and one exit code."""

from __future__ import annotations

import itertools
import json
import os
import signal
from dataclasses import replace

import psutil
import pytest

from harness.errors import ConfigError
from harness.fleet.boardprocess import check_retries, worth_another_try
from harness.fleet.boardresult import BoardResult
from harness.fleet.boards import Board, boards_of
from harness.history import open_history
from harness.report.casejournal import CaseJournalWriter
from tests.nightly.journals import HEADER, journal_with, phase
from tests.nightly.junitfiles import counts, outcomes
from tests.nightly.killing import start, wait_for
from tests.workspace import Workspace

LABGRID = """
transport = "labgrid"
simulated = true
[runtimes.simulated]
[board]
tags = {{ board = "{board}", site = "{site}" }}
"""


def add_boards(workspace: Workspace, *names: str) -> None:
    """Further simulated devices of this machine."""
    text = (workspace.folder / "devices" / "simulated.toml").read_text(encoding="utf-8")
    for name in names:
        (workspace.folder / "devices" / f"{name}.toml").write_text(text, encoding="utf-8")


def fleet_json(workspace: Workspace) -> dict:
    return json.loads((workspace.folder / "out" / "fleet.json").read_text(encoding="utf-8"))


def classes(workspace: Workspace) -> dict[str, str]:
    return {one["board"]: one["class"] for one in fleet_json(workspace)["boards"]}


@pytest.fixture
def lab(workspace: Workspace) -> Workspace:
    for name, board, site in (("orin", "orin", "oslo"), ("nano", "nano", "oslo")):
        path = workspace.folder / "devices" / f"{name}.toml"
        path.write_text(LABGRID.format(board=board, site=site), encoding="utf-8")
    return workspace


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("simulated", ["simulated"]),
        ("simulated, host", ["simulated", "host"]),
        ("tag=orin", ["orin"]),
        ("tag=orin,count=2", ["orin-1", "orin-2"]),
        ("tag=board:nano,count=3", ["nano-1", "nano-2", "nano-3"]),
        ("orin,orin", ["orin-1", "orin-2"]),
    ],
)
def test_boards_are_named_or_counted_by_a_tag(lab, text, labels):
    assert [one.label for one in boards_of(text, lab.folder / "devices")] == labels


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no device is named"),
        (" , ", "no device is named"),
        ("simulatd", "did you mean 'simulated'"),
        ("tag=orn", "no tag called 'orn'"),
        ("tag=oslo", "several profiles have the tag 'oslo': nano, orin"),
        ("tag=orin,count=0", "count=0"),
        ("tag=orin,count=-1", "count=-1"),
        ("tag=orin,count=201", "count=201"),
        ("tag=orin,count=two", "count=two"),
        ("tag=orin,cuont=2", "did you mean 'count'"),
        ("simulated,tag=orin", "mixes names and tags"),
        ("simulated,simulated", "is one board"),
        ("../../etc/passwd", "no device called"),
    ],
)
def test_what_names_no_board_is_said(lab, text, said):
    with pytest.raises(ConfigError, match=said):
        boards_of(text, lab.folder / "devices")


@pytest.mark.parametrize("count", [-1, 3])
def test_more_than_two_retries_are_refused(count):
    with pytest.raises(ConfigError):
        check_retries(count)


@pytest.mark.parametrize(
    ("commit", "classes", "again"),
    [
        ("abc", ("INFRA", "PASS"), True),
        ("abc", ("BUSY",), True),
        ("abc", ("FAIL", "INFRA"), True),
        ("abc", ("FAIL", "PASS"), False),
        ("abc", ("PASS",), False),
        ("abc+", ("INFRA",), True),
        ("abc+", ("INFRA", "PASS"), False),
        ("abc+", ("FAIL", "INFRA"), False),
    ],
)
def test_a_board_is_tried_again_only_where_no_fail_would_be_measured_anew(tmp_path, commit, classes, again):
    CaseJournalWriter(tmp_path, replace(HEADER, commit=commit))
    result = BoardResult(board=Board(label="b", device="b"), folder=tmp_path, status=1, classes=classes, tests={})
    assert worth_another_try(result) == again


def test_a_board_whose_process_never_began_a_test_is_tried_again(tmp_path):
    result = BoardResult(board=Board(label="b", device="b"), folder=tmp_path, status=6, classes=("INFRA",), tests={})
    assert worth_another_try(result)


def test_a_wrong_configuration_is_told_and_nothing_of_what_an_earlier_run_left_in_the_folder(workspace):
    workspace.add_simulated()
    folder = workspace.folder / "out" / "simulated"
    journal_with(folder, phase("setup"), phase("call"), phase("teardown"), begun=2)
    (folder / "junit.xml").write_text("old")
    done = workspace.harness("fleet", "run", "--devices=simulated", "--report=out", "--", "--models=nope")
    assert done.status == 4, done.output
    assert "no model called" in done.output
    assert fleet_json(workspace)["boards"][0]["tests"] == {}
    assert (folder / "junit.xml").read_text() != "old"


def test_four_boards_meet_in_one_history_one_report_and_one_status(workspace):
    workspace.add_simulated()
    boards = ("b1", "b2", "b3", "b4")
    add_boards(workspace, *boards)
    done = workspace.harness(
        "fleet", "run", f"--devices={','.join(boards)}", "--report=out", "--history=h.sqlite", "--",
        "--plan=smoke", "-k", "peak",
    )  # fmt: skip
    assert done.status == 0, done.output
    assert "4 boards: 4 PASS" in done.output
    assert classes(workspace) == dict.fromkeys(boards, "PASS")
    for board in boards:
        folder = workspace.folder / "out" / board
        assert counts(folder / "junit.xml")["tests"] == 2
        assert "2 passed" in (folder / "pytest.log").read_text(encoding="utf-8")
        assert not list(folder.glob("*.html"))
    with open_history(workspace.folder / "h.sqlite") as history:
        assert history.check() == []
        keys = sorted(one.case.key for one in history.sessions())
    assert keys == [f"{board}/eyes/{variant}/simulated" for board in boards for variant in ("fp32", "int8")]
    assert len(list((workspace.folder / "out").glob("*.html"))) == 1


def test_a_board_that_dies_is_tried_again_does_not_stop_the_others_and_the_worst_decides(workspace):
    workspace.add_simulated()
    workspace.add_suite(
        "test_own.py",
        "import os\n"
        "import signal\n"
        "def test_own(case, measurement, device):\n"
        "    if device.name == 'dies':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    assert device.name != 'fails', 'too slow here'\n",
    )
    add_boards(workspace, "good", "dies", "fails")
    (workspace.folder / "devices" / "wrong.toml").write_text("simulated = 3\n")
    done = workspace.harness(
        "fleet", "run", "--devices=good,dies,fails", "--report=out", "--history=none", "--retry=1", "--",
        "-k", "own and fp32",
    )  # fmt: skip
    assert done.status == 1, done.output
    assert classes(workspace) == {"good": "PASS", "dies": "INFRA", "fails": "FAIL"}
    assert outcomes(workspace.folder / "out" / "dies" / "junit.xml") == {"test_own[dies/eyes/fp32/simulated]": "error"}
    assert "fails: FAIL (1 FAIL): AssertionError: too slow here" in done.output
    assert "dies: INFRA (1 aborted, attempt 2)" in done.output
    attempts = {one["board"]: one["attempts"] for one in fleet_json(workspace)["boards"]}
    assert attempts == {"good": 1, "dies": 2, "fails": 1}
    assert workspace.harness("fleet", "run", "--devices=good,wrong").status == 4


def test_nothing_measured_is_red(workspace):
    workspace.add_simulated()
    done = workspace.harness("fleet", "run", "--devices=simulated", "--report=out", "--", "-k", "no_such_test")
    assert done.status == 5, done.output
    assert classes(workspace) == {"simulated": "NOTHING"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ending_the_fleet_leaves_no_process_behind(workspace, number):
    workspace.add_simulated(fault="hang", fault_at=30)
    add_boards(workspace, "b1", "b2")
    process = start(workspace, "harness.cli", "fleet", "run", "--devices=b1,b2", "--report=out", "--history=none", "--",
                    "-k", "p99 and fp32")  # fmt: skip
    reports = [workspace.folder / "out" / name / "cases.journal" for name in ("b1", "b2")]
    wait_for(lambda: all(one.is_file() for one in reports) or process.poll() is not None)
    below = psutil.Process(process.pid).children(recursive=True)
    assert len(below) >= 2
    process.send_signal(number)
    process.wait()
    wait_for(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below))
    if number == signal.SIGTERM:
        assert "interrupted" in (workspace.folder / "said.txt").read_text()
        assert fleet_json(workspace)["status"] in (1, 2)


WHEN = """
import os, pathlib, time
def pytest_collection_finish(session):
    ticks = int(pathlib.Path('/proc/self/stat').read_text().rpartition(')')[2].split()[19])
    now_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    name = session.config.getoption('--device') + '.when'
    pathlib.Path(name).write_text(f"{ticks / os.sysconf('SC_CLK_TCK')} {now_s}")
"""


def test_no_more_processes_start_at_once_than_there_are_cores(workspace):
    workspace.add_simulated()
    add_boards(workspace, "b1", "b2", "b3")
    workspace.add_suite("conftest.py", WHEN)
    process = start(workspace, "harness.cli", "fleet", "run", "--devices=b1,b2,b3", "--report=out", "--history=none",
                    "--", "--plan=smoke", "-k", "alive and fp32")  # fmt: skip
    os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
    assert process.wait(100) == 0, (workspace.folder / "said.txt").read_text()
    spans = sorted(tuple(map(float, one.read_text().split())) for one in workspace.folder.glob("*.when"))
    assert len(spans) == 3
    assert all(ready <= born for (_, ready), (born, _) in itertools.pairwise(spans))
