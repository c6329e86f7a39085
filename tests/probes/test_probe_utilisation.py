"""How busy cores, GPU and memory controller are: what counts as busy, and reasons where no share can be told."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import plant

from harness.probes import ProbeError, open_probe
from harness.probes.utilisation import busy_percent, core_ticks

# user nice system idle iowait irq softirq steal guest guest_nice
BEFORE = "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 50 0 0 400 0 0 0 0 0 0\ncpu2 50 0 0 500 0 0 0 0 0 0\nintr 9 1\nctxt 4"
AFTER = "cpu  160 0 0 940 0 0 0 0 0 0\ncpu0 100 0 0 400 0 0 0 0 50 0\ncpu2 60 0 0 540 0 0 0 0 0 0\nintr 9 1"
ORIN_GPU = "sys/class/devfreq/17000000.gpu/device/load"
ACTIVITY = "sys/kernel/actmon_avg_activity/mc_all"
CLOCK = "sys/kernel/debug/bpmp/debug/clk/emc/rate"


def probe(root):
    return open_probe("utilisation", {"root": str(root)})


def read(opened):
    ((_, readings),) = opened.read()
    return dict(zip((one.name for one in opened.channels), readings))


def read_one(root, files):
    """What a tree with these files besides /proc/stat tells, and the facts."""
    with probe(plant(root, {"proc/stat": BEFORE, **files})) as opened:
        plant(root, {"proc/stat": AFTER})
        return read(opened), opened.facts()


def test_each_online_core_and_all_of_them_have_a_share(tmp_path):
    found, facts = read_one(tmp_path, {})
    assert found == {"cpu": 60.0, "cpu0": 100.0, "cpu2": 20.0}
    assert facts == {"files": {}, "left_out": {}}


def test_a_second_reading_counts_from_the_first(tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE})) as opened:
        plant(tmp_path, {"proc/stat": AFTER})
        opened.read()
        plant(tmp_path, {"proc/stat": AFTER.replace("cpu2 60 0 0 540", "cpu2 90 0 0 550")})
        found = read(opened)
    assert found["cpu2"] == 75.0
    assert "no tick" in found["cpu0"]


def test_without_a_tick_between_there_is_a_reason(tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE})) as opened:
        assert all("no tick" in told for told in read(opened).values())


def test_a_core_that_goes_offline_and_comes_back(tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE})) as opened:
        plant(tmp_path, {"proc/stat": "\n".join(line for line in AFTER.splitlines() if "cpu2" not in line)})
        assert read(opened) == {"cpu": 60.0, "cpu0": 100.0, "cpu2": "the core is offline"}
        plant(tmp_path, {"proc/stat": AFTER})
        assert read(opened)["cpu2"] == "first reading"


def test_a_file_that_is_lost_is_a_reason_and_the_next_reading_spans_the_gap(tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE})) as opened:
        (tmp_path / "proc/stat").unlink()
        assert set(read(opened).values()) == {f"{tmp_path}/proc/stat: there is no such file"}
        plant(tmp_path, {"proc/stat": AFTER})
        assert read(opened)["cpu0"] == 100.0


@pytest.mark.parametrize("files", [{}, {"proc/stat": "intr 5\nctxt 9"}, {"proc/stat": "cpu  1 2 3"}])
def test_a_system_without_times_of_cores_is_refused(files, tmp_path):
    with pytest.raises(ProbeError) as caught, probe(plant(tmp_path, files)):
        pass
    assert "proc/stat" in caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("50 0 0 50 0 0 0 0 0 0", 50.0),
        ("0 20 30 50 0 0 0 0 0 0", 50.0),
        ("0 0 0 25 75 0 0 0 0 0", 0.0),
        ("0 0 0 50 0 10 20 20 0 0", 50.0),
        ("50 0 0 50 0 0 0 0 50 50", 50.0),
        ("40 0 0 60 0 0 0 0", 40.0),
    ],
)
def test_waiting_is_idle_stolen_time_is_busy_and_guests_count_once(columns, expected):
    assert busy_percent((0, 0), core_ticks(f"cpu7 {columns}\n")["cpu7"]) == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((10, 100), (20, 95), 100.0),
        ((10, 100), (9, 200), "went backwards"),
        ((10, 100), (10, 100), "no tick"),
        (None, (10, 100), "first reading"),
        ((10, 100), None, "offline"),
    ],
)
def test_counters_that_cannot_be_compared_are_reasons(before, after, expected):
    found = busy_percent(before, after)
    assert found == expected or (isinstance(expected, str) and expected in found)


@pytest.mark.parametrize(
    "path",
    [
        ORIN_GPU,
        "sys/class/devfreq/17000000.gv11b/device/load",
        "sys/class/devfreq/17000000.gp10b/device/load",
        "sys/devices/gpu.0/load",
        "sys/devices/platform/gpu.0/load",
        "sys/devices/platform/bus@0/17000000.gpu/load",
    ],
)
def test_the_load_of_the_gpu_is_found_on_each_generation(path, tmp_path):
    found, facts = read_one(tmp_path, {path: 437})
    assert found["gpu"] == 43.7
    assert facts == {"files": {"gpu": f"{tmp_path}/{path}"}, "left_out": {}}


@pytest.mark.parametrize("path", ["sys/class/devfreq/15340000.vic/device/load", "sys/class/devfreq/gpu-gpc-0/cur_freq"])
def test_other_engines_are_not_taken_for_the_gpu(path, tmp_path):
    assert "gpu" not in read_one(tmp_path, {path: 500})[0]


@pytest.mark.parametrize(
    ("load", "expected"), [("1000", 100.0), ("0", 0.0), ("1001", "1/1000"), ("-1", "1/1000"), ("off", "whole number")]
)
def test_a_load_that_is_no_share_is_a_reason(load, expected, tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE, ORIN_GPU: 1})) as opened:
        plant(tmp_path, {ORIN_GPU: load})
        found = read(opened)["gpu"]
    assert found == expected or (isinstance(expected, str) and expected in found)


def test_a_gpu_file_without_a_number_is_left_out_and_told(tmp_path):
    found, facts = read_one(tmp_path, {ORIN_GPU: "off"})
    assert "gpu" not in found
    assert "not a whole number" in facts["left_out"]["gpu"]


@pytest.mark.parametrize("activity", [ACTIVITY, "sys/kernel/debug/cactmon/mc_all"])
@pytest.mark.parametrize("clock", [CLOCK, "sys/kernel/debug/clk/emc/clk_rate"])
def test_the_memory_controller_is_busy_by_its_clock(activity, clock, tmp_path):
    found, facts = read_one(tmp_path, {activity: 533_250, clock: 2_133_000_000})
    assert found["memory_controller"] == pytest.approx(25.0)
    assert facts["files"] == {"memory_controller": f"{tmp_path}/{activity}"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({ACTIVITY: 1000}, "told to root only"),
        ({ACTIVITY: 1000, CLOCK: "off"}, "rate: not a whole number"),
        ({ACTIVITY: "off", CLOCK: 1000}, "mc_all: not a whole number"),
    ],
)
def test_a_memory_controller_without_activity_or_clock_is_left_out_and_told(files, expected, tmp_path):
    found, facts = read_one(tmp_path, files)
    assert "memory_controller" not in found
    assert expected in facts["left_out"]["memory_controller"]


@pytest.mark.parametrize(
    ("activity", "clock", "expected"),
    [("1", "0", "clock is off"), ("x", "9", "whole number"), ("1", "x", "whole number")],
)
def test_a_memory_controller_that_tells_nothing_is_a_reason(activity, clock, expected, tmp_path):
    with probe(plant(tmp_path, {"proc/stat": BEFORE, ACTIVITY: 1, CLOCK: 1000})) as opened:
        plant(tmp_path, {ACTIVITY: activity, CLOCK: clock})
        assert expected in read(opened)["memory_controller"]


def test_work_on_this_machine_makes_its_core_busy():
    core = min(os.sched_getaffinity(0))
    work = f"import os\nos.sched_setaffinity(0, [{core}])\nprint(flush=True)\nwhile True: pass"
    with (
        probe("/") as opened,
        subprocess.Popen([sys.executable, "-c", work], stdout=subprocess.PIPE) as child,
    ):
        child.stdout.readline()
        opened.read()
        time.sleep(0.5)
        found = read(opened)
        child.kill()
    assert found[f"cpu{core}"] > 50
    assert 0 <= found["cpu"] <= 100


@given(st.text(st.sampled_from("cpu 0123456789\n-x"), max_size=120))
def test_any_text_is_read(text):
    assert all(busy >= 0 and idle >= 0 for busy, idle in core_ticks(text).values())
