"""The throttle probe counts what the hardware counted, a package once, and never a part of a sum."""

from __future__ import annotations

import pytest

from harness.probes import ProbeError, open_probe
from tests.probes.trees import plant

HWMON = "sys/class/hwmon/hwmon7"
COOLING = "sys/class/thermal/cooling_device"
CPU = "sys/devices/system/cpu/cpu"
JETSON = {
    "sys/class/hwmon/hwmon6/name": "ina3221",
    f"{HWMON}/name": "soctherm_oc",
    f"{HWMON}/oc1_event_cnt": 0, f"{HWMON}/oc2_event_cnt": 4, f"{HWMON}/oc3_event_cnt": 812,
    f"{HWMON}/oc1_throt_en": 1, f"{HWMON}/oc2_throt_en": 1, f"{HWMON}/oc3_throt_en": 0,
    f"{COOLING}0/type": "cpufreq-cpu0", f"{COOLING}0/cur_state": 3,
    f"{COOLING}1/type": "cpu-throttle-alert", f"{COOLING}1/cur_state": 0,
    f"{COOLING}2/type": "gpu-throttle-alert", f"{COOLING}2/cur_state": 1,
}  # fmt: skip


def core(number, package, core_count, package_count):
    found = {
        f"{CPU}{number}/topology/physical_package_id": package,
        f"{CPU}{number}/thermal_throttle/core_throttle_count": core_count,
    }
    if package_count is not None:
        found[f"{CPU}{number}/thermal_throttle/package_throttle_count"] = package_count
    return found


def read(root):
    with open_probe("throttle", {"root": str(root)}) as probe:
        ((_, values),) = probe.read()
        return dict(zip([one.name for one in probe.channels], values, strict=True))


def test_a_jetson_tells_its_over_current_events_and_its_alerts(tmp_path):
    plant(tmp_path, JETSON)
    assert read(tmp_path) == {"oc1": 0, "oc2": 4, "oc3": 812, "cpu-throttle-alert": 0, "gpu-throttle-alert": 1}


def test_counters_are_events_and_alerts_are_states(tmp_path):
    plant(tmp_path, {**JETSON, **core(0, 0, 1, 1)})
    with open_probe("throttle", {"root": str(tmp_path)}) as probe:
        units = {one.name: one.unit for one in probe.channels}
    assert units == {
        "oc1": "events", "oc2": "events", "oc3": "events", "cpu-throttle-alert": "state", "gpu-throttle-alert": "state",
        "core_throttle": "events", "package_throttle": "events",
    }  # fmt: skip


def test_the_facts_tell_which_event_slows_the_chip_down(tmp_path):
    plant(tmp_path, JETSON)
    with open_probe("throttle", {"root": str(tmp_path)}) as probe:
        assert probe.facts() == {"oc1_throt_en": True, "oc2_throt_en": True, "oc3_throt_en": False}


def test_a_counter_that_rises_is_read_anew(tmp_path):
    plant(tmp_path, {f"{HWMON}/name": "soctherm_oc", f"{HWMON}/oc3_event_cnt": 10})
    with open_probe("throttle", {"root": str(tmp_path)}) as probe:
        plant(tmp_path, {f"{HWMON}/oc3_event_cnt": 17})
        assert probe.read()[0][1] == [17.0]


@pytest.mark.parametrize(
    ("cores", "expected"),
    [
        ([(0, 0, 2, 9), (1, 0, 3, 9)], {"core_throttle": 5, "package_throttle": 9}),
        ([(0, 0, 2, 9), (1, 0, 3, 8)], {"core_throttle": 5, "package_throttle": 9}),
        ([(0, 0, 1, 9), (1, 1, 1, 4), (10, 1, 1, 5)], {"core_throttle": 3, "package_throttle": 14}),
        ([(0, 0, 1, None), (1, 0, 6, None)], {"core_throttle": 7}),
        ([(0, 0, 0, 0)], {"core_throttle": 0, "package_throttle": 0}),
    ],
)
def test_cores_are_added_up_and_a_package_counts_once(tmp_path, cores, expected):
    for one in cores:
        plant(tmp_path, core(*one))
    assert read(tmp_path) == expected


def test_a_machine_that_does_not_tell_its_packages_is_one_package(tmp_path):
    for number in (0, 1):
        plant(tmp_path, {f"{CPU}{number}/thermal_throttle/package_throttle_count": 6})
    assert read(tmp_path) == {"package_throttle": 6}


def test_a_sum_of_which_one_part_is_missing_is_a_reason(tmp_path):
    plant(tmp_path, {**core(0, 0, 2, 3), **core(1, 0, "", 3)})
    found = read(tmp_path)
    assert "cpu1" in found["core_throttle"]
    assert found["package_throttle"] == 3


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "does not count"),
        ({"sys/class/hwmon/hwmon0/name": "coretemp"}, "does not count"),
        ({f"{COOLING}0/type": "Processor", f"{COOLING}0/cur_state": 0}, "does not count"),
        ({f"{COOLING}0/type": "cpu-throttle-alert"}, "no such file"),
        ({f"{HWMON}/name": "soctherm_oc", f"{HWMON}/oc1_event_cnt": "?"}, "not a whole number"),
    ],
)
def test_a_machine_without_one_count_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    plant(tmp_path, JETSON)
    with open_probe("throttle", {"root": str(tmp_path)}) as probe:
        pass
    assert all("closed" in one for one in probe.read()[0][1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oc_throttle/soctherm_oc_orin_nano_super_l4t36.4.4.tsv", 27390),
        ("sysfs_ina3221/orin_nano_jp6_hwmon.tsv", 2),
    ],
)
def test_the_captured_counters_of_an_orin_are_told(captures, tmp_path, name, expected):
    plant(tmp_path, dict(line.split("\t") for line in (captures / name).read_text().splitlines()))
    assert read(tmp_path)["oc3"] == expected


def test_the_captured_alerts_of_a_thor_are_told(captures, tmp_path):
    lines = (captures / "oc_throttle/cooling_devices_thor_l4t38.4.txt").read_text().splitlines()
    for number, line in enumerate(lines):
        kind, state = line.split()
        state = state.removeprefix("cur=").partition("/")[0]
        plant(tmp_path, {f"{COOLING}{number}/type": kind, f"{COOLING}{number}/cur_state": state})
    parts = ("cpu", "gpu", "soc012", "soc345")
    assert read(tmp_path) == {f"{one}-throttle-alert": 0 for one in parts}
