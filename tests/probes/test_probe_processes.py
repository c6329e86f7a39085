"""Which other processes used the processor: found by name, without our own tree, and never while frames are timed."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from harness.errors import HarnessError
from harness.probes import memory, processes
from harness.probes.processes import ForeignProcess

BURN = "while True: pass"
NESTED = f"""import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {BURN!r}])
print(child.pid, flush=True)
child.wait()
"""
ALL = 10_000


@pytest.fixture
def burner() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", BURN]) as child:
        yield child
        child.kill()


def busy_since_now(own, most=processes.MOST):
    before = processes.snapshot()
    time.sleep(0.5)
    return processes.since(before, own, most)


def test_a_busy_process_is_named_with_its_share(burner):
    found = {one.pid: one for one in busy_since_now(own=[], most=ALL)}
    assert processes.LEAST_PERCENT < found[burner.pid].percent <= 110
    assert "python" in found[burner.pid].name


def test_the_busiest_come_first_and_no_more_than_asked_for(burner):
    found = busy_since_now(own=[], most=ALL)
    assert [one.percent for one in found] == sorted((one.percent for one in found), reverse=True)
    assert len(busy_since_now(own=[], most=1)) == 1


def test_our_own_tree_is_left_out(burner):
    assert burner.pid not in {one.pid for one in busy_since_now(own=[os.getpid()], most=ALL)}
    assert burner.pid not in {one.pid for one in busy_since_now(own=[burner.pid], most=ALL)}


def test_what_our_own_children_started_is_left_out():
    with subprocess.Popen([sys.executable, "-c", NESTED], stdout=subprocess.PIPE) as child:
        grandchild = int(child.stdout.readline())
        assert grandchild in {one.pid for one in busy_since_now(own=[], most=ALL)}
        assert grandchild not in {one.pid for one in busy_since_now(own=[child.pid], most=ALL)}
        os.kill(grandchild, signal.SIGKILL)


def test_a_process_that_started_meanwhile_is_found():
    before = processes.snapshot()
    with subprocess.Popen([sys.executable, "-c", BURN]) as child:
        time.sleep(0.5)
        assert child.pid in {one.pid for one in processes.since(before, [], ALL)}
        child.kill()


def test_idle_processes_are_not_named():
    waiting = [sys.executable, "-c", "print(flush=True)\ninput()"]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert child.pid not in {one.pid for one in busy_since_now(own=[], most=ALL)}
        child.communicate(b"\n")


def test_a_process_is_told_in_words():
    assert str(ForeignProcess("browser", 123, 17.6)) == "browser (pid 123) 18 %"


def test_a_snapshot_inside_a_timed_window_fails_the_run():
    with memory.timed_window(), pytest.raises(HarnessError, match="list of processes read inside a timed window"):
        processes.snapshot()


def test_without_psutil_the_reason_takes_the_place_of_the_processes(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    before = processes.snapshot()
    assert before == processes.since(before, []) == processes.MISSING
    assert "dms-harness[host]" in before


def test_a_snapshot_is_cheap():
    costs = []
    for _ in range(5):
        start = time.thread_time()
        found = processes.snapshot()
        costs.append((time.thread_time() - start) / len(found.cpu_s))
    assert statistics.median(costs) < 0.03 / 300
