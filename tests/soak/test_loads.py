"""A real load runs where it is told, ends with the measurement, and also with a measurement that is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import ConfigError, HarnessError
from harness.interference.loads import LOADS, NONE, check_load, running, tool
from harness.processes import group_members

needs_stress_ng = pytest.mark.skipif(not shutil.which("stress-ng"), reason="stress-ng is not installed")
REAL = [name for name in LOADS if name != NONE]
HELD = """
import sys, time
from pathlib import Path
from harness.interference.loads import running
with running("io", cores=[int(sys.argv[1])], folder=Path(sys.argv[2])) as load:
    print(load.group, flush=True)
    time.sleep(60)
"""


def gone(group, folder, seconds=10.0):
    """Whether all processes of a group and all files in a folder are gone in time."""
    until = time.monotonic() + seconds
    while group_members(group) or list(folder.iterdir()):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def killed(group):
    os.killpg(group, signal.SIGKILL)
    until = time.monotonic() + 5
    while group_members(group) and time.monotonic() < until:
        time.sleep(0.01)


def allowed(pid):
    return os.sched_getaffinity(pid)


@needs_stress_ng
@pytest.mark.parametrize("name", REAL)
def test_a_load_runs_on_its_cores_and_leaves_nothing(name, tmp_path):
    core = max(os.sched_getaffinity(0))
    with running(name, cores=[core], folder=tmp_path) as load:
        members = group_members(load.group)
        assert len(members) > 1
        assert {core} == set().union(*map(allowed, members))
        assert load.cpu_s() > 0
    assert group_members(load.group) == []
    assert list(tmp_path.iterdir()) == []


@needs_stress_ng
def test_an_error_inside_ends_the_load(tmp_path):
    with pytest.raises(KeyError), running("cpu", folder=tmp_path) as load:
        raise KeyError
    assert group_members(load.group) == []


@needs_stress_ng
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_load_of_a_killed_measurement_ends_too_with_its_files(number, tmp_path):
    core = str(max(os.sched_getaffinity(0)))
    command = [sys.executable, "-c", HELD, core, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        group = int(process.stdout.readline())
        assert group_members(group)
        process.send_signal(number)
    assert gone(group, tmp_path)


@needs_stress_ng
def test_a_load_that_dies_early_spoils_the_measurement():
    with pytest.raises(HarnessError, match="the load 'cpu' ended while it was needed"), running("cpu") as load:
        killed(load.group)


@needs_stress_ng
def test_a_load_that_cannot_start_says_so(tmp_path):
    with pytest.raises(HarnessError, match="the load 'io' ended at once"), running("io", folder=Path("/proc")):
        pass


def test_none_is_no_process():
    with running(NONE) as load:
        assert (load.group, load.cpu_s()) == (None, 0.0)


@pytest.fixture
def without_the_tool(monkeypatch, tmp_path):
    """As on a machine where nobody installed stress-ng."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


@pytest.mark.usefixtures("without_the_tool")
@pytest.mark.parametrize("name", REAL)
def test_without_the_tool_a_load_of_the_harness_runs_says_so_and_leaves_nothing(name, tmp_path):
    core, folder = max(os.sched_getaffinity(0)), tmp_path / "files"
    folder.mkdir()
    assert tool() == "the harness's own (stress-ng is not installed)"
    with running(name, cores=[core], folder=folder) as load:
        members = group_members(load.group)
        assert len(members) == 2
        assert {core} == set().union(*map(allowed, members))
        assert load.cpu_s() > 0
    assert group_members(load.group) == []
    assert list(folder.iterdir()) == []


@needs_stress_ng
def test_the_tool_is_told():
    assert tool() == "stress-ng"


def test_unknown_names_and_cores_are_refused():
    with pytest.raises(ConfigError, match="known: cpu, io, memory, none"):
        check_load("gpu")
    with pytest.raises(ConfigError, match="no such cores"), running("cpu", cores=[4096]):
        pass
