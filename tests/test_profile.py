"""Device profiles: the shipped ones are right, and a wrong one is refused with file, key and value."""

from __future__ import annotations

import shutil

import pytest

from harness.baseline.files import baseline_path
from harness.case import Case
from harness.errors import ConfigError
from harness.profile import read_profile

WHOLE = """
description = "a board"
soc = "SoC"
memory_limit_mib = 512
cpu_cores = [2, 3]
deadline_s = 7

[facts]
memory_mib = 4096

[runtimes.fast]
engine = "simulated"
speed = 2

[runtimes.simulated]

[budgets]
frame_p99_ms = 50
"""


@pytest.fixture
def devices(tmp_path):
    (tmp_path / "board.toml").write_text(WHOLE)
    return tmp_path


def refused(devices, text: str) -> str:
    (devices / "board.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_profile("board", devices)
    return caught.value.sentence


def test_a_profile_is_named_after_its_file_and_says_which_engine_each_runtime_is(devices):
    profile = read_profile("board", devices)
    assert profile.name == "board"
    assert [profile.engine(one) for one in profile.runtimes] == ["simulated", "simulated"]
    assert profile.engine_options("fast") == {"speed": 2}
    assert profile.engine_options("simulated") == {}
    assert (profile.cpu_cores, profile.deadline_s, profile.facts.memory_mib) == ((2, 3), 7.0, 4096.0)
    assert (profile.transport, profile.embedded, profile.simulated, profile.address) == ("local", False, False, "")


FAULTS = [
    ('nmae = "x"', "no key called 'nmae', did you mean 'name'?"),
    ('name = "other"', "name = 'other': the file name is the device's name"),
    ("soc = 3", "soc = 3"),
    ("embedded = 1", "embedded = 1"),
    ('transport = "telnet"', "transport = 'telnet': Input should be 'local'"),
    ("cpu_cores = [-1]", "cpu_cores.0 = -1"),
    ("cpu_cores = [true]", "cpu_cores.0 = True"),
    ("memory_limit_mib = -5", "memory_limit_mib = -5"),
    ("memory_limit_mib = true", "memory_limit_mib = True"),
    ("memory_limit_mib = 1.5", "memory_limit_mib = 1.5"),
    ("memory_limit_mib = 99999999999", "memory_limit_mib = 99999999999"),
    ("deadline_s = 0", "deadline_s = 0"),
    ("deadline_s = nan", "deadline_s = nan"),
    ('address = "-oProxyCommand=touch x"', "address = '-oProxyCommand=touch x'"),
    ('address = "host\\nother"', r"address = 'host\nother'"),
    ('address = "a; reboot"', "address = 'a; reboot'"),
    ("facts = { memory_mib = 0 }", "facts.memory_mib = 0"),
    ("facts = { memory_mib = 1e999 }", "facts.memory_mib = inf"),
    ("facts = { memory_mb = 1 }", "no key called 'facts.memory_mb', did you mean 'facts.memory_mib'?"),
    ("budgets = { frame_p99_ms = -1 }", "budgets.frame_p99_ms = -1"),
    ("budgets = { frame_p99_ms = nan }", "budgets.frame_p99_ms = nan"),
    ("budgets = { frame_p99_ms = 1e999 }", "budgets.frame_p99_ms = inf"),
    ("budgets = { frame_p99_ms = true }", "budgets.frame_p99_ms = True"),
    ('budgets = { frame_p99_ms = "50" }', "budgets.frame_p99_ms = '50'"),
    ("advice = { fps_mean = false }", "advice.fps_mean = False"),
    ("advice = 3", "advice = 3"),
    ("facts = { dla_int8_tops = 0 }", "facts.dla_int8_tops = 0"),
    ("facts = { fp16_tops = 1 }", "no key called 'facts.fp16_tops', did you mean 'facts."),
    ('identity = { soc = "x" }', "no key called 'identity.soc', did you mean 'identity.soc_id'?"),
    ('identity = { soc_id = "x" }', "identity.soc_id = 'x': Input should be a valid list"),
    ("identity = { soc_id = [532] }", "identity.soc_id.0 = 532"),
    ('identity = { soc_id = [""] }', "identity.soc_id.0 = ''"),
    ('identity = { pci = ["0x10de"] }', "identity.pci.0 = '0x10de'"),
    ('identity = { usb = ["1A6E:089A"] }', "identity.usb.0 = '1A6E:089A'"),
    ('needs = { files = { "dev/npu" = "x" } }', "needs.files.dev/npu"),
    ('needs = { commands = { run = "" } }', "needs.commands.run = ''"),
    ('needs = { modules = ["numpy"] }', "needs.modules = ('numpy',)"),
    ("needs = { drivers = {} }", "no key called 'needs.drivers'"),
    ('needs = { runtimes = { npu = { files = { "/dev/npu" = "x" } } } }', "no entries of runtimes: ['npu']"),
    ("modes = { fast = {} }", "the power mode 'fast' does not say what the device calls it"),
    ("modes = { fast = { conditions = { power_mode = 3 } } }", "conditions.power_mode = 3"),
    ('modes = { fast = { conditions = { power_mode = "F" }, fact = {} } }', "no key called 'fact'"),
    ('modes = { fast = { conditions = { power_mode = "F" }, runtimes = { simulated = { sped = 1 } } } }', "sped"),
    ("identity = { memory_mib = 0 }", "identity.memory_mib = 0"),
    ("modes = 3", "modes = 3"),
    ("modes = { fast = 3 }", "modes.fast = 3"),
    ('modes = { "a/b" = {} }', "modes has names that cannot stand in a path: ['a/b']"),
]


@pytest.mark.parametrize(("line", "said"), FAULTS)
def test_a_wrong_value_is_refused_with_file_key_and_value(devices, line, said):
    sentence = refused(devices, f"{line}\n[runtimes.simulated]\n")
    assert said in sentence
    assert str(devices / "board.toml") in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "runtimes is missing"),
        ("[runtimes]\n", "runtimes is empty: a device without an engine measures nothing"),
        ("[runtimes.simulatd]\n", "no runtime called 'simulatd', did you mean 'simulated'? known: "),
        ('[runtimes.cpu]\nengine = "onnxruntim"\n', "no runtime called 'onnxruntim', did you mean 'onnxruntime'?"),
        ("[runtimes.cpu]\nengine = 5\n", "no runtime called '5'"),
        ("[runtimes]\nlitert = 5\n", "runtimes.litert = 5"),
        ('[runtimes."../x"]\nengine = "simulated"\n', "names that cannot stand in a path: ['../x']"),
        ('[runtimes."a\\nb"]\nengine = "simulated"\n', r"names that cannot stand in a path: ['a\nb']"),
        ("[runtimes.simulated]\nspeed = nan\n", "runtimes.simulated.speed = nan: not a finite number"),
        ("[runtimes.simulated]\nseed = 1\nseed = 2\n", "not valid TOML: Cannot overwrite a value (at line 3"),
        ("[runtimes.simulated]\n[runtimes.simulated]\n", "not valid TOML: Cannot declare"),
    ],
)
def test_wrong_runtimes_are_refused_with_the_file(devices, text, said):
    sentence = refused(devices, text)
    assert said in sentence
    assert str(devices / "board.toml") in sentence


