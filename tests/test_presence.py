"""What a machine says it is and lacks, on planted trees; and the sentence that refuses one that is not the board."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import presence
from harness.errors import ConfigError
from harness.identity import absences, differences, require_present
from harness.profile import read_profile
from harness.profiletables import Identity
from tests.workspace import Workspace


@pytest.fixture
def plant(tmp_path):
    """Write files below a root: path -> text."""

    def planted(files: dict[str, str]) -> str:
        for name, text in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "root").mkdir(exist_ok=True)
        return str(tmp_path / "root")

    return planted


BOARD = {
    "proc/device-tree/compatible": "acme,carrier-1+module-7\0acme,module-7\0acme,soc9\0",
    "proc/device-tree/model": "Acme Module 7 Developer Kit\0",
    "sys/devices/soc0/soc_id": "532\n",
    "sys/devices/soc0/family": "Acme\n",
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\n",
    "proc/meminfo": "MemTotal:       31268864 kB\nMemFree: 1 kB\n",
    "sys/bus/pci/devices/0000:01:00.0/vendor": "0x1AC1\n",
    "sys/bus/pci/devices/0000:01:00.0/device": "0x089a\n",
    "sys/bus/usb/devices/1-1/idVendor": "18d1\n",
    "sys/bus/usb/devices/1-1/idProduct": "9302\n",
    "sys/bus/usb/devices/1-1:1.0/bInterfaceClass": "ff\n",
}


def test_a_board_says_what_it_is(plant):
    said = presence.identity(plant(BOARD))
    assert said["device_tree_compatible"] == ["acme,carrier-1+module-7", "acme,module-7", "acme,soc9"]
    assert said["device_tree_model"] == ["Acme Module 7 Developer Kit"]
    assert said["soc_id"] == ["Acme", "532"]
    assert said["cpu_vendor"] == ["0x41"]
    assert said["pci"] == ["1ac1:089a"]
    assert said["usb"] == ["18d1:9302"]


def test_a_machine_that_tells_nothing_says_empty_lists(plant):
    said = presence.identity(plant({}))
    assert {name: one for name, one in said.items() if one} == {"machine": [os.uname().machine]}


@pytest.mark.parametrize("text", ["", "\0", "\0\0\0", "\xff\xfe\0a", "no zero byte"])
def test_a_strange_device_tree_is_read_without_an_error(plant, text):
    said = presence.identity(plant({"proc/device-tree/compatible": text, "proc/cpuinfo": text}))
    assert all(said["device_tree_compatible"])


FITS = [
    ({"device_tree_compatible": ("acme,module-7",)}, True),
    ({"device_tree_compatible": ("module-7",)}, True),
    ({"device_tree_compatible": ("carrier-1",)}, True),
    ({"device_tree_compatible": ("module-8", "soc9")}, True),
    ({"device_tree_compatible": ("module-70",)}, False),
    ({"device_tree_compatible": ("module",)}, False),
    ({"device_tree_compatible": ("acme,soc",)}, False),
    ({"device_tree_model": ("Module 7",)}, True),
    ({"device_tree_model": ("Module 8",)}, False),
    ({"soc_id": ("532",)}, True),
    ({"soc_id": ("53",)}, False),
    ({"cpu_vendor": ("0x41",)}, True),
    ({"cpu_vendor": ("GenuineIntel",)}, False),
    ({"pci": ("1ac1:089a",)}, True),
    ({"pci": ("1ac1",)}, True),
    ({"pci": ("1ac1:089b",)}, False),
    ({"pci": ("10de",), "usb": ("18d1:9302",)}, True),
    ({"pci": ("10de",), "usb": ("18d1:9303",)}, False),
    ({"soc_id": ("532",), "cpu_vendor": ("GenuineIntel",)}, False),
    ({"memory_mib": 32768}, True),
    ({"memory_mib": 28000}, True),
    ({"memory_mib": 65536}, False),
    ({"memory_mib": 27000}, False),
    ({"soc_id": ("532",), "not_compatible": ("module-8", "odule")}, True),
    ({"soc_id": ("532",), "not_compatible": ("module",)}, False),
    ({}, True),
]


@pytest.mark.parametrize(("asked", "fits"), FITS)
def test_an_identity_fits_whole_words_only_and_all_of_its_parts_must_hold(plant, asked, fits):
    assert fits is not any(differences(Identity(**asked), presence.identity(plant(BOARD))))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"soc_id": ("7", "8")}, "its SoC says Acme, 532, the profile expects 7 or 8"),
        ({"memory_mib": 65536}, "its memory says 30536 MiB, the profile expects 65536 MiB less what firmware keeps"),
        ({"not_compatible": ("mod",)}, "its device tree says module-7, which is another board"),
        ({"pci": ("10de",), "usb": ("1a6e:089a",)}, "it has no accelerator with PCI id 10de or USB id 1a6e:089a"),
    ],
)
def test_a_difference_is_told_with_both_sides(plant, asked, said):
    assert list(differences(Identity(**asked), presence.identity(plant(BOARD)))) == [said]


@pytest.mark.parametrize(
    ("kind", "name", "there"),
    [
        ("files", "/dev/npu0", True), ("files", "/dev/npu*", True), ("files", "/dev/gpu0 or /dev/npu0", True),
        ("files", "/dev/npu1", False), ("files", "/dev/gpu0 or /dev/gpu1", False),
        ("libraries", "libone.so", True), ("libraries", "libone.so.3", True), ("libraries", "libon.so", False),
        ("libraries", "libtwo.so", True), ("libraries", "/opt/acme/libthree.so", True),
        ("libraries", "/opt/acme/libfour.so", False), ("libraries", "libtwo.so.9", False),
        ("commands", "sh", True), ("commands", "no-such-command", False), ("commands", "no-such-command or sh", True),
        ("commands", "/opt/acme/run", False),
        ("modules", "json", True), ("modules", "no_such_module", False), ("modules", "no_such_module or json", True),
        ("modules", "no_such.module", False),
    ],
)  # fmt: skip
def test_what_is_there_is_found_and_what_is_not_is_named(plant, kind, name, there):
    root = plant({
        "dev/npu0": "", "usr/lib/libone.so.3": "", "opt/acme/libthree.so": "", "opt/acme/run": "not executable",
        "etc/ld.so.cache": "glibc-ld.so.cache1.1\0libtwo.so.1\0/usr/lib/aarch64-linux-gnu/libtwo.so.1\0",
    })  # fmt: skip
    assert presence.look({kind: [name]}, root)["absent"] == {kind: [] if there else [name]}


def test_a_library_on_the_loaders_own_path_is_found(plant, monkeypatch):
    root = plant({"sdk/libvendor.so": ""})
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{root}/sdk")
    assert presence.look({"libraries": ["libvendor.so"]}, root)["absent"] == {"libraries": []}


NEEDY = """
[identity]
soc_id = ["soc9"]
[needs.files]
"/dev/npu0" = "modprobe npu"
[needs.libraries]
"libvendor.so" = "install the SDK"
"libvendor_rt.so" = "install the SDK"
[needs.commands]
"vendor-net-run" = "put the SDK on PATH"
[needs.modules]
onnxruntime = "install the vendor's wheel"
vendor_sdk = "pip install vendor-sdk"
[runtimes.onnxruntime]
[runtimes.simulated]
"""


@pytest.fixture
def devices(tmp_path):
    folder = tmp_path / "devices"
    folder.mkdir()
    (folder / "board.toml").write_text(NEEDY)
    (folder / "host.toml").write_text("[runtimes.simulated]\n")
    (folder / "npu-board.toml").write_text('[identity]\nsoc_id = ["532"]\n[runtimes.simulated]\n')
    (folder / "broken.toml").write_text("[identity]\nsoc = 3\n")
    return folder


def test_another_machine_is_refused_with_all_that_is_missing_how_to_get_it_and_what_it_could_be(devices, plant):
    with pytest.raises(ConfigError) as caught:
        require_present(read_profile("board", devices), devices, root=plant(BOARD))
    assert caught.value.sentence == (
        "this machine is no board: its SoC says Acme, 532, the profile expects soc9; no /dev/npu0 (modprobe npu); "
        "no libvendor.so, libvendor_rt.so (install the SDK); no vendor-net-run on PATH (put the SDK on PATH); "
        f"no vendor_sdk for {sys.executable} (pip install vendor-sdk) (devices/board.toml); "
        "run it on the board itself; here --device=npu-board"
    )


def test_the_board_itself_lacks_what_it_lacks_and_no_other_device_is_named(devices, plant):
    root = plant(
        {"sys/devices/soc0/soc_id": "soc9", "dev/npu0": "", "usr/lib/libvendor.so": "", "lib/libvendor_rt.so": ""}
    )
    with pytest.raises(ConfigError) as caught:
        require_present(read_profile("board", devices), devices, root=root)
    assert caught.value.sentence.startswith(
        "board is not ready: no vendor-net-run on PATH (put the SDK on PATH); no vendor"
    )
    assert "--device" not in caught.value.sentence


def test_what_no_case_uses_is_not_missed(devices, monkeypatch):
    (devices / "host.toml").write_text("[runtimes.onnxruntime]\n[runtimes.simulated]\n")
    monkeypatch.setattr(presence, "_module", lambda name, root: name != "onnxruntime")
    profile = read_profile("host", devices)
    assert absences(profile, ["simulated"]) == []
    assert absences(profile) == [f"no onnxruntime for {sys.executable} (pip install 'dms-harness[host]')"]


def test_a_simulated_device_is_any_machine_but_needs_what_its_runtimes_need(devices, simulated, plant):
    unfit = simulated.model_copy(update={"identity": Identity(soc_id=("soc9",))})
    require_present(unfit, devices, root=plant({}))
    with pytest.raises(ConfigError, match="board is not ready: no /dev/npu0"):
        require_present(read_profile("board", devices).model_copy(update={"simulated": True}), devices, root=plant({}))


def test_a_machine_without_a_memory_size_is_no_board_that_is_told_by_it(plant):
    (said,) = differences(Identity(memory_mib=4096), presence.identity(plant({"proc/meminfo": "MemTotal: much\n"})))
    assert said == "its memory says nothing, the profile expects 4096 MiB less what firmware keeps"


OF_ONE_ENTRY = """
[needs.runtimes.null.files]
"/dev/npu0" = "modprobe npu"
[needs.runtimes.null.modules]
vendor_sdk = "pip install vendor-sdk"
[needs.commands]
vendor-run = "put it on PATH"
[runtimes.null]
[runtimes.simulated]
"""


def test_what_one_runtime_needs_is_missed_only_where_that_one_is_used(devices, plant):
    (devices / "host.toml").write_text(OF_ONE_ENTRY)
    profile = read_profile("host", devices)
    assert absences(profile, ["simulated"], plant({})) == ["no vendor-run on PATH (put it on PATH)"]
    for runtimes in ([], ["null", "simulated"]):
        assert absences(profile, runtimes, plant({})) == [
            "no /dev/npu0 (modprobe npu)", "no vendor-run on PATH (put it on PATH)",
            f"no vendor_sdk for {sys.executable} (pip install vendor-sdk)",
        ]  # fmt: skip


def test_an_interpreter_may_greet_before_its_answer_and_leave_a_child_behind(tmp_path, devices, processes):
    python = interpreter(tmp_path / "python", f'echo welcome\nsleep 1234567 &\nexec "{sys.executable}" "$@"')
    (devices / "host.toml").write_text(f'python = "{python}"\n[needs.modules]\nno_such = "x"\n[runtimes.simulated]\n')
    assert absences(read_profile("host", devices)) == [f"no no_such for {python} (x)"]
    until = time.monotonic() + 5
    while processes("sleep 1234567"):
        assert time.monotonic() < until
        time.sleep(0.02)


def interpreter(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'SyntaxError: too old' >&2; exit 1", "failed: SyntaxError: too old (it must be Python 3.8 or newer)"),
        ("echo no json", "gave no answer: Expecting value"),
        ("echo '{}'", "gave no answer: 'absent'"),
        ("echo '[]'", "gave no answer: list indices"),
        ("echo '{\"absent\": 3}'", "gave no answer: 'int'"),
        ("sleep 60", "did not answer within 0.2 s"),
    ],
)
def test_an_interpreter_that_gives_no_answer_is_named(tmp_path, devices, monkeypatch, script, said):
    monkeypatch.setattr("harness.identity.ANSWER_S", 0.2 if "sleep" in script else 30)
    python = interpreter(tmp_path / "python", script)
    (devices / "host.toml").write_text(f'python = "{python}"\n[runtimes.onnxruntime]\n')
    (sentence,) = absences(read_profile("host", devices))
    assert sentence.startswith(f"the interpreter {python} {said}")


def test_an_interpreter_that_is_not_there_is_named_with_its_remedy(devices):
    (devices / "host.toml").write_text('python = "/no/such/python"\n[runtimes.onnxruntime]\n')
    (sentence,) = absences(read_profile("host", devices))
    assert sentence == (
        "no interpreter /no/such/python: No such file or directory "
        "(install it, or name another one as `python` in the profile)"
    )


def test_another_interpreter_is_asked_for_its_own_modules_and_not_for_this_ones(tmp_path, devices):
    bare = interpreter(tmp_path / "python", f'exec "{sys.executable}" -S "$@"')
    (devices / "host.toml").write_text(f'python = "{bare}"\n[needs.modules]\njson = "x"\n[runtimes.onnxruntime]\n')
    assert absences(read_profile("host", devices)) == [f"no numpy, onnxruntime for {bare} (pip install it there)"]


def test_the_file_answers_from_standard_input_where_nothing_is_installed():
    done = subprocess.run(
        [sys.executable, "-S", "-", '{"modules": ["json", "numpy"]}', "/"],
        input=Path(presence.__file__).read_text(), cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert '"absent": {"modules": ["numpy"]}' in done.stdout


def test_pytest_with_a_device_that_is_not_there_says_what_is_missing_and_exits_4(tmp_path):
    place = Workspace(tmp_path)
    place.add_simulated()
    (tmp_path / "devices" / "absent.toml").write_text(NEEDY)
    done = place.pytest("--device=absent")
    assert done.status == 4
    assert "this machine is no absent: its SoC says " in done.errors
    assert "no /dev/npu0 (modprobe npu)" in done.errors
    assert not (tmp_path / "reports").exists()


def test_a_power_mode_stands_in_keys_and_paths(tmp_path):
    place = Workspace(tmp_path)
    place.add_simulated()
    place.without_power()
    (tmp_path / "devices" / "simulated.local.toml").write_text(
        "[modes.slow.runtimes.simulated]\nspeed = 0.5\n[modes.slow.conditions]\npower_mode = 'SLOW'\n"
    )
    done = place.pytest("--device=simulated:slow", "--plan=smoke", "suites/test_liveness.py")
    assert {one["key"].split("/")[0] for one in done.results()["cases"]} == {"simulated@slow"}, done.output
    assert "simulated@slow/eyes/fp32/simulated" in place.harness("history", "list").output
    wrong = place.pytest("--device=simulated@fast")
    assert wrong.status == 4
    assert "no power mode called 'fast'" in wrong.errors
    assert "known: slow" in wrong.errors
