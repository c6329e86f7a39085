"""Processes end with their parent, are killed with all that they started, and keep their number until then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from harness.processes import (
    end_group,
    end_session,
    ends_within,
    group_leader,
    group_members,
    has_ended,
    session_members,
    signal_group,
)

LEADING = [lambda: {"preexec_fn": group_leader()}, lambda: {"start_new_session": True}]
OTHER_GROUP = (
    "import os, subprocess, time\n"
    "print(subprocess.Popen(['sleep', '600'], preexec_fn=os.setpgrp).pid, flush=True)\n"
    "time.sleep(600)"
)


def started(*command, **options):
    """A process, and the number that it prints."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    return process, int(process.stdout.readline())


def ended(pid):
    """Within some seconds; whoever inherited it may not have reaped it yet."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] in b"ZX":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("then", ["", "; exec sleep 600"], ids=["ended", "running"])
@pytest.mark.parametrize("leading", LEADING, ids=["group_leader", "start_new_session"])
def test_a_group_is_killed_with_its_leader_also_where_that_has_ended(leading, then):
    process, child = started("sh", "-c", f"sleep 600 & echo $!{then}", **leading())
    with process:
        assert ends_within(process.pid, 0.0 if then else 5.0) is not bool(then)
        assert child in group_members(process.pid)
        assert end_group(process) == (-signal.SIGKILL if then else 0)
    assert ended(child)


def test_a_group_leader_keeps_the_session_of_its_parent():
    with started("sh", "-c", "echo 0; exec sleep 600", preexec_fn=group_leader())[0] as process:
        assert (os.getpgid(process.pid), os.getsid(process.pid)) == (process.pid, os.getsid(0))
        assert process.pid in session_members(os.getsid(0))
        end_group(process)


@pytest.mark.parametrize(("end", "left"), [(end_group, True), (end_session, False)])
def test_only_the_end_of_a_session_reaches_its_other_groups(end, left):
    process, child = started(sys.executable, "-c", OTHER_GROUP, start_new_session=True)
    with process:
        assert os.getpgid(child) != process.pid
        end(process)
    try:
        assert ended(child) is not left
    finally:
        if left:
            os.kill(child, signal.SIGKILL)


def test_a_process_that_has_ended_keeps_its_number_until_it_is_reaped():
    with started("sh", "-c", "echo 0; exit 7")[0] as process:
        assert ends_within(process.pid, 5.0)
        assert has_ended(process.pid)
        assert process.returncode is None
        assert end_group(process) == 7
    # Its number may be another's by now: nothing is sent, and nothing raises.
    signal_group(process, signal.SIGKILL)
    assert end_group(process) == 7


PARENT = """
import subprocess, sys, time
from harness.processes import group_leader
child = subprocess.Popen([sys.executable, "-c", {child!r}], {how})
time.sleep(600)
"""
ENDS_WITH_PARENT = "from harness.processes import end_with_parent; end_with_parent(); {tell}"
TELL = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


@pytest.mark.parametrize(
    ("child", "how"),
    [(TELL, "preexec_fn=group_leader()"), (ENDS_WITH_PARENT.format(tell=TELL), "start_new_session=True")],
    ids=["group_leader", "end_with_parent"],
)
def test_kill_9_of_the_parent_takes_the_child_with_it(child, how, checkout):
    script = PARENT.format(child=child, how=how)
    parent, told = started(sys.executable, "-c", script, cwd=checkout)
    with parent:
        parent.kill()
    assert ended(told)
