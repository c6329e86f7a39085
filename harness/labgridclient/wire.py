"""A conversation with labgrid's coordinator under one name; every question has a deadline."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from harness.errors import ConfigError, InfraError, NoBoardError, UnreachableError
from harness.labgridclient.places import Lab, Match, Place, Reservation, Resource

DEFAULT_COORDINATOR = "127.0.0.1:20408"
DEFAULT_PORT = 20408
ANSWER_S = 5.0
# The coordinator gives each exporter 10 s to hand over a resource, and as long to take it back.
ACQUIRE_S = 30.0
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]*)(:\d{1,5})?", re.ASCII)
_STATES = ("waiting", "allocated", "acquired", "expired", "invalid")
_CHANNEL = (
    # Else two conversations of this process share one connection, and the coordinator tells clients by that.
    ("grpc.use_local_subchannel_pool", 1),
    # A coordinator is on this machine or behind a VPN, never behind the proxy to the internet.
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 7500),
)


class FailedError(InfraError):
    """A coordinator that broke down over a question."""


class RefusedError(NoBoardError):
    """What the coordinator will not do, in its own words."""


def coordinator_address(address: str = "") -> str:
    """HOST:PORT: as given, else $LG_COORDINATOR, else this machine; ConfigError for what is no address."""
    text = address or os.environ.get("LG_COORDINATOR", "") or DEFAULT_COORDINATOR
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text!r} is no address of a labgrid coordinator", remedy="write HOST or HOST:PORT")
    return text if found[2] else f"{text}:{DEFAULT_PORT}"


class Coordinator:
    """One client of the coordinator at `address`, from __enter__ to __exit__; `name` is HOST/USER.

    Every method raises UnreachableError where there is no answer in time, and RefusedError where it is a no.
    """

    def __init__(self, address: str, name: str) -> None:
        self.address, self.name = coordinator_address(address), name
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._syncs = 0

    def __enter__(self) -> Coordinator:
        self._grpc, self._messages, stubs = _labgrid()
        self._channel = self._grpc.insecure_channel(self.address, options=_CHANNEL)
        self._stub = stubs.CoordinatorStub(self._channel)
        self._stream = self._stub.ClientStream(iter(self._requests.get, None))
        try:
            # Answered: else a question may overtake the name of who asks it.
            self._said(startup=self._messages.StartupDone(version="dms-harness", name=self.name))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._requests.put(None)
        self._stream.cancel()
        self._channel.close()

    def lab(self) -> Lab:
        """All places, and what the exporters offer."""
        seen = _Seen()
        places, resources = (self._messages.Subscribe(**{kind: True}) for kind in ("all_places", "all_resources"))
        for update in (*self._said(subscribe=places), *self._said(subscribe=resources)):
            seen.take(update)
        return seen.lab()

    def reserve(self, filters: Mapping[str, str]) -> Reservation:
        """Get in line for a place that has all of these tags; `name` is the name of the place itself."""
        request = self._messages.CreateReservationRequest(prio=0.0)
        request.filters["main"].filter.update(filters)
        return _reservation(self._ask("CreateReservation", request).reservation)

    def poll(self, token: str) -> Reservation:
        """How a reservation stands; it stays alive for one more minute."""
        return _reservation(
            self._ask("PollReservation", self._messages.PollReservationRequest(token=token)).reservation
        )

    def cancel(self, token: str) -> None:
        """End a reservation; nothing where there is none any more."""
        with contextlib.suppress(RefusedError):
            self._ask("CancelReservation", self._messages.CancelReservationRequest(token=token))

    def reservations(self) -> tuple[Reservation, ...]:
        answer = self._ask("GetReservations", self._messages.GetReservationsRequest())
        return tuple(map(_reservation, answer.reservations))

    def acquire(self, place: str) -> None:
        self._ask("AcquirePlace", self._messages.AcquirePlaceRequest(placename=place), ACQUIRE_S)

    def release(self, place: str, holder: str) -> None:
        """Free the place where `holder` has it; nothing where it has not."""
        request = self._messages.ReleasePlaceRequest(placename=place, fromuser=holder)
        try:
            self._ask("ReleasePlace", request, ACQUIRE_S)
        except FailedError:
            # An exporter that goes away at this very moment fails the first attempt half-way.
            self._ask("ReleasePlace", request, ACQUIRE_S)

    def _said(self, **message: Any) -> list[Any]:
        """The updates that came until the coordinator had read this message."""
        self._syncs += 1
        self._requests.put(self._messages.ClientInMessage(**message))
        self._requests.put(self._messages.ClientInMessage(sync=self._messages.Sync(id=self._syncs)))
        updates: list[Any] = []
        with self._answered(), _cancelled_after(self._stream, ANSWER_S):
            for answer in self._stream:
                updates += answer.updates
                if answer.HasField("sync") and answer.sync.id == self._syncs:
                    return updates
        raise UnreachableError(self._silence)

    def _ask(self, method: str, request: Any, deadline_s: float = ANSWER_S) -> Any:
        with self._answered():
            return getattr(self._stub, method)(request, timeout=deadline_s)

    @contextlib.contextmanager
    def _answered(self) -> Iterator[None]:
        codes = self._grpc.StatusCode
        try:
            yield
        except self._grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if code in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.CANCELLED):
                raise UnreachableError(self._silence, remedy="look whether labgrid-coordinator runs there") from error
            if code in (codes.UNKNOWN, codes.INTERNAL):
                raise FailedError(f"labgrid's coordinator failed: {details}", where=self.address) from error
            raise RefusedError(f"labgrid's coordinator says: {details}", where=self.address) from error

    @property
    def _silence(self) -> str:
        return f"labgrid's coordinator at {self.address} does not answer"


class _Seen:
    """Updates as they come, until they are whole."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._resources: dict[tuple[str, str, str], Resource] = {}

    def take(self, update: Any) -> None:
        kind = update.WhichOneof("kind")
        if kind == "place":
            self._places[update.place.name] = _place(update.place)
        elif kind == "del_place":
            self._places.pop(update.del_place, None)
        elif kind == "resource":
            self._resources[_key(update.resource.path)] = _resource(update.resource)
        elif kind == "del_resource":
            self._resources.pop(_key(update.del_resource), None)

    def lab(self) -> Lab:
        places = sorted(self._places.values(), key=lambda one: one.name)
        return Lab(places=tuple(places), resources=tuple(self._resources.values()))


