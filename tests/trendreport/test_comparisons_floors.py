"""Roofline floors for the comparison views: from the repository as it is, and never an error."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.case import Case
from harness.casefloor import case_floor
from harness.model import read_card
from harness.profile import read_profile
from harness.trendreport.views.floors import floors_of

ORIN = Case("orin", "eye_state", "int8", "ort-cuda")


@pytest.fixture
def repository(tmp_path, checkout) -> Path:
    """A repository with one device that has facts, and one model."""
    (tmp_path / "devices").mkdir()
    shutil.copy(checkout / "devices" / "orin.toml", tmp_path / "devices")
    shutil.copytree(checkout / "suites" / "models" / "eye_state", tmp_path / "suites" / "models" / "eye_state")
    return tmp_path


def test_the_floor_is_the_one_of_harness_floor(repository):
    profile = read_profile("orin", repository / "devices")
    floor = case_floor(profile, read_card(repository / "suites" / "models" / "eye_state"), ORIN)
    assert floors_of(repository, [ORIN]) == {ORIN.key: floor.ms}
    assert floor.ms > 0


@pytest.mark.parametrize(
    "case",
    [
        Case("nobody", "eye_state", "int8", "ort-cuda"), Case("orin", "nobody", "int8", "ort-cuda"),
        Case("orin", "eye_state", "nobody", "ort-cuda"), Case("orin", "eye_state", "int8", "nobody"),
        Case("../orin", "eye_state", "int8", "ort-cuda"), Case("orin", "../models/eye_state", "int8", "ort-cuda"),
        Case("orin\x00", "eye_state\x00", "int8", "ort-cuda"), Case("", "", "", ""),
    ],
    ids=repr,
)  # fmt: skip
def test_a_case_that_the_repository_does_not_know_has_none(repository, case):
    assert floors_of(repository, [case]) == {}


@pytest.mark.parametrize("file", ["devices/orin.toml", "suites/models/eye_state/model.toml"])
@pytest.mark.parametrize("content", [b"", b"name = ", b"\xff\xfe"])
def test_a_file_that_cannot_be_read_gives_no_floor_and_no_error(repository, file, content):
    (repository / file).write_bytes(content)
    assert floors_of(repository, [ORIN]) == {}


def test_a_model_file_that_is_damaged_or_gone_gives_no_floor(repository):
    path = repository / "suites" / "models" / "eye_state" / "int8.onnx"
    path.write_bytes(path.read_bytes()[:100])
    assert floors_of(repository, [ORIN]) == {}
    path.unlink()
    assert floors_of(repository, [ORIN]) == {}


def test_a_simulated_device_and_one_without_facts_have_none(checkout):
    cases = [Case("simulated", "simulated_eyes", "int8", "simulated"), Case("host", "eye_state", "int8", "onnxruntime")]
    assert floors_of(checkout, cases) == {}


def test_without_a_repository_there_is_none(tmp_path):
    assert floors_of(None, [ORIN]) == floors_of(tmp_path, [ORIN]) == {}
