"""The RAPL probe counts the energy of packages over wraps, and says why where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from harness.probes.rapl import EnergyCounter
from tests.probes.trees import plant

POWERCAP = "sys/class/powercap/"
LARGEST = 65_532_610_987
SECOND = 10**9
OPEN_AS_NOBODY = """
import os, sys
from harness.probes.rapl import Rapl
os.setgroups([]), os.setgid(65534), os.setuid(65534)
Rapl(root=sys.argv[1]).__enter__()
"""


def zone(number, energy, name="package-0", largest=LARGEST):
    folder = f"{POWERCAP}intel-rapl:{number}"
    return {
        f"{folder}/name": name, f"{folder}/energy_uj": energy, f"{folder}/max_energy_range_uj": largest,
    }  # fmt: skip


def opened(root):
    return open_probe("rapl", {"root": str(root)})


def counted(largest, *readings):
    """What a counter makes of (microjoules, nanoseconds)."""
    counter = EnergyCounter(largest)
    return [counter.grown(*one) for one in readings]


def test_each_package_is_a_channel_in_millijoules(tmp_path):
    plant(tmp_path, {**zone(0, 7_000_500), **zone(1, 3_000, name="package-1")})
    with opened(tmp_path) as probe:
        assert [(one.name, one.unit) for one in probe.channels] == [("package-0", "mJ"), ("package-1", "mJ")]
        assert probe.channels[0].resolution == pytest.approx(0.0152580)
        assert list(probe.read()[0][1]) == [7000.5, 3.0]
        plant(tmp_path, zone(0, 7_001_500))
        assert list(probe.read()[0][1]) == [7001.5, 3.0]


def test_the_dies_of_a_package_are_channels_of_their_own(tmp_path):
    plant(tmp_path, {**zone(0, 1000, name="package-0-die-0"), **zone(1, 2000, name="package-0-die-1")})
    with opened(tmp_path) as probe:
        assert [one.name for one in probe.channels] == ["package-0-die-0", "package-0-die-1"]


def test_zones_inside_or_beside_a_package_are_left_out_and_named(tmp_path):
    others = {"0:0": "core", "0:1": "uncore", "0:2": "dram", "1": "psys"}
    mmio = {path.replace("intel-rapl:", "intel-rapl-mmio:"): value for path, value in zone(0, 9).items()}
    plant(tmp_path, {**zone(0, 4_000), **mmio})
    for number, name in others.items():
        plant(tmp_path, zone(number, 1_000_000, name=name))
    with opened(tmp_path) as probe:
        assert list(probe.read()[0][1]) == [4.0]
        facts = probe.facts()
    assert facts["left_out"] == {f"intel-rapl:{number}": name for number, name in others.items()}
    assert facts["zones"] == {"package-0": str(tmp_path / POWERCAP / "intel-rapl:0")}
    assert facts["max_energy_range_uj"] == {"package-0": LARGEST}
    assert facts["wraps_after_s_at_100_w"]["package-0"] == pytest.approx(655.3, abs=0.1)


def test_a_wrapped_counter_gives_the_right_joules(tmp_path):
    plant(tmp_path, zone(0, LARGEST - 2_000_000))
    with opened(tmp_path) as probe:
        ((_, (before,)),) = probe.read()
        plant(tmp_path, zone(0, 1_000_000))
        ((_, (after,)),) = probe.read()
    assert after - before == 3000.0


@pytest.mark.parametrize(
    ("before", "after", "millijoules"),
    [
        (LARGEST - 1, 0, 0.001),
        (LARGEST, 0, 0.0),
        (LARGEST, 1, 0.001),
        (LARGEST - 1, LARGEST, 0.001),
        (0, 0, 0.0),
        (LARGEST, LARGEST, 0.0),
        (5_000_000, 4_999_999 - 90_000_000 + LARGEST, "reset"),
        (LARGEST - 4_999_999, 90_000_000, 94_999.999),
    ],
)
def test_the_edge_of_the_range_neither_loses_nor_invents_energy(before, after, millijoules):
    first, second = counted(LARGEST, (before, 0), (after, SECOND // 10))
    if isinstance(millijoules, float):
        assert second - first == pytest.approx(millijoules, abs=1e-6)
    else:
        assert millijoules in second


def test_two_wraps_are_counted_twice():
    tenth = LARGEST // 10
    true = [tenth * index for index in range(25)]
    found = counted(LARGEST, *((one % LARGEST, 10 * SECOND * index) for index, one in enumerate(true)))
    assert found == [one / 1e3 for one in true]


@pytest.mark.parametrize("later", [1_000, LARGEST // 2, LARGEST])
def test_after_a_reset_there_are_only_reasons(later):
    readings = [(LARGEST // 2, 0), (100, SECOND), (later, 2 * SECOND), (later, 3 * SECOND)]
    found = counted(LARGEST, *readings)
    assert isinstance(found[0], float)
    assert found[1:] == ["the counter was reset"] * 3


def test_a_forward_jump_that_no_package_can_draw_is_a_reset():
    assert counted(LARGEST, (1_000, 0), (2_000_000_000, SECOND))[1] == "the counter was reset"


def test_a_pause_in_which_a_wrap_may_be_hidden_is_a_reason_from_then_on():
    found = counted(LARGEST, (1_000, 0), (2_000, 60 * SECOND), (3_000, 130 * SECOND), (4_000, 131 * SECOND))
    assert found[:2] == [1.0, 2.0]
    assert all("nobody read the counter for 70 s" in one for one in found[2:])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("-1", "outside the range"),
        (LARGEST + 1, "outside the range"),
        ("", "not a whole number"),
        ("12.5", "not a whole number"),
        ("0x10", "not a whole number"),
        ("12 uJ", "not a whole number"),
    ],
)
def test_a_reading_that_is_no_energy_is_a_reason_and_the_next_good_one_goes_on(tmp_path, value, words):
    plant(tmp_path, zone(0, 1_000))
    with opened(tmp_path) as probe:
        probe.read()
        plant(tmp_path, zone(0, value))
        assert words in probe.read()[0][1][0]
        plant(tmp_path, zone(0, 2_000))
        assert probe.read()[0][1] == [2.0]


@pytest.mark.parametrize("value", ["-1", "", "garbage", LARGEST + 1])
def test_a_counter_without_one_good_reading_is_refused(tmp_path, value):
    plant(tmp_path, zone(0, value))
    with pytest.raises(ProbeError) as caught, opened(tmp_path):
        pass
    assert caught.value.remedy


@pytest.mark.parametrize("largest", ["", "0", "-5", "plenty"])
def test_a_counter_of_unknown_range_is_refused(tmp_path, largest):
    plant(tmp_path, zone(0, 1_000, largest=largest))
    with pytest.raises(ProbeError, match="does not tell where this counter starts again"), opened(tmp_path):
        pass


def test_a_zone_without_its_counter_is_refused_by_name(tmp_path):
    plant(tmp_path, zone(0, 1))
    (tmp_path / POWERCAP / "intel-rapl:0/energy_uj").unlink()
    with pytest.raises(ProbeError, match=r"intel-rapl:0/energy_uj: there is no such file"), opened(tmp_path):
        pass


def test_one_package_that_works_is_enough_and_the_other_tells_its_reason(tmp_path):
    plant(tmp_path, {**zone(0, "garbage"), **zone(1, 5_000, name="package-1")})
    with opened(tmp_path) as probe:
        first, second = probe.read()[0][1]
    assert "not a whole number" in first
    assert second == 5.0


@pytest.mark.parametrize("tree", [{}, zone("0:0", 5, name="core"), zone(0, 5, name="psys"), zone(0, 5, name="")])
def test_a_machine_without_a_package_is_refused(tmp_path, tree):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=r"counts no processor energy.*modprobe"), opened(tmp_path):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the user who may not read")
def test_a_counter_that_only_root_may_read_is_refused_with_the_remedy(checkout):
    # The folders of tmp_path are closed to other users.
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        plant(Path(root), zone(0, 1_000))
        (Path(root) / POWERCAP / "intel-rapl:0/energy_uj").chmod(0o400)
        command = [sys.executable, "-c", OPEN_AS_NOBODY, root]
        done = subprocess.run(command, cwd=checkout, capture_output=True, encoding="utf-8", timeout=60)
    (said,) = [line for line in done.stderr.splitlines() if "ProbeError" in line]
    assert "intel-rapl:0/energy_uj: permission denied; as root: chmod a+r" in said


def test_after_leaving_a_reading_is_a_reason(tmp_path):
    plant(tmp_path, zone(0, 1_000))
    with opened(tmp_path) as probe:
        pass
    assert "closed" in probe.read()[0][1][0]


@given(st.integers(2, 2**48).flatmap(lambda largest: st.tuples(
    st.just(largest), st.integers(0, largest - 1), st.lists(st.integers(0, largest // 2), max_size=30),
)))  # fmt: skip
def test_any_energy_comes_back_right_over_any_wraps(drawn):
    largest, start, steps = drawn
    true, times = [start], [0]
    for step in steps:
        true.append(true[-1] + step)
        times.append(times[-1] + step)
    found = counted(largest, *((one % largest, at) for one, at in zip(true, times, strict=True)))
    assert found == [one / 1e3 for one in true]


@given(st.integers(0, 2**40), st.lists(st.tuples(st.integers(-(2**41), 2**41), st.integers(0, 2**40))))
def test_whatever_a_counter_says_the_energy_never_falls(largest, drawn):
    times = sorted(at for _, at in drawn)
    found = counted(largest, *((value, at) for (value, _), at in zip(drawn, times, strict=True)))
    told = [one for one in found if isinstance(one, float)]
    assert told == sorted(told)


def test_the_captured_zones_give_their_package_alone(captures, tmp_path):
    lines = (captures / "rapl/values_example.tsv").read_text(encoding="utf-8").splitlines()
    plant(tmp_path, dict(line.split("\t") for line in lines))
    with opened(tmp_path) as probe:
        assert [one.name for one in probe.channels] == ["package-0"]
        assert probe.read()[0][1] == [4882348.23]
        assert probe.facts()["left_out"] == {"intel-rapl:0:0": "core", "intel-rapl:0:1": "uncore"}
