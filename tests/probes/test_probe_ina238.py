"""The INA238 of a Thor's board input is told in milliwatts, though its file is in microwatts."""

from __future__ import annotations

import errno

import pytest

from harness.probes import ProbeError, open_probe
from tests.probes.boards import add_hwmon, build, failing_with
from tests.probes.trees import plant

VIN = {"name": "ina238", "power1_input": 47_250_600, "in0_input": 4, "in1_input": 19_800, "curr1_input": 2386}


def opened(root):
    return open_probe("ina238", {"root": str(root)})


def read(root):
    with opened(root) as probe:
        ((_, readings),) = probe.read()
        return dict(zip([one.name for one in probe.channels], readings, strict=True))


def test_the_input_of_a_thor_stands_beside_its_rails(tmp_path):
    build(tmp_path, "AGX Thor, JetPack 7", number=2)
    add_hwmon(tmp_path, "2-0044", 4, VIN)
    assert read(tmp_path) == {"VIN": 47250.6}
    with open_probe("ina3221", {"root": str(tmp_path)}) as rails:
        assert [one.name for one in rails.channels] == ["VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        ({}, "VIN"),
        ({"in1_label": "VIN_SYS"}, "VIN_SYS"),
        ({"power1_label": "BOARD"}, "BOARD"),
        ({"power1_label": "BOARD", "in1_label": "VIN_SYS"}, "BOARD"),
        ({"power1_label": "", "in1_label": ""}, "VIN"),
    ],
)
def test_it_is_named_by_its_label_where_it_has_one(tmp_path, labels, name):
    add_hwmon(tmp_path, "2-0044", 4, {**VIN, **labels})
    assert read(tmp_path) == {name: 47250.6}


def test_a_second_chip_is_told_beside_the_first(tmp_path):
    add_hwmon(tmp_path, "2-0045", 1, {**VIN, "power1_input": 2000})
    add_hwmon(tmp_path, "2-0044", 4, VIN)
    assert read(tmp_path) == {"VIN": 47250.6, "VIN@2-0045": 2}


@pytest.mark.parametrize(("settings", "expected_ms"), [({}, 50.496), ({"update_interval": 200}, 200)])
def test_it_tells_how_often_it_is_renewed(tmp_path, settings, expected_ms):
    add_hwmon(tmp_path, "2-0044", 4, {**VIN, **settings})
    with opened(tmp_path) as probe:
        (channel,) = probe.channels
    assert channel.unit == "mW"
    assert channel.interval_ms == pytest.approx(expected_ms)


def test_the_facts_tell_the_chip_and_its_settings(tmp_path):
    add_hwmon(tmp_path, "2-0044", 4, {**VIN, "update_interval": 51, "samples": 16})
    with opened(tmp_path) as probe:
        (chip,) = probe.facts()["chips"].values()
    assert chip.pop("path").endswith("hwmon4")
    assert chip == {"samples": 16, "update_interval": 51}


@pytest.mark.parametrize(("number", "words"), [(errno.ETIMEDOUT, "in time"), (errno.EAGAIN, "EAGAIN")])
def test_an_error_while_it_is_open_is_a_reason(tmp_path, monkeypatch, number, words):
    add_hwmon(tmp_path, "2-0044", 4, VIN)
    with opened(tmp_path) as probe:
        failing_with(monkeypatch, number, "power1_input")
        ((_, (reading,)),) = probe.read()
    assert words in reading


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({}, "no INA238"),
        ({"name": "ina3221", "power1_input": 5}, "no INA238"),
        ({"name": "ina238"}, "power1_input: there is no such file"),
        ({"name": "ina238", "power1_input": "4.2 W"}, "not a whole number"),
    ],
)
def test_a_machine_without_a_reading_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, {f"sys/class/hwmon/hwmon1/{name}": value for name, value in tree.items()})
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy
