"""The INA3221's rails are found by chip and label on every board, and none is told that is not one."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from tests.probes.boards import BOARDS, Hwmon, Iio, build, failing_with, like_kernfs, unbind
from tests.probes.trees import plant

AGX_ORIN = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
AGX_THOR = ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0")
AGX_XAVIER = ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V")
ORIN_NANO = "sys/class/hwmon/hwmon3"


def opened(root):
    return open_probe("ina3221", {"root": str(root)})


def told(probe):
    ((_, readings),) = probe.read()
    return dict(zip([one.name for one in probe.channels], readings, strict=True))


def read(root):
    with opened(root) as probe:
        return told(probe)


def plant_rows(root, path):
    return plant(root, dict(line.split("\t") for line in path.read_text().splitlines()))


@pytest.mark.parametrize(
    ("board", "rule", "total_mw"),
    [
        ("Nano, JetPack 4", ("POM_5V_IN",), 2375),
        ("TX2, JetPack 4", ("VDD_IN",), 4311),
        ("Xavier NX, JetPack 4", ("VDD_IN",), 3650),
        ("Xavier NX, JetPack 5", ("VDD_IN",), 3741.952),
        ("AGX Xavier", AGX_XAVIER, 6680),
        ("Orin Nano", ("VDD_IN",), 6229.76),
        ("AGX Orin", AGX_ORIN, 9350),
        ("AGX Thor, JetPack 7", AGX_THOR, 24800),
    ],
)
def test_the_rails_of_a_board_add_up_to_its_power(tmp_path, board, rule, total_mw):
    rails = read(build(tmp_path, board))
    assert sum(rails[name] for name in rule) == pytest.approx(total_mw, abs=1e-9)
    labels = [rail[0] for chip in BOARDS[board] for rail in chip.rails]
    assert list(rails) == [label for label in labels if label != "NC"]


def test_the_memory_rail_of_an_agx_orin_is_told_apart(tmp_path):
    assert read(build(tmp_path, "AGX Orin"))["VDDQ_VDD2_1V8AO"] == 600


def test_a_rail_tells_its_unit_its_step_and_what_it_averages_over(tmp_path):
    settings = {"shunt1_resistor": 2000, "shunt2_resistor": 100_000, "samples": 64, "update_interval": 2}
    Hwmon("1-0040", (("VDD_GPU", 12000, 340), ("VDD_CPU", 12000, 60), ("VDD_5V0", 5000, 9)), settings).build(
        tmp_path, 2
    )
    with opened(tmp_path) as probe:
        steps = {one.name: one.resolution for one in probe.channels}
        assert {(one.unit, one.interval_ms) for one in probe.channels} == {("mW", 128.0)}
    # 40 uV over 2 mohm are 20 mA; over 100 mohm they are less than the driver's 1 mA.
    assert steps == {"VDD_GPU": 240.0, "VDD_CPU": 12.0, "VDD_5V0": None}


@pytest.mark.parametrize(
    ("kernel", "expected_ms"),
    [("5.10.216-tegra", 7), ("5.13.0", 7), ("5.14.0", 3584), ("5.15.148-tegra", 3584), ("6.8.12-tegra", 3584),
     (None, 3584), ("unreadable", 3584)],
)  # fmt: skip
def test_drivers_since_5_14_leave_the_samples_out_of_their_interval(tmp_path, kernel, expected_ms):
    Hwmon("1-0040", (("VDD_IN", 5000, 1000),), {"samples": 512, "update_interval": 7}).build(tmp_path, 1)
    plant(tmp_path, {"proc/sys/kernel/osrelease": kernel} if kernel else {})
    with opened(tmp_path) as probe:
        assert probe.channels[0].interval_ms == expected_ms


def test_an_interval_that_the_driver_rounds_to_nothing_is_a_millisecond(tmp_path):
    Hwmon("1-0040", (("VDD_IN", 5000, 1000),), {"samples": 4, "update_interval": 0}).build(tmp_path, 1)
    with opened(tmp_path) as probe:
        assert probe.channels[0].interval_ms == 4


def test_the_facts_tell_the_settings_of_each_chip(tmp_path):
    settings = {"samples": 128, "update_interval": 7, "shunt1_resistor": 5000, "curr1_crit": 4000, "curr1_max": 3000}
    Hwmon("1-0040", (("VDD_IN", 5000, 1000), ("VDD_SOC", 5000, 10)), settings).build(tmp_path, 5)
    Iio("6-0041", (("POM_5V_IN", 10),)).build(tmp_path, 0)
    with opened(tmp_path) as probe:
        first, second = probe.facts()["chips"]
    assert first.pop("path").endswith("hwmon5")
    assert first == {
        "rails": ["VDD_IN", "VDD_SOC"], "samples": 128, "update_interval_ms": 7, "averaged_over_ms": 896.0,
        "shunt_uohm": {"VDD_IN": 5000}, "curr_max_ma": {"VDD_IN": 3000}, "curr_crit_ma": {"VDD_IN": 4000},
    }  # fmt: skip
    assert second.pop("path").endswith("6-0041/iio:device0")
    assert second == {"rails": ["POM_5V_IN"], "curr_crit_ma": {"POM_5V_IN": 6200}}


def test_a_current_that_flows_back_is_kept(tmp_path):
    Hwmon("1-0040", (("VDD_GPU", 5000, -40),)).build(tmp_path, 0)
    assert read(tmp_path) == {"VDD_GPU": -200}


def test_an_equal_label_of_a_second_chip_is_told_beside_the_first(tmp_path):
    Hwmon("1-0041", (("VDD_IN", 5000, 200),)).build(tmp_path, 2)
    Hwmon("1-0040", (("VDD_IN", 5000, 100),)).build(tmp_path, 6)
    assert read(tmp_path) == {"VDD_IN": 500, "VDD_IN@1-0041": 1000}


def test_without_an_address_the_second_chip_is_named_by_its_folder(tmp_path):
    for number, current in ((0, 100), (4, 200)):
        rail = {"name": "ina3221", "in1_label": "VDD_IN", "in1_input": 5000, "curr1_input": current}
        plant(tmp_path, {f"sys/class/hwmon/hwmon{number}/{name}": value for name, value in rail.items()})
    assert read(tmp_path) == {"VDD_IN": 500, "VDD_IN@hwmon4": 1000}


def test_no_two_rails_become_one(tmp_path):
    Hwmon("1-0040", (("VDD", 5000, 100), ("VDD", 5000, 200), ("VDD", 5000, 300))).build(tmp_path, 0)
    assert list(read(tmp_path).values()) == [500, 1000, 1500]


@pytest.mark.parametrize("label", ["NC", "(null)", ""])
def test_an_input_that_nothing_is_connected_to_is_no_rail(tmp_path, label):
    Iio("6-0040", (("POM_5V_IN", 900), (label, 1), (label, 2))).build(tmp_path, 0)
    assert read(tmp_path) == {"POM_5V_IN": 900}


@pytest.mark.parametrize("name", ["in3_input", "curr3_input"])
def test_a_labelled_rail_without_readings_is_a_channel_with_a_reason(tmp_path, name):
    build(tmp_path, "Orin Nano")
    (tmp_path / ORIN_NANO / name).unlink()
    rails = read(tmp_path)
    assert name in rails.pop("VDD_SOC")
    assert rails == {"VDD_IN": 6229.76, "VDD_CPU_GPU_CV": 1044.992}


@pytest.mark.parametrize("text", ["", "mA", "12.5", "0x40", "nan", "inf", "1 2", "9" * 400, "\N{BROKEN BAR}"])
@pytest.mark.parametrize("name", ["in1_input", "curr1_input"])
def test_garbage_is_a_reason_and_no_number(tmp_path, text, name):
    build(tmp_path, "Orin Nano")
    plant(tmp_path, {f"{ORIN_NANO}/{name}": text})
    assert name in read(tmp_path)["VDD_IN"]


@pytest.mark.parametrize("text", ["", "?", "-1", "0", "9" * 400])
def test_garbage_in_a_setting_makes_no_setting(tmp_path, text):
    settings = {"shunt1_resistor": text, "samples": text, "update_interval": text, "curr1_max": text}
    Hwmon("1-0040", (("VDD_IN", 5000, 1000),), settings).build(tmp_path, 1)
    with opened(tmp_path) as probe:
        assert told(probe) == {"VDD_IN": 5000}
        assert probe.channels[0].resolution is None
        assert probe.channels[0].interval_ms in (None, 0)
        assert json.dumps(probe.facts(), allow_nan=False)


@pytest.mark.parametrize("name", ["in1_input", "curr1_input"])
@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENODATA, "disabled"), (errno.EAGAIN, "EAGAIN"), (errno.ETIMEDOUT, "in time"), (errno.EIO, "error")],
)
def test_an_error_of_the_driver_is_a_reason_of_this_rail_alone(tmp_path, monkeypatch, name, number, words):
    build(tmp_path, "Orin Nano")
    failing_with(monkeypatch, number, name)
    rails = read(tmp_path)
    assert words in rails.pop("VDD_IN")
    assert rails == {"VDD_CPU_GPU_CV": 1044.992, "VDD_SOC": 1685.376}


def test_the_current_is_read_every_time_and_the_voltage_once_in_a_second(tmp_path):
    build(tmp_path, "Orin Nano")
    with opened(tmp_path) as probe:
        plant(tmp_path, {f"{ORIN_NANO}/in1_input": 4000, f"{ORIN_NANO}/curr1_input": 1000})
        assert told(probe)["VDD_IN"] == 5024
        time.sleep(1.05)
        assert told(probe)["VDD_IN"] == 4000


def test_a_voltage_that_was_missing_is_asked_for_again_at_once(tmp_path):
    build(tmp_path, "Orin Nano")
    plant(tmp_path, {f"{ORIN_NANO}/in1_input": "?"})
    with opened(tmp_path) as probe:
        plant(tmp_path, {f"{ORIN_NANO}/in1_input": 5000})
        assert told(probe)["VDD_IN"] == 6200


def test_numbers_that_changed_between_two_opens_change_nothing(tmp_path):
    first = read(build(tmp_path, "AGX Orin", number=2))
    unbind(tmp_path)
    assert read(build(tmp_path, "AGX Orin", number=9)) == first


def test_numbers_that_change_while_open_cost_one_reading(tmp_path, monkeypatch):
    like_kernfs(monkeypatch)
    with opened(build(tmp_path, "AGX Orin", number=2)) as probe:
        first, channels = told(probe), probe.channels
        unbind(tmp_path)
        build(tmp_path, "AGX Orin", number=9)
        assert all("gone" in one for one in told(probe).values())
        assert told(probe) == first
        assert probe.channels == channels
        assert {one["path"].rpartition("hwmon")[2] for one in probe.facts()["chips"]} == {"9", "10"}


def test_chips_that_swap_their_numbers_keep_their_names(tmp_path, monkeypatch):
    like_kernfs(monkeypatch)
    chips = [Hwmon(address, (("VDD_IN", 5000, current),)) for address, current in (("1-0040", 100), ("1-0041", 200))]
    for number, chip in enumerate(chips):
        chip.build(tmp_path, number)
    with opened(tmp_path) as probe:
        unbind(tmp_path)
        for number, chip in enumerate(reversed(chips)):
            chip.build(tmp_path, number)
        probe.read()
        assert told(probe) == {"VDD_IN": 500, "VDD_IN@1-0041": 1000}


def test_rails_that_are_gone_are_searched_for_once_in_a_second(tmp_path, monkeypatch):
    like_kernfs(monkeypatch)
    with opened(build(tmp_path, "Orin Nano")) as probe:
        unbind(tmp_path)
        for _ in range(3):
            assert all("gone" in one for one in told(probe).values())
        build(tmp_path, "Orin Nano", number=8)
        assert all("gone" in one for one in told(probe).values())
        time.sleep(1.05)
        assert told(probe)["VDD_IN"] == 6229.76


def test_a_rail_that_never_told_anything_is_not_searched_for(tmp_path):
    build(tmp_path, "Orin Nano")
    (tmp_path / ORIN_NANO / "curr3_input").unlink()
    with opened(tmp_path) as probe:
        plant(tmp_path, {f"{ORIN_NANO}/curr3_input": 10})
        probe.read()
        assert "curr3_input" in told(probe)["VDD_SOC"]


def test_no_file_stays_open(tmp_path, monkeypatch):
    like_kernfs(monkeypatch)
    before = len(os.listdir("/proc/self/fd"))
    with opened(build(tmp_path, "AGX Orin")) as probe:
        unbind(tmp_path)
        build(tmp_path, "AGX Orin", number=8)
        probe.read()
        probe.read()
    unbind(tmp_path)
    plant(tmp_path, {f"{ORIN_NANO}/name": "ina3221", f"{ORIN_NANO}/in1_label": "VDD_IN", f"{ORIN_NANO}/in1_input": "?"})
    with pytest.raises(ProbeError):
        read(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "no INA3221"),
        ({"sys/class/hwmon/hwmon0/name": "nvme"}, "no INA3221"),
        ({f"{ORIN_NANO}/name": "ina3221", f"{ORIN_NANO}/in1_input": 1, f"{ORIN_NANO}/curr1_input": 1}, "labelled"),
        ({f"{ORIN_NANO}/name": "ina3221", f"{ORIN_NANO}/in7_label": "sum of shunt voltages"}, "labelled"),
        ({f"{ORIN_NANO}/name": "ina3221", f"{ORIN_NANO}/in2_label": "VDD_IN"}, "curr2_input: there is no such file"),
        ({f"{ORIN_NANO}/name": "ina2xx", f"{ORIN_NANO}/in1_label": "VDD_IN", f"{ORIN_NANO}/in1_input": 5000,
          f"{ORIN_NANO}/curr1_input": 5}, "no INA3221"),
    ],
)  # fmt: skip
def test_a_machine_without_one_reading_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy
    assert "hwmon" in caught.value.where


def test_a_file_that_may_not_be_read_is_a_reason(tmp_path):
    build(tmp_path, "Orin Nano")
    (tmp_path / ORIN_NANO / "curr1_input").unlink()
    (tmp_path / ORIN_NANO / "curr1_input").mkdir()
    assert "directory" in read(tmp_path)["VDD_IN"]


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    with opened(build(tmp_path, "AGX Orin")) as probe:
        pass
    assert all("closed" in one for one in told(probe).values())


def test_a_slow_chip_is_read_at_the_pace_it_keeps(tmp_path, monkeypatch):
    with opened(build(tmp_path, "Orin Nano")) as probe:
        assert 5 < probe.rate_hz <= 20
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with opened(tmp_path) as probe:
        assert probe.rate_hz <= 1


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_give_a_number_or_a_reason(tmp_path_factory, voltage, current):
    root = build(tmp_path_factory.mktemp("board"), "Orin Nano")
    (root / ORIN_NANO / "in1_input").write_bytes(voltage)
    (root / ORIN_NANO / "curr1_input").write_bytes(current)
    reading = read(root)["VDD_IN"]
    assert isinstance(reading, (float, str))
    assert reading == reading


@pytest.mark.parametrize(
    ("name", "rails", "rule", "total_mw"),
    [
        ("agx_orin_jp5_jp6_hwmon.tsv", {"VDD_GPU_SOC": 3362.24, "VDD_CPU_CV": 480.32, "VIN_SYS_5V0": 4868.64,
         "VDDQ_VDD2_1V8AO": 397.44}, AGX_ORIN, 8711.2),
        ("agx_thor_l4t38.4_hwmon.tsv", {"VDD_GPU": 7705.6, "VDD_CPU_SOC_MSS": 11558.4, "VIN_SYS_5V0": 8853.12},
         AGX_THOR, 28117.12),
        ("orin_nano_jp6_hwmon.tsv", {"VDD_IN": 9250.304}, ("VDD_IN",), 9250.304),
    ],
)  # fmt: skip
def test_the_captured_rails_add_up(captures, tmp_path, name, rails, rule, total_mw):
    found = read(plant_rows(tmp_path, captures / "sysfs_ina3221" / name))
    assert found == pytest.approx(rails)
    assert sum(found[one] for one in rule) == pytest.approx(total_mw)


def test_the_captured_rail_without_readings_leaves_no_total(captures, tmp_path):
    found = read(plant_rows(tmp_path, captures / "sysfs_ina3221/agx_orin_hwmon_20V_supply.tsv"))
    assert "in3_input" in found["VIN_SYS_5V0"] or "curr3_input" in found["VIN_SYS_5V0"]
    assert (found["VDD_GPU_SOC"], found["VDD_CPU_CV"]) == pytest.approx((2630.88, 375.68))


def test_the_captured_listing_that_breaks_off_before_the_labels_is_refused(captures, tmp_path):
    text = (captures / "sysfs_ina3221/agx_orin_1-0041_find_listing.txt").read_text()
    blocks = [block.strip() for block in text.split("---\n")]
    plant(tmp_path, {path: value for path, value in zip(blocks[1::2], blocks[2::2], strict=False) if path})
    with pytest.raises(ProbeError, match="no INA3221 with a labelled rail"):
        read(tmp_path)
