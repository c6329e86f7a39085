"""The clocks probe tells rates and limits in kHz, whether they are pinned, and which power mode is set."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from harness.probes.clocks import parse_cores, parse_show
from tests.probes.trees import plant

CPU = "sys/devices/system/cpu"
GPU = "sys/class/devfreq/17000000.gpu"
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
NO_TOOLS = {"nvpmodel": "/no/such/nvpmodel"}


def core(number, cur=1_200_000, low=800_000, high=1_900_000, governor="schedutil", measured=None):
    folder = f"{CPU}/cpu{number}/cpufreq"
    found = {
        f"{folder}/scaling_cur_freq": cur, f"{folder}/scaling_min_freq": low, f"{folder}/scaling_max_freq": high,
        f"{folder}/scaling_governor": governor,
    }  # fmt: skip
    return found if measured is None else {**found, f"{folder}/cpuinfo_cur_freq": measured}


def gpu(folder=GPU, cur=305_000_000, low=305_000_000, high=900_000_000):
    return {f"{folder}/cur_freq": cur, f"{folder}/min_freq": low, f"{folder}/max_freq": high}


def emc(locked, cur=2_100_000_000, high=3_200_000_000):
    return {
        f"{EMC}/rate": cur, f"{EMC}/min_rate": 200_000_000, f"{EMC}/max_rate": high, f"{EMC}/mrq_rate_locked": locked,
    }  # fmt: skip


def entered(root, **options):
    return open_probe("clocks", {"root": str(root), **NO_TOOLS, **options})


def read(root, **options):
    with entered(root, **options) as probe:
        return dict(zip([one.name for one in probe.channels], probe.read()[0][1], strict=True))


def facts(root, **options):
    with entered(root, **options) as probe:
        return probe.facts()


def script(path, body):
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_rates_and_limits_of_cores_gpu_and_memory_are_told_in_khz(tmp_path):
    plant(tmp_path, {**core(0), **gpu(), **emc(0)})
    assert read(tmp_path) == {
        "cpu0.cur": 1_200_000, "cpu0.min": 800_000, "cpu0.max": 1_900_000,
        "gpu.cur": 305_000, "gpu.min": 305_000, "gpu.max": 900_000,
        "emc.cur": 2_100_000, "emc.min": 200_000, "emc.max": 3_200_000,
    }  # fmt: skip


def test_all_channels_are_khz(tmp_path):
    plant(tmp_path, {**core(0), **gpu(), **emc(0)})
    with entered(tmp_path) as probe:
        assert {one.unit for one in probe.channels} == {"kHz"}


def test_a_limit_that_somebody_resets_in_between_is_seen(tmp_path):
    plant(tmp_path, core(0, low=1_900_000))
    with entered(tmp_path) as probe:
        plant(tmp_path, core(0, low=800_000))
        assert probe.read()[0][1][1] == 800_000


@pytest.mark.parametrize(
    ("measured", "option", "expected", "source"),
    [
        (1_111_000, True, 1_111_000, "cpuinfo_cur_freq"),
        (1_111_000, False, 1_200_000, "scaling_cur_freq"),
        ("<unknown>", True, 1_200_000, "scaling_cur_freq"),
        (None, True, 1_200_000, "scaling_cur_freq"),
    ],
)
def test_the_measured_rate_is_read_where_it_is_told_and_wanted(tmp_path, measured, option, expected, source):
    plant(tmp_path, core(0, measured=measured))
    assert read(tmp_path, cpuinfo_cur_freq=option)["cpu0.cur"] == expected
    assert facts(tmp_path, cpuinfo_cur_freq=option)["cpu_rate_from"] == source


def test_only_the_cores_that_are_on_have_channels(tmp_path):
    plant(tmp_path, {**core(0), **core(1), **core(2), f"{CPU}/online": "0,2"})
    assert {name.partition(".")[0] for name in read(tmp_path)} == {"cpu0", "cpu2"}
    assert facts(tmp_path)["online_cores"] == [0, 2]


@pytest.mark.parametrize("name", ["17000000.ga10b", "17000000.gv11b", "17000000.gp10b", "57000000.gpu", "gpu-gpc-0"])
def test_one_gpu_is_called_gpu_whatever_its_folder_is(tmp_path, name):
    plant(tmp_path, {**gpu(f"sys/class/devfreq/{name}"), **gpu("sys/class/devfreq/15340000.vic")})
    assert set(read(tmp_path)) == {"gpu.cur", "gpu.min", "gpu.max"}


def test_several_gpus_have_their_own_names(tmp_path):
    plant(tmp_path, {**gpu("sys/class/devfreq/gpu-gpc-0"), **gpu("sys/class/devfreq/gpu-nvd-0", cur=600_000_000)})
    found = read(tmp_path)
    assert (found["gpu-gpc-0.cur"], found["gpu-nvd-0.cur"], len(found)) == (305_000, 600_000, 6)


@pytest.mark.parametrize("broken", ["", "fast", "<unknown>", "1e6"])
def test_a_rate_that_is_no_number_is_a_reason(tmp_path, broken):
    plant(tmp_path, {**core(0), **core(1, cur=broken)})
    assert "not a whole number" in read(tmp_path)["cpu1.cur"]


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({f"{CPU}/online": "0-1"}, "shows no clock rate"),
        ({f"{CPU}/cpu0/cpufreq/scaling_governor": "userspace"}, "no such file"),
        (gpu("sys/class/devfreq/15340000.vic"), "shows no clock rate"),
    ],
)
def test_a_machine_without_one_rate_is_refused_with_a_remedy(tmp_path, tree, words):
    plant(tmp_path, tree)
    with pytest.raises(ProbeError, match=words) as caught:
        read(tmp_path)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("tree", "cpu", "graphics", "memory"),
    [
        ({**core(0), **gpu(), **emc(0)}, False, False, False),
        ({**core(0, low=1_900_000), **gpu(low=900_000_000), **emc(1)}, True, True, True),
        ({**core(0, low=1_900_000), **core(1)}, False, None, None),
        ({**core(0, low=1_900_000), **core(1, low="?")}, None, None, None),
        ({**core(0), **core(1, low="?")}, False, None, None),
        ({**gpu(low=900_000_000)}, None, True, None),
        ({**gpu(low=900_000_000), **emc("?")}, None, True, None),
    ],
)
def test_pinned_means_that_the_rate_cannot_move(tmp_path, tree, cpu, graphics, memory):
    plant(tmp_path, tree)
    assert facts(tmp_path)["pinned"] == {"cpu": cpu, "gpu": graphics, "emc": memory}


def test_equal_governors_are_one_word_and_different_ones_are_told_by_core(tmp_path):
    plant(tmp_path, {**core(0), **core(1)})
    assert facts(tmp_path)["governors"] == "schedutil"
    plant(tmp_path, core(1, governor="performance"))
    assert facts(tmp_path)["governors"] == {"cpu0": "schedutil", "cpu1": "performance"}


@pytest.mark.parametrize(
    ("tree", "key", "expected"),
    [
        ({f"{CPU}/intel_pstate/no_turbo": 1}, "no_turbo", True),
        ({f"{CPU}/intel_pstate/no_turbo": 0}, "no_turbo", False),
        ({f"{CPU}/cpufreq/boost": 0}, "no_turbo", True),
        ({f"{CPU}/cpufreq/boost": 1}, "no_turbo", False),
        ({}, "no_turbo", None),
        ({"proc/cmdline": "quiet isolcpus=managed_irq,2-3"}, "isolated", "managed_irq,2-3"),
        ({"proc/cmdline": "quiet"}, "isolated", ""),
        ({}, "isolated", None),
        ({"sys/kernel/realtime": 1}, "realtime", True),
        ({"sys/kernel/realtime": 0}, "realtime", False),
        ({}, "realtime", None),
        ({}, "power_mode", None),
        ({"var/lib/nvpmodel/status": "pmode:0003 fmode:cool"}, "power_mode", "ID 3"),
    ],
)
def test_settings_of_the_machine_are_facts(tmp_path, tree, key, expected):
    plant(tmp_path, {**core(0), **tree})
    assert facts(tmp_path)[key] == expected


CONF = """
# < POWER_MODEL ID=1 NAME=COMMENTED_OUT >
< POWER_MODEL ID=0 NAME=12W >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=1 NAME=MODE_20W_4CORE >
"""


@pytest.mark.parametrize(("status", "mode"), [("pmode:0000", "12W"), ("pmode:0001 fmode:quiet", "MODE_20W_4CORE")])
def test_the_power_mode_has_its_name_from_the_configuration(tmp_path, status, mode):
    plant(tmp_path, {**core(0), "var/lib/nvpmodel/status": status, "etc/nvpmodel.conf": "#" * 9000 + CONF})
    assert facts(tmp_path)["power_mode"] == mode


@pytest.mark.parametrize(
    ("body", "mode"),
    [
        ("echo 'NVPM WARN: fan mode is not set!'; echo 'NV Power Mode: MODE_33W'; echo 5", "MODE_33W"),
        ("echo 'NVPM ERROR: no'; exit 1", None),
        ("sleep 60", None),
    ],
)
def test_without_a_status_file_the_tool_is_asked_for_the_power_mode(tmp_path, body, mode):
    plant(tmp_path, core(0))
    start = time.monotonic()
    assert facts(tmp_path, nvpmodel=script(tmp_path / "nvpmodel", body))["power_mode"] == mode
    assert time.monotonic() - start < 10


SHOW = """SOC family:tegra999  Machine:A board
Online CPUs: 0-1
cpu0:  Online=1 Governor=schedutil MinFreq=700000 MaxFreq=1500000 CurrentFreq=900000 IdleStates: WFI=1 c7=1
cpu1:  Governor=schedutil MinFreq=1500000 MaxFreq=1500000 CurrentFreq=1500000 IdleStates: WFI=0 c7=0
GPU MinFreq=400500000 MaxFreq=400500000 CurrentFreq=400500000
Active GPU TPCs: 4
EMC MinFreq=204000000 MaxFreq=1600000000 CurrentFreq=1600000000 FreqOverride=1
DLA0_CORE:   Online=1 MinFreq=0 MaxFreq=1600000000 CurrentFreq=1600000000
FAN Dynamic Speed control=active hwmon2_pwm1=55"""


def test_both_forms_of_the_tool_are_parsed():
    assert parse_show(SHOW) == {
        "cpu0": {"min": 700_000, "max": 1_500_000, "cur": 900_000},
        "cpu1": {"min": 1_500_000, "max": 1_500_000, "cur": 1_500_000},
        "gpu": {"min": 400_500, "max": 400_500, "cur": 400_500},
        "emc": {"min": 204_000, "max": 1_600_000, "cur": 1_600_000, "locked": 1},
    }


def test_the_tool_tells_what_no_readable_file_does(tmp_path):
    plant(tmp_path, core(0))
    (tmp_path / "show.txt").write_text(SHOW, encoding="utf-8")
    tool = script(tmp_path / "jetson_clocks", f'[ "$1" = --show ] && cat {tmp_path}/show.txt')
    found = facts(tmp_path, jetson_clocks=tool)
    assert found["jetson_clocks"]["gpu"]["max"] == 400_500
    assert found["pinned"] == {"cpu": False, "gpu": True, "emc": True}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("echo 'Error: Run this script(/x/jetson_clocks) as a root user'; exit 1", "needs root"),
        ("echo 'Error! Unknown GPU!'; exit 1", "shows no clock"),
        ("true", "shows no clock"),
    ],
)
def test_a_tool_that_shows_nothing_is_a_reason(tmp_path, body, words):
    plant(tmp_path, core(0))
    found = facts(tmp_path, jetson_clocks=script(tmp_path / "jetson_clocks", body))
    assert words in found["jetson_clocks"]
    assert found["pinned"]["gpu"] is None


def test_after_leaving_nothing_raises(tmp_path):
    plant(tmp_path, {**core(0), **gpu(), **emc(1)})
    with entered(tmp_path) as probe:
        pass
    assert all(isinstance(one, str) for one in probe.read()[0][1])
    assert probe.facts()["pinned"] == {"cpu": None, "gpu": None, "emc": True}


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("0", [0]),
        ("0-3,6", [0, 1, 2, 3, 6]),
        ("", []),
        ("5,0-1\n", [0, 1, 5]),
        (None, None),
        ("0-", None),
        ("a-b", None),
        ("0,,1", None),
        ("-1", None),
        ("0-123456", None),
        ("٣", None),
    ],
)
def test_a_list_of_cores_is_read_as_the_kernel_writes_it(text, cores):
    assert parse_cores(text) == cores


@given(st.sets(st.integers(0, 4000)))
def test_every_list_of_cores_comes_back(cores):
    assert parse_cores(",".join(map(str, sorted(cores)))) == sorted(cores)


@given(st.text())
def test_no_text_breaks_a_parser(text):
    assert isinstance(parse_show(text), dict)
    assert isinstance(parse_cores(text), list | None)


@given(st.lists(st.sampled_from([*SHOW.split(), "\n", "MinFreq=", "EMC"])).map(" ".join))
def test_no_mixture_of_the_tools_words_breaks_its_parser(text):
    for rates in parse_show(text).values():
        assert {"min", "max", "cur"} <= set(rates)


@pytest.mark.parametrize(
    ("name", "cores", "extra", "pinned"),
    [
        ("agx_orin_30W_default", 7, set(), False),
        ("agx_orin_l4t39_pinned", 3, set(), True),
        ("orin_nano_super_25W_l4t39", 6, {"gpu", "emc"}, False),
        ("orin_nx_l4t36.4.4_default", 6, {"gpu"}, False),
    ],
)
def test_the_captured_outputs_of_the_tool_are_parsed(captures, name, cores, extra, pinned):
    found = parse_show((captures / f"clocks/jetson_clocks_show_{name}.txt").read_text())
    assert set(found) == {f"cpu{number}" for number in range(cores)} | extra
    assert all((one["min"] == one["max"]) is pinned for one in found.values())
    assert all(50_000 < one["cur"] < 4_000_000 for one in found.values())


@pytest.mark.parametrize(
    ("name", "mode"),
    [("agx_orin_maxn", "MAXN"), ("orin_nano_25w", "25W"), ("orin_nx_maxn_super", "MAXN_SUPER")],
)
def test_the_captured_answers_of_nvpmodel_are_parsed(captures, tmp_path, name, mode):
    plant(tmp_path, core(0))
    tool = script(tmp_path / "nvpmodel", f"cat {captures}/clocks/nvpmodel_q_{name}.txt")
    assert facts(tmp_path, nvpmodel=tool)["power_mode"] == mode


def test_the_captured_refusal_and_the_captured_modes_are_understood(captures, tmp_path):
    modes = (captures / "clocks/nvpmodel_conf_models_orin_nano_super.txt").read_text()
    plant(tmp_path, {**core(0), "var/lib/nvpmodel/status": "pmode:0002", "etc/nvpmodel.conf": modes})
    tool = script(tmp_path / "jetson_clocks", f"cat {captures}/clocks/jetson_clocks_nonroot_error.txt; exit 1")
    found = facts(tmp_path, jetson_clocks=tool)
    assert found["power_mode"] == "MAXN_SUPER"
    assert "needs root" in found["jetson_clocks"]
