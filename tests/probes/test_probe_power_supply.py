"""A power supply is read where it measures; what was negotiated, or feeds a mouse, is refused with a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from tests.probes.trees import plant

BATTERY = {"type": "Battery", "status": "Discharging", "voltage_now": 7_600_000, "current_now": -1_250_000}
CHARGER = {"type": "USB", "voltage_now": 9_000_000, "current_now": 1_400_000}
UCSI = {"type": "USB", "voltage_now": 20_000_000, "current_now": 3_250_000}
MOUSE = {"type": "Battery", "scope": "Device", "status": "Discharging", "voltage_now": 1_400_000, "current_now": 900}


def supply(name, files):
    return {f"sys/class/power_supply/{name}/{file}": value for file, value in files.items()}


def opened(root):
    return open_probe("power_supply", {"root": str(root)})


def read(root):
    with opened(root) as probe:
        assert {one.unit for one in probe.channels} == {"mW"}
        ((_, readings),) = probe.read()
        return dict(zip([one.name for one in probe.channels], readings, strict=True))


@pytest.mark.parametrize(
    ("files", "expected_mw"),
    [
        (CHARGER, 12_600),
        ({"type": "Mains", "power_now": 23_400_000}, 23_400),
        ({**CHARGER, "power_now": 12_000_000}, 12_000),
        (BATTERY, 9_500),
        ({**BATTERY, "current_now": 1_250_000}, 9_500),
        ({"type": "Battery", "status": "Discharging", "power_now": 8_001_000}, 8_001),
        ({"voltage_now": 5_000_000, "current_now": -100_000}, -500),
    ],
)
def test_a_supply_that_measures_is_told_in_milliwatts(tmp_path, files, expected_mw):
    plant(tmp_path, supply("gauge", files))
    assert read(tmp_path) == {"gauge": expected_mw}


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging", "Unknown", ""])
def test_a_battery_tells_the_boards_power_only_while_it_feeds_it(tmp_path, status):
    plant(tmp_path, {**supply("bms", {**BATTERY, "status": status}), **supply("usb", CHARGER)})
    readings = read(tmp_path)
    assert "discharging" in readings["bms"]
    assert readings["usb"] == 12_600


def test_a_battery_that_begins_to_charge_stops_telling(tmp_path):
    plant(tmp_path, supply("bms", BATTERY))
    with opened(tmp_path) as probe:
        plant(tmp_path, supply("bms", {"status": "Charging"}))
        assert "Charging" in probe.read()[0][1][0]


def test_refused_supplies_leave_the_others_alone_and_are_told(tmp_path):
    plant(tmp_path, {**supply("ucsi-source-psy-1", UCSI), **supply("hid-mouse", MOUSE), **supply("bms", BATTERY)})
    assert read(tmp_path) == {"bms": 9_500}
    with opened(tmp_path) as probe:
        facts = probe.facts()
    assert facts["supplies"] == {"bms": {"type": "Battery", "status": "Discharging"}}
    assert set(facts["refused"]) == {"ucsi-source-psy-1", "hid-mouse"}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "no power supply that measures"),
        (supply("ucsi-source-psy-usb", UCSI), "ucsi-source-psy-usb tells negotiated USB-PD values, not measurements"),
        (supply("tcpm-source-psy-1", UCSI), "negotiated"),
        (supply("hid-mouse", MOUSE), "peripheral"),
        (supply("AC", {"type": "Mains", "online": 1}), "neither power_now nor voltage_now and current_now"),
        (supply("bms", {"type": "Battery", "voltage_now": 3}), "neither"),
        (supply("bms", {**BATTERY, "status": "Full"}), "discharging"),
        (supply("usb", {**CHARGER, "current_now": "1.4 A"}), "not a whole number"),
        ({**supply("AC", {"type": "Mains"}), **supply("ucsi-source-psy-1", UCSI)}, "negotiated"),
    ],
)
def test_a_machine_without_a_measuring_supply_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert "meter" in caught.value.remedy


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    plant(tmp_path, {**supply("bms", BATTERY), **supply("usb", CHARGER)})
    with opened(tmp_path) as probe:
        pass
    assert all("closed" in one for one in probe.read()[0][1])


@given(st.binary(max_size=40), st.binary(max_size=20))
def test_any_bytes_give_a_number_or_a_reason(tmp_path_factory, current, status):
    root = plant(tmp_path_factory.mktemp("supply"), {**supply("usb", CHARGER), **supply("bms", BATTERY)})
    (root / "sys/class/power_supply/bms/current_now").write_bytes(current)
    (root / "sys/class/power_supply/bms/status").write_bytes(status)
    reading = read(root)["bms"]
    assert isinstance(reading, (float, str))
    assert reading == reading
