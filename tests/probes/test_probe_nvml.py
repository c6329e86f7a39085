"""The NVML probe over a library of our own, which the real nvidia-ml-py loads in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from harness.probes.nvml import event_reasons, throttle_reasons

pytest.importorskip("pynvml")
NOT_SUPPORTED, NO_PERMISSION, DRIVER_NOT_LOADED, MISMATCH, UNKNOWN = 3, 4, 9, 18, 999
POWERS = ["gpu0.energy", "gpu0.power_instant", "gpu0.power_average"]
OPEN = """
import json, sys
from harness.errors import HarnessError
from harness.probes import open_probe
options, reads = json.loads(sys.argv[1])
try:
    with open_probe("nvml", options) as probe:
        names, units = zip(*[(one.name, one.unit) for one in probe.channels])
        facts = probe.facts()
        told = {"units": units, "reads": [dict(zip(names, probe.read()[0][1])) for _ in range(reads)]}
        told.update(facts=facts, facts_after=probe.facts())
    told.update(closed=probe.read()[0][1], facts_closed=probe.facts())
except HarnessError as error:
    told = {"refused": error.sentence}
print(json.dumps(told, allow_nan=False))
"""
WEIGH = """
import json, sys
from harness.probes.nvml import process_memory_bytes
print(json.dumps([process_memory_bytes(*one) for one in json.loads(sys.argv[1])]))
"""

OLD_BINDING = """
import pynvml
for name in [name for name in vars(pynvml) if "RunningProcesses_v3" in name or "ClocksEventReasons" in name]:
    delattr(pynvml, name)
