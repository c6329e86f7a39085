"""The front of latency against watts, from measured values, and what this host can set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case
from harness.measurement import Measurement
from harness.powermodes.front import Point, core_counts, front, host_clocks_khz, host_fault, point, point_of

MODES = (
    Point(mode="MAXN", latency_ms=5.0, watts=30.0), Point(mode="30W", latency_ms=8.0, watts=20.0),
    Point(mode="15W", latency_ms=20.0, watts=10.0), Point(mode="odd", latency_ms=9.0, watts=25.0),
    Point(mode="unmetered", latency_ms=6.0),
)  # fmt: skip


def test_modes_that_nothing_beats_are_on_the_front():
    found = front(MODES, budget_ms=10.0)
    assert [one.mode for one in found.points] == ["MAXN", "30W", "15W"]
    assert [(one.mode, by) for one, by in found.beaten] == [("odd", "30W")]
    assert found.faults == ("unmetered: nobody measured power_mean_w",)
    assert found.within.mode == "30W"
    assert "odd: 9.00 ms at 25.00 W, 30W beats it" in found.sentences


def test_no_mode_within_the_budget_is_none():
    assert front(MODES, budget_ms=1.0).within is None
    assert front([]).sentences == ()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=20))
def test_whatever_is_off_the_front_is_beaten_by_something_on_it(pairs):
    points = [Point(mode=str(index), latency_ms=ms, watts=watts) for index, (ms, watts) in enumerate(pairs)]
    found = front(points)
    assert len(found.points) + len(found.beaten) == len(points)
    on = [one.costs() for one in found.points]
    assert all(any(ms <= one.costs()[0] and watts <= one.costs()[1] for ms, watts in on) for one, _ in found.beaten)
    assert not any(a[0] <= b[0] and a[1] <= b[1] and a != b for a in on for b in on)


def test_a_point_is_the_median_of_its_processes():
    values = {"frame_p99_ms": (5.0, 7.0, 6.0), "power_mean_w": (10.0,)}
    assert point("15W", values) == Point(mode="15W", latency_ms=6.0, watts=10.0, spread_ms=(5.0, 7.0), processes=3)
    assert point("15W", {}).fault() == "15W: nobody measured frame_p99_ms and power_mean_w"


def test_a_host_without_cpufreq_says_so(tmp_path):
    assert host_fault(tmp_path).startswith("no cpufreq here")
    assert host_clocks_khz(tmp_path) == ()


@pytest.mark.parametrize(
    ("files", "clocks"),
    [
        ({"scaling_available_frequencies": "800000 2000000 1400000 \n"}, (800_000, 1_400_000, 2_000_000)),
        ({"cpuinfo_min_freq": "800000\n", "cpuinfo_max_freq": "3000000\n"}, (800_000, 3_000_000)),
        ({"cpuinfo_min_freq": "800000\n", "cpuinfo_max_freq": "800000\n"}, (800_000,)),
        ({"scaling_available_frequencies": "<unknown>"}, ()),
    ],
)
def test_the_clocks_of_a_host_are_read(tmp_path, files, clocks):
    folder = tmp_path / "sys/devices/system/cpu/cpu0/cpufreq"
    folder.mkdir(parents=True)
    for name, text in {**files, "scaling_max_freq": "1"}.items():
        (folder / name).write_text(text)
    assert host_clocks_khz(tmp_path) == clocks
    assert (host_fault(tmp_path) == "") == (len(clocks) > 1)


@pytest.mark.parametrize(("device", "mode"), [("orin@15W", "15W"), ("orin", "default")])
def test_a_measurement_is_a_point_whose_power_nobody_measured(make_run, quick, device, mode):
    runs = tuple(make_run([ms * 1_000_000] * 400) for ms in (4, 6, 5))
    found = point_of(Measurement(case=Case(device, "eyes", "int8", "ort"), plan=quick, runs=runs))
    assert (found.mode, found.latency_ms, found.watts) == (mode, 5.0, None)


@pytest.mark.parametrize(
    ("cores", "sizes"), [([], []), ([3], [1]), (range(2), [1, 2]), (range(6), [1, 2, 4, 6]), (range(8), [1, 2, 4, 8])]
)
def test_core_counts_double_up_to_all(cores, sizes):
    assert [len(one) for one in core_counts(cores)] == sizes


def test_without_watts_cores_stand_in_for_them():
    points = [Point(mode="1 core", latency_ms=9.0, cores=1), Point(mode="2 cores", latency_ms=9.5, cores=2)]
    found = front(points, budget_ms=10.0, by="cores")
    assert found.sentences == (
        "1 core: 9.00 ms on 1 core", "2 cores: 9.50 ms on 2 cores, 1 core beats it",
        "the least cores within the budget: 1 core",
    )  # fmt: skip
    assert front(points).faults == ("1 core: nobody measured power_mean_w", "2 cores: nobody measured power_mean_w")