@pytest.mark.parametrize(
    "line",
    [
        "cpu_cores = [0, 4095]", "memory_limit_mib = 0", "memory_limit_mib = 1073741824", "deadline_s = 0.5",
        "facts = { int8_tops = 0.5 }", "budgets = { frame_p99_ms = 0 }", "advice = { fps_mean = 0.5 }",
    ],
)  # fmt: skip
def test_a_value_at_the_edge_is_taken(devices, line):
    (devices / "board.toml").write_text(f"{line}\n[runtimes.simulated]\n")
    assert read_profile("board", devices)


@pytest.mark.parametrize("line", ["cpu_cores = [4096]", "memory_limit_mib = 1073741825", "facts = { int8_tops = 0 }"])
def test_a_value_beyond_the_edge_is_refused(devices, line):
    assert line.split(" ")[0] in refused(devices, f"{line}\n[runtimes.simulated]\n")


def test_without_a_word_nothing_is_limited(devices):
    (devices / "board.toml").write_text("[runtimes.simulated]\n")
    profile = read_profile("board", devices)
    assert (profile.memory_limit_mib, profile.cpu_cores, profile.deadline_s) == (0, (), None)
    assert (dict(profile.budgets), dict(profile.advice)) == ({}, {})


# engine -> options -> what the message says
OPTIONS = [
    ("litert", "threds = 2", "no key called 'threds', did you mean 'threads'? known: batch, delegate, "),
    ("litert", 'threads = "2"', "threads = '2': Input should be a valid integer"),
    ("litert", "threads = true", "threads = True: Input should be a valid integer"),
    ("litert", "threads = 1.5", "threads = 1.5: Input should be a valid integer"),
    ("litert", "threads = 0", "threads = 0: at least 1"),
    ("onnxruntime", "threads = -1", "threads = -1: at least 1"),
    ("openvino", "threads = 0", "threads = 0: at least 1"),
    ("litert", 'model_path = "x"', "no key called 'model_path'"),
    ("onnxruntime", 'provider = ["x"]', "no key called 'provider', did you mean 'providers'?"),
    ("onnxruntime", "providers = [1]", "providers.0 = 1: Input should be a valid string"),
    ("onnxruntime", 'session_config = { a = 1 }', "session_config.a = 1: Input should be a valid string"),
    ("openvino", "precision = 16", "precision = 16: Input should be a valid string"),
    ("simulated", 'sped = 2', "no key called 'sped', did you mean 'speed'?"),
    ("simulated", 'speed = "fast"', "speed = 'fast': Input should be a valid number"),
    ("simulated", "real_time = 1", "real_time = 1: Input should be a valid boolean"),
    ("null", "threads = 1", "no key called 'threads'"),
]  # fmt: skip


