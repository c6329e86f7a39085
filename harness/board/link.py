"""The links of a session: each device is reached once, and its board is kept from the first job to the end."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.board.asking import Link
from harness.errors import HarnessError
from harness.profile import AT, DeviceProfile
from harness.signals import ended_by_signals
from harness.transports import Reach, Transport, open_transport

OF_TRANSPORTS = ("identity_file", "port", "place", "tags", "coordinator", "wait_s", "environment")
KNOWN_HOSTS = "known_hosts"
ARCHIVES = "code"
STATE = Path(".cache/dms-harness/boards")


@dataclass
class Links:
    """Every device that a session uses, by name. state: folder of their health files, and of the code that was made for
    them; devices: of their profiles.

    checking: boards that are marked bad are used too, to find out whether they are well again.
    """

    state: Path = STATE
    devices: Path = Path("devices")
    opened: Callable[[Reach], Transport] = open_transport
    checking: bool = False
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    _open: dict[str, Link] = field(default_factory=dict)
    _ended: dict[str, list[str]] = field(default_factory=dict)
    _giving_back: bool = False
    _signals: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def link(self, profile: DeviceProfile) -> Link:
        """The device's link, made at its first use; raises what the transport raises on entering."""
        name = profile.name.partition(AT)[0]
        if name not in self._open:
            self._end_in_order()
            transport = self.opened(reach(profile, self.devices)).__enter__()
            self._open[name] = Link(
                profile, transport, self.session, archives=self.state / ARCHIVES, ended=self._ended.setdefault(name, [])
            )
        return self._open[name]

    def _end_in_order(self) -> None:
        """From now on there is something to give back, whatever signal ends this process."""
        if not self._giving_back:
            self._giving_back = True
            self._signals.enter_context(ended_by_signals())

    def transport(self, profile: DeviceProfile) -> Transport | None:
        """Of the link that is open, if there is one."""
        found = self._open.get(profile.name.partition(AT)[0])
        return found.transport if found else None

    def drop(self, profile: DeviceProfile, *, answers: bool = False) -> None:
        """Leave the device; its next use makes a new link, which knows what is to be ended there."""
        if (found := self._open.pop(profile.name.partition(AT)[0], None)) is not None:
            found.close(answers=answers)

    def close(self) -> None:
        """Leave all of them; one that fails does not keep the others."""
        while self._open:
            with contextlib.suppress(HarnessError):
                self._open.popitem()[1].close()
        self._signals.close()
        self._giving_back = False


_links: list[Links] = []


@contextlib.contextmanager
def links(own: Links | None = None) -> Iterator[Links]:
    """Keep the links of this session open in here; all are closed at the end, at Ctrl-C and at SIGTERM too."""
    own = own or Links()
    _links.append(own)
    try:
        yield own
    finally:
        _links.remove(own)
        own.close()


@contextlib.contextmanager
def current_links() -> Iterator[Links]:
    """Those of the session around, or new ones for as long as this takes."""
    with contextlib.nullcontext(_links[-1]) if _links else links() as found:
        yield found


@contextlib.contextmanager
def link(profile: DeviceProfile) -> Iterator[Link]:
    """The device's link in the session around, or one for as long as this takes."""
    with current_links() as found:
        yield found.link(profile)


def reach(profile: DeviceProfile, devices: Path) -> Reach:
    """How a transport gets to the device."""
    said = profile.board.model_dump(exclude_defaults=True)
    return Reach(
        device=profile.name, transport=profile.transport, address=profile.address, known_hosts=devices / KNOWN_HOSTS,
        options={name: said[name] for name in OF_TRANSPORTS if name in said},
    )  # fmt: skip
