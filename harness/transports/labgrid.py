"""A board of a labgrid lab: its place is held from __enter__ to __exit__, and spoken to over ssh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.labgridclient.claiming import WAIT_S, Claim, claimed
from harness.labgridclient.places import Wanted, address
from harness.labgridclient.power import switch
from harness.transports import Answer, Poll, Reach, Transport, open_transport

# Not for ssh: whom to ask for what. The port is the place's own.
OWN_OPTIONS = ("place", "tags", "coordinator", "environment", "wait_s", "port")


class Labgrid:
    """The place that the options name, or the first free one with their tags.

    Options: place or tags; coordinator ($LG_COORDINATOR, else this machine); wait_s, how long to stand in line;
    environment, a labgrid environment file with a power driver; those of ssh. An address is taken over the place's.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._stack = ExitStack()

    def __enter__(self) -> Labgrid:
        options = self._reach.options
        wanted = Wanted(place=_text(options, "place"), tags=_tags(options))
        with ExitStack() as stack:
            wait_s = float(str(options.get("wait_s") or WAIT_S))
            self._claim = stack.enter_context(claimed(_text(options, "coordinator"), wanted, wait_s=wait_s))
            self._ssh: Transport = stack.enter_context(open_transport(self.ssh_reach))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def claim(self) -> Claim:
        """The place that is held: for power, and for reports."""
        return self._claim

    @property
    def facts(self) -> dict[str, str]:
        """What a report may tell of the board's place."""
        exporters = ", ".join(self._claim.exporters)
        return {"labgrid_place": self._claim.place.name, "labgrid_exporter": exporters}

    @property
    def ssh_reach(self) -> Reach:
        """How the board of the place is reached: for its host key."""
        there = self._reach.address or address(self._claim.lab, self._claim.place)
        left = {key: value for key, value in self._reach.options.items() if key not in OWN_OPTIONS}
        return replace(self._reach, transport="ssh", address=there, options=left)

    def power(self, action: str) -> None:
        """`on`, `off` or `cycle`, by the place's own power driver; PowerError where it has none."""
        switch(self._claim, action, environment=_text(self._reach.options, "environment"))

    def put(self, source: Path, target: str, *, deadline_s: float) -> None:
        self._ssh.put(source, target, deadline_s=deadline_s)

    def get(self, source: str, target: Path, *, deadline_s: float) -> None:
        self._ssh.get(source, target, deadline_s=deadline_s)

    def run(self, command: Sequence[str], *, deadline_s: float, text: bytes = b"") -> Answer:
        return self._ssh.run(command, deadline_s=deadline_s, text=text)

    def spawn(self, command: Sequence[str], folder: str, *, environment: Mapping[str, str], deadline_s: float) -> None:
        self._ssh.spawn(command, folder, environment=environment, deadline_s=deadline_s)

    def poll(self, folder: str, offset: int, *, wait_s: float) -> Poll:
        return self._ssh.poll(folder, offset, wait_s=wait_s)


def _text(options: Mapping[str, object], key: str) -> str:
    return str(options.get(key) or "")


def _tags(options: Mapping[str, Any]) -> Mapping[str, str]:
    tags = options.get("tags") or {}
    if not isinstance(tags, Mapping) or not all(isinstance(one, str) for pair in tags.items() for one in pair):
        raise ConfigError('tags are a table of texts, such as tags = {board = "orin"}', where="[board] tags")
    return tags
