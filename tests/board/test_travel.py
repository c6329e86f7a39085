"""The code that travels to a board: small, whole, the same for the same sources, and it runs there on its own."""

from __future__ import annotations

import ast
import builtins
import bz2
import importlib
import io
import json
import subprocess
import symtable
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.board.linking import link
from harness.board.slimming import slim, without_methods
from harness.board.travel import LARGEST_BYTES, STREAM, Archive, code_archive, modules_in
from harness.boardworker import salvage
from harness.case import Arrivals, Run
from harness.journal import read_lines
from harness.probes import PROBES
from harness.profile import read_profile
from harness.runtimes import RUNTIMES
from harness.tasks import TASKS
from tests.simulated import CHECKOUT, QUICK

DEVICES = sorted(path.stem for path in (CHECKOUT / "devices").glob("*.toml") if "." not in path.stem)
EVERY = list(zip(RUNTIMES, [*TASKS, *TASKS]))


def texts_of(archive: Archive) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive.content)) as file:
        found = bz2.decompress(file.read(STREAM)).decode().split("\0")
    return dict(zip(found[::2], found[1::2]))


@pytest.mark.parametrize("device", DEVICES)
def test_the_code_for_any_engine_of_a_device_with_its_sensors_takes_60_kib_at_most(device):
    profile = read_profile(device, CHECKOUT / "devices")
    probes = [options.get("kind", entry) for entry, options in profile.probes.items()]
    for runtime in profile.runtimes:
        assert len(code_archive(profile.engine(runtime), probes, "detection").content) <= LARGEST_BYTES


def test_the_same_sources_give_the_same_bytes(tmp_path):
    script = (
        "from harness.board.travel import code_archive as a; print(a('null', ['clocks', 'thermal'], 'gaze').sha256)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONPATH": str(CHECKOUT), "PYTHONHASHSEED": seed}, text=True,
            capture_output=True, check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert found == {code_archive("null", ["thermal", "clocks", "thermal"], "gaze").sha256}


def test_names_that_no_table_knows_are_left_to_the_worker():
    assert len(texts_of(code_archive("no such engine", ["no such probe"], "no such task"))) > 20


def test_a_runner_that_an_option_names_travels_too():
    found = modules_in({"command": "{python} -m harness.runners.reference --x", "promised": "harness.no.such"})
    assert found == ("harness.runners.reference",)
    assert "harness/runners/reference.py" in texts_of(code_archive("external", (), None, extra=found))


@pytest.mark.parametrize(("engine", "task"), EVERY)
def test_no_name_is_missing_in_what_travels(engine, task):
    found = texts_of(code_archive(engine, PROBES, task))
    tables = {path: symtable.symtable(text, path, "exec") for path, text in found.items()}
    defined = {path: {one.get_name() for one in table.get_symbols() if one.is_assigned() or one.is_imported()}
               for path, table in tables.items()}  # fmt: skip
    for path, table in tables.items():
        assert not _unknown(table, defined[path]), path
    for path, text in found.items():
        for module, name in _imported(text):
            below = module.replace(".", "/")
            holds = defined.get(f"{below}.py", defined.get(f"{below}/__init__.py", set()))
            assert name in holds or {f"{below}/{name}.py", f"{below}/{name}/__init__.py"} & set(found), (path, name)


def _unknown(table, defined):
    """Global names of a module's functions that nothing in it defines."""
    below = {name for one in table.get_children() for name in _unknown(one, defined)}
    own = {one.get_name() for one in table.get_symbols() if one.is_referenced() and one.is_global()}
    return {one for one in own | below if one not in defined and not hasattr(builtins, one) and one[:2] != "__"}


