"""Every file in devices/: valid in every power mode, its facts dense, and its own board the only one that it fits."""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path

import pytest

from harness.config import read_toml
from harness.devicelist import add_devices_command
from harness.errors import ConfigError
from harness.identity import absences, differences, require_present
from harness.presence import identity
from harness.profile import profile_names, read_identities, read_profile
from harness.profiletables import Identity, Things
from harness.runtimes import runtime_class

DEVICES = Path(__file__).resolve().parent.parent / "devices"
NAMES = profile_names(DEVICES)
MODES = [f"{name}:{mode}" for name in NAMES for mode in read_toml(DEVICES / f"{name}.toml").get("modes", {})]
IDENTITIES = {name: one for name, one in read_identities(DEVICES).items() if one != Identity()}
BOARDS = list(IDENTITIES)


def text(name: str) -> str:
    return (DEVICES / f"{name}.toml").read_text(encoding="utf-8")


def test_the_devices_of_the_field_are_there():
    expected = {
        "orin", "orin-32gb", "orin-x", "orin-nx", "orin-nano", "thor", "agx-xavier", "xavier-nx", "jetson-nano", "tx2",
        "qcs8255", "tda4vm", "imx8mp", "imx95", "cv22", "coral", "x86-cuda", "host", "simulated",
        "intel-x86", "intel-npu", "qnn-x86", "host-all",
    }  # fmt: skip
    assert expected <= set(NAMES)


@pytest.mark.parametrize("name", [*NAMES, *MODES])
def test_a_profile_and_each_of_its_power_modes_is_valid(name):
    profile = read_profile(name, DEVICES)
    assert profile.name == name.replace(":", "@")
    assert profile.file == f"devices/{name.partition(':')[0]}.toml"
    assert profile.simulated or profile.budgets["frame_p99_ms"] == 50


@pytest.mark.parametrize("name", MODES)
def test_a_power_mode_asks_for_itself_and_never_raises_a_peak(name):
    whole, mode = read_profile(name.partition(":")[0], DEVICES), read_profile(name, DEVICES)
    assert mode.conditions.power_mode
    assert mode.conditions.power_mode.startswith(("MODE_", name.partition(":")[2]))
    for fact, value in mode.facts:
        assert value is None or value <= (getattr(whole.facts, fact) or 0)


@pytest.mark.parametrize("name", BOARDS)
def test_what_has_never_run_on_its_device_says_so(name):
    if name not in ("host", "simulated"):
        words = text(name) + read_profile(name, DEVICES).description
        assert re.search("never run on|simulator|run on this", words, re.IGNORECASE)


@pytest.mark.parametrize("name", NAMES)
def test_facts_name_their_source(name):
    if read_profile(name, DEVICES).facts != read_profile("host", DEVICES).facts and name != "simulated":
        assert re.search(r"^\[facts\] +# \w", text(name), re.MULTILINE)


# name -> GPU or NPU INT8, FP16, all DLAs, all dense; memory bandwidth
DENSE = [
    ("orin", 85, 42.5, 52.5, 204.8), ("orin-32gb", 54, 27, 46, 204.8), ("orin-x", 127, None, None, None),
    ("orin-nx", 38, 19, 40, 102), ("orin-nano", 33, 17, None, 102), ("thor", 517, 258.5, None, 273),
    ("agx-xavier", 22, 11, 10, 136.5), ("xavier-nx", 21, None, None, 59.7), ("jetson-nano", None, 0.472, None, 25.6),
    ("tx2", None, 1.33, None, 59.7), ("tda4vm", 8, None, None, None), ("imx8mp", 2.3, None, None, 16),
    ("imx95", 2, None, None, None), ("coral", 4, None, None, None), ("qcs8255", None, None, None, None),
    ("cv22", None, None, None, None), ("orin:15W", 7, 3.5, 20, 204.8), ("orin:30W", 20.5, 10.25, 45, 204.8),
    ("orin:50W", 54.5, 27.25, 46, 204.8), ("orin-nx:MAXN", 30, 15, 20, 102), ("orin-nano:15W", 20, 10, None, 68),
]  # fmt: skip


