"""The clock guard puts back what was before, however its session or it itself ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.clockguard import pinned_clocks
from harness.errors import HarnessError
from tests.probes.trees import plant

CPU = "sys/devices/system/cpu"
GPU = "sys/class/devfreq/17000000.gpu"
CORE0, CORE1 = f"{CPU}/cpu0/cpufreq", f"{CPU}/cpu1/cpufreq"
# A file of the kernel that shows a number and refuses a write even to root.
UNWRITABLE = Path("/proc/sys/kernel/ngroups_max")
FREE = {
    f"{CPU}/online": "0-1",
    f"{CORE0}/scaling_governor": "schedutil", f"{CORE0}/scaling_available_governors": "schedutil performance",
    f"{CORE0}/scaling_min_freq": "700000", f"{CORE0}/scaling_max_freq": "1500000",
    f"{CORE1}/scaling_governor": "powersave", f"{CORE1}/scaling_available_governors": "powersave",
    f"{CORE1}/scaling_min_freq": "800000", f"{CORE1}/scaling_max_freq": "1600000",
    f"{GPU}/min_freq": "300000000", f"{GPU}/max_freq": "900000000",
}  # fmt: skip
PINNED = {
    **FREE, f"{CORE0}/scaling_governor": "performance", f"{CORE0}/scaling_min_freq": "1500000",
    f"{CORE1}/scaling_min_freq": "1600000", f"{GPU}/min_freq": "900000000",
}  # fmt: skip
SESSION = """
import sys, time
from pathlib import Path
from harness.clockguard import pinned_clocks
with pinned_clocks(Path(sys.argv[1]), root=sys.argv[2], jetson_clocks=""):
    print("in", flush=True)
    time.sleep(60)
"""

# Python itself may lie where only root reads it, so the rights are dropped after the imports.
AS_NOBODY = """
import os, sys
from harness.clockguard import main
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def root(tmp_path):
    return plant(tmp_path / "root", FREE)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "clocks.json"


def now(root):
    return {path: (root / path).read_text().strip() for path in FREE}


def within(seconds, condition):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def environment(checkout):
    return {**os.environ, "PYTHONPATH": str(checkout)}


@pytest.fixture
def session(root, state, checkout):
    """A process that holds the clocks pinned."""
    command = [sys.executable, "-c", SESSION, str(state), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(checkout)) as process:
        try:
            assert process.stdout.readline() == b"in\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def guard(root, state, checkout):
    """A guard that holds the clocks pinned, its input in the hands of the test."""
    command = [sys.executable, "-m", "harness.clockguard", str(state), "--root", str(root), "--jetson-clocks", ""]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(checkout), cwd=checkout
    ) as process:
        try:
            assert process.stdout.readline() == b"@dms pinned sysfs\n"
            yield process
        finally:
            process.kill()


def restore(root, state, checkout):
    command = [sys.executable, "-m", "harness.clockguard", str(state), "--root", str(root), "--jetson-clocks", ""]
    return subprocess.run([*command, "--restore"], capture_output=True, text=True, env=environment(checkout))


def test_the_clocks_are_pinned_inside_and_as_before_outside(root, state):
    with pinned_clocks(state, root=str(root), jetson_clocks="") as means:
        assert means == "sysfs"
        assert now(root) == PINNED
        assert state.exists()
    assert now(root) == FREE
    assert not state.exists()


def test_an_error_inside_is_told_once_the_clocks_are_back(root, state):
    with pytest.raises(ZeroDivisionError), pinned_clocks(state, root=str(root), jetson_clocks=""):
        1 / 0  # noqa: B018
    assert now(root) == FREE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_session_that_is_killed_leaves_the_clocks_as_before(root, state, session, number):
    assert now(root) == PINNED
    session.send_signal(number)
    assert within(10, lambda: not state.exists())
    assert now(root) == FREE


