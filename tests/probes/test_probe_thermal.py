"""The thermal probe tells degrees, or why a zone tells none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from harness.probes.thermal import celsius, distinct
from tests.probes.trees import plant

ZONE = "sys/class/thermal/thermal_zone"


def zone(number, kind, value):
    return {f"{ZONE}{number}/type": kind, f"{ZONE}{number}/temp": value}


def read(root, **options):
    with open_probe("thermal", {"root": str(root), **options}) as probe:
        ((_, values),) = probe.read()
        return dict(zip([one.name for one in probe.channels], values, strict=True))


def test_each_zone_is_a_channel_in_degrees_named_by_its_type(tmp_path):
    plant(tmp_path, {**zone(0, "cpu-thermal", 48250), **zone(10, "tj-thermal", 51000), **zone(2, "gpu-thermal", 47500)})
    with open_probe("thermal", {"root": str(tmp_path)}) as probe:
        assert [one.name for one in probe.channels] == ["cpu-thermal", "gpu-thermal", "tj-thermal"]
        assert {one.unit for one in probe.channels} == {"C"}
        ((_, values),) = probe.read()
    assert list(values) == [48.25, 47.5, 51.0]


def test_a_temperature_is_read_anew_each_time(tmp_path):
    plant(tmp_path, zone(0, "tj-thermal", 40000))
    with open_probe("thermal", {"root": str(tmp_path)}) as probe:
        probe.read()
        plant(tmp_path, zone(0, "tj-thermal", 41500))
        assert probe.read()[0][1] == [41.5]


def test_a_repeated_type_tells_its_zone(tmp_path):
    plant(tmp_path, {**zone(0, "acpitz", 30000), **zone(1, "acpitz", 31000), **zone(2, "acpitz", 32000)})
    assert read(tmp_path) == {"acpitz": 30.0, "acpitz@zone1": 31.0, "acpitz@zone2": 32.0}


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("-256000", "switched off"),
        ("-256", "switched off"),
        ("-50001", "no temperature between"),
        ("200001", "no temperature between"),
        ("2147483647", "no temperature between"),
        ("", "not a whole number"),
        ("nan", "not a whole number"),
    ],
)
def test_a_zone_that_tells_no_temperature_gives_a_reason(tmp_path, value, word):
    plant(tmp_path, {**zone(0, "tj-thermal", 40000), **zone(1, "cv0-thermal", value)})
    assert word in read(tmp_path)["cv0-thermal"]


@pytest.mark.parametrize(("value", "degrees"), [("-50000", -50.0), ("0", 0.0), ("-300", -0.3), ("200000", 200.0)])
def test_a_rare_but_possible_temperature_is_told(tmp_path, value, degrees):
    plant(tmp_path, zone(0, "tj-thermal", value))
    assert read(tmp_path) == {"tj-thermal": degrees}


def test_a_zone_without_a_file_gives_a_reason_beside_the_others(tmp_path):
    plant(tmp_path, {**zone(0, "tj-thermal", 40000), f"{ZONE}1/type": "cv0-thermal"})
    assert "no such file" in read(tmp_path)["cv0-thermal"]


def test_the_profile_picks_zones(tmp_path):
    plant(tmp_path, {**zone(0, "cpu-thermal", 40000), **zone(1, "tj-thermal", 42000)})
    assert read(tmp_path, zones=("tj-thermal",)) == {"tj-thermal": 42.0}


def test_a_pmic_that_tells_a_constant_is_left_out_and_named(tmp_path):
    kinds = ["PMIC-Die", "CPU-therm", "pmic_die", "PMIC-Die", "pm-PMIC"]
    for number, kind in enumerate(kinds):
        plant(tmp_path, zone(number, kind, 100000))
    with open_probe("thermal", {"root": str(tmp_path)}) as probe:
        assert [one.name for one in probe.channels] == ["CPU-therm", "pm-PMIC"]
        left_out = probe.facts()["left_out"]
    assert list(left_out) == ["PMIC-Die", "pmic_die", "PMIC-Die@zone3"]
    assert all("zones" in why for why in left_out.values())


def test_a_pmic_is_read_where_the_profile_names_it(tmp_path):
    plant(tmp_path, {**zone(0, "PMIC-Die", 120000), **zone(1, "CPU-therm", 41000)})
    assert read(tmp_path, zones=("PMIC-Die",)) == {"PMIC-Die": 120.0}
    with open_probe("thermal", {"root": str(tmp_path), "zones": ("PMIC-Die",)}) as probe:
        assert probe.facts()["left_out"] == {}


def test_a_board_with_no_other_zone_than_a_pmic_tells_no_temperature(tmp_path):
    plant(tmp_path, zone(0, "PMIC-Die", 100000))
    with pytest.raises(ProbeError, match="no temperature"):
        read(tmp_path)


def test_a_zone_that_is_not_there_is_refused_with_the_known_ones(tmp_path):
    plant(tmp_path, {**zone(0, "cpu-thermal", 40000), **zone(1, "tj-thermal", 42000)})
    with pytest.raises(ProbeError, match="did you mean 'tj-thermal'"):
        read(tmp_path, zones=("tj-therma",))


@pytest.mark.parametrize("name", ["coretemp", "k10temp"])
def test_a_host_without_zones_tells_the_temperatures_of_its_processor(tmp_path, name):
    hwmon = "sys/class/hwmon/hwmon"
    plant(tmp_path, {
        f"{hwmon}0/name": "nvme", f"{hwmon}0/temp1_input": 33000,
        f"{hwmon}1/name": name, f"{hwmon}1/temp1_label": "Package", f"{hwmon}1/temp1_input": 61000,
        f"{hwmon}1/temp2_input": 59000,
        f"{hwmon}2/name": name, f"{hwmon}2/temp1_label": "Package", f"{hwmon}2/temp1_input": 62000,
    })  # fmt: skip
    assert read(tmp_path) == {"Package": 61.0, "temp2": 59.0, "Package@hwmon2": 62.0}


def test_zones_that_work_are_preferred_to_the_sensors_of_the_processor(tmp_path):
    hwmon = "sys/class/hwmon/hwmon0"
    plant(tmp_path, {**zone(0, "x86_pkg_temp", 45000), f"{hwmon}/name": "coretemp", f"{hwmon}/temp1_input": 46000})
    assert read(tmp_path, zones=("x86_pkg_temp",)) == {"x86_pkg_temp": 45.0}


def test_zones_that_are_all_off_give_way_to_the_sensors_of_the_processor(tmp_path):
    hwmon = "sys/class/hwmon/hwmon0"
    plant(tmp_path, {**zone(0, "acpitz", -256000), f"{hwmon}/name": "k10temp", f"{hwmon}/temp1_input": 46000})
    assert read(tmp_path) == {"temp1": 46.0}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "this machine shows no temperature"),
        (zone(0, "tj-thermal", -256000), "switched off"),
        ({"sys/class/hwmon/hwmon0/name": "nvme", "sys/class/hwmon/hwmon0/temp1_input": 33000}, "no temperature"),
    ],
)
def test_a_machine_without_one_temperature_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy


def test_the_trip_points_are_facts(tmp_path):
    plant(tmp_path, {
        **zone(0, "tj-thermal", 40000),
        f"{ZONE}0/trip_point_0_type": "passive", f"{ZONE}0/trip_point_0_temp": 97000,
        f"{ZONE}0/trip_point_1_type": "passive", f"{ZONE}0/trip_point_1_temp": 95000,
        f"{ZONE}0/trip_point_2_type": "critical", f"{ZONE}0/trip_point_2_temp": 104500,
        f"{ZONE}0/trip_point_3_type": "hot", f"{ZONE}0/trip_point_3_temp": -273000,
        **zone(1, "cpu-thermal", 41000),
    })  # fmt: skip
    with open_probe("thermal", {"root": str(tmp_path)}) as probe:
        assert probe.facts()["trip_points_c"] == {"tj-thermal": {"passive": 95.0, "critical": 104.5}}


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    plant(tmp_path, zone(0, "tj-thermal", 40000))
    with open_probe("thermal", {"root": str(tmp_path)}) as probe:
        pass
    assert "closed" in probe.read()[0][1][0]


@given(st.integers())
def test_any_number_becomes_a_believable_temperature_or_a_reason(number):
    found = celsius(float(number) if abs(number) < 2**63 else "not told", "temp")
    assert isinstance(found, str) or -50 <= found <= 200


@given(st.lists(st.sampled_from("abc")))
def test_channels_never_share_a_name(types):
    names = distinct([(kind, f"zone{number}") for number, kind in enumerate(types)])
    assert len(set(names)) == len(types)


def test_the_captured_zones_of_an_orin_nano_are_told(captures, tmp_path):
    lines = (captures / "sysfs_ina3221/orin_nano_jp6_hwmon.tsv").read_text().splitlines()
    plant(tmp_path, dict(line.split("\t") for line in lines))
    found = read(tmp_path)
    assert {name for name, value in found.items() if isinstance(value, float)} == {"cpu-thermal", "tj-thermal"}
    assert "no such file" in found["cv0-thermal"]
