"""Any chip of hwmon tells power, energy and temperature in the units of the harness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from tests.probes.trees import plant

GPU = {"name": "amdgpu", "power1_average": 30_125_000, "power1_label": "PPT", "temp1_input": 41_500,
       "temp1_label": "edge", "temp1_crit": 100_000, "power1_cap": 200_000_000}  # fmt: skip
CARD = {"name": "i915", "energy1_input": 7_340_912_500, "power1_max": 120_000_000}
DISK = {"name": "nvme", "temp1_input": 38_850, "temp1_label": "Composite"}


def chip(number, files):
    return {f"sys/class/hwmon/hwmon{number}/{name}": value for name, value in files.items()}


def opened(root, **options):
    return open_probe("hwmon", {"root": str(root), **options})


def read(root, **options):
    with opened(root, **options) as probe:
        ((_, readings),) = probe.read()
        return dict(zip([one.name for one in probe.channels], readings, strict=True))


def test_every_quantity_is_told_in_its_unit(tmp_path):
    plant(tmp_path, {**chip(0, DISK), **chip(1, GPU), **chip(2, CARD)})
    assert read(tmp_path) == {"Composite": 38.85, "PPT": 30125, "edge": 41.5, "i915.energy1": 7_340_912.5}
    with opened(tmp_path) as probe:
        units = {one.name: one.unit for one in probe.channels}
    assert units == {"Composite": "C", "PPT": "mW", "edge": "C", "i915.energy1": "mJ"}


@pytest.mark.parametrize(
    ("files", "expected", "averages"),
    [
        ({"power1_average": 5_000_000}, 5000, ["card.power1"]),
        ({"power1_average": 5_000_000, "power1_input": 7_000_000}, 7000, []),
        ({"power1_input": -2500}, -2.5, []),
    ],
)
def test_an_average_is_told_only_where_there_is_nothing_else_and_said_so(tmp_path, files, expected, averages):
    plant(tmp_path, chip(0, {"name": "card", **files}))
    with opened(tmp_path) as probe:
        assert probe.read()[0][1] == [expected]
        assert probe.facts()["averages"] == averages


@pytest.mark.parametrize(
    ("files", "expected_ms"),
    [
        ({"power1_average": 1, "power1_average_interval": 1000, "update_interval": 3}, 1000),
        ({"power1_input": 1, "power1_average_interval": 1000, "update_interval": 3}, 3),
        ({"power1_input": 1}, None),
        ({"power1_input": 1, "update_interval": 0}, None),
        ({"power1_input": 1, "update_interval": "?"}, None),
    ],
)
def test_the_interval_is_the_one_of_the_value(tmp_path, files, expected_ms):
    plant(tmp_path, chip(0, {"name": "card", **files}))
    with opened(tmp_path) as probe:
        assert probe.channels[0].interval_ms == expected_ms


def test_the_facts_tell_the_file_of_a_channel(tmp_path):
    plant(tmp_path, chip(1, GPU))
    with opened(tmp_path) as probe:
        assert probe.facts()["files"]["PPT"].endswith("hwmon1/power1_average")


def test_equal_labels_are_told_apart(tmp_path):
    plant(tmp_path, {**chip(2, DISK), **chip(10, {**DISK, "temp1_input": 50_000})})
    assert set(read(tmp_path).values()) == {38.85, 50}
    assert len(read(tmp_path)) == 2


def test_a_chip_without_a_name_is_called_by_its_folder(tmp_path):
    plant(tmp_path, chip(4, {"power2_input": 1000}))
    assert read(tmp_path) == {"hwmon4.power2": 1}


def test_only_the_chips_that_are_named_are_read(tmp_path):
    plant(tmp_path, {**chip(0, DISK), **chip(1, GPU), **chip(2, CARD)})
    assert list(read(tmp_path, names=("i915", "nvme"))) == ["Composite", "i915.energy1"]


def test_a_chip_that_is_not_there_is_refused_with_the_nearest_name(tmp_path):
    plant(tmp_path, chip(1, GPU))
    with pytest.raises(ProbeError, match="did you mean 'amdgpu'"):
        read(tmp_path, names=("amdgpuu",))


@pytest.mark.parametrize("name", ["power1_input_highest", "power1_cap", "temp1_crit", "in1_input", "fan1_input",
                                  "curr1_input", "temp1_average", "powerx_input", "power_input"])  # fmt: skip
def test_other_files_are_no_quantities(tmp_path, name):
    plant(tmp_path, chip(0, {"name": "card", name: 5, "power9_input": 1000}))
    assert read(tmp_path) == {"card.power9": 1}


@pytest.mark.parametrize(("text", "words"), [(-256_000, "switched off"), (900_000, "no temperature"), ("x", "whole")])
def test_a_temperature_that_cannot_be_is_a_reason(tmp_path, text, words):
    plant(tmp_path, {**chip(0, DISK), **chip(1, {**GPU, "temp1_input": text})})
    assert words in read(tmp_path)["edge"]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "no chip tells"),
        (chip(0, {"name": "pwmfan", "pwm1": 30}), "no chip tells"),
        (chip(0, {"name": "card", "power1_input": ""}), "not a whole number"),
    ],
)
def test_a_machine_without_a_reading_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    plant(tmp_path, chip(1, GPU))
    with opened(tmp_path) as probe:
        pass
    assert all("closed" in one for one in probe.read()[0][1])


@given(st.binary(max_size=40))
def test_any_bytes_give_a_number_or_a_reason(tmp_path_factory, content):
    root = plant(tmp_path_factory.mktemp("hwmon"), {**chip(0, DISK), **chip(1, {"name": "card", "power1_input": 1})})
    (root / "sys/class/hwmon/hwmon1/power1_input").write_bytes(content)
    reading = read(root)["card.power1"]
    assert isinstance(reading, (float, str))
    assert reading == reading


def test_the_captured_chips_of_a_thor_tell_no_power_here(captures, tmp_path):
    lines = (captures / "sysfs_ina3221/agx_thor_l4t38.4_hwmon.tsv").read_text().splitlines()
    plant(tmp_path, dict(line.split("\t") for line in lines))
    with pytest.raises(ProbeError, match="no chip tells"):
        read(tmp_path)
