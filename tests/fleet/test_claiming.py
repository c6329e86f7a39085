from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from harness.errors import NoBoardError, UnreachableError
from harness.labgridclient.claiming import claimed
from harness.labgridclient.holder import new_holder, read_holder
from harness.labgridclient.places import Wanted, address
from harness.labgridclient.wire import ANSWER_S
from tests.fleet.jobs import dead_holder, holder_of, job
from tests.fleet.labgridlab import SERVICE, until_true

SHORT_S = 0.2


def free(lab) -> bool:
    """Nobody holds anything, and nobody stands in line."""
    with lab.session() as session:
        return not any(one.holder or one.reservation for one in session.lab().places) and not session.reservations()


@pytest.mark.parametrize("wanted", [Wanted(place="b1"), Wanted(tags={"board": "b", "site": "bench"})])
def test_a_claimed_place_is_held_in_the_name_of_this_process_and_free_afterwards(shared_lab, wanted: Wanted) -> None:
    with claimed(shared_lab.address, wanted, wait_s=SHORT_S) as claim:
        assert claim.place.name == "b1"
        assert claim.exporters == ("exp",)
        assert address(claim.lab, claim.place) == "root@127.0.0.1:22"
        assert read_holder(shared_lab.place("b1").holder).pid == os.getpid()
        with shared_lab.session() as session:
            assert not session.reservations()
    assert free(shared_lab)


def test_a_place_is_free_again_after_an_error_in_the_block(shared_lab) -> None:
    with pytest.raises(ValueError, match="planted"), claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S):
        raise ValueError("planted")
    assert free(shared_lab)


def test_tags_that_two_boards_have_give_both_and_then_none(shared_lab) -> None:
    wanted = Wanted(tags={"board": "a"})
    with (
        claimed(shared_lab.address, wanted, wait_s=SHORT_S) as first,
        claimed(shared_lab.address, wanted, wait_s=SHORT_S) as second,
    ):
        assert {first.place.name, second.place.name} == {"a1", "a2"}
        with (
            pytest.raises(NoBoardError, match=r"within 0\.2 s: a1: held by .*; a2: held by .*harness fleet reap"),
            claimed(shared_lab.address, wanted, wait_s=SHORT_S),
        ):
            pass
    assert free(shared_lab)


def test_the_same_user_does_not_get_a_place_twice(shared_lab) -> None:
    me = new_holder()
    with (
        claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S) as claim,
        pytest.raises(NoBoardError, match=f"held by {me.login} on {me.host} .process {os.getpid()}., last changed 20"),
        claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S),
    ):
        pass
    assert claim.holder != me.name
    assert free(shared_lab)


def test_another_user_keeps_the_place_and_is_named(shared_lab) -> None:
    with shared_lab.session("desk/eve") as eve:
        eve.acquire("b1")
        with (
            pytest.raises(NoBoardError, match="b1: held by desk/eve"),
            claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S),
        ):
            pass
        assert eve.lab().place("b1").holder == "desk/eve"
        eve.release("b1", "desk/eve")


def test_a_place_that_is_freed_in_time_goes_to_who_waits_for_it(shared_lab) -> None:
    with shared_lab.session("desk/eve") as eve:
        eve.acquire("b1")
        later = threading.Timer(0.7, eve.release, ("b1", "desk/eve"))
        later.start()
        with claimed(shared_lab.address, Wanted(place="b1"), wait_s=10) as claim:
            assert claim.place.name == "b1"
        later.join()
    assert free(shared_lab)


@pytest.mark.parametrize("wanted", [Wanted(tags={"board": "c"}), Wanted(place="c1")])
def test_what_the_lab_does_not_have_is_said_without_waiting(shared_lab, wanted: Wanted) -> None:
    begin_s = time.monotonic()
    with (
        pytest.raises(NoBoardError, match=r"the lab has no .*a1 \(board=a site=bench\)"),
        claimed(shared_lab.address, wanted, wait_s=60),
    ):
        pass
    assert time.monotonic() - begin_s < ANSWER_S
    assert free(shared_lab)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_job_that_is_ended_by_a_signal_gives_its_place_back(shared_lab, number: int) -> None:
    with job(shared_lab, "b1") as process:
        name = holder_of(process)
        assert shared_lab.place("b1").holder == name
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert free(shared_lab)


