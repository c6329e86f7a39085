"""This machine as a device: what the contract of all transports does not say."""

from __future__ import annotations

import os
import sys
import time

import pytest

from harness.errors import ConfigError
from harness.transports import TRANSPORTS, Reach, open_transport

HERE = Reach(device="here", transport="local")


@pytest.fixture
def transport():
    with open_transport(HERE) as entered:
        yield entered


def test_an_unknown_transport_is_refused_with_the_known_names():
    with pytest.raises(ConfigError, match=r"did you mean 'ssh'.*adb, labgrid, local, ssh"):
        open_transport(Reach(device="here", transport="shh"))
    assert set(TRANSPORTS) == {"adb", "labgrid", "local", "ssh"}


def test_a_deadline_may_be_a_fraction_of_a_second(transport):
    start = time.monotonic()
    answer = transport.run(["sleep", "600"], deadline_s=0.2)
    assert answer.timed_out
    assert time.monotonic() - start < 3


def test_a_program_that_may_not_be_run_says_so_as_a_shell_does(transport, tmp_path):
    (tmp_path / "data").write_text("no program")
    assert transport.run([str(tmp_path / "data")], deadline_s=5).status == 126


def test_a_command_gets_no_shell(transport):
    answer = transport.run([sys.executable, "-c", "import os; print(os.getppid())"], deadline_s=10)
    assert int(answer.out) == os.getpid()


@pytest.mark.parametrize("status", ["", "-", "- 4194303"])
def test_a_status_without_a_number_is_none_yet(transport, tmp_path, status):
    (tmp_path / "status").write_text(status)
    gone = 137 if "4194303" in status else None
    assert transport.poll(str(tmp_path), 0, wait_s=0).status == gone
