"""`harness check-runner`: right runners pass every check, and each fault is found by the check that is made for it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from harness.checkrunner import add_check_runner_command
from harness.errors import ConfigError, HarnessError
from harness.runnerchecks import CHECKS
from tests.runners.building import PYTHON, cpp_runner, misbehaving, toy_net

SHORT = ("--hello-deadline", "5", "--load-deadline", "0.5", "--infer-deadline", "0.5", "--bye-deadline", "0.5")


@pytest.fixture(scope="session")
def cpp(tmp_path_factory):
    return cpp_runner(tmp_path_factory.getbasetemp())


def check(*arguments):
    parser = argparse.ArgumentParser()
    add_check_runner_command(parser.add_subparsers())
    parsed = parser.parse_args(["check-runner", *arguments])
    text, status = parsed.command(parsed)
    return text, status


def outcomes(text):
    """Check -> PASS, FAIL or -."""
    lines = [line for line in text.splitlines()[:-1] if line and not line.startswith(" ")]
    return {line.rpartition(" ")[0].strip(): line.rpartition(" ")[2] for line in lines}


def told(text, name):
    """The lines under one check."""
    lines = text.splitlines()
    at = next(index for index, line in enumerate(lines) if line.startswith(name))
    return "\n".join(line for line in lines[at + 1 : at + 4] if line.startswith(" "))


def test_the_cpp_runner_passes_every_check(cpp):
    text, status = check(*cpp)
    assert outcomes(text) == dict.fromkeys(CHECKS, "PASS")
    assert status == 0
    assert text.endswith(f"{len(CHECKS)} passed, 0 failed, 0 not made")


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_runner_passes_with_a_model_of_its_own(dtype, cpp, tmp_path):
    text, status = check("--model", toy_net(tmp_path / "net.toy", dtype), "--option", "core=1", "--", *cpp)
    assert set(outcomes(text).values()) == {"PASS"}
    assert status == 0


def test_the_python_runner_passes_every_check():
    text, status = check(*PYTHON)
    assert set(outcomes(text).values()) == {"PASS"}
    assert status == 0


# A fault of tests/runners/misbehaving.py, the check that finds it, and what is told.
FOUND = [
    ("half an answer", "outputs are alive", "2 of its 4 values did not change"),
    ("other format", "load", "loads files that end with onnx"),
    ("wrong hash", "load", "the file is not the one that was meant"),
    ("none", "a last line without its end", "pong"),
    ("other version", "hello", "speaks version 7"),
    ("no exchange", "hello", "pigeon"),
    ("unknown dtype", "load", "complex64"),
    ("silent at load", "load", "within 0.5 s"),
    ("wrong frame", "frame numbers come back", "answered frame 999"),
    ("wrong size", "outputs are alive", "wrote 12 bytes"),
    ("killed", "outputs repeat", "signal 9"),
    ("no unit", "stats", "no unit"),
    ("stays", "bye", "did not exit within 0.5 s"),
    ("status 9", "bye", "status 9"),
    ("with a child", "bye", "no process left over"),
    ("flooded stderr", "a quiet log", "at most 200 bytes of log per frame"),
    ("none", "a request that does not exist", "ended with status 1"),
    ("constant", "outputs are alive", "the same for three frames"),
    ("never written", "outputs are alive", "4 of its 4 values did not change"),
    ("not finite", "outputs are alive", "NaN or infinity"),
    ("remembers", "outputs repeat", "differs by"),
]


@pytest.mark.parametrize(("fault", "name", "sentence"), FOUND)
def test_each_fault_is_found_and_told_with_what_to_do(fault, name, sentence, tmp_path):
    model = tmp_path / "adder.toy"
    model.write_text("anything")
    text, status = check(*SHORT, "--only", name, "--model", str(model), *misbehaving(fault))
    assert outcomes(text)[name] == "FAIL"
    assert sentence in told(text, name)
    assert [line.split()[0] for line in told(text, name).splitlines()] == ["expected", "came", "do"]
    assert status == 1


def test_a_program_that_only_repeats_fails_at_once_and_the_rest_is_not_made():
    text, status = check(*SHORT, "cat")
    assert list(outcomes(text).values()) == ["FAIL"] + ["-"] * (len(CHECKS) - 1)
    assert "needs hello" in text
    assert status == 1


def test_a_runner_of_other_formats_is_told_to_be_given_a_model():
    with pytest.raises(ConfigError, match="misbehaving reads no toy networks; give --model FILE"):
        check(*SHORT, "--only", "bye", *misbehaving("other format"))


def test_the_first_exchange_that_the_harness_knows_is_used(tmp_path):
    model = tmp_path / "adder.toy"
    model.write_text("anything")
    text, _ = check(*SHORT, "--only", "bye", "--model", str(model), *misbehaving("an exchange of the future first"))
    assert outcomes(text) == {"hello": "PASS", "load": "PASS", "bye": "PASS"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "no runner is named"),
        (("/nowhere/runner",), "is not there"),
        (("--option", "core", sys.executable), "NAME=VALUE"),
        (("--infer-deadline", "-1", sys.executable), "deadline infer_s = -1"),
        (("--load-deadline", "nan", sys.executable), "deadline load_s = nan"),
        (("--only", "byebye", sys.executable), "did you mean 'bye'"),
    ],
)
def test_a_command_that_cannot_be_tried_is_an_error(arguments, sentence):
    with pytest.raises(HarnessError, match=sentence):
        check(*arguments)


def test_nothing_of_the_checks_stays_behind(cpp):
    before = set(Path("/dev/shm").glob("dms-exchange-*"))
    check(*cpp)
    assert set(Path("/dev/shm").glob("dms-exchange-*")) <= before
