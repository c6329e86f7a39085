"""The benchmark of the trend report: its peers get the same numbers, and what it counts is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peer_asv import make_repository
from benchmarks.peer_costs import Cost, files_of, outside, timed, with_work
from benchmarks.trend_report import line, numbers
from harness.case import Case
from tests.trendreport.handmade import Made, trends

INT8, FP32 = Case("orin", "eyes", "int8", "trt"), Case("orin", "eyes", "fp32", "trt")


def test_the_peers_get_exactly_the_numbers_of_the_report():
    short = Made(case=FP32, values={"load_ms": [3.0]}, sessions=1)
    long = Made(case=INT8, values={"frame_p99_ms": [0.1 + 0.2, None, 2.0]}, sessions=3)
    made = trends(short, long)
    found = numbers(made)
    assert found["name"].tolist() == ["orin.eyes.fp32.trt.load_ms", "orin.eyes.int8.trt.frame_p99_ms"]
    assert found["unit"].tolist() == ["ms", "ms"]
    assert tuple(found["at"].tolist()) == made.tracks[1].at
    np.testing.assert_array_equal(found["value"], [[3.0, np.nan, np.nan], [0.1 + 0.2, np.nan, 2.0]])


def test_each_session_is_a_commit_of_its_time(tmp_path):
    times = [1_700_000_000, 1_700_000_000, 1_700_043_200]
    hashes = make_repository(tmp_path / "r", times)
    told = ["git", "-C", str(tmp_path / "r"), "log", "--reverse", "--format=%H %at", "main"]
    said = subprocess.run(told, check=True, capture_output=True, text=True).stdout.splitlines()
    assert said == [f"{one} {time}" for one, time in zip(hashes, times, strict=True)]


@pytest.mark.parametrize(
    ("html", "asked"),
    [
        ('<script src="https://a.example/x.js"></script><link href="//b.example/y.css">', 2),
        ('<script src="x.js"></script><img src="data:image/png;base64,AA"><link href="y.css">', 0),
        ('<a href="https://a.example/">elsewhere</a>', 0),
        ("<script>const text = '<img src=\"https://a.example/x.png\">'</script>", 0),
    ],
    ids=["asked for", "its own", "a link asks for nothing", "text of a script"],
)
def test_what_a_page_asks_the_network_for(html, asked):
    assert len(outside(html)) == asked


def test_a_site_is_its_folder_and_a_page_is_one_file(tmp_path):
    (tmp_path / "graphs").mkdir()
    written = [tmp_path / name for name in ("index.html", "trends.html", "graphs/a.json")]
    for path in written:
        path.write_text("x")
    assert sorted(files_of(tmp_path / "index.html")) == sorted(written)
    assert files_of(tmp_path / "trends.html") == [tmp_path / "trends.html"]


def test_a_process_costs_with_its_children_and_tells_its_work():
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])\nprint('0.25 0.125')"
    cost, said = timed(sys.executable, "-c", parent, cwd=Path.cwd())
    assert cost.cpu_s >= 0.3
    assert cost.wall_s > 0
    assert with_work(cost, said) == Cost(wall_s=cost.wall_s, cpu_s=cost.cpu_s, work_s=0.25, work_cpu_s=0.125)


def test_a_process_that_fails_is_no_figure():
    with pytest.raises(subprocess.CalledProcessError):
        timed(sys.executable, "-c", "raise SystemExit(3)", cwd=Path.cwd())


def test_what_is_not_known_stays_empty():
    assert line("asv", [1.0, 2.0, None, None, 3.0]).split() == ["asv", "1.00", "2.00", "3.00"]
    assert len(line("asv", [None] * 5)) == len(line("asv", [1.0] * 5))
