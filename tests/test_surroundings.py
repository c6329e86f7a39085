"""What surrounds a measurement: other load, the speed of known work, what machine it is."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from harness.context import background_share, context_of, disturbed
from harness.probes import knownwork, load, machine

STAT = """cpu  100 0 50 900 10 0 0 0 0 0
cpu0 {user} 0 20 500 5 1 2 3 7 0
cpu1 0 0 0 1000 0 0 0 0 0 0
intr 5
"""


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def test_own_work_is_not_background():
    before = load.read()
    spin(0.4)
    foreign_ns, capacity_ns = load.since(before)
    after = load.read()
    assert 0 < after.own_ns - before.own_ns <= after.at_ns - before.at_ns
    # Whatever else runs on this machine is in it too, but never more than the cores could give.
    assert 0 <= foreign_ns <= capacity_ns


TICKS_NS = 2 * 10_000_000 * (os.cpu_count() or 1)


def test_another_process_is_background():
    before = load.read()
    work = "import time; t = time.process_time()\nwhile time.process_time() - t < .4: 0"
    subprocess.run([sys.executable, "-c", work], check=True)
    foreign_ns, capacity_ns = load.since(before)
    assert foreign_ns > 0.28e9
    assert foreign_ns <= capacity_ns + TICKS_NS  # the kernel counts in ticks


def test_busy_ticks_are_those_of_the_allowed_cores_without_idle_and_guest_time(monkeypatch, tmp_path):
    (tmp_path / "stat").write_text(STAT.format(user=40))
    monkeypatch.setattr(load, "STAT", tmp_path / "stat")
    monkeypatch.setattr(load, "_allowed_cores", lambda: {0})
    before = load.read()
    (tmp_path / "stat").write_text(STAT.format(user=140))
    after = load.read()
    assert (after.busy_ns - before.busy_ns, before.busy_ns) == (1_000_000_000, 660_000_000)


@pytest.mark.parametrize("content", [None, "", "cpu 1 2 3\n", "garbage\n"])
def test_a_system_that_does_not_tell_its_load_gives_none(monkeypatch, tmp_path, content):
    if content is not None:
        (tmp_path / "stat").write_text(content)
    monkeypatch.setattr(load, "STAT", tmp_path / "stat")
    assert load.read() is None
    assert load.since(None) is None


def test_known_work_takes_time_and_about_the_same_again():
    first, second = (knownwork.known_work_ns(time.perf_counter_ns) for _ in range(2))
    assert first > 10_000
    assert 0.2 < first / second < 5


def test_the_machine_is_the_same_at_every_look_and_tells_no_serial_number():
    facts = machine.machine_facts()
    assert facts == machine.machine_facts()
    assert facts["cores"] >= 1
    assert len(facts.get("unit", "0" * 12)) == 12


@pytest.mark.parametrize(
    ("cpuinfo", "cpu"),
    [
        ("processor\t: 0\nmodel name\t: Fast CPU\ncpu MHz\t: 2400.1\nbogomips\t: 10678\n", "Fast CPU"),
        ("processor\t: 0\nBogoMIPS\t: 62.50\nCPU part\t: 0xd42\n", "0xd42"),
    ],
)
def test_the_processor_is_named_and_never_measured(monkeypatch, tmp_path, cpuinfo, cpu):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    assert machine.machine_facts()["cpu"] == cpu


def test_a_board_gives_its_model_and_a_mark_of_the_unit(monkeypatch, tmp_path):
    (tmp_path / "model").write_bytes(b"Some Board 8GB\0")
    (tmp_path / "serial").write_bytes(b"1423221089123\0")
    monkeypatch.setattr(machine, "BOARD", tmp_path / "model")
    monkeypatch.setattr(machine, "SERIALS", (tmp_path / "serial",))
    facts = machine.machine_facts()
    assert facts["board"] == "Some Board 8GB"
    assert "1423221089123" not in str(facts)


@pytest.mark.parametrize(("share", "expected"), [(0.0, False), (0.05, False), (0.06, True)])
def test_a_session_is_disturbed_above_5_percent_of_the_cores(make_run, share, expected):
    runs = [make_run([1_000_000], marks={"background_ns": share * 1e9, "capacity_ns": 1e9}) for _ in range(3)]
    assert disturbed(runs) is expected
    assert background_share(runs) == pytest.approx(share)
    assert context_of(runs)["background_percent"] == pytest.approx(100 * share)


def test_without_a_reading_nothing_is_said_about_the_background(make_run):
    assert background_share([make_run([1])]) is None
    assert not disturbed([make_run([1])])
    assert context_of([]) == {}