def test_a_job_that_is_ended_while_it_waits_leaves_the_line(shared_lab) -> None:
    with claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S), job(shared_lab, "b1") as process:
        with shared_lab.session() as session:
            until_true(session.reservations)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM
    assert free(shared_lab)


def test_a_job_that_fails_gives_its_place_back(shared_lab) -> None:
    with job(shared_lab, "b1", how="fails") as process:
        assert process.wait(20) == 1
        assert b"planted" in process.stderr.read()
    assert free(shared_lab)


def test_a_killed_job_keeps_its_place_until_the_next_one_of_this_machine_comes(shared_lab) -> None:
    with dead_holder(shared_lab, "b1") as name:
        assert shared_lab.place("b1").holder == name
        with claimed(shared_lab.address, Wanted(place="b1"), wait_s=SHORT_S) as claim:
            assert shared_lab.place("b1").holder == claim.holder != name
    assert free(shared_lab)


def test_a_coordinator_that_is_gone_is_unreachable(closed_port: int) -> None:
    with pytest.raises(UnreachableError), claimed(f"127.0.0.1:{closed_port}", Wanted(place="b1")):
        pass


def test_a_place_whose_exporter_is_gone_is_passed_over(own_lab) -> None:
    own_lab.start_exporter("left", {"a1": SERVICE})
    own_lab.start_exporter("right", {"a2": SERVICE})
    own_lab.add_place("a1", "left/a1/*", board="a")
    own_lab.add_place("a2", "right/a2/*", board="a")
    own_lab.kill("left")
    until_true(lambda: len(own_lab.lab().resources) == 1)
    with (
        claimed(own_lab.address, Wanted(tags={"board": "a"}), wait_s=2) as claim,
        pytest.raises(NoBoardError, match=r"a1: nothing is there for left/a1/\*: its exporter.*a2: held by"),
        claimed(own_lab.address, Wanted(tags={"board": "a"}), wait_s=SHORT_S),
    ):
        assert claim.place.name == "a2"
    own_lab.kill("right")
    until_true(lambda: not own_lab.lab().resources)
    begin_s = time.monotonic()
    with pytest.raises(NoBoardError, match="a2: nothing is there"), claimed(own_lab.address, Wanted(place="a2")):
        pass
    assert time.monotonic() - begin_s < ANSWER_S
    assert free(own_lab)


def test_an_exporter_that_dies_while_a_place_is_held_does_not_keep_it_from_being_freed(own_lab) -> None:
    own_lab.start_exporter("exp", {"a1": SERVICE})
    own_lab.add_place("a1", "exp/a1/*")
    with claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S):
        own_lab.kill("exp")
    assert free(own_lab)


def test_an_exporter_that_is_frozen_gives_no_board_and_keeps_none(own_lab) -> None:
    own_lab.start_exporter("exp", {"a1": SERVICE})
    own_lab.add_place("a1", "exp/a1/*")
    os.killpg(own_lab.pid("exp"), signal.SIGSTOP)
    begin_s = time.monotonic()
    with (
        pytest.raises(NoBoardError, match="Failed to acquire resources"),
        claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S),
    ):
        pass
    assert time.monotonic() - begin_s < 40
    assert free(own_lab)


def test_a_coordinator_that_dies_and_comes_back_has_forgotten_the_holder_and_the_job_ends_well(own_lab) -> None:
    own_lab.start_exporter("exp", {"a1": SERVICE})
    own_lab.add_place("a1", "exp/a1/*", board="a")
    with claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S) as claim:
        own_lab.save(own_lab.place("a1"))
        own_lab.kill("coordinator")
        until_true(lambda: own_lab.ended("exp"))
        own_lab.start_coordinator()
        assert own_lab.place("a1").holder == ""
        own_lab.kill("exp")
        with (
            pytest.raises(NoBoardError, match="its exporter does not run"),
            claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S),
        ):
            pass
        own_lab.start_exporter("exp", {"a1": SERVICE})
    with claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S) as claim:
        assert own_lab.place("a1").holder == claim.holder
    assert free(own_lab)


def test_a_coordinator_that_is_gone_at_the_end_costs_the_job_nothing(own_lab) -> None:
    own_lab.start_exporter("exp", {"a1": SERVICE})
    own_lab.add_place("a1", "exp/a1/*")
    begin_s = time.monotonic()
    with claimed(own_lab.address, Wanted(place="a1"), wait_s=SHORT_S):
        own_lab.kill("coordinator")
    assert time.monotonic() - begin_s < 2 * ANSWER_S
