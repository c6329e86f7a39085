"""The tegrastats probe over programs of the test's own that print lines, garbage or nothing, hang, or die."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from tegralines import NANO, ORIN, THOR, XAVIER

from harness.errors import ConfigError
from harness.probes import ProbeError, open_probe, tegrastats

FOREVER = "exec sleep 60"
STAMPED_DURING_A_STOP = """
import sys, time
from harness.probes import open_probe
with open_probe("tegrastats", {"command": sys.argv[1]}) as probe:
    print("ready", flush=True)
    sys.stdin.readline()
    time.sleep(0.5)
    print(*(at_ns for at_ns, _ in probe.read()), probe.facts()["lines_late"], flush=True)
"""


@pytest.fixture
def tool(tmp_path):
    """Write a program that does this; its path."""

    def write(*lines: str) -> str:
        path = tmp_path / "tegrastats"
        path.write_text("\n".join(("#!/bin/sh", f"echo $$ > {tmp_path}/pid", *lines, "")), encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.fixture
def gone(tmp_path):
    """Whether the program that was started has ended and left no zombie."""
    return lambda: not Path("/proc", (tmp_path / "pid").read_text().strip()).exists()


def probe(command: str, **options):
    return open_probe("tegrastats", {"command": command, **options})


def collected(opened, count: int) -> list:
    """Read until so many samples came, or 5 s have passed."""
    samples, until = [], time.monotonic() + 5
    while len(samples) < count and time.monotonic() < until:
        samples += opened.read()
        time.sleep(0.02)
    return samples


def named(opened, sample) -> dict:
    return dict(zip((one.name for one in opened.channels), sample[1]))


@contextmanager
def first_sample(command: str):
    with probe(command) as opened:
        yield opened, named(opened, opened.read()[0])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            ORIN,
            {"VDD_GPU_SOC": 2500, "VDD_CPU_CV": 700, "VIN_SYS_5V0": 3100, "VDDQ_VDD2_1V8AO": 310, "temp.cpu": 45.5,
             "temp.soc0": "the sensor is off (-256 C)", "temp.tj": 46.25, "cpu0.load": 11, "cpu0.cur": 1.2e6,
             "cpu1.load": 0, "cpu1.cur": 729e3, "cpu2.load": "the core is off", "cpu2.cur": "the core is off",
             "cpu3.load": 100, "cpu3.cur": 2.201e6, "gpu.load": 21, "gpu.cur": 612e3, "emc.load": 6,
             "emc.cur": 2.133e6, "ram.used": 2048 * 2**20},
        ),
        (
            THOR,
            {"VDD_GPU": -410, "VDD_CPU_SOC_MSS": 7777, "VIN_SYS_5V0": 5000, "VIN": 31000, "temp.cpu": 50,
             "temp.tj": 52, "temp.gpu": 52, "cpu0.load": 1, "cpu0.cur": 972e3, "cpu1.load": 2, "cpu1.cur": 972e3,
             "gpu.cur": 1.5e6, "emc.cur": 3.2e6, "ram.used": 9000 * 2**20},
        ),
        (
            XAVIER,
            {"GPU": 20, "CPU": 310, "SOC": 930, "CV": 0, "VDDRQ": 620, "SYS5V": 1480, "temp.AO": 37.5,
             "temp.GPU": 36.5, "temp.CPU": -12, "temp.Tdiode": 40, "cpu0.load": 5, "cpu0.cur": 1.19e6,
             "cpu1.load": "the core is off", "cpu1.cur": "the core is off", "gpu.load": 0, "gpu.cur": 318e3,
             "emc.load": 0, "emc.cur": 665e3, "ram.used": 700 * 2**20},
        ),
    ],
)  # fmt: skip
def test_the_channels_are_what_the_first_line_has(tool, line, expected):
    with first_sample(tool(f"echo '{line}'", FOREVER)) as (_, found):
        assert found == expected


def test_each_channel_has_its_unit_and_the_interval_that_was_asked_for(tool):
    with probe(tool(f"echo '{NANO}'", FOREVER), interval_ms=500) as opened:
        units = {one.name: one.unit for one in opened.channels}
        assert {one.interval_ms for one in opened.channels} == {500}
        assert opened.rate_hz == 2
    assert units["POM_5V_IN"] == "mW"
    assert units["temp.PLL"] == "C"
    assert units["cpu1.load"] == units["gpu.load"] == "%"
    assert units["cpu1.cur"] == "kHz"
    assert units["ram.used"] == "bytes"


def test_a_line_counts_from_when_it_arrives_and_not_from_its_own_date(tool):
    before_ns = time.monotonic_ns()
    with probe(tool(f"echo '{ORIN}'", "sleep 0.4", f"echo '{ORIN}'", FOREVER)) as opened:
        (first_ns, _), (second_ns, _) = collected(opened, 2)
    assert before_ns < first_ns
    assert 0.35e9 < second_ns - first_ns < 2e9


def test_lines_wait_until_they_are_read_and_are_given_once(tool):
    with probe(tool("for i in 1 2 3 4 5; do", "echo RAM $i/99MB", "done", FOREVER)) as opened:
        assert [values for _, (values,) in collected(opened, 5)] == [number * 2**20 for number in range(1, 6)]
        assert opened.read() == []


def test_a_channel_that_a_later_line_lacks_has_a_reason(tool):
    with probe(tool("echo 'RAM 1/9MB gpu@50C'", "echo 'RAM 2/9MB tj@60C'", FOREVER)) as opened:
        _, later = collected(opened, 2)
        assert named(opened, later) == {"temp.gpu": "not in this line", "ram.used": 2 * 2**20}


def test_a_program_that_dies_gives_its_last_lines_and_then_the_reason_once_per_read(tool, gone):
    with probe(tool(f"echo '{ORIN}'", f"echo '{ORIN}'", "exit 3")) as opened:
        assert all(sample[1][0] == 2500 for sample in collected(opened, 2))
        for _ in range(2):
            (sample,) = collected(opened, 1)
            assert set(sample[1]) == {"tegrastats: the program ended with status 3"}
            assert len(sample[1]) == len(opened.channels)
    assert gone()


def test_a_line_that_the_end_of_the_program_cut_is_no_reading(tool):
    with probe(tool("echo 'RAM 1/9MB VDD_IN 5000mW'", "printf 'RAM 1/9MB VDD_IN 50mW'")) as opened:
        _, after = collected(opened, 2)
        assert set(after[1]) == {"tegrastats: the program ended with status 0"}


def test_garbage_between_lines_is_counted_and_left_out(tool):
    garbage = ("echo 'sensor busy' >&2", "printf '\\377\\200\\n'")
    with probe(tool("echo 'RAM 1/9MB NEW 3'", *garbage, "echo 'RAM 2/9MB'", FOREVER)) as opened:
        assert [values for _, (values,) in collected(opened, 2)] == [2**20, 2 * 2**20]
        facts = opened.facts()
    assert (facts["interval_ms"], facts["unknown_words"], facts["lines_not_parsed"]) == (1000, 2, 2)


def test_a_flood_without_an_end_of_line_is_no_reading_and_holds_nothing_up(tool):
    with probe(tool("echo 'RAM 1/9MB'", "head -c 80000000 /dev/zero", "echo", "echo 'RAM 2/9MB'", FOREVER)) as opened:
        assert [values for _, (values,) in collected(opened, 2)] == [2**20, 2 * 2**20]
        assert opened.facts()["lines_not_parsed"] == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("echo 'cannot open /dev/nvhost' >&2", "exit 1"), "ended with status 1; it said 'cannot open /dev/nvhost'"),
        (("kill -9 $$",), "ended with status -9"),
        (("printf 'RAM 1/9MB'",), "ended with status 0"),
        (("while :; do echo garbage; sleep 0.05; done",), "no line with a reading came within 0.4 s; it said 'garb"),
        ((FOREVER,), "no line with a reading came within 0.4 s"),
    ],
)
def test_a_program_without_one_reading_is_refused_and_ended(tool, gone, monkeypatch, lines, said):
    monkeypatch.setattr(tegrastats, "WAIT_S", 0.4)
    with pytest.raises(ProbeError) as caught, probe(tool(*lines)):
        pass
    assert said in caught.value.what
    assert "by hand" in caught.value.remedy
    assert gone()


@pytest.mark.parametrize("tail", [(FOREVER,), ("trap '' TERM", "while :; do sleep 0.05; done")])
def test_leaving_ends_the_program_even_one_that_does_not_want_to(tool, gone, tail):
    with probe(tool(*tail[:-1], f"echo '{ORIN}'", tail[-1])) as opened:
        assert not gone()
    assert gone()
    opened.__exit__()


def test_the_program_is_found_by_path_and_told_the_interval(tool, tmp_path, monkeypatch):
    tool('echo "$@" > "$(dirname "$0")/told"', "echo 'RAM 1/9MB'", FOREVER)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with open_probe("tegrastats", {"interval_ms": 250}):
        assert (tmp_path / "told").read_text() == "--interval 250\n"


@pytest.mark.skipif(shutil.which("stdbuf") is None, reason="no stdbuf here")
def test_a_program_that_would_keep_lines_back_in_a_pipe_does_not(tool):
    with probe(tool("(for i in 1 2 3; do echo 'RAM 1/9MB'; sleep 0.3; done) | grep RAM")) as opened:
        first, second, _ = collected(opened, 3)
        assert second[0] - first[0] > 0.2e9
        assert opened.facts()["line_buffered"] is True


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"command": "no-such-tegrastats"}, "no such program"),
        ({"command": "/dev/null"}, "no such program"),
        ({"interval_ms": 0}, "interval_ms is 0"),
        ({"interval_ms": 60_000}, "interval_ms is 60000"),
    ],
)
def test_what_cannot_be_started_is_refused_with_a_remedy(options, what):
    with pytest.raises(ProbeError, match=what) as caught, open_probe("tegrastats", options):
        pass
    assert caught.value.remedy


def test_a_probe_that_was_not_entered_reads_nothing_and_raises_nothing():
    closed = open_probe("tegrastats", {})
    assert [values for _, values in closed.read()] == [[]]
    assert closed.facts()["lines_late"] == 0
    with pytest.raises(ConfigError):
        open_probe("tegrastats", {"speed": 3})


def test_lines_that_waited_while_the_reader_was_stopped_are_dropped_and_not_stamped_too_late(tool):
    script = tool("while :; do echo 'RAM 1/9MB'; sleep 0.1; done")
    command = [sys.executable, "-c", STAMPED_DURING_A_STOP, script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout.readline() == "ready\n"
        time.sleep(0.5)
        reader.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        reader.send_signal(signal.SIGCONT)
        *stamps, late = map(int, reader.communicate("\n", timeout=20)[0].split())
    gaps = [after - before for before, after in pairwise(stamps)]
    assert late >= 5
    assert max(gaps) > 1.4e9
    assert sum(gap < 0.02e9 for gap in gaps) <= 3
