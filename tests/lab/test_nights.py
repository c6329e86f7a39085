"""A night on fake boards: through the wire, held by somebody else, dying in the middle, and gone on with."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import psutil
import pytest

from harness.history import open_history
from tests.lab.client import outcome, start
from tests.lab.measuring import Desk, is_measuring, journals, meanwhile, nothing_left, write_device
from tests.lab.processes import wait_until
from tests.nightly import killing
from tests.nightly.junitfiles import counts, outcomes
from tests.workspace import Workspace

HISTORY = "h.sqlite"
NIGHT = ("nightly", "--device=bench", f"--history={HISTORY}")
QUESTIONS = ("--", "--plan=smoke", "-k", "alive")
CASES = {f"bench/eyes/{variant}/simulated" for variant in ("fp32", "int8")}


@pytest.fixture
def workspace(tmp_path, board):
    """A repository whose device `bench` is the fake board."""
    made = Workspace(tmp_path / "repository")
    made.add_simulated()
    asked = {"identity_file": str(board.lab.key), "min_free_mib": 0, "lost_s": 20, "lease_s": 0.5}
    write_device(made.folder / "devices" / "bench.toml", "ssh", board.address, asked)
    (made.folder / "devices" / "known_hosts").write_text(board.known_hosts)
    return made


def in_real_time(workspace: Workspace, frame_ms: float) -> None:
    """Frames take so long, idle for most of it."""
    for path in workspace.models.glob("*/*.sim"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "infer_ms": frame_ms}))
    workspace.rewrite("devices/bench.toml", "seed = 1", "seed = 1\nreal_time = true")


def night_of(workspace: Workspace) -> Path:
    """The report of `bench` in the one night that there was."""
    (found,) = (workspace.folder / "reports" / "nightly").iterdir()
    return found / "bench"


def kept(workspace: Workspace) -> dict[str, int]:
    """How many sessions of each case the history holds."""
    with open_history(workspace.folder / HISTORY) as history:
        assert history.check() == []
        return {case.key: len(history.sessions(case)) for case in history.cases()}


def test_a_night_on_a_healthy_board_is_green_and_all_of_it_is_kept(workspace, board):
    done = workspace.harness(*NIGHT, *QUESTIONS)
    assert done.status == 0, done.output
    assert "bench: PASS (2 PASS)" in done.output
    report = night_of(workspace)
    assert counts(report / "junit.xml") == {"tests": 2, "errors": 0, "failures": 0, "skipped": 0}
    results = json.loads((report / "results.json").read_text())["cases"]
    assert {one["key"]: one["status"] for one in results} == dict.fromkeys(CASES, "measured")
    assert kept(workspace) == dict.fromkeys(CASES, 1)
    assert len(list(report.parent.glob("*.html"))) == 1
    nothing_left(board)
    assert not journals(board)


def test_a_night_on_a_board_that_somebody_else_holds_says_who_and_harms_nobody(workspace, board, timed, tmp_path):
    desk = Desk(tmp_path / "desk", board)
    first = start(desk.folder, job := timed(10), "first", LOGNAME="ann")
    wait_until(lambda: is_measuring(board), "she measures", 60)
    done = workspace.harness(*NIGHT, *QUESTIONS)
    assert done.status == 75, done.output
    (line,) = (one for one in done.output.splitlines() if one.startswith("  bench: BUSY"))
    assert "busy: ann@" in line
    assert ", since 20" in line
    assert not (workspace.folder / HISTORY).exists()
    assert outcome(first) == f"{job.plan.frames} frames"
    nothing_left(board)


def test_a_night_whose_board_dies_is_the_labs_fault(workspace, board):
    in_real_time(workspace, 25)
    workspace.rewrite("devices/bench.toml", "lost_s = 20", "lost_s = 4")
    with meanwhile(board, board.power_off):
        done = workspace.harness(*NIGHT, *QUESTIONS)
    assert done.status == 6, done.output
    report = night_of(workspace)
    assert set(outcomes(report / "junit.xml").values()) == {"error"}
    assert "INFRA" in (report / "junit.xml").read_text()
    assert "bench: INFRA (2 INFRA): " in done.output
    assert not kept(workspace)


def test_a_night_whose_tests_are_killed_is_gone_on_with_and_repeats_no_finished_case(workspace, board):
    in_real_time(workspace, 25)
    night = killing.start(workspace, "harness.cli", *NIGHT, *QUESTIONS)
    killing.wait_for(lambda: list((workspace.folder / "reports").glob("nightly/*/bench/finished/*.npz")))
    wait_until(lambda: is_measuring(board), "the second case is measured", 60)
    (tests,) = (one for one in psutil.Process(night.pid).children() if "pytest" in one.cmdline())
    tests.send_signal(signal.SIGKILL)
    assert night.wait(60) == 6, (workspace.folder / "said.txt").read_text()
    report = night_of(workspace)
    assert sorted(outcomes(report / "junit.xml").values()) == ["error", "passed"]
    (before,) = (report / "finished").glob("*.npz")
    content = before.read_bytes()
    nothing_left(board, 30)  # the worker goes on to its end

    done = workspace.harness(*NIGHT, f"--resume={report.parent}", *QUESTIONS)
    assert done.status == 0, done.output
    assert "resumed: 1 of 2 cases were finished before" in (report / "pytest.log").read_text()
    assert counts(report / "junit.xml") == {"tests": 2, "errors": 0, "failures": 0, "skipped": 0}
    assert before.read_bytes() == content
    assert kept(workspace) == dict.fromkeys(CASES, 1)
    nothing_left(board)
