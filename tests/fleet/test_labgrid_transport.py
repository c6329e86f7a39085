from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.cli import main
from harness.errors import ConfigError, HarnessError, HostKeyError, NoBoardError, UnreachableError
from harness.processes import end_session, group_leader
from harness.transports import Reach, open_transport
from tests.absent import absent
from tests.fleet.labgridlab import LabgridLab, until_true

SSHD = """Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
UsePAM no
PidFile none
StrictModes no
PasswordAuthentication no
"""


class Sshd(NamedTuple):
    """A real server on this machine that knows one key of ours."""

    port: int
    folder: Path


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin") or absent("no OpenSSH server")
    folder = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    (folder / "sshd.conf").write_text(SSHD.format(port=port, folder=folder))
    kind, key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
    command = [program, "-D", "-e", "-f", str(folder / "sshd.conf")]
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log, preexec_fn=group_leader())
    try:
        until_true(lambda: b"Server listening" in (folder / "log").read_bytes())
        yield Sshd(port, folder)
    finally:
        end_session(server)


@pytest.fixture
def reach(own_lab: LabgridLab, sshd: Sshd) -> Reach:
    service = {"address": "127.0.0.1", "username": getpass.getuser(), "port": sshd.port}
    own_lab.start_exporter("exp", {"orin1": {"NetworkService": service}})
    own_lab.add_place("orin1", "exp/orin1/*", board="orin")
    options = {"tags": {"board": "orin"}, "coordinator": own_lab.address, "wait_s": 0.3}
    return Reach(
        device="orin", transport="labgrid", known_hosts=sshd.folder / "known_hosts",
        options={**options, "identity_file": str(sshd.folder / "user")},
    )  # fmt: skip


def with_options(reach: Reach, **changes: object) -> Reach:
    return replace(reach, options={**reach.options, **changes})


def test_commands_and_files_reach_the_board_behind_a_place_that_is_held_meanwhile(
    own_lab: LabgridLab, reach: Reach, tmp_path: Path
) -> None:
    (tmp_path / "here").write_bytes(b"\0some bytes\n")
    with open_transport(reach) as board:
        assert own_lab.place("orin1").holder == board.claim.holder
        assert board.facts == {"labgrid_place": "orin1", "labgrid_exporter": "exp"}
        board.put(tmp_path / "here", str(tmp_path / "there/file"), deadline_s=20)
        board.get(str(tmp_path / "there/file"), tmp_path / "back", deadline_s=20)
        answer = board.run(["cat"], text=b"$(hostname)", deadline_s=20)
        board.spawn(["sh", "-c", "exit 3"], str(tmp_path / "there"), environment={}, deadline_s=20)
        until_true(lambda: board.poll(str(tmp_path / "there"), 0, wait_s=1).status == 3)
    assert (tmp_path / "back").read_bytes() == b"\0some bytes\n"
    assert (answer.status, answer.out) == (0, b"$(hostname)")
    assert own_lab.place("orin1").holder == ""


def test_a_place_is_given_back_where_the_board_behind_it_cannot_be_spoken_to(own_lab: LabgridLab, reach: Reach) -> None:
    with pytest.raises(ConfigError), open_transport(with_options(reach, identity_file="/none")):
        pass
    assert own_lab.place("orin1").holder == ""


def test_a_board_with_another_host_key_is_told_and_its_place_given_back(
    own_lab: LabgridLab, reach: Reach, sshd: Sshd, tmp_path: Path
) -> None:
    kind, key = (sshd.folder / "user.pub").read_text().split()[:2]
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{sshd.port} {kind} {key}\n")
    with pytest.raises(HostKeyError), open_transport(replace(reach, known_hosts=tmp_path / "known_hosts")) as board:
        board.run(["true"], deadline_s=20)
    assert own_lab.place("orin1").holder == ""


def test_the_host_key_of_a_place_is_taken_up_by_the_command(
    own_lab: LabgridLab, reach: Reach, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "devices").mkdir()
    profile = f'transport = "labgrid"\n[board]\nplace = "orin1"\ncoordinator = "{own_lab.address}"\n[runtimes.null]\n'
    (tmp_path / "devices" / "orin.toml").write_text(profile)
    monkeypatch.chdir(tmp_path)
    assert main(["board", "trust", "orin"]) == 0, capsys.readouterr().err
    assert "added to devices/known_hosts.local" in capsys.readouterr().out
    expected = (sshd.folder / "known_hosts").read_text()
    assert (tmp_path / "devices" / "known_hosts.local").read_text() == expected
    assert own_lab.place("orin1").holder == ""


def test_the_profiles_own_address_is_taken_over_that_of_the_place(own_lab: LabgridLab, reach: Reach) -> None:
    with open_transport(replace(reach, address="127.0.0.1:1")) as board, pytest.raises(UnreachableError):
        board.run(["true"], deadline_s=10)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"tags": {"board": "nano"}}, NoBoardError, "no place with the tags board=nano"),
        ({"place": "orin1"}, ConfigError, "give one of both"),
        ({"tags": {}}, ConfigError, "give one of both"),
        ({"tags": {"board": 7}}, ConfigError, "table of texts"),
        ({"coordinator": "-x"}, ConfigError, "no address of a labgrid coordinator"),
    ],
)
def test_what_cannot_be_had_or_meant_is_said(reach: Reach, changes: dict, kind: type[HarnessError], words: str) -> None:
    with pytest.raises(kind, match=words), open_transport(with_options(reach, **changes)):
        pass


def test_a_board_dies_with_its_exporter_and_another_job_is_told(own_lab: LabgridLab, reach: Reach) -> None:
    os.killpg(own_lab.pid("exp"), signal.SIGKILL)
    until_true(lambda: not own_lab.lab().resources)
    with pytest.raises(NoBoardError, match="its exporter does not run"), open_transport(reach):
        pass
