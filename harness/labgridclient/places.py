"""A look at a lab: its places, what is connected to them, who holds them; and what that means for a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from harness.errors import ConfigError, NoBoardError
from harness.labgridclient.holder import told

SERVICE = "NetworkService"
REAP = "wait, or free what dead jobs left: harness fleet reap"


@dataclass(frozen=True, kw_only=True)
class Match:
    """Which resources belong to a place: patterns for exporter, group, class and, where given, name."""

    exporter: str
    group: str
    cls: str
    name: str = "*"

    def fits(self, path: tuple[str, str, str, str]) -> bool:
        patterns = (self.exporter, self.group, self.cls, self.name)
        return all(fnmatchcase(part, pattern) for part, pattern in zip(path, patterns))

    def __str__(self) -> str:
        return f"{self.exporter}/{self.group}/{self.cls}" + ("" if self.name == "*" else f"/{self.name}")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What an exporter offers now. path: exporter, group, class, name. acquired: the place that has it, or empty."""

    path: tuple[str, str, str, str]
    available: bool
    acquired: str = ""
    params: Mapping[str, object] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def cls(self) -> str:
        return self.path[2]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A board as labgrid names it. holder: empty where it is free. changed_s: the last change to it, in Unix time.

    labgrid keeps no time of acquiring: that is `changed_s` or before.
    """

    name: str
    holder: str = ""
    reservation: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    changed_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """A request that the coordinator serves in turn. state: waiting, allocated, acquired, expired or invalid."""

    token: str
    owner: str
    state: str
    place: str = ""
    created_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Lab:
    """All of it at one moment."""

    places: tuple[Place, ...] = ()
    resources: tuple[Resource, ...] = ()

    def place(self, name: str) -> Place | None:
        return next((one for one in self.places if one.name == name), None)

    def of(self, place: Place) -> tuple[Resource, ...]:
        """What is connected to a place now."""
        return tuple(one for one in self.resources if any(match.fits(one.path) for match in place.matches))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A place by its name (or alias), or any place with all of the tags."""

    place: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.place) == bool(self.tags):
            raise ConfigError(
                "a board of a lab is wanted by the name of its place or by tags: give one of both",
                remedy='write place = "NAME" or tags = {board = "orin"} in [board]',
            )

    def __str__(self) -> str:
        return f"place {self.place!r}" if self.place else f"place with the tags {tags_text(self.tags)}"

    def fits(self, place: Place) -> bool:
        if self.place:
            return self.place in (place.name, *place.aliases)
        return self.tags.items() <= place.tags.items()


def candidates(lab: Lab, wanted: Wanted) -> tuple[Place, ...]:
    """The places that fit, free or not; NoBoardError where there is none."""
    found = tuple(place for place in lab.places if wanted.fits(place))
    if not found:
        known = "; ".join(f"{one.name} ({tags_text(one.tags) or 'no tags'})" for one in lab.places)
        raise NoBoardError(f"the lab has no {wanted}; it has: {known or 'no places at all'}")
    return found


def missing(lab: Lab, place: Place) -> tuple[str, ...]:
    """The patterns of a place that no running exporter serves: with something available, and handed to its holder.

    A reservation and even an acquired place say nothing of that: the coordinator gives both without any exporter.
    """
    allowed = (place.name,) if place.holder else ("", place.name)
    there = [one for one in lab.of(place) if one.available and one.acquired in allowed]
    return tuple(str(match) for match in place.matches if not any(match.fits(one.path) for one in there))


def address(lab: Lab, place: Place) -> str:
    """USER@HOST:PORT of the place's NetworkService; NoBoardError without one, ConfigError where it is out of reach."""
    service = next((one for one in lab.of(place) if one.cls == SERVICE and one.available), None)
    if service is None:
        found = ", ".join(sorted({one.cls for one in lab.of(place)})) or "nothing"
        raise NoBoardError(
            f"place {place.name!r} has no NetworkService, so nobody knows its address; it has: {found}",
            remedy="export one for it, or give the profile an address",
        )
    if service.extra.get("proxy_required"):
        raise ConfigError(
            f"the exporter {service.path[0]!r} of place {place.name!r} is isolated: its board is not reached directly",
            remedy="start it without --isolated, or give the profile an address",
        )
    host, user = str(service.params.get("address", "")), str(service.params.get("username", ""))
    shown = f"[{host}]" if ":" in host else host
    return f"{user}@{shown}:{service.params.get('port', 22)}" if user else f"{shown}:{service.params.get('port', 22)}"


def nothing_free(lab: Lab, wanted: Wanted, faults: Mapping[str, str], waited_s: float) -> NoBoardError:
    """Why none of the fitting places could be had. faults: what is wrong with a place that could be acquired."""
    reasons = "; ".join(f"{one.name}: {faults.get(one.name) or state(lab, one)}" for one in candidates(lab, wanted))
    return NoBoardError(f"no {wanted} can be had within {waited_s:g} s: {reasons}", remedy=REAP)


def state(lab: Lab, place: Place) -> str:
    """How a place stands, for people."""
    if place.holder:
        return f"held by {told(place.holder)}, last changed {moment(place.changed_s)}"
    if gone := missing(lab, place):
        return exporter_gone(gone)
    return "free, but reserved" if place.reservation else "free"


def exporter_gone(patterns: Iterable[str]) -> str:
    """What is wrong with a place whose resources nobody serves."""
    return f"nothing is there for {', '.join(patterns)}: its exporter does not run, or a cable is out"


def moment(unix_s: float) -> str:
    """A time of the coordinator's clock."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def tags_text(tags: Mapping[str, str]) -> str:
    """Tags as labgrid's command line writes them."""
    return " ".join(f"{key}={value}" for key, value in sorted(tags.items()))
