"""`harness power-modes`, and what sets modes; nvpmodel and cpufreq are made ones, as no device is at hand."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import pytest

from harness.errors import ConfigError, HarnessError
from harness.powermodes.choice import chosen, modes_of
from harness.powermodes.clockcaps import ClockCaps
from harness.powermodes.command import find_out
from harness.powermodes.nvpmodel import nvpmodel
from harness.profile import read_profile
from harness.signals import EndedError
from tests.simulated import CHECKOUT, copied_model, session_over
from tests.workspace import Workspace

DEVICES = CHECKOUT / "devices"
# As the tool behaves by its documents: it keeps its mode, and asks on its input before it reboots.
TOOL = """#!/bin/sh
status={root}/var/lib/nvpmodel/status
if [ "$1" = -m ] && [ "$2" = 2 ]; then echo "Reboot required, type YES"; exit 0; fi
if [ "$1" = -m ] && [ "$2" = 3 ]; then echo "need root"; exit 1; fi
if [ "$1" = -m ] && [ "$2" != 4 ]; then printf 'pmode:%04d' "$2" > $status; fi
exit 0
"""
CONF = "".join(
    f"< POWER_MODEL ID={number} NAME={name} >\n" for number, name in enumerate(("MAXN", "15W", "FAR", "ROOT", "STUCK"))
)


@pytest.fixture
def jetson(tmp_path):
    """A root with the files of a Jetson in the mode 15W, and its tool."""
    for folder in ("etc", "var/lib/nvpmodel", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/nvpmodel.conf").write_text(CONF)
    (tmp_path / "var/lib/nvpmodel/status").write_text("pmode:0001")
    tool = tmp_path / "bin/nvpmodel"
    tool.write_text(TOOL.format(root=tmp_path))
    tool.chmod(0o755)
    return nvpmodel(str(tmp_path), str(tool))


@pytest.fixture
def cpufreq(tmp_path):
    """A root with the clocks of two cores."""
    for core in (0, 1):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_available_frequencies").write_text("800000 1400000 2000000\n")
        (folder / "scaling_max_freq").write_text("2000000\n")
    return tmp_path


def status(root):
    return (root / "var/lib/nvpmodel/status").read_text()


def caps(root):
    return [one.read_text().strip() for one in sorted(root.glob("sys/devices/system/cpu/*/cpufreq/scaling_max_freq"))]


def test_a_mode_is_set_and_the_one_before_comes_back(jetson, tmp_path):
    with jetson.kept():
        jetson.set("MAXN")
        assert status(tmp_path) == "pmode:0000"
    assert status(tmp_path) == "pmode:0001"


def test_the_mode_comes_back_after_an_error_too(jetson, tmp_path):
    def change():
        with jetson.kept():
            jetson.set("MAXN")
            jetson.set("FAR")

    with pytest.raises(HarnessError, match="needs a reboot"):
        change()
    assert status(tmp_path) == "pmode:0001"


@pytest.mark.parametrize(
    ("mode", "said"),
    [("FAR", "needs a reboot"), ("ROOT", "the mode ROOT cannot be set: need root"), ("STUCK", "the device says 15W")],
)
def test_a_mode_that_cannot_be_taken_says_why(jetson, mode, said):
    with pytest.raises(HarnessError) as caught:
        jetson.set(mode)
    assert said in caught.value.sentence


def test_a_machine_without_the_tool_has_no_modes(tmp_path):
    assert nvpmodel(str(tmp_path), "no-such-tool") is None


def test_a_mode_of_now_that_nobody_tells_is_not_left(jetson, tmp_path):
    (tmp_path / "var/lib/nvpmodel/status").unlink()
    with pytest.raises(HarnessError, match="the power mode of now is not known"), jetson.kept():
        pass


def test_modes_of_nvpmodel_come_first_and_say_that_they_never_ran(jetson, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    choice = modes_of(read_profile("agx-xavier", DEVICES), DEVICES, tmp_path)
    assert "NEVER RUN ON A DEVICE" in choice.kind
    assert [one.name for one in choice.modes] == ["MAXN", "15W", "FAR", "ROOT", "STUCK"]
    assert {one.profile.conditions.power_mode for one in choice.modes} >= {"MAXN", "15W"}
    assert choice.modes[0].profile.name == "agx-xavier@MAXN"


def test_a_host_has_its_core_counts_with_a_thread_for_each(tmp_path):
    choice = modes_of(read_profile("host", DEVICES), DEVICES, tmp_path)
    assert "no cpufreq here" in choice.kind
    last = choice.modes[-1]
    assert last.cores == len(os.sched_getaffinity(0)) == len(last.profile.cpu_cores)
    assert {one["threads"] for one in last.profile.runtimes.values()} == {last.cores}
    assert choice.modes[0].name == "1-core"


def test_clocks_that_can_be_set_are_modes_too(cpufreq):
    choice = modes_of(read_profile("host", DEVICES), DEVICES, cpufreq)
    slow = next(one for one in choice.modes if one.name.endswith("-800MHz"))
    with choice.kept():
        slow.enter()
        assert caps(cpufreq) == ["800000", "800000"]
    assert caps(cpufreq) == ["2000000", "2000000"]


def short_session(folder):
    return session_over(folder, copied_model(folder / "models"))


def test_no_mode_is_measured_under_the_clocks_of_the_one_before(cpufreq, tmp_path):
    choice = modes_of(read_profile("host", DEVICES), DEVICES, cpufreq)
    slow = next(one for one in choice.modes if one.name.endswith("-800MHz"))
    seen = []
    free = replace(choice.modes[0], enter=lambda: seen.extend(caps(cpufreq)))
    find_out(choice, [(one, short_session(tmp_path / one.name)) for one in (slow, free)], seen.append)
    assert seen == [f"mode {slow.name}", f"mode {free.name}", "2000000", "2000000"]


def test_the_clocks_come_back_where_somebody_ends_the_command(cpufreq, tmp_path):
    choice = modes_of(read_profile("host", DEVICES), DEVICES, cpufreq)
    slow = next(one for one in choice.modes if one.name.endswith("-800MHz"))

    def ended():
        slow.enter()
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(EndedError, match="SIGTERM"):
        find_out(choice, [(replace(slow, enter=ended), short_session(tmp_path))], lambda said: None)
    assert caps(cpufreq) == ["2000000", "2000000"]


def test_a_core_that_does_not_take_its_clock_back_hinders_no_other(cpufreq):
    first, last = sorted(cpufreq.glob("sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq"))

    def refused(path):
        with ClockCaps(root=cpufreq).kept():
            first.write_text("800000")
            last.write_text("800000")
            path.unlink()
            path.symlink_to("/dev/full")

    for path, other in ((first, last), (last, first)):
        with pytest.raises(HarnessError, match="cannot be set"):
            refused(path)
        assert other.read_text() == "2000000"
        path.unlink()
        path.write_text("2000000")


def test_a_clock_that_cannot_be_set_says_so(cpufreq):
    folder = cpufreq / "sys/devices/system/cpu/cpu1/cpufreq"
    (folder / "scaling_max_freq").unlink()
    (folder / "scaling_max_freq").symlink_to("/dev/full")
    with pytest.raises(HarnessError, match="the highest clock"):
        ClockCaps(root=cpufreq).set(800_000)


def test_modes_are_chosen_by_name():
    choice = modes_of(read_profile("simulated", DEVICES), DEVICES)
    assert [one.name for one in chosen(choice, ["1-core"])] == ["1-core"]
    with pytest.raises(ConfigError, match="no mode called '1-cor'"):
        chosen(choice, ["1-cor"])


def test_the_command_measures_every_mode_and_says_what_is_better(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    done = workspace.harness("power-modes", "--device=simulated", "--modes=1-core")
    assert done.status == 0, done.output
    assert "SIMULATED" in done.output
    assert "on the front" in done.output
    found = json.loads((tmp_path / "reports/power-modes/simulated/power-modes.json").read_text())
    (point,) = found["cases"][0]["points"]
    assert point["mode"] == "1-core"
    assert point["latency_ms"] == pytest.approx(8.4, abs=0.2)
    assert point["watts"] > 3
    assert found["cases"][0]["front"]["by"] == "W"
    assert "| 1-core |" in (tmp_path / "reports/power-modes/simulated/power-modes.md").read_text()


def test_without_a_power_sensor_the_front_is_over_cores_and_says_so(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    workspace.without_power()
    done = workspace.harness("power-modes", "--device=simulated", "--modes=1-core", "--models=eyes")
    assert done.status == 0, done.output
    assert "nobody measured watts" in done.output
    assert "the front is over cores only" in done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--modes=1-cor", "--device=simulated"], "did you mean '1-core'?"),
        (["--plan=soka", "--device=simulated"], "did you mean 'soak'?"),
        (["--device=simulatd"], "did you mean 'simulated'?"),
    ],
)
def test_a_wrong_name_ends_with_status_4_and_the_nearest_known_one(tmp_path, options, said):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    done = workspace.harness("power-modes", *options)
    assert done.status == 4, done.output
    assert said in done.output
