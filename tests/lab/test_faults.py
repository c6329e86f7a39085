"""The fault table: what is done to a board in the middle of a run, and what the one who measures is told.

Times are bounds of the protocol, for a machine that has other things to do. A run of this file takes some minutes.
"""

from __future__ import annotations

import itertools
import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.board import attempts
from harness.errors import (
    BusyError,
    CutShortError,
    DiskError,
    HostKeyError,
    InfraError,
    RebootedError,
    UnreachableError,
    WorkerError,
    failure_class,
)
from harness.journal import read_lines
from tests.lab.boards import WORKER
from tests.lab.client import outcome, start
from tests.lab.measuring import Desk, is_measuring, journals, meanwhile, nothing_left
from tests.lab.processes import wait_until

PYTHON = f"""#!/bin/sh
case "$*" in *{WORKER}\\ /*) echo its last words >&2; exit 255 ;; esac
exec {sys.executable} "$@"
"""


def held(path: Path) -> bytes:
    """A journal up to the end of its last whole line."""
    content = path.read_bytes()
    return content[: read_lines(content).length]


def frames_or_busy(desk, job):
    """How many frames were measured; none where the board is somebody else's still."""
    try:
        return len(desk.measure(job).frame_ns)
    except BusyError:
        return 0


def test_nothing_happens(desk, timed):
    run = desk.measure(job := timed(3))
    assert len(run.frame_ns) == job.plan.frames
    assert not desk.notes
    kinds = [one["kind"] for one in desk.kept().records]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    assert desk.kept().damaged == 0
    nothing_left(desk.board)
    assert not journals(desk.board), "the run's folder is removed"


def test_twelve_seconds_without_a_link_cost_the_run_nothing(desk, timed):
    def unplug() -> None:
        desk.board.link_down()
        time.sleep(12)
        desk.board.link_up()

    with meanwhile(desk.board, unplug):
        run = desk.measure(job := timed(18))
    assert len(run.frame_ns) == job.plan.frames
    assert np.diff(run.start_ns).max() < 6e9, "no frame waited for the link"
    assert not desk.notes, "nothing was done twice"
    nothing_left(desk.board)


def test_a_link_that_is_lost_for_good_is_unreachable(tmp_path, board, timed, elapsed):
    desk = Desk(tmp_path / "desk", board, lost_s=8)
    with pytest.raises(UnreachableError), meanwhile(board, board.link_down):
        desk.measure(timed(600, deadline_s=2))
    assert elapsed() < 8 + 90
    board.link_up()
    nothing_left(board, 60)  # the worker ends at its own deadline, 20 times that of a frame
    assert len(Desk(tmp_path / "later", board).measure(timed(1)).frame_ns) == 50


def test_a_frozen_board_is_unreachable(tmp_path, board, timed, elapsed):
    desk = Desk(tmp_path / "desk", board, lost_s=8)
    with pytest.raises(UnreachableError), meanwhile(board, board.freeze):
        desk.measure(timed(600, deadline_s=2))
    assert elapsed() < 8 + 120
    board.thaw()
    nothing_left(board, 60)


def test_a_reboot_is_told_and_its_records_are_saved(tmp_path, make_board, timed):
    board, before = make_board(size_bytes=0), []

    def reboot() -> None:
        board.power_off()
        before.extend((board.folder / "disk" / "runs").glob("*/journal"))
        before[:] = [path.read_bytes() for path in before]
        board.power_on()

    desk = Desk(tmp_path / "desk", board)
    with meanwhile(board, reboot):
        run = desk.measure(job := timed(8))
    assert len(run.frame_ns) == job.plan.frames, "the second attempt is whole"
    (note,) = desk.notes
    assert "started anew" in note
    (lost,) = before
    saved = (desk.results / "run.attempt-1" / "journal").read_bytes()
    assert saved == lost, "all that was on the board's disk is here, and nothing else"
    assert any(one["kind"] == "frames" for one in read_lines(saved).records)
    nothing_left(board)


def test_a_board_that_reboots_again_and_again_is_marked_bad(desk, timed, elapsed):
    def reboot_thrice() -> None:
        for _ in range(3):
            wait_until(lambda: is_measuring(desk.board), "the worker measures", 90)
            desk.board.power_cycle()

    with pytest.raises(RebootedError), meanwhile(desk.board, reboot_thrice):
        desk.measure(timed(60))
    assert len(desk.notes) == 2
    assert elapsed() < 180
    desk.board.power_off()
    with pytest.raises(InfraError, match=r"is marked bad since .* after: .*started anew"):
        desk.measure(timed(1))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (signal.SIGSTOP, "no sign of progress within its deadline of 6 s"),
        (signal.SIGKILL, "SIGKILL"),
    ],
    ids=["hung", "killed"],
)
def test_a_worker_that_stops_is_the_models_fault(desk, timed, elapsed, fault, said):
    before = []

    def act() -> None:
        assert desk.board.signal_workers(fault)
        before.extend(held(path) for path in journals(desk.board))

    with pytest.raises(WorkerError, match=said) as error, meanwhile(desk.board, act):
        desk.measure(timed(60, deadline_s=6))
    assert failure_class(error.value) == "DUT"
    assert elapsed() < 60
    assert not desk.notes, "it is not tried again"
    assert [held(desk.results / "run" / "journal")] == before, "every record that was on disk, and no other"
    nothing_left(desk.board)