@contextlib.contextmanager
def _cancelled_after(call: Any, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, call.cancel)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _labgrid() -> tuple[Any, Any, Any]:
    """gRPC, and the messages and stubs that labgrid ships; ConfigError where it is not installed."""
    try:
        import grpc
        from labgrid.remote.generated import labgrid_coordinator_pb2, labgrid_coordinator_pb2_grpc
    except ImportError as error:
        raise ConfigError(
            f"labgrid cannot be imported: {error}", remedy="install the extra: pip install 'dms-harness[fleet]'"
        ) from error
    return grpc, labgrid_coordinator_pb2, labgrid_coordinator_pb2_grpc


def _key(path: Any) -> tuple[str, str, str]:
    return path.exporter_name, path.group_name, path.resource_name


def _place(sent: Any) -> Place:
    return Place(
        name=sent.name, holder=sent.acquired, reservation=sent.reservation, tags=dict(sent.tags),
        aliases=tuple(sorted(sent.aliases)), matches=tuple(map(_match, sent.matches)), changed_s=sent.changed,
    )  # fmt: skip


def _match(sent: Any) -> Match:
    return Match(exporter=sent.exporter, group=sent.group, cls=sent.cls, name=sent.name or "*")


def _resource(sent: Any) -> Resource:
    path = sent.path
    return Resource(
        path=(path.exporter_name, path.group_name, sent.cls, path.resource_name),
        available=sent.avail, acquired=sent.acquired, params=_values(sent.params), extra=_values(sent.extra),
    )  # fmt: skip


def _values(sent: Any) -> dict[str, object]:
    kinds = {key: value.WhichOneof("kind") for key, value in sent.items()}
    return {key: getattr(sent[key], kind) for key, kind in kinds.items() if kind}


def _reservation(sent: Any) -> Reservation:
    return Reservation(
        token=sent.token, owner=sent.owner, state=_STATES[sent.state],
        place=sent.allocations.get("main", ""), created_s=sent.created,
    )  # fmt: skip