def test_the_end_of_standard_input_ends_the_guard(root, state, guard):
    guard.stdin.write(b"words are no end\n")
    guard.stdin.flush()
    assert now(root) == PINNED
    said, _ = guard.communicate(timeout=10)
    assert (said, guard.returncode) == (b"@dms restored\n", 0)
    assert now(root) == FREE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_guard_that_is_asked_to_end_restores(root, state, guard, number):
    guard.send_signal(number)
    assert guard.wait(timeout=10) == 0
    assert now(root) == FREE
    assert not state.exists()


@pytest.fixture
def killed(root, state, guard):
    """A guard was killed and left the clocks pinned."""
    guard.kill()
    guard.wait()
    assert now(root) == PINNED


@pytest.mark.usefixtures("killed")
def test_what_a_killed_guard_left_is_put_back_on_request(root, state, checkout):
    done = restore(root, state, checkout)
    assert (done.stdout, done.returncode) == ("@dms restored\n", 0)
    assert now(root) == FREE
    assert not state.exists()


@pytest.mark.usefixtures("killed")
def test_the_next_session_takes_no_pinned_clocks_for_those_of_before(root, state):
    with pinned_clocks(state, root=str(root), jetson_clocks=""):
        assert now(root) == PINNED
    assert now(root) == FREE


def test_a_session_whose_guard_was_killed_is_told_how_to_restore(root, state, processes):
    def lose_the_guard():
        with pinned_clocks(state, root=str(root), jetson_clocks=""):
            for one in processes(str(state)):
                os.kill(one, signal.SIGKILL)

    with pytest.raises(HarnessError, match=r"not put back.*ended with -9.*--restore"):
        lose_the_guard()
    assert now(root) == PINNED


def test_nothing_is_to_be_restored_where_nothing_was_pinned(root, state, checkout):
    assert restore(root, state, checkout).returncode == 0
    assert now(root) == FREE


@pytest.mark.usefixtures("guard")
def test_a_second_guard_is_refused(root, tmp_path):
    with (
        pytest.raises(HarnessError, match="another guard holds the clocks"),
        pinned_clocks(tmp_path / "other.json", root=str(root), jetson_clocks=""),
    ):
        pytest.fail("two guards at once")
    assert now(root) == PINNED


@pytest.mark.parametrize("path", [f"{CORE0}/scaling_min_freq", f"{CORE1}/scaling_min_freq", f"{GPU}/min_freq"])
def test_a_clock_that_cannot_be_set_is_refused_and_the_others_are_put_back(root, state, path):
    if not UNWRITABLE.exists():
        pytest.skip(f"no {UNWRITABLE}")
    (root / path).unlink()
    (root / path).symlink_to(UNWRITABLE)
    before = now(root)
    with (
        pytest.raises(HarnessError, match=r"cannot be pinned.*permission denied .needs root.*run as root"),
        pinned_clocks(state, root=str(root), jetson_clocks=""),
    ):
        pytest.fail("not pinned")
    assert now(root) == before
    assert not state.exists()


def test_a_user_who_may_not_set_clocks_is_refused(checkout):
    # Not below tmp_path, which is closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        root = plant(Path(folder) / "root", FREE)
        for path in FREE:
            (root / path).chmod(0o444)
        command = [sys.executable, "-c", AS_NOBODY, f"{folder}/clocks.json", "--root", str(root), "--jetson-clocks", ""]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(checkout))
        assert (done.returncode, done.stderr) == (1, "")
        assert re.match("@dms refused .*permission denied .needs root", done.stdout)
        assert now(root) == FREE
        assert os.listdir(folder) == ["root"]


def test_a_state_file_that_cannot_be_written_is_refused_before_any_change(root, tmp_path):
    with (
        pytest.raises(HarnessError, match="cannot be pinned"),
        pinned_clocks(tmp_path / "no" / "such" / "clocks.json", root=str(root), jetson_clocks=""),
    ):
        pytest.fail("not pinned")
    assert now(root) == FREE