@pytest.mark.parametrize(("name", "int8", "fp16", "dla", "bandwidth"), DENSE)
def test_peaks_are_the_dense_ones(name, int8, fp16, dla, bandwidth):
    facts = read_profile(name, DEVICES).facts
    told = (facts.int8_tops, facts.fp16_tflops, facts.dla_int8_tops, facts.memory_bandwidth_gb_s)
    assert told == (int8, fp16, dla, bandwidth)


# What a board writes into /proc/device-tree/compatible, and MemTotal in MiB -> the profiles that it fits.
COMPATIBLE = [
    ("nvidia,p3737-0000+p3701-0005 nvidia,p3701-0005 nvidia,tegra234", 62840, {"orin"}),
    ("nvidia,p3737-0000+p3701-0000 nvidia,tegra234 nvidia,tegra23x", 62840, {"orin"}),
    ("nvidia,p3737-0000+p3701-0000 nvidia,tegra234 nvidia,tegra23x", 30536, set()),  # the first developer kit
    ("nvidia,p3737-0000+p3701-0004 nvidia,p3701-0004 nvidia,tegra234", 30536, {"orin-32gb"}),
    ("nvidia,p3768-0000+p3767-0000 nvidia,p3767-0000 nvidia,tegra234", 15656, {"orin-nx"}),
    ("nvidia,p3768-0000+p3767-0005-super nvidia,p3767-0005 nvidia,tegra234", 7620, {"orin-nano"}),
    ("nvidia,p3768-0000+p3767-0003 nvidia,p3767-0003 nvidia,tegra234", 7620, {"orin-nano"}),
    ("nvidia,drive-example nvidia,tegra234", 30000, {"orin-x"}),
    ("nvidia,p4071-0000+p3834-0008 nvidia,p3834-0008 nvidia,tegra264", 125772, {"thor"}),
    ("nvidia,p2972-0000 nvidia,tegra194", 31919, {"agx-xavier"}),
    ("nvidia,p2972-0000 nvidia,tegra194", 62800, set()),
    ("nvidia,p2972-0000 nvidia,tegra194", 15690, set()),
    ("nvidia,p3509-0000+p3668-0000 nvidia,tegra194", 7773, {"xavier-nx"}),
    ("nvidia,p3450-0000 nvidia,tegra210", 3964, {"jetson-nano"}),
    ("nvidia,p2771-0000 nvidia,tegra186", 7860, {"tx2"}),
    ("ti,j721e-sk ti,j721e", 2600, {"tda4vm"}),
    ("ti,j721s2-evm ti,j721s2", 8000, set()),
    ("fsl,imx8mp-evk fsl,imx8mp", 5800, {"imx8mp"}),
    ("fsl,imx8mm-evk fsl,imx8mm", 1900, set()),
    ("fsl,imx95-19x19-evk fsl,imx95", 15000, {"imx95"}),
    ("fsl,imx952-evk fsl,imx952", 7000, set()),
    ("ambarella,cv22", 2000, {"cv22"}),
    ("raspberrypi,5-model-b brcm,bcm2712", 8000, set()),
]


def fitting(root: Path) -> set[str]:
    said = {**identity(str(root)), "machine": [], "cpu_vendor": []}
    return {name for name, one in IDENTITIES.items() if not any(differences(one, said))}


@pytest.mark.parametrize(("compatible", "memory_mib", "fits"), COMPATIBLE)
def test_a_board_fits_its_own_profile_only(tmp_path, compatible, memory_mib, fits):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/compatible").write_text(compatible.replace(" ", "\0") + "\0")
    (tmp_path / "proc/meminfo").write_text(f"MemTotal:    {memory_mib * 1024} kB\n")
    assert fitting(tmp_path) == fits


@pytest.mark.parametrize("name", BOARDS)
def test_the_memory_that_tells_a_board_is_that_of_its_facts(name):
    profile = read_profile(name, DEVICES)
    assert profile.identity.memory_mib in (None, profile.facts.memory_mib)


NPU_BOARDS = ("imx8mp", "imx95", "tda4vm", "coral", "qcs8255")


@pytest.mark.parametrize("name", NPU_BOARDS)
def test_an_npu_must_take_nearly_all_of_a_model(name):
    assert read_profile(name, DEVICES).budgets["placed_share_percent"] == 95


