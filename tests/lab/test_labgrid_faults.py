"""What becomes of a run when a part of labgrid fails beside it: labgrid lends the board, and carries nothing."""

from __future__ import annotations

import pytest

from harness.errors import InfraError, failure_class
from harness.labgridclient.reaping import reap
from tests.lab.client import outcome, start
from tests.lab.measuring import Desk, is_measuring, meanwhile, nothing_left
from tests.lab.processes import wait_until

HOLDING_S = 60.0


@pytest.fixture
def desk(tmp_path, board, labgrid):
    return Desk(
        tmp_path / "desk", board, "labgrid", place="bench", coordinator=labgrid.address, wait_s=5,
        identity_file=str(board.lab.key),
    )  # fmt: skip


def refused(desk, job, elapsed) -> InfraError:
    """The next run is INFRA's, and says so in time."""
    begun_s = elapsed()
    with pytest.raises(InfraError) as error:
        desk.measure(job, "refused")
    assert failure_class(error.value) == "INFRA"
    assert elapsed() - begun_s < HOLDING_S
    return error.value


def test_a_place_is_held_for_a_run_and_free_after_it(desk, labgrid, timed):
    held = []
    with meanwhile(desk.board, lambda: held.append(labgrid.place("bench").holder)):
        run = desk.measure(job := timed(3))
    assert len(run.frame_ns) == job.plan.frames
    assert held[0]
    assert not labgrid.place("bench").holder
    nothing_left(desk.board)


def test_a_killed_coordinator_costs_a_run_nothing_and_the_next_one_its_board(desk, labgrid, timed, elapsed):
    with meanwhile(desk.board, lambda: labgrid.kill("coordinator")):
        run = desk.measure(job := timed(6))
    assert len(run.frame_ns) == job.plan.frames
    assert not desk.notes
    nothing_left(desk.board)
    refused(desk, timed(1), elapsed)


def test_a_coordinator_that_starts_anew_costs_a_run_nothing(desk, labgrid, timed):
    def restart() -> None:
        labgrid.kill("coordinator")
        labgrid.start_coordinator()

    with meanwhile(desk.board, restart):
        run = desk.measure(job := timed(8))
    assert len(run.frame_ns) == job.plan.frames
    assert not desk.notes
    nothing_left(desk.board)


def test_an_exporter_that_goes_costs_a_run_nothing_and_the_next_one_its_board(desk, labgrid, timed, elapsed):
    with meanwhile(desk.board, lambda: labgrid.kill("exp")):
        run = desk.measure(job := timed(6))
    assert len(run.frame_ns) == job.plan.frames
    nothing_left(desk.board)
    assert "bench" in refused(desk, timed(1), elapsed).sentence


def test_a_second_job_waits_and_is_told_who_holds_the_place(desk, tmp_path, labgrid, timed, elapsed):
    first = start(desk.folder, job := timed(15), "first")
    wait_until(lambda: is_measuring(desk.board), "the first one measures", 60)
    second = Desk(tmp_path / "second", desk.board, "labgrid", place="bench", coordinator=labgrid.address, wait_s=3)
    refused(second, timed(1), elapsed)
    assert outcome(first) == f"{job.plan.frames} frames"
    nothing_left(desk.board)


def test_what_a_killed_job_holds_is_freed_by_the_reaper(desk, tmp_path, labgrid, timed):
    client = start(desk.folder, timed(5), "killed")
    wait_until(lambda: is_measuring(desk.board), "it measures", 60)
    client.kill()
    client.communicate()
    assert labgrid.place("bench").holder
    assert reap(labgrid.address)
    assert not labgrid.place("bench").holder
    nothing_left(desk.board, 60)