def _imported(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness"):
            yield from ((node.module, one.name) for one in node.names)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A board's Python: it sees numpy and nothing else of this environment; call it with the archive's folder."""
    site = tmp_path_factory.mktemp("site")
    for name in ("numpy", "numpy.libs"):
        source = Path(np.__file__).parent.with_name(name)
        if source.exists():
            (site / name).symlink_to(source)

    def run(folder, *arguments):
        environment = {"PYTHONPATH": f"{folder}:{site}", "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-S", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", check=False)

    return run


def unpacked(archive, folder):
    """What the archive itself does, called as a board calls it."""
    path = folder.parent / f"{archive.sha256}.zip"
    path.write_bytes(archive.content)
    return subprocess.run(
        [sys.executable, "-S", str(path), str(folder)], env={}, capture_output=True, text=True, check=False
    )


IMPORTS = """
import importlib, json, sys
for folder, names in json.load(open(sys.argv[1])):
    sys.path.insert(0, folder)
    for name in names:
        found = importlib.import_module(name)
        assert found.__file__.startswith(folder + "/"), found.__file__
    sys.path.pop(0)
    for name in [one for one in sys.modules if one.partition(".")[0] == "harness"]:
        del sys.modules[name]
    importlib.invalidate_caches()
"""


def test_every_module_of_every_engine_is_imported_with_numpy_alone(board, tmp_path):
    asked = []
    for engine, task in EVERY:
        folder = tmp_path / engine
        texts = texts_of(code_archive(engine, PROBES, task))
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        names = [name[:-3].replace("/", ".").removesuffix(".__init__") for name in texts]
        assert RUNTIMES[engine].partition(":")[0] in names
        asked.append((str(folder), names))
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    done = board("", "-c", IMPORTS, str(tmp_path / "asked.json"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arrivals", [None, Arrivals(60.0, "queue")], ids=["back to back", "at pace"])
def test_a_job_runs_from_the_unpacked_archive_as_it_runs_here(board, tmp_path, make_job, measured, arrivals):
    code, folder = tmp_path / "code" / "abc", tmp_path / "run"
    archive = code_archive("simulated", ["simulated"], "classification")
    (tmp_path / "code").mkdir()
    assert unpacked(archive, code).returncode == 0
    assert [one.name for one in (tmp_path / "code").iterdir() if one.is_dir()] == ["abc"]
    folder.mkdir()
    session = {
        "session": "s",
        "who": "w",
        "since": "t",
        "lease_s": 1,
        "lock": str(tmp_path / "lock"),
        "deadline_s": 60,
        "lost_s": 60,
    }
    (folder / "session.json").write_text(json.dumps(session))
    job = make_job({"infer_ms": 8}, plan=replace(QUICK, arrivals=arrivals))
    (folder / "job.json").write_text(job.to_json())
    done = board(code, "-m", "harness.boardworker", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    there, here = Run.load(folder), measured(job)
    assert there.frame_ns.tolist() == here.frame_ns.tolist()
    assert set(there.marks) == set(here.marks)
    assert set(there.facts) == set(here.facts)
    records = read_lines((folder / "journal").read_bytes()).records
    assert salvage(records)["frame"].tolist() == here.frame_ns.tolist()
    assert bool(there.camera) == (arrivals is not None)
    assert {name: one.tolist() for name, one in there.camera.items()} == {
        name: one.tolist() for name, one in here.camera.items()
    }
    assert list((code / "harness").rglob("*.pyc"))


def test_an_archive_is_unpacked_once_and_whole_or_not_at_all(tmp_path):
    archive = code_archive("null", (), None)
    (tmp_path / "code").mkdir()
    assert unpacked(archive, tmp_path / "code").returncode == 0
    assert list((tmp_path / "code").iterdir()) == []  # it was there: nothing is done
    cut = Archive(sha256="cut", content=archive.content[:1500] + bytes(1) + archive.content[1501:])
    (tmp_path / "other").mkdir()
    assert unpacked(cut, tmp_path / "other" / "code").returncode != 0
    assert [one.name for one in (tmp_path / "other").iterdir()] == ["cut.zip"]


SOURCE = '''"""Docstring."""

from __future__ import annotations

import os, sys
from dataclasses import dataclass  # why
from typing import Dict, List as Rows

TABLE: Dict[str, str] = {"a": "other:A", "b": "other:B"}
NEVER = 1
TEXT = """a
  # no comment

b"""  # a comment


@dataclass(frozen=True)
class Point:
    """A point."""

    x: int
    y: "Rows[int]" = 2

    def sum(self, more: int = 0, *rest: int, **named: Dict[str, int]) -> int:
        """With more."""
        total: int = self.x + more  # a remark
        other: int
        return total if "#" in "a#b" else os.getpid()

    def empty(self) -> None:
        """Nothing."""


def never() -> int:
    return sys.maxsize


if __name__ == "__main__":
    Point(1).sum()
'''
OTHER = "def helper():\n    return TEXT\n\n\nclass A:\n    pass\n\n\nclass B:\n    pass\n"


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """Import a text as the module `main`."""

    def carry_out(text):
        (tmp_path / "main.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "main", raising=False)
        return importlib.import_module("main")

    return carry_out


def test_what_is_left_says_the_same_and_nothing_is_left_that_nobody_needs(imported):
    sources = {"main": SOURCE, "other": OTHER}
    found = link(["main"], sources.get, {"main:TABLE": ["a"]})
    assert {name: slim(one) for name, one in found.items()}["other"] == "class A:\n    pass\n"
    text = slim(link(["other"], {"other": OTHER + "import main\nmain.Point\n", "main": SOURCE}.get, {})["main"])
    for gone in (
        "Docstring",
        "A point",
        "With more",
        "why",
        "remark",
        "Dict",
        "List",
        "never",
        "NEVER",
        "TABLE",
        "sys",
    ):
        assert gone not in text
    assert "  # no comment\n\nb" not in text
    found = imported(text)
    assert found.Point(3).sum(4) == 7
    assert found.Point(3).empty() is None
    assert found.Point(3) == found.Point(3, 2)


def test_a_text_keeps_what_looks_like_a_comment_and_methods_can_be_left_out(imported):
    (one,) = link(["main"], {"main": SOURCE}.get, {}).values()
    assert imported(slim(one)).TEXT == "a\n  # no comment\n\nb"
    assert "def sum" not in without_methods(SOURCE, ["sum"])
    assert len(without_methods(SOURCE, ["sum"]).splitlines()) == len(SOURCE.splitlines())
