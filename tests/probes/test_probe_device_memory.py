"""The memory of the whole device on the time axis: what there is, what is missing, and a process that ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import plant

from harness.probes import ProbeError, open_probe
from harness.probes.device_memory import amounts

PLAIN = "MemTotal:       8000 kB\nMemFree:        1000 kB\nMemAvailable:   5000 kB\nHugePages_Total:    7"
SWAP = "\nSwapTotal:      2000 kB\nSwapFree:       1500 kB"
JETSON = "\nNvMapMemFree:     90 kB\nNvMapMemUsed:    600 kB"
PAGE = os.sysconf("SC_PAGE_SIZE")


def probe(root, **options):
    return open_probe("device_memory", {"root": str(root), **options})


def read(opened):
    ((_, readings),) = opened.read()
    return dict(zip((one.name for one in opened.channels), readings))


@pytest.mark.parametrize(
    ("meminfo", "expected"),
    [
        (PLAIN, {"used": 3000 * 1024}),
        (PLAIN + SWAP, {"used": 3000 * 1024, "swap_used": 500 * 1024}),
        (PLAIN + SWAP + JETSON, {"used": 3000 * 1024, "swap_used": 500 * 1024, "nvmap": 600 * 1024}),
        (PLAIN + "\nSwapTotal: 0 kB\nSwapFree: 0 kB", {"used": 3000 * 1024, "swap_used": 0}),
        ("MemTotal:   8000 kB" + JETSON, {"nvmap": 600 * 1024}),
    ],
)
def test_only_what_the_kernel_tells_is_a_channel(meminfo, expected, tmp_path):
    with probe(plant(tmp_path, {"proc/meminfo": meminfo})) as opened:
        assert read(opened) == expected
        assert {one.unit for one in opened.channels} == {"bytes"}


@pytest.mark.parametrize("files", [{}, {"proc/meminfo": "MemTotal: 8000 kB"}, {"proc/meminfo": "MemTotal: -1 kB"}])
def test_a_system_that_tells_no_amount_is_refused(files, tmp_path):
    with pytest.raises(ProbeError) as caught, probe(plant(tmp_path, files)):
        pass
    assert "proc/meminfo" in caught.value.where
    assert caught.value.remedy


def test_what_there_is_in_all_is_a_fact(tmp_path):
    with probe(plant(tmp_path, {"proc/meminfo": PLAIN + SWAP})) as opened:
        assert opened.facts() == {"total_bytes": 8000 * 1024, "swap_total_bytes": 2000 * 1024}


def test_a_field_that_vanishes_is_a_reason_and_the_others_go_on(tmp_path):
    with probe(plant(tmp_path, {"proc/meminfo": PLAIN + JETSON})) as opened:
        plant(tmp_path, {"proc/meminfo": PLAIN})
        assert read(opened) == {"used": 3000 * 1024, "nvmap": "meminfo tells no nvmap"}


@pytest.mark.parametrize(
    ("statm", "expected"),
    [
        ("900 250 30 4 0 100 0", 250 * PAGE),
        ("0 0 0 0 0 0 0", "has ended"),
        ("900", "not the size of a process"),
        ("900 many", "not the size of a process"),
        (None, "no such file"),
    ],
)
def test_the_resident_memory_of_a_process_is_a_channel(statm, expected, tmp_path):
    files = {"proc/meminfo": PLAIN, **({} if statm is None else {"proc/77/statm": statm})}
    with probe(plant(tmp_path, files), pid=77) as opened:
        found = read(opened)["process"]
    assert found == expected or (isinstance(expected, str) and expected in found)


def test_this_process_and_this_device():
    with probe("/", pid=os.getpid()) as opened:
        found = read(opened)
        total = opened.facts()["total_bytes"]
        assert 5e6 < found["process"] < total
        assert 5e6 < found["used"] < total


def test_a_process_that_ends_becomes_a_reason():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with probe("/", pid=child.pid) as opened:
        assert read(opened)["process"] > 0
        child.communicate(b"\n")
        assert isinstance(read(opened)["process"], str)


@given(st.text(max_size=200))
def test_any_text_is_read(text):
    assert all(isinstance(value, float) for value in amounts(text).values())


def test_the_captured_meminfo_is_read(captures):
    found = amounts((captures / "proc" / "meminfo_linux6.18_vm.txt").read_text())
    assert found == {"used": (24_684_084 - 24_112_488) * 1024.0, "swap_used": 0.0}
