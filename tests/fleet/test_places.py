from __future__ import annotations

import pytest

from harness.errors import ConfigError, NoBoardError, UnreachableError
from harness.fleet.places import places_text
from harness.labgridclient import wire
from harness.labgridclient.places import Lab, Match, Place, Resource, Wanted, address, candidates, missing, state
from harness.labgridclient.wire import Coordinator, coordinator_address

MATCH = Match(exporter="exp", group="b1", cls="*")
BOARD = Place(name="b1", tags={"board": "orin", "site": "bench"}, aliases=("left",), matches=(MATCH,))


def resource(cls: str = "NetworkService", **changes: object) -> Resource:
    params = {"address": "10.0.0.7", "username": "root", "port": 2222}
    return Resource(**{"path": ("exp", "b1", cls, cls), "available": True, "params": params, **changes})


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(place="b1"), True),
        (Wanted(place="left"), True),
        (Wanted(place="b"), False),
        (Wanted(tags={"board": "orin"}), True),
        (Wanted(tags={"board": "orin", "site": "bench"}), True),
        (Wanted(tags={"board": "orin", "site": "roof"}), False),
        (Wanted(tags={"boards": "orin"}), False),
    ],
)
def test_a_place_fits_by_its_name_its_alias_or_all_of_the_tags(wanted: Wanted, fits: bool) -> None:
    assert wanted.fits(BOARD) is fits


@pytest.mark.parametrize("both", [{}, {"place": "b1", "tags": {"board": "orin"}}])
def test_a_board_is_wanted_by_its_place_or_by_tags_and_not_by_both(both: dict) -> None:
    with pytest.raises(ConfigError, match="give one of both"):
        Wanted(**both)


def test_where_no_place_fits_all_places_are_told_with_their_tags() -> None:
    with pytest.raises(NoBoardError, match=r"no place with the tags board=nano; it has: b1 \(board=orin site=bench\)"):
        candidates(Lab(places=(BOARD,)), Wanted(tags={"board": "nano"}))
    with pytest.raises(NoBoardError, match="no places at all"):
        candidates(Lab(), Wanted(place="b1"))


@pytest.mark.parametrize(
    ("there", "holder", "gone"),
    [
        ((resource(),), "", ()),
        ((), "", ("exp/b1/*",)),
        ((resource(available=False),), "", ("exp/b1/*",)),
        ((resource(path=("other", "b1", "NetworkService", "NetworkService")),), "", ("exp/b1/*",)),
        ((resource(acquired="b2"),), "", ("exp/b1/*",)),
        ((resource(acquired="b1"),), "ci/me", ()),
        # The exporter came back after the place was acquired: nobody handed the resource over.
        ((resource(),), "ci/me", ("exp/b1/*",)),
    ],
)
def test_a_resource_is_missing_unless_it_is_available_and_with_its_place(
    there: tuple[Resource, ...], holder: str, gone: tuple[str, ...]
) -> None:
    place = Place(name="b1", matches=(MATCH,), holder=holder)
    assert missing(Lab(resources=there), place) == gone


@pytest.mark.parametrize(
    ("params", "written"),
    [
        ({"address": "10.0.0.7", "username": "root", "port": 2222}, "root@10.0.0.7:2222"),
        ({"address": "10.0.0.7", "username": "", "port": 22}, "10.0.0.7:22"),
        ({"address": "fe80::1", "username": "me"}, "me@[fe80::1]:22"),
    ],
)
def test_the_address_of_a_place_is_that_of_its_network_service(params: dict, written: str) -> None:
    assert address(Lab(resources=(resource(params=params),)), BOARD) == written


def test_a_place_without_a_network_service_has_no_address_and_says_what_it_has() -> None:
    with pytest.raises(NoBoardError, match="it has: NetworkPowerPort"):
        address(Lab(resources=(resource("NetworkPowerPort"),)), BOARD)


def test_an_isolated_exporter_is_refused_with_a_remedy() -> None:
    with pytest.raises(ConfigError, match=r"isolated.*--isolated"):
        address(Lab(resources=(resource(extra={"proxy_required": True}),)), BOARD)


@pytest.mark.parametrize(
    ("changes", "there", "told"),
    [
        ({}, (resource(),), "free"),
        ({"reservation": "XYZ"}, (resource(),), "free, but reserved"),
        ({}, (), "nothing is there for exp/b1/*: its exporter does not run, or a cable is out"),
        ({"holder": "desk/eve", "changed_s": 0.0}, (), "held by desk/eve, last changed 1970-01-01 00:00:00 UTC"),
        (
            {"holder": "ci/dms-bob.7.9.4.ab.1"},
            (),
            "held by bob on ci (process 7), last changed 1970-01-01 00:00:00 UTC",
        ),
    ],
)
def test_the_state_of_a_place_names_its_holder_or_its_fault(changes: dict, there: tuple, told: str) -> None:
    place = Place(**{"name": "b1", "matches": (MATCH,), **changes})
    assert state(Lab(places=(place,), resources=there), place) == told


def test_the_list_of_places_shows_no_control_characters_of_strangers() -> None:
    lab = Lab(places=(Place(name="b1", holder="desk/\x1b[31meve"),))
    assert "\x1b" not in places_text(lab)
    assert "desk/\\x1b[31meve" in places_text(lab)


@pytest.mark.parametrize(
    ("given", "address"),
    [("lab", "lab:20408"), ("lab:7", "lab:7"), ("[::1]:7", "[::1]:7"), ("", "127.0.0.1:20408")],
)
def test_a_coordinator_has_a_default_address_and_port(
    given: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LG_COORDINATOR", raising=False)
    assert coordinator_address(given) == address


@pytest.mark.parametrize("bad", ["-x", "--config=evil.yaml", "unix:/tmp/x", "a b", "lab:port", "lab:7/x", "dns:///x"])
def test_what_is_no_address_of_a_coordinator_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="no address of a labgrid coordinator"):
        coordinator_address(bad)


def test_the_places_of_a_real_lab_are_listed_with_tags_and_addresses(shared_lab) -> None:
    lines = places_text(shared_lab.lab()).splitlines()
    assert [line.split()[0] for line in lines] == ["a1", "a2", "b1"]
    assert lines[2].split() == ["b1", "board=b", "site=bench", "root@127.0.0.1:22", "free"]


def test_two_conversations_of_one_process_are_two_clients(shared_lab) -> None:
    with shared_lab.session("one/x") as first, shared_lab.session("two/y") as second:
        assert first.lab() == second.lab()
        second.acquire("b1")
        assert first.lab().place("b1").holder == "two/y"
        second.release("b1", "two/y")


def test_a_release_in_another_name_changes_nothing(shared_lab) -> None:
    with shared_lab.session("one/x") as session:
        session.acquire("b1")
        session.release("b1", "two/y")
        assert session.lab().place("b1").holder == "one/x"
        session.release("b1", "one/x")
        session.release("b1", "one/x")
        assert session.lab().place("b1").holder == ""


def test_a_port_without_a_coordinator_is_unreachable_at_once(closed_port: int) -> None:
    refused = pytest.raises(UnreachableError, match=r"does not answer.*labgrid-coordinator")
    with refused, Coordinator(f"127.0.0.1:{closed_port}", "one/x") as session:
        session.lab()


def test_a_coordinator_that_keeps_silent_is_unreachable_within_its_deadline(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wire.ANSWER_S <= 5
    monkeypatch.setattr(wire, "ANSWER_S", 0.5)
    refused = pytest.raises(UnreachableError, match="does not answer")
    with refused, Coordinator(f"127.0.0.1:{silent_port}", "one/x") as session:
        session.lab()