@pytest.mark.parametrize(("engine", "line", "said"), OPTIONS)
def test_a_wrong_engine_option_is_refused_with_file_entry_key_and_value(devices, engine, line, said):
    sentence = refused(devices, f'[runtimes.mine]\nengine = "{engine}"\n{line}\n')
    assert said in sentence
    assert f"({devices / 'board.toml'}, runtimes.mine)" in sentence


@pytest.mark.parametrize(
    ("engine", "lines"),
    [
        ("litert", "threads = 1"),
        ("onnxruntime", 'threads = 4\nproviders = ["a", "b"]\nprovider_options = { a = { b = "1" } }'),
        ("openvino", 'target = "GPU"\nprecision = "f16"\nproperties = { A = 1, B = "x" }'),
        ("simulated", "speed = 2\nseed = 3\nreal_time = true"),
        ("null", ""),
    ],
)
def test_right_engine_options_are_taken_as_they_are_written(devices, engine, lines):
    (devices / "board.toml").write_text(f'[runtimes."my-entry.2"]\nengine = "{engine}"\n{lines}\n')
    options = read_profile("board", devices).engine_options("my-entry.2")
    assert list(options) == [line.split(" = ")[0] for line in lines.splitlines()]


def test_every_wrong_engine_option_is_named_at_once(devices):
    sentence = refused(devices, '[runtimes.simulated]\nsped = 2\nseed = "x"\n')
    assert "'sped'" in sentence
    assert "seed = 'x'" in sentence


def test_an_unknown_engine_names_its_entry(devices):
    assert "board.toml, runtimes.gpu" in refused(devices, '[runtimes.gpu]\nengine = "cuda"\n')


HOSTILE = [
    "../board", "../../etc/passwd", "-oProxyCommand=x", "", ".", "..", "board\n", "board;reboot", "$(reboot)",
    "board/x", "bo\0ard", "a" * 65, "board.local", "/etc/passwd", "böard", " board",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_device_name_that_is_no_plain_name_is_unknown(devices, name):
    (devices / "board.local.toml").write_text(WHOLE)
    with pytest.raises(ConfigError, match=r"no device called .*known: board") as caught:
        read_profile(name, devices / "")
    assert caught.value.sentence.isprintable()


def test_an_unknown_device_is_answered_with_the_nearest(devices):
    with pytest.raises(ConfigError, match="no device called 'baord', did you mean 'board'"):
        read_profile("baord", devices)
    shutil.rmtree(devices)
    with pytest.raises(ConfigError, match="known: none"):
        read_profile("board", devices)


def test_a_local_file_is_laid_over_the_profile(devices):
    local = 'soc = "other"\n[runtimes.fast]\nspeed = 3\n[budgets]\nfps_mean = 25\n'
    (devices / "board.local.toml").write_text(local)
    profile = read_profile("board", devices)
    assert profile.soc == "other"
    assert profile.engine_options("fast") == {"speed": 3}
    assert profile.budgets == {"frame_p99_ms": 50.0, "fps_mean": 25.0}
    assert profile.cpu_cores == (2, 3)


ADDRESSES = ["10.0.0.7", "root@board-3.lab", "user@[fe80::1%eth0]:22", "dev:2222"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_refused_where_this_machine_would_be_measured_instead(devices, address):
    with pytest.raises(ConfigError) as caught:
        read_profile("board", devices, address)
    assert caught.value.what.startswith(f"address = {address!r}, but the transport is local: this machine would be")
    assert caught.value.where == str(devices / "board.toml")
    assert "leave the address out" in caught.value.remedy


def test_an_address_in_the_local_file_is_refused_with_both_files_and_the_one_by_hand_is_above_it(devices):
    (devices / "board.local.toml").write_text('address = "from-file"\n')
    for by_hand, named in (("", "from-file"), ("by-hand", "by-hand")):
        with pytest.raises(ConfigError, match=rf"address = '{named}', but .*board.toml \+ board.local.toml"):
            read_profile("board", devices, by_hand)
    (devices / "board.local.toml").write_text('address = ""\n')
    assert read_profile("board", devices).address == ""


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "--", "a b", "a\nb", "$(x)", "a;b", "a'b", "@x"])
def test_a_hostile_address_is_refused(devices, address):
    with pytest.raises(ConfigError, match="address = "):
        read_profile("board", devices, address)


