"""What dead jobs left in a lab: labgrid keeps a place for its holder for ever, be the holder killed by kill -9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from harness.labgridclient.holder import lives, new_holder, read_holder
from harness.labgridclient.places import Lab, Reservation
from harness.labgridclient.wire import Coordinator

HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A place or a reservation under a name of ours, whether it is freed, and why. since_s: Unix time."""

    place: str
    token: str
    holder: str
    since_s: float
    freed: bool
    why: str


class Session(Protocol):
    """What reaping asks of the coordinator."""

    def lab(self) -> Lab: ...
    def reservations(self) -> tuple[Reservation, ...]: ...
    def release(self, place: str, holder: str) -> None: ...
    def cancel(self, token: str) -> None: ...


def reap(
    coordinator: str, *, older_than_h: float | None = None, force: bool = False, dry_run: bool = False
) -> tuple[Leftover, ...]:
    """Free what dead jobs hold, and say so of each job of ours; places of people are not looked at.

    Whether a job of another machine lives cannot be known here: it is only freed with `force`, or when its place did
    not change for `older_than_h` hours. A job that runs on this machine keeps its place in any case.
    """
    with Coordinator(coordinator, new_holder().name) as session:
        found = tuple(_leftovers(session, older_than_h, force))
        if not dry_run:
            _free(session, found)
    return found


def free_the_dead(session: Session) -> None:
    """What every job does first: free what dead jobs of this machine hold."""
    _free(session, tuple(_leftovers(session, None, False)))


def judge(alive: bool | None, age_h: float, older_than_h: float | None, force: bool) -> tuple[bool, str]:
    """Whether a place is freed, and why. alive: None where nobody here can know."""
    if alive:
        return False, "its job still runs on this machine"
    if alive is False:
        return True, "its job is dead"
    if force:
        return True, "by force; whether its job still runs is not known here"
    if older_than_h is not None and age_h >= older_than_h:
        return True, f"unchanged for {age_h:.1f} h; whether its job still runs is not known here"
    return False, "its job ran elsewhere: whether it lives is not known here; --older-than HOURS or --force frees it"


def _leftovers(session: Session, older_than_h: float | None, force: bool) -> Iterator[Leftover]:
    held = [(place.name, "", place.holder, place.changed_s) for place in session.lab().places if place.holder]
    asked = [(one.place, one.token, one.owner, one.created_s) for one in session.reservations()]
    for place, token, name, since_s in (*held, *asked):
        holder = read_holder(name)
        if holder is not None:
            age_h = (time.time() - since_s) / HOUR_S
            freed, why = judge(lives(holder), age_h, older_than_h, force)
            yield Leftover(place=place, token=token, holder=name, since_s=since_s, freed=freed, why=why)


def _free(session: Session, found: tuple[Leftover, ...]) -> None:
    for one in found:
        if one.freed and one.token:
            session.cancel(one.token)
        elif one.freed:
            session.release(one.place, one.holder)
