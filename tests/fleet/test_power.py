from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.errors import ConfigError, PowerError
from harness.labgridclient.claiming import Claim, claimed
from harness.labgridclient.places import Wanted
from harness.labgridclient.power import switch
from tests.fleet.labgridlab import SERVICE, LabgridLab

ENVIRONMENT = """
targets:
  main:
    resources:
      RemotePlace:
        name: !template "$LG_PLACE"
    drivers:
      ExternalPowerDriver:
        cmd_on: "cp /dev/null {folder}/on"
        cmd_off: "cp /dev/null {folder}/off"
        delay: 0.1
"""


class Switch(ThreadingHTTPServer):
    """A switched socket with labgrid's `simplerest` manners: GET /INDEX/0 or /INDEX/1."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.hangs = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Switch

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.path.startswith("/7/"):
            self.server.hangs.wait(60)
        self.send_response(500 if self.path.startswith("/6/") else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def sockets() -> Iterator[Switch]:
    with Switch() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.hangs.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def powered_lab(shared_lab: LabgridLab, sockets: Switch) -> LabgridLab:
    """A place for each socket: p3 works, p6 fails, p7 hangs."""
    host = f"http://127.0.0.1:{sockets.server_port}/{{index}}/{{value}}"
    ports = {
        f"p{index}": {**SERVICE, "NetworkPowerPort": {"model": "simplerest", "host": host, "index": str(index)}}
        for index in (3, 6, 7)
    }
    shared_lab.start_exporter("power", ports)
    for name in ports:
        shared_lab.add_place(name, f"power/{name}/*")
    return shared_lab


@pytest.fixture
def claim(powered_lab: LabgridLab, request: pytest.FixtureRequest) -> Iterator[Claim]:
    with claimed(powered_lab.address, Wanted(place=request.param), wait_s=1) as held:
        yield held


@pytest.mark.parametrize("claim", ["p3"], indirect=True)
def test_a_power_port_of_the_place_is_switched_by_labgrids_own_driver(claim: Claim, sockets: Switch) -> None:
    sockets.seen.clear()
    switch(claim, "cycle")
    assert sockets.seen == ["/3/0", "/3/1"]


@pytest.mark.parametrize("claim", ["p6"], indirect=True)
def test_a_power_port_that_fails_is_a_fault_of_the_power(claim: Claim) -> None:
    with pytest.raises(PowerError, match=r"power of place 'p6' cannot be switched \(on\): .*500"):
        switch(claim, "on")


@pytest.mark.parametrize("claim", ["p7"], indirect=True)
def test_a_power_port_that_never_answers_is_given_up_at_the_deadline(claim: Claim, sockets: Switch) -> None:
    begin_s = time.monotonic()
    with pytest.raises(PowerError, match="no answer within 4 s"):
        switch(claim, "off", deadline_s=4)
    assert time.monotonic() - begin_s < 10
    assert "/7/0" in sockets.seen


@pytest.mark.parametrize("claim", ["b1"], indirect=True)
def test_a_place_without_a_power_port_says_what_it_has(claim: Claim) -> None:
    with pytest.raises(PowerError, match=r"no compatible resource.*it has NetworkService.*export a power port"):
        switch(claim, "cycle")


@pytest.mark.parametrize("claim", ["b1"], indirect=True)
def test_a_driver_of_a_trusted_environment_file_runs_its_commands(
    claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.yaml").write_text(ENVIRONMENT.format(folder=tmp_path))
    switch(claim, "cycle", environment="env.yaml")
    assert (tmp_path / "off").stat().st_mtime_ns < (tmp_path / "on").stat().st_mtime_ns


@pytest.mark.parametrize("claim", ["b1"], indirect=True)
def test_no_environment_file_runs_that_nobody_trusts(
    claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evil = tmp_path / "env.yaml"
    evil.write_text(ENVIRONMENT.format(folder=tmp_path) + "imports: [evil.py]\n")
    (tmp_path / "evil.py").write_text(f"open('{tmp_path}/ran', 'w')\n")
    evil.chmod(0o666)
    with pytest.raises(ConfigError, match="can be changed by others"):
        switch(claim, "cycle", environment="env.yaml")
    monkeypatch.setenv("LG_ENV", str(evil))
    with pytest.raises(PowerError):
        switch(claim, "cycle")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("claim", ["b1"], indirect=True)
def test_power_knows_three_words(claim: Claim) -> None:
    with pytest.raises(ConfigError, match="known: on, off, cycle"):
        switch(claim, "reboot")