@pytest.mark.parametrize(("local", "said"), [("embedded = 1\n", "embedded = 1"), ("a = 1\na = 2\n", "at line 2")])
def test_a_wrong_local_file_is_named(devices, local, said):
    (devices / "board.local.toml").write_text(local)
    with pytest.raises(ConfigError) as caught:
        read_profile("board", devices)
    assert said in caught.value.sentence
    assert "board.local.toml" in caught.value.sentence


def test_where_there_is_no_device_at_all_the_error_says_where_to_stand(tmp_path):
    with pytest.raises(ConfigError, match="run it in the repository, where devices/ lies"):
        read_profile("host", tmp_path)


POWERED = """
[conditions]
power_mode = "MAXN"
max_start_c = 50
[facts]
int8_tops = 85
memory_mib = 4096
[modes.15W.conditions]
power_mode = "MODE_15W"
[modes.15W.facts]
int8_tops = 7
[modes.15W.runtimes.simulated]
speed = 0.5
[runtimes.simulated]
seed = 4
"""


@pytest.mark.parametrize("name", ["board:15W", "board@15W"])
def test_a_power_mode_is_laid_over_the_profile_and_named_with_it(devices, name):
    (devices / "board.toml").write_text(POWERED)
    profile = read_profile(name, devices)
    assert (profile.name, profile.file) == ("board@15W", "devices/board.toml")
    assert (profile.conditions.power_mode, profile.conditions.max_start_c) == ("MODE_15W", 50)
    assert (profile.facts.int8_tops, profile.facts.memory_mib) == (7, 4096)
    assert profile.engine_options("simulated") == {"seed": 4, "speed": 0.5}
    whole = read_profile("board", devices)
    assert (whole.name, whole.conditions.power_mode, whole.facts.int8_tops) == ("board", "MAXN", 85)


@pytest.mark.parametrize("mode", ["15w", "", "30W", "15W:15W", "../x", "15W@15W", "\n"])
def test_an_unknown_power_mode_is_answered_with_the_known_ones(devices, mode):
    (devices / "board.toml").write_text(POWERED)
    with pytest.raises(ConfigError, match=r"no power mode called .*known: 15W \(.*board.toml, modes\)") as caught:
        read_profile(f"board:{mode}", devices)
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize("modes", ["", "modes = 3\n", "modes = { x = 3 }\n"])
def test_a_profile_without_power_modes_has_none_to_choose(devices, modes):
    (devices / "board.toml").write_text(f"{modes}[runtimes.simulated]\n")
    with pytest.raises(ConfigError, match="no power mode called 'x'"):
        read_profile("board:x", devices)


def test_a_local_file_changes_the_power_mode_too_and_a_wrong_value_in_a_mode_is_refused(devices):
    (devices / "board.toml").write_text(POWERED)
    (devices / "board.local.toml").write_text("[modes.15W.facts]\nint8_tops = 6\n")
    assert read_profile("board:15W", devices).facts.int8_tops == 6
    (devices / "board.local.toml").write_text("[modes.15W.facts]\nint8_tops = 0\n")
    with pytest.raises(ConfigError, match=r"facts\.int8_tops = 0"):
        read_profile("board:15W", devices)


def test_the_baseline_of_a_power_mode_lies_in_a_folder_of_its_own(tmp_path):
    path = baseline_path(tmp_path, Case("orin@15W", "eyes", "int8", "trt-fp16"))
    assert path == tmp_path / "orin@15W" / "eyes" / "int8.trt-fp16.json"
