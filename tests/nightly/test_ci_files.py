"""The pipelines to copy are what the two services take, and call what the harness has."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli import _parser
from tests.workspace import CHECKOUT

FILES = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}
FOLDER = CHECKOUT / "docs" / "ci"


def needs(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed (pip install 'dms-harness[test]'): the pipelines are NOT validated")


def loaded(name: str) -> dict[Any, Any]:
    needs("ruamel.yaml")
    from ruamel.yaml import YAML

    found: dict[Any, Any] = YAML(typ="safe").load(FOLDER / name)
    return found


def schema_check(name: str, path: Path) -> subprocess.CompletedProcess[str]:
    needs("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", FILES[name], str(path)]
    if name.startswith("gitlab"):
        command += ["--data-transform", "gitlab-ci"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", FILES)
def test_a_pipeline_follows_the_services_schema(name):
    done = schema_check(name, FOLDER / name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("name", "old", "new"), [
    ("github-actions.yml", "runs-on:", "run-on:"), ("gitlab-ci.yml", "artifacts:\n    when: always", "artifacts: 3\n#"),
])  # fmt: skip
def test_the_schema_finds_a_typing_error(tmp_path, name, old, new):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.count(old) == 1
    broken = tmp_path / name
    text = text.replace(old, new)
    broken.write_text(text if name.startswith("github") else text.partition("artifacts")[0] + "artifacts: 3\n")
    assert schema_check(name, broken).returncode == 1


@pytest.mark.parametrize("name", FILES)
def test_a_pipeline_has_no_key_twice_and_fits_in_its_lines(name):
    loaded(name)
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert not [line for line in text.splitlines() if len(line) > 120 or line != line.rstrip() or "\t" in line]


@pytest.mark.parametrize("name", FILES)
def test_the_commands_of_a_pipeline_are_those_that_the_harness_has(name):
    text = (FOLDER / name).read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"\.venv/bin/harness ((?:[^|#\n])*)", text)
    assert len(commands) == 2
    for one in commands:
        parsed = _parser().parse_args(shlex.split(one))
        assert callable(parsed.command)


def test_a_board_is_given_back_whatever_happens_and_never_shared():
    job = loaded("github-actions.yml")["jobs"]["nightly"]
    steps = {step.get("name", step.get("uses")): step for step in job["steps"]}
    assert "always()" in steps["Give back what is still held"]["if"]
    assert "always()" in steps["Keep the reports"]["if"]
    assert "matrix.board" in job["concurrency"]["group"]
    assert job["concurrency"]["cancel-in-progress"] is False
    assert job["strategy"]["fail-fast"] is False
    own = loaded("gitlab-ci.yml")["nightly"]
    assert any("fleet reap" in line for line in own["after_script"])
    assert own["resource_group"] == "board-$BOARD"
    assert own["artifacts"]["when"] == "always"


@pytest.mark.parametrize("name", FILES)
def test_only_this_nights_reports_are_kept_and_not_those_of_older_ones(tmp_path, name):
    old, new = tmp_path / "reports/nightly/1", tmp_path / "reports/nightly/2"
    for one, day in ((old, 1), (new, 2)):
        (one / "orin").mkdir(parents=True)
        (one / "orin" / "junit.xml").write_text(one.name)
        os.utime(one, (day * 86400, day * 86400))
    (tmp_path / "reports/began").touch()
    os.utime(tmp_path / "reports/began", (1.5 * 86400, 1.5 * 86400))
    text = (FOLDER / name).read_text(encoding="utf-8")
    lines = re.findall(r"^ *(?:- )?((?:rm -rf|mkdir reports|find)[ /].*)$", text, re.MULTILINE)
    for _ in range(2):
        subprocess.run(["bash", "-ec", "\n".join(lines)], cwd=tmp_path, check=True, timeout=10)
        assert [one.read_text() for one in tmp_path.glob("reports/tonight/*/*/junit.xml")] == ["2"]


def test_what_a_person_types_into_a_form_is_never_part_of_a_script():
    for step in loaded("github-actions.yml")["jobs"]["nightly"]["steps"]:
        assert "inputs." not in step.get("run", "")
        assert "secrets." not in step.get("run", "")