@pytest.mark.parametrize("tree", [{}, {f"{CPU}/online": "0"}])
def test_a_machine_without_clocks_to_set_is_refused(tmp_path, state, tree):
    plant(tmp_path / "root", tree)
    with (
        pytest.raises(HarnessError, match="leave the pinning out"),
        pinned_clocks(state, root=str(tmp_path / "root"), jetson_clocks=""),
    ):
        pytest.fail("not pinned")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"jetson_clocks": false}',
        '{"jetson_clocks": false, "before": 3}',
        '{"jetson_clocks": false, "before": ["ab", "cd", "efg"]}',
        '{"jetson_clocks": false, "before": {"/etc/hostname": "pwned"}}',
        "\udcff",
    ],
)
def test_a_damaged_state_file_is_named_and_changes_nothing(root, state, checkout, content):
    state.write_text(content, encoding="utf-8", errors="surrogateescape")
    done = restore(root, state, checkout)
    assert done.returncode == 1
    assert done.stdout.startswith("@dms refused the clocks of before are not known")
    assert str(state) in done.stdout
    assert not done.stderr
    assert state.exists()
    assert now(root) == FREE


def test_a_limit_that_others_lowered_meanwhile_stays(root, state):
    with pinned_clocks(state, root=str(root), jetson_clocks=""):
        plant(root, {f"{CORE0}/scaling_max_freq": "1000000"})
    assert now(root) == {**FREE, f"{CORE0}/scaling_max_freq": "1000000"}


TOOL = """#!/bin/sh
cd {root}
echo "$*" >> {calls}
case "$1" in
--store)
  [ -e "$2" ] && read answer && exit 1
  cat {gpu}/min_freq idle > "$2" ;;
--restore)
  {{ read frequency; read idle; }} < "$2" || exit 1
  echo "$frequency" > {gpu}/min_freq; echo "$idle" > idle ;;
"")
  {body}
  echo off > idle ;;
esac
"""


@pytest.fixture
def tool(root, tmp_path):
    """Make a jetson_clocks that pins the GPU and the idle states of the planted machine; its name."""
    (root / "idle").write_text("on\n")

    def make(body=f"cat {GPU}/max_freq > {GPU}/min_freq"):
        path = tmp_path / "bin" / "jetson_clocks"
        path.parent.mkdir()
        path.write_text(TOOL.format(root=root, calls=tmp_path / "calls", gpu=GPU, body=body))
        path.chmod(0o755)
        return str(path)

    return make


def test_the_tool_of_the_board_is_used_where_it_is_on_the_path(root, state, tool, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(tool()).parent}{os.pathsep}{os.environ['PATH']}")
    state.with_name("clocks.json.jetson_clocks").write_text("left by an earlier session\n")
    with pinned_clocks(state, root=str(root)) as means:
        assert means == "jetson_clocks"
        assert now(root) == PINNED
        assert (root / "idle").read_text() == "off\n"
    assert now(root) == FREE
    assert (root / "idle").read_text() == "on\n"
    stored = f"{state}.jetson_clocks"
    assert (tmp_path / "calls").read_text().splitlines() == [f"--store {stored}", "", f"--restore {stored}"]
    assert not Path(stored).exists()


@pytest.mark.parametrize("body", ["exit 1", "echo 'Error! Unknown GPU!'; exit 1"])
def test_a_tool_that_fails_is_refused_and_undone(root, state, tool, body):
    with (
        pytest.raises(HarnessError, match="cannot be pinned: jetson_clocks"),
        pinned_clocks(state, root=str(root), jetson_clocks=tool(f"echo off > idle; {body}")),
    ):
        pytest.fail("not pinned")
    assert now(root) == FREE
    assert (root / "idle").read_text() == "on\n"


def test_what_the_tool_did_not_pin_is_pinned_beside_it(root, state, tool):
    with pinned_clocks(state, root=str(root), jetson_clocks=tool("echo 'Error: Failed to max GPU frequency!'")):
        assert now(root) == PINNED
    assert now(root) == FREE


def test_a_board_whose_tool_has_gone_keeps_its_state_file(root, state, checkout):
    plant(root, PINNED)
    knob = root / GPU / "min_freq"
    state.write_text(json.dumps({"jetson_clocks": True, "before": {str(knob): "300000000"}}))
    done = restore(root, state, checkout)
    assert (done.returncode, state.exists()) == (1, True)
    assert "jetson_clocks --restore" in done.stdout
    assert knob.read_text() == "300000000\n"