def test_a_worker_over_its_deadline_is_the_models_fault(desk, timed, elapsed):
    with pytest.raises(WorkerError, match="deadline of 20 s") as error:
        desk.measure(timed(600, deadline_s=1))
    assert failure_class(error.value) == "DUT"
    assert 20 <= elapsed() < 90
    nothing_left(desk.board)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("crash", WorkerError, "SIGABRT"),
        ("out_of_memory", WorkerError, "out of memory"),
        ("fail_at_run", WorkerError, "fails at this frame"),
        ("vanish", CutShortError, "without its last record"),
    ],
)
def test_an_engine_that_fails_is_told_from_a_board_that_does(desk, make_job, fault, kind, said):
    with pytest.raises(kind, match=said):
        desk.measure(make_job({"fault": fault, "fault_at": 30}))
    nothing_left(desk.board)


def test_a_program_that_exits_with_255_is_no_broken_link(tmp_path, board, make_job):
    python = board.folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    desk = Desk(tmp_path / "desk", board)
    profile = desk.devices / "board1.toml"
    profile.write_text(profile.read_text().replace(f'"{sys.executable}"', '"/run/board/python"'))
    with pytest.raises(WorkerError, match=r"255.*its last words") as error:
        desk.measure(make_job())
    assert failure_class(error.value) == "DUT"
    assert not desk.notes


def test_a_disk_is_full_at_every_record(tmp_path, board, make_job, monkeypatch):
    monkeypatch.setattr(attempts, "AGAIN", 0)  # it would be as full the second time
    job, whole = make_job(), []
    Desk(tmp_path / "first", board).measure(job)  # code and files are there
    for pages in itertools.count():
        assert pages < 200
        board.leave_free(pages * 4096)
        desk = Desk(tmp_path / f"desk-{pages}", board)
        try:
            run = desk.measure(job)
        except DiskError:
            assert not whole
        else:
            assert len(run.frame_ns) == job.plan.frames
            whole.append(pages)
        journal = desk.results / "run" / "journal"
        if journal.exists():
            found = read_lines(journal.read_bytes())
            assert found.damaged <= 1, "at most the record that the disk cut off"
            firsts = [(one["first"], one["count"]) for one in found.records if one["kind"] == "frames"]
            assert all(first == before[0] + before[1] for before, (first, _) in itertools.pairwise(firsts))
        nothing_left(board)
        if len(whole) == 2:
            break
    assert whole[0] > 1, "the disk was full at first"


def test_a_second_user_of_any_name_is_told_who_measures_and_harms_nobody(tmp_path, desk, timed, elapsed):
    first = start(desk.folder, job := timed(15), "first", LOGNAME="ann")
    wait_until(lambda: is_measuring(desk.board), "the first one measures", 60)
    begun_s = elapsed()
    same_name = start(Desk(tmp_path / "same", desk.board).folder, timed(1), "second", LOGNAME="ann")
    with pytest.raises(BusyError, match=r"ann@.*since 20\d\d-"):
        Desk(tmp_path / "other", desk.board).measure(timed(1))
    assert re.match(r"BusyError .*ann@.*since 20\d\d-", outcome(same_name))
    assert elapsed() - begun_s < 30
    assert first.poll() is None
    assert outcome(first) == f"{job.plan.frames} frames"
    nothing_left(desk.board)


def test_a_killed_client_frees_the_board_by_itself(tmp_path, desk, timed, elapsed):
    client = start(desk.folder, timed(8), "killed")
    wait_until(lambda: is_measuring(desk.board), "it measures", 60)
    client.kill()
    client.communicate()
    with pytest.raises(BusyError):
        Desk(tmp_path / "early", desk.board).measure(timed(1))
    nothing_left(desk.board, 60)  # the worker goes on to its end, and writes it down
    late = Desk(tmp_path / "late", desk.board)
    wait_until(lambda: frames_or_busy(late, timed(1)) == 50, "its lease is over, and the next one measures", 60)
    assert elapsed() < 150
    nothing_left(desk.board)


def test_another_host_key_is_another_board(desk, timed, elapsed):
    desk.board.new_host_key()
    desk.board.power_cycle()
    with pytest.raises(HostKeyError) as error:
        desk.measure(timed(1))
    assert failure_class(error.value) == "INFRA"
    assert not desk.notes, "it is not tried again"
    assert elapsed() < 30


def test_another_host_key_in_the_middle_of_a_run_is_told_as_such(desk, timed):
    def exchange() -> None:
        desk.board.new_host_key()
        desk.board.power_cycle()

    with pytest.raises(HostKeyError), meanwhile(desk.board, exchange):
        desk.measure(timed(60))


def test_a_wall_clock_that_jumps_changes_nothing(tmp_path, make_board, timed, clock_library):
    board = make_board(clock=clock_library)
    desk, jumped = Desk(tmp_path / "desk", board), tmp_path / "jump_s"
    first = start(
        desk.folder, job := timed(18), "first", LD_PRELOAD=str(clock_library), DMS_CLOCK_JUMP=str(jumped)
    )  # fmt: skip
    wait_until(lambda: is_measuring(board), "it measures", 60)
    for days in (30, -30):
        board.jump_clock(days * 86400)
        jumped.write_text(str(-days * 86400))
        with pytest.raises(BusyError):
            Desk(tmp_path / f"second{days}", board).measure(timed(1))
    assert outcome(first) == f"{job.plan.frames} frames"
    nothing_left(board)