"""


def library(folder: Path, *options: str) -> Path:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler (cc): the NVML probe is tested over a library that it would build")
    source = Path(__file__).with_name("fake_nvml.c")
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", *options, "-o", "libnvidia-ml.so.1", str(source)]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return library(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def old_driver(tmp_path_factory):
    return library(tmp_path_factory.mktemp("old_driver"), "-DOLD_DRIVER")


def told(checkout, folder, script, asked, **fake):
    """What a script prints beside a library whose behaviour `fake` changes."""
    settings = {f"FAKE_{name.upper()}": str(value) for name, value in fake.items()}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(asked)], cwd=checkout, check=True, capture_output=True, timeout=60,
        env={**os.environ, "LD_LIBRARY_PATH": str(folder), **settings},
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.fixture
def opened(checkout, driver):
    """What the probe tells in `reads` samples, over a library whose behaviour `fake` changes."""
    return lambda reads=1, gpu=0, folder=driver, **fake: told(checkout, folder, OPEN, [{"gpu": gpu}, reads], **fake)


def test_every_quantity_of_a_gpu_is_told_in_its_unit(opened):
    found = opened()
    assert found["reads"][0] == {
        "gpu0.energy": 5_000_000_500, "gpu0.power_instant": 41_500, "gpu0.power_average": 39_000, "gpu0.temp": 57,
        "gpu0.sm_clock": 1_410_000, "gpu0.mem_clock": 5_001_000, "gpu0.load": 83, "gpu0.memory_controller": 31,
        "gpu0.memory_used": 3 * 2**30, "gpu0.throttle": 0,
    }  # fmt: skip
    assert found["units"] == ["mJ", "mW", "mW", "C", "kHz", "kHz", "%", "%", "bytes", "state"]
    assert found["facts"] == {
        "unsupported": {}, "name": "Imaginary GPU", "driver": "571.99.01", "pci_bus_id": "00000000:0A:00.0",
        "power_limit_mw": 115_000, "clocks_event_reasons": [],
    }  # fmt: skip


def test_an_orin_where_nvml_starts_but_supports_nothing_is_refused(opened):
    said = opened(query=NOT_SUPPORTED)["refused"]
    assert "tells neither power nor energy: gpu0.power_instant: Not Supported" in said
    assert "ina3221" in said


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION, UNKNOWN])
def test_a_driver_without_the_fields_leaves_their_power_out_and_says_so(opened, code):
    found = opened(field=code)
    assert "gpu0.energy" in found["reads"][0]
    assert not {"gpu0.power_instant", "gpu0.power_average"} & found["reads"][0].keys()
    assert list(found["facts"]["unsupported"]) == ["gpu0.power_instant", "gpu0.power_average"]


@pytest.mark.parametrize("kind", range(4))
def test_a_field_is_read_by_the_type_that_the_driver_gives_it(opened, kind):
    assert opened(type=kind)["reads"][0]["gpu0.power_instant"] == 41_500


def test_a_field_of_an_unknown_type_is_left_out(opened):
    assert "unknown type 9" in opened(type=9)["facts"]["unsupported"]["gpu0.power_instant"]


@pytest.mark.parametrize("milliwatts", [0, 0xFFFF_FFFF])
def test_a_power_that_stands_for_not_known_is_no_power(opened, milliwatts):
    found = opened(instant_mw=milliwatts)
    assert "is no power of a GPU" in found["facts"]["unsupported"]["gpu0.power_instant"]
    assert "gpu0.power_instant" not in found["reads"][0]


def test_the_energy_only_grows(opened):
    energies = [one["gpu0.energy"] for one in opened(reads=3)["reads"]]
    assert energies == [5_000_000_500, 5_000_000_750, 5_000_001_000]


def test_after_a_reset_of_the_energy_there_are_only_reasons(opened):
    first, *rest = [one["gpu0.energy"] for one in opened(reads=4, reset_at=3)["reads"]]
    assert first == 5_000_000_500
    assert rest == ["gpu0.energy: the counter was reset"] * 3


def test_a_gpu_that_is_lost_gives_reasons_and_no_facts(opened):
    found = opened(reads=3, lost_at=3)
    assert all(isinstance(value, (int, float)) for value in found["reads"][0].values())
    for sample in found["reads"][1:]:
        assert set(sample) == set(found["reads"][0])
        assert all(value == f"{name}: GPU is lost" for name, value in sample.items())
    assert found["facts_after"] == {"unsupported": {}, "driver": "571.99.01"}


def test_after_leaving_readings_are_reasons(opened):
    found = opened()
    assert all(one.endswith("Uninitialized") for one in found["closed"])
    assert found["facts_closed"] == {"unsupported": {}}


@pytest.mark.parametrize(("mask", "state"), [(0x1, 0), (0x102, 0), (0x4, 4), (0x61, 0x60), (0x1000, 0x1000)])
def test_only_what_slows_a_busy_gpu_down_is_a_throttle(opened, mask, state):
    found = opened(events=mask)
    assert found["reads"][0]["gpu0.throttle"] == state
    assert found["facts"]["clocks_event_reasons"] == event_reasons(mask)


def test_a_driver_that_knows_the_former_name_of_the_event_reasons_tells_them(opened, old_driver):
    assert opened(folder=old_driver, events=0x8)["reads"][0]["gpu0.throttle"] == 8


@pytest.mark.parametrize(
    ("code", "words"),
    [(DRIVER_NOT_LOADED, "Driver Not Loaded"), (MISMATCH, "version mismatch"), (NO_PERMISSION, "Permissions")],
)
def test_nvml_that_does_not_start_is_refused_with_the_remedy(opened, code, words):
    said = opened(init=code)["refused"]
    assert "NVML does not start" in said
    assert words in said
    assert "nvidia-smi" in said


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="this machine has the library of a real driver")
def test_a_machine_without_the_driver_is_refused(opened, tmp_path):
    assert "NVML Shared Library Not Found (libnvidia-ml.so.1)" in opened(folder=tmp_path)["refused"]


@pytest.mark.parametrize("gpu", [1, -1])
def test_a_gpu_that_is_not_there_is_refused(opened, gpu):
    assert f"NVML refuses GPU {gpu}: Invalid Argument" in opened(gpu=gpu)["refused"]


def test_a_missing_binding_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ProbeError, match=r"not installed.*dms-harness\[nvidia\]"), open_probe("nvml", {}):
        pass


def test_the_memory_of_a_process_is_told_once_or_with_a_reason(checkout, driver):
    asked = [(11,), (12,), (13,), (14,), (15,)]
    computes, does_both, untold, draws, absent = told(checkout, driver, WEIGH, asked)
    assert (computes, does_both, draws) == (700, 900, 50)
    assert "does not tell the memory" in untold
    assert "lists no process 15" in absent


def test_the_memory_of_a_process_is_a_reason_where_nvml_has_none(checkout, driver):
    assert "Not Supported" in told(checkout, driver, WEIGH, [(11,)], query=NOT_SUPPORTED)[0]
    assert "Invalid Argument" in told(checkout, driver, WEIGH, [(11, 5)])[0]


def test_a_binding_that_is_too_old_to_weigh_a_process_is_a_reason(checkout, driver):
    said = told(checkout, driver, OLD_BINDING + WEIGH, [(11,)])[0]
    assert "nvmlDeviceGetComputeRunningProcesses_v3" in said
    assert "pip install -U nvidia-ml-py" in said


def test_a_binding_that_knows_the_former_name_of_the_event_reasons_tells_them(checkout, old_driver):
    found = told(checkout, old_driver, OLD_BINDING + OPEN, [{}, 1], events=0x8)
    assert found["reads"][0]["gpu0.throttle"] == 8
    assert found["facts"]["clocks_event_reasons"] == ["hardware slowdown"]


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (0, []),
        (0x1 | 0x2 | 0x100, []),
        (0x1 | 0x4, ["software power cap"]),
        (0x48, ["hardware slowdown", "hardware thermal slowdown"]),
        (0xA0, ["software thermal slowdown", "hardware power brake slowdown"]),
        (0x3010, ["sync boost", "0x3000"]),
    ],
)
def test_the_reasons_of_a_throttle_have_names(mask, names):
    assert throttle_reasons(mask) == names


@given(st.integers(0, 2**64 - 1))
def test_no_bit_of_a_mask_is_lost(mask):
    assert bool(event_reasons(mask)) == bool(mask)
    assert set(throttle_reasons(mask)) <= set(event_reasons(mask))


def test_the_names_fit_the_constants_of_the_binding():
    import pynvml

    names = {
        "GpuIdle": "GPU idle", "ApplicationsClocksSetting": "applications clocks setting",
        "SwPowerCap": "software power cap", "HwSlowdown": "hardware slowdown", "SyncBoost": "sync boost",
        "SwThermalSlowdown": "software thermal slowdown", "HwThermalSlowdown": "hardware thermal slowdown",
        "HwPowerBrakeSlowdown": "hardware power brake slowdown", "DisplayClockSetting": "display clock setting",
    }  # fmt: skip
    for constant, name in names.items():
        assert event_reasons(getattr(pynvml, f"nvmlClocksEventReason{constant}")) == [name]
