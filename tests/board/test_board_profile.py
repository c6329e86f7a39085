"""A profile of a board over a wire: what it must say, who asks it, and what is said where it cannot be reached."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import cli
from harness.board.link import reach
from harness.devicelist import whereabouts
from harness.errors import ConfigError
from harness.identity import found_on, require_present
from harness.profile import read_profile
from harness.profiletables import Identity
from tests.board.wired import board, through
from tests.workspace import Workspace

ENGINE = '[runtimes.fast]\nengine = "simulated"\n'


@pytest.fixture
def read(tmp_path):
    def made(text, address=""):
        (tmp_path / "orin.toml").write_text(text + ENGINE)
        return read_profile("orin", tmp_path, address)

    return made


RIGHT = [
    ('transport = "ssh"\naddress = "root@orin.lab:2222"\n', "ssh root@orin.lab:2222"),
    ('transport = "adb"\naddress = "0123456789"\n', "adb 0123456789"),
    ('transport = "labgrid"\n[board]\nplace = "orin-1"\n', "labgrid orin-1"),
    ('transport = "labgrid"\n[board]\ntags = {board = "orin"}\n', "labgrid board=orin"),
]


@pytest.mark.parametrize(("text", "where"), RIGHT)
def test_every_transport_says_where_its_board_is(read, text, where):
    profile = read(text)
    assert profile.remote
    assert profile.board_python == "python3"
    assert whereabouts(profile) == where


WRONG = [
    ('transport = "ssh"\n', "transport = 'ssh' needs an address"),
    ('transport = "adb"\n', "transport = 'adb' needs an address"),
    ('transport = "labgrid"\n', "needs a place or tags: one of both"),
    ('transport = "labgrid"\n[board]\nplace = "a"\ntags = {board = "orin"}\n', "needs a place or tags: one of both"),
    ('transport = "ssh"\naddress = "a"\n[board]\nplace = "b"\n', "labgrid, and nothing else, needs a place"),
    ('transport = "ssh"\naddress = "a"\n[board]\nplace_power = true\n', "only a place of labgrid has a power driver"),
    ('transport = "ssh"\naddress = "-oProxyCommand=x"\n', "address = '-oProxyCommand=x'"),
    ('transport = "ssh"\naddress = "a"\n[board]\npower_off = ["x"]\n', "power_off and power_on belong together"),
    ('transport = "ssh"\naddress = "a"\n[board]\nfolder = "/a/../etc"\n', "folder = '/a/../etc'"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_profile_that_leads_nowhere_is_refused(read, text, said):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert said in caught.value.sentence


def test_an_address_by_hand_is_above_that_of_the_profile(read):
    assert read('transport = "ssh"\naddress = "old"\n', "new").address == "new"


def test_a_transport_gets_its_own_options_and_nothing_else(read, tmp_path):
    text = 'transport = "ssh"\naddress = "a"\n[board]\nport = 2222\nidentity_file = "key"\nlease_s = 5\n'
    found = reach(read(text), tmp_path)
    assert found.options == {"port": 2222, "identity_file": "key"}
    assert found.known_hosts == tmp_path / "known_hosts"


def test_a_board_is_asked_itself_what_it_is_and_has(tmp_path):
    profile = board(tmp_path)
    with through(tmp_path):
        missing, said = found_on(profile)
        assert missing == []
        assert said["memory_mib"]
        foreign = profile.model_copy(update={"simulated": False, "identity": Identity(machine=("pdp11",))})
        with pytest.raises(ConfigError, match="the board at board is no simulated: its architecture says"):
            require_present(foreign, tmp_path)


def test_what_a_board_lacks_is_told_with_its_own_interpreter(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    with through(tmp_path), pytest.raises(ConfigError, match=rf"no numpy for {bare} \(pip install it there\)"):
        require_present(board(tmp_path, python=str(bare)), tmp_path)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A repository with a device whose address refuses every connection."""
    made = Workspace(tmp_path)
    made.add_simulated()
    text = Path(made.folder / "devices" / "simulated.toml").read_text()
    reached = text.replace('transport = "local"', 'transport = "ssh"\naddress = "127.0.0.1:1"')
    (made.folder / "devices" / "nowhere.toml").write_text(reached)
    monkeypatch.chdir(made.folder)
    return made


def test_a_board_out_of_reach_is_an_error_of_every_case_under_pytest(nowhere):
    done = nowhere.pytest("--device=nowhere", "--models=eyes", "--plan=smoke")
    assert done.status == 1
    assert "nowhere is out of reach" in done.output
    assert {one["status"] for one in done.results()["cases"]} == {"error"}


def test_commands_say_by_their_exit_status_whose_fault_it_is(nowhere, capsys):
    assert cli.main(["board", "check", "nowhere"]) == 6
    assert "out of reach" in capsys.readouterr().err
    assert cli.main(["board", "list"]) == 0
    assert "bad" in capsys.readouterr().out
    assert cli.main(["board", "check", "simulated"]) == 4
    assert "is this machine, and no board over a wire" in capsys.readouterr().err
    assert cli.main(["memory", "eyes", "--device=nowhere"]) == 4
    assert "works on this machine only" in capsys.readouterr().err
    assert cli.main(["devices"]) == 0
    assert "reached       ssh 127.0.0.1:1" in capsys.readouterr().out
