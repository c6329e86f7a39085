"""Memory that is taken and given back between two polls: the polls miss it, the high-water marks do not."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BURST = 500_000_000
# Prints what two polls and the marks say of a burst of memory between them.
PHASE = f"""
import json, mmap
import numpy as np
from harness.probes import memory

def burst():
    with mmap.mmap(-1, {BURST}) as block:
        pages = np.frombuffer(block, np.uint8)
        pages[::mmap.PAGESIZE] = 1
        del pages

burst()
with memory.CgroupPeak() as cgroup:
    told = {{"reset": memory.reset_peak(), "cgroup_reset": cgroup.reset_peak()}}
    told["start"], told["cgroup_start"] = memory.peak_bytes(), cgroup.peak_bytes()
    polls = [memory.resident_bytes()]
    {{action}}
    polls.append(memory.resident_bytes())
    told.update(polls=polls, peak=memory.peak_bytes(), cgroup_peak=cgroup.peak_bytes())
print(json.dumps(told))
"""


def run_phase(action):
    done = subprocess.run([sys.executable, "-c", PHASE.replace("{action}", action)], stdout=subprocess.PIPE, check=True)
    told = json.loads(done.stdout)
    if not told["reset"]:
        pytest.skip("this kernel does not reset the high-water mark")
    return told


def test_500_mb_taken_and_given_back_between_two_polls_are_found_by_the_peak():
    told = run_phase("burst()")
    before, after = told["polls"]
    assert after - before < 0.05 * BURST, "the polls see nothing"
    assert told["peak"] - told["start"] == pytest.approx(BURST, rel=0.05)
    if told["cgroup_reset"]:
        assert told["cgroup_peak"] - told["cgroup_start"] == pytest.approx(BURST, rel=0.2)


def test_a_burst_of_the_phase_before_is_not_in_the_peak_of_this_one():
    told = run_phase("pass")
    assert told["peak"] - told["polls"][0] < 0.05 * BURST
