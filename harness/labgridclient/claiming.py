"""A place of the lab for the length of a `with`: reserved in turn, acquired, looked at, given back on every way out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

from harness.errors import InfraError
from harness.labgridclient.holder import new_holder
from harness.labgridclient.places import Lab, Place, Wanted, candidates, exporter_gone, missing, nothing_free
from harness.labgridclient.reaping import free_the_dead
from harness.labgridclient.wire import Coordinator, RefusedError

WAIT_S = 60.0
POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A place that this job holds under the name `holder`, and the lab as it was then."""

    coordinator: str
    holder: str
    place: Place
    lab: Lab

    @property
    def exporters(self) -> tuple[str, ...]:
        """Who serves what is connected to the place."""
        return tuple(sorted({one.path[0] for one in self.lab.of(self.place)}))


@contextlib.contextmanager
def claimed(coordinator: str, wanted: Wanted, *, wait_s: float = WAIT_S) -> Iterator[Claim]:
    """The first of the wanted places that is free within `wait_s` and whose resources are really there.

    NoBoardError names every place that fits, and its holder or its fault; UnreachableError without a coordinator.
    """
    holder = new_holder().name
    with Coordinator(coordinator, holder) as session:
        free_the_dead(session)
        candidates(session.lab(), wanted)
    try:
        with Coordinator(coordinator, holder) as session:
            lab, place = _found(session, wanted, wait_s)
        yield Claim(coordinator=session.address, holder=holder, place=place, lab=lab)
    finally:
        give_back(coordinator, holder)


def give_back(coordinator: str, holder: str) -> None:
    """Free every place and every reservation that stands under this name; no error where there is none.

    A coordinator that is gone has forgotten them; what a broken link leaves behind is freed by the next reaping.
    """
    with contextlib.suppress(InfraError), Coordinator(coordinator, holder) as session:
        for place in session.lab().places:
            if place.holder == holder:
                session.release(place.name, holder)
        for one in session.reservations():
            if one.owner == holder:
                session.cancel(one.token)


def _found(session: Coordinator, wanted: Wanted, wait_s: float) -> tuple[Lab, Place]:
    """The lab and the acquired place.

    A reservation may be given a place whose exporter is gone, again and again. So that of a bad one is kept, and the
    next one gets another place; they all end when a good one is found, and with the claim otherwise.
    """
    until, tokens, faults = time.monotonic() + wait_s, list[str](), dict[str, str]()
    while True:
        fitting = candidates(session.lab(), wanted)
        name = _allotted(session, wanted, fitting, until, tokens) if len(faults) < len(fitting) else ""
        if not name:
            raise nothing_free(session.lab(), wanted, faults, wait_s)
        fault = _acquire(session, name)
        if not fault:
            break
        faults[name] = fault
    for token in tokens:
        session.cancel(token)
    lab = session.lab()
    return lab, next(one for one in lab.places if one.name == name)


def _allotted(session: Coordinator, wanted: Wanted, fitting: tuple[Place, ...], until: float, tokens: list[str]) -> str:
    """The name of the place that the coordinator gives in turn, empty where it gives none in time."""
    filters = {"name": fitting[0].name} if wanted.place else wanted.tags
    reservation = session.reserve(filters)
    tokens.append(reservation.token)
    while reservation.state == "waiting" and time.monotonic() < until:
        time.sleep(POLL_S)
        reservation = session.poll(reservation.token)
    return reservation.place if reservation.state == "allocated" else ""


def _acquire(session: Coordinator, name: str) -> str:
    """Acquire the place and make sure that its resources are there; what is wrong with it otherwise."""
    if fault := _fault(session.lab(), name):
        return fault
    try:
        session.acquire(name)
    except RefusedError as error:
        return error.what
    if fault := _fault(session.lab(), name):
        session.release(name, session.name)
    return fault


def _fault(lab: Lab, name: str) -> str:
    place = lab.place(name)
    if place is None:
        return "it was deleted"
    gone = missing(lab, place)
    return exporter_gone(gone) if gone else ""
