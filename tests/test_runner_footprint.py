"""The memory and the CPU time of an engine in another process are the engine's."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from harness.footprint import Footprint

BUSY = """
held = bytearray(80 << 20)
held[::4096] = b"x" * len(held[::4096])
print(flush=True)
while True:
    pass
"""


class Runtime:
    """Nothing but the processes in which it runs."""

    def __init__(self, *process_ids):
        self.process_ids = process_ids


@pytest.fixture
def busy():
    """The id of a process that holds 80 MiB and never rests."""
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_what_the_engines_processes_hold_and_work_is_not_that_of_others(busy):
    alone, whole = Footprint(Runtime()), Footprint(Runtime(busy))
    for one in (alone, whole):
        one.weigh("rss_bytes")
        one.new_peak()
        one.mark_peak("peak_bytes")
    for mark in ("rss_bytes", "peak_bytes"):
        assert whole.marks[mark] - alone.marks[mark] > 80 << 20
    with alone.background("used", "of"), whole.background("used", "of"):
        time.sleep(0.3)
    assert alone.marks["used"] > whole.marks["used"]


def test_a_process_that_has_ended_meanwhile_makes_its_memory_unknown_and_not_smaller():
    footprint = Footprint(Runtime(2**22 + 1))
    footprint.weigh("rss_bytes")
    assert "rss_bytes" not in footprint.marks