@pytest.mark.parametrize("name", [*NPU_BOARDS, "intel-npu", "intel-x86"])
def test_the_cpu_of_a_board_does_not_need_what_its_accelerator_needs(tmp_path, name):
    profile = read_profile(name, DEVICES)
    cpu = [entry for entry in profile.runtimes if entry.endswith("-cpu")]
    assert len(absences(profile, cpu, str(tmp_path))) < len(absences(profile, root=str(tmp_path)))


@pytest.mark.parametrize(
    ("path", "files", "fits"),
    [
        ("sys/devices/soc0", {"soc_id": "532", "family": "Snapdragon"}, {"qcs8255"}),
        ("sys/devices/soc0", {"soc_id": "534", "family": "Snapdragon"}, set()),
        ("sys/bus/usb/devices/1-2", {"idVendor": "1a6e", "idProduct": "089a"}, {"coral"}),
        ("sys/bus/usb/devices/1-2", {"idVendor": "18d1", "idProduct": "4ee7"}, set()),
        ("sys/bus/pci/devices/0000:03:00.0", {"vendor": "0x1ac1", "device": "0x089a"}, {"coral"}),
    ],
)
def test_a_soc_or_an_accelerator_fits_its_own_profile_only(tmp_path, path, files, fits):
    (tmp_path / path).mkdir(parents=True)
    for name, value in files.items():
        (tmp_path / path / name).write_text(value + "\n")
    assert fitting(tmp_path) == fits


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_that_is_not_there_is_refused_in_one_whole_sentence_with_remedies(tmp_path, name):
    with pytest.raises(ConfigError) as caught:
        require_present(read_profile(name, DEVICES), DEVICES, root=str(tmp_path))
    assert caught.value.what.startswith(f"this machine is no {name}: it")
    assert caught.value.remedy == "run it on the board itself; here --device=host"
    assert not caught.value.what.endswith("…")
    needs = read_profile(name, DEVICES).needs
    for table in (needs, *needs.runtimes.values()):
        for remedy in {*table.files.values(), *table.libraries.values()}:
            assert f"({remedy})" in caught.value.what


@pytest.mark.parametrize("name", BOARDS)
def test_the_commands_and_libraries_that_its_engines_call_are_among_its_needs(name):
    profile = read_profile(name, DEVICES)
    for entry in profile.runtimes:
        parameters = inspect.signature(runtime_class(profile.engine(entry))).parameters
        own = profile.needs.runtimes.get(entry, Things())
        options = {key: one.default for key, one in parameters.items()} | profile.engine_options(entry)
        if profile.engine(entry) in ("trtexec", "qnn", "snpe"):
            called = {options[key] for key in ("command", "viewer") if key in options}
            assert called <= {**profile.needs.commands, **own.commands}.keys()
        if options.get("delegate"):
            assert options["delegate"] in {**profile.needs.libraries, **own.libraries}


def listed(folder: Path) -> str:
    parser = argparse.ArgumentParser()
    add_devices_command(parser.add_subparsers(required=True))
    parsed = parser.parse_args(["devices", f"--folder={folder}"])
    return str(parsed.command(parsed))


def test_the_list_says_which_device_this_machine_is_with_runtimes_and_power_modes(tmp_path):
    this = identity()["machine"][0]
    (tmp_path / "any.toml").write_text('description = "any one"\n[runtimes.simulated]\n[runtimes.null]\n')
    (tmp_path / "this.toml").write_text(
        f'identity = {{ machine = ["{this}"] }}\n[runtimes.null]\n'
        '[modes.15W.conditions]\npower_mode = "15"\n[modes.30W.conditions]\npower_mode = "30"\n'
    )
    (tmp_path / "that.toml").write_text('identity = { machine = ["pdp11"] }\n[runtimes.null]\n')
    (tmp_path / "fake.toml").write_text('simulated = true\ndescription = "a\\u001b[2Jb"\n[runtimes.null]\n')
    assert listed(tmp_path).splitlines() == [
        "any           any machine   any one",
        "              runtimes      simulated, null",
        r"fake          simulated     a\x1b[2Jb",
        "              runtimes      null",
        "that          not here",
        "              runtimes      null",
        "this          this machine",
        "              runtimes      null",
        "              modes         this:15W, this:30W",
    ]


def test_an_empty_folder_of_devices_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"there are no device profiles .*write devices/NAME\.toml"):
        listed(tmp_path)
