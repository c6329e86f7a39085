"""A real labgrid coordinator and real exporters on loopback, in a folder of their own, on free ports."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.labgridclient.holder import new_holder
from harness.labgridclient.places import Lab, Place
from harness.labgridclient.wire import Coordinator
from harness.processes import end_session, group_leader
from tests.absent import absent

PATIENCE_S = 30.0
SERVICE = {"NetworkService": {"address": "127.0.0.1", "username": "root"}}


class LabgridLab:
    """Programs of labgrid; their state is in `folder`, as the coordinator's is in its working folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, ""
        self._programs: dict[str, subprocess.Popen[bytes]] = {}

    def start_coordinator(self) -> None:
        """On the port it had before, if it had one."""
        log = self._start("coordinator", "--listen", self.address or "127.0.0.1:0")
        until_true(lambda: "listening on " in log.read_text())
        self.address = log.read_text().split("listening on ")[1].split()[0]

    def start_exporter(self, name: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
        """groups: NAME -> CLASS -> parameters; JSON is YAML."""
        resources = self.folder / f"{name}.yaml"
        resources.write_text(json.dumps(groups))
        self._start("exporter", "--name", name, "--coordinator", self.address, str(resources), known_as=name)
        wanted = sum(map(len, groups.values()))
        until_true(lambda: sum(one.path[0] == name and one.available for one in self.lab().resources) == wanted)

    def pid(self, name: str) -> int:
        return self._programs[name].pid

    def kill(self, name: str) -> None:
        """As a power cut would."""
        end_session(self._programs.pop(name))

    def ended(self, name: str) -> bool:
        return self._programs[name].poll() is not None

    def stop(self) -> None:
        for name in tuple(self._programs):
            self.kill(name)

    def lab(self) -> Lab:
        with self.session() as session:
            return session.lab()

    def place(self, name: str) -> Place:
        found = self.lab().place(name)
        assert found is not None, name
        return found

    def session(self, name: str = "") -> Coordinator:
        return Coordinator(self.address, name or new_holder().name)

    def add_place(self, name: str, *matches: str, **tags: str) -> None:
        """As labgrid-client create, add-match and set-tags do, without a second of start-up for each."""
        with self.session() as session:
            messages = session._messages
            session._ask("AddPlace", messages.AddPlaceRequest(name=name))
            for match in matches:
                session._ask("AddPlaceMatch", messages.AddPlaceMatchRequest(placename=name, pattern=match))
            session._ask("SetPlaceTags", messages.SetPlaceTagsRequest(placename=name, tags=tags))

    def save(self, place: Place) -> None:
        """Its file of places, as the coordinator itself writes it every 15 s: the holder stands in it."""
        kept = {
            "aliases": [], "comment": "", "tags": dict(place.tags), "matches": [asdict(one) for one in place.matches],
            "acquired": place.holder, "acquired_resources": [], "allowed": [], "created": 0.0, "changed": 0.0,
            "reservation": None,
        }  # fmt: skip
        (self.folder / "places.yaml").write_text(json.dumps({place.name: kept}))

    def _start(self, program: str, *arguments: str, known_as: str = "") -> Path:
        name = known_as or program
        log = self.folder / f"{name}.log"
        command = [sys.executable, "-P", "-m", f"labgrid.remote.{program}", *arguments]
        with open(log, "wb") as file:
            self._programs[name] = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                preexec_fn=group_leader(),
            )  # fmt: skip
        return log


def require_labgrid() -> None:
    """Nothing here counts without it."""
    if importlib.util.find_spec("labgrid") is None:
        absent("labgrid is not installed: pip install 'dms-harness[fleet]'")


def until_true(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """What other processes bring about is looked at again and again, never waited for blindly."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, f"not so within {patience_s} s"
        time.sleep(0.02)
