from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from harness.errors import ConfigError
from harness.fleet.commands import add_fleet_commands
from harness.labgridclient.claiming import claimed
from harness.labgridclient.holder import MACHINE_NAMESPACE, Holder, lives, new_holder, read_holder, told
from harness.labgridclient.places import Wanted
from harness.labgridclient.reaping import judge, reap
from tests.fleet.jobs import dead_holder

HERE = new_holder()


def command(*words: str) -> str:
    parser = argparse.ArgumentParser()
    add_fleet_commands(parser.add_subparsers(), print)
    parsed = parser.parse_args(["fleet", *words])
    return parsed.command(parsed)


def elsewhere() -> Holder:
    return replace(HERE, host="far-away")


def test_a_name_tells_the_job_it_was_made_for() -> None:
    assert read_holder(HERE.name) == HERE
    assert told(HERE.name) == f"{HERE.login} on {HERE.host} (process {HERE.pid})"


@pytest.mark.parametrize(
    "name", ["", "desk/eve", "desk/dms-eve", "dms-eve.1.2.3.ab.1", HERE.name + "x", "a/" + HERE.name, HERE.name + "\n"]
)
def test_a_name_that_is_none_of_ours_is_nobodys_job(name: str) -> None:
    assert read_holder(name) is None
    assert told(name) == name


def test_two_claims_of_one_process_have_two_names() -> None:
    assert new_holder().name != new_holder().name


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"started": HERE.started + 1}, False),
        ({"pid": 2**22 + 1}, False),
        ({"host": "far-away"}, None),
        ({"namespace": "7"}, None),
        ({"boot": "abcabcabcabc", "namespace": "7"}, None),
        ({"boot": "0"}, None),
        ({"namespace": "0"}, None),
    ],
)
def test_a_job_is_only_dead_where_this_process_can_know(changes: dict, alive: bool | None) -> None:
    assert lives(replace(HERE, **changes)) is alive


@pytest.mark.skipif(
    HERE.namespace != MACHINE_NAMESPACE, reason="in a container a boot cannot be told from another host"
)
def test_no_job_outlives_the_boot_of_its_machine() -> None:
    assert lives(replace(HERE, boot="abcabcabcabc")) is False


@pytest.mark.parametrize(
    ("alive", "age_h", "older_than_h", "force", "freed"),
    [
        (True, 1000.0, 1.0, True, False),
        (False, 0.0, None, False, True),
        (None, 1000.0, None, False, False),
        (None, 0.9, 1.0, False, False),
        (None, 1.0, 1.0, False, True),
        (None, 0.0, None, True, True),
    ],
)
def test_only_dead_jobs_and_on_demand_those_of_elsewhere_are_freed(
    alive: bool | None, age_h: float, older_than_h: float | None, force: bool, freed: bool
) -> None:
    assert judge(alive, age_h, older_than_h, force)[0] is freed


def test_the_place_of_a_killed_job_is_freed_and_said_so(shared_lab) -> None:
    with dead_holder(shared_lab, "b1") as name:
        would = command("reap", "--coordinator", shared_lab.address, "--dry-run")
        assert shared_lab.place("b1").holder == name
        did = command("reap", "--coordinator", shared_lab.address)
    assert would.startswith(f"place b1: would be freed, its job is dead; held by {told(name)}, last changed 20")
    assert did.startswith("place b1: freed, its job is dead")
    assert shared_lab.place("b1").holder == ""
    assert command("reap", "--coordinator", shared_lab.address) == "no job of the harness holds or wants a place"


def test_the_reservation_of_a_dead_job_is_ended(shared_lab) -> None:
    dead = replace(HERE, pid=2**22 + 1)
    with shared_lab.session(dead.name) as session:
        session.reserve({"name": "b1"})
        assert shared_lab.place("b1").reservation
        (found,) = reap(shared_lab.address)
        assert (found.place, bool(found.token), found.freed) == ("b1", True, True)
        assert not session.reservations()
    assert not shared_lab.place("b1").reservation


def test_living_jobs_and_people_keep_their_places_even_by_force(shared_lab) -> None:
    with shared_lab.session("desk/eve") as eve:
        eve.acquire("a1")
        with claimed(shared_lab.address, Wanted(place="b1"), wait_s=1) as claim:
            (found,) = reap(shared_lab.address, force=True, older_than_h=0)
            assert (found.place, found.freed, found.why) == ("b1", False, "its job still runs on this machine")
            assert shared_lab.place("b1").holder == claim.holder
        assert eve.lab().place("a1").holder == "desk/eve"
        eve.release("a1", "desk/eve")


@pytest.mark.parametrize(
    ("words", "freed"),
    [((), False), (("--older-than", "1"), False), (("--older-than", "0"), True), (("--force",), True)],
)
def test_a_job_of_another_machine_is_only_freed_on_demand(shared_lab, words: tuple[str, ...], freed: bool) -> None:
    name = elsewhere().name
    with shared_lab.session(name) as session:
        session.acquire("b1")
        said = command("reap", "--coordinator", shared_lab.address, *words)
        assert said.startswith("place b1: " + ("freed, " if freed else "kept, its job ran elsewhere"))
        assert shared_lab.place("b1").holder == ("" if freed else name)
        session.release("b1", name)


def test_the_command_lists_who_holds_a_place(shared_lab) -> None:
    with claimed(shared_lab.address, Wanted(place="b1"), wait_s=1):
        lines = command("places", "--coordinator", shared_lab.address).splitlines()
    assert lines[0].endswith("free")
    assert f"held by {HERE.login} on {HERE.host} (process {HERE.pid})" in lines[2]


@pytest.mark.parametrize("hours", ["-1", "nan", "inf"])
def test_a_number_of_hours_that_is_none_frees_nothing(hours: str) -> None:
    with pytest.raises(ConfigError, match="--older-than"):
        command("reap", f"--older-than={hours}")
