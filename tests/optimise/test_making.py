"""A recipe into files, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.optimise.candidates import recipe_of
from harness.optimise.made import MadeFile
from harness.optimise.making import function_of, make
from tests.optimise.techniques import candidate


@pytest.fixture
def made(wanted, card):
    """What becomes of a candidate, and what it said meanwhile."""

    def carry_out(**options):
        one = candidate("quick", **options)
        parent = MadeFile.read(card.file("fp32", "sim"))
        said: list[str] = []
        return make(wanted(one), card, recipe_of(one, 3, 1.0), {"sim": parent}, ("sim",), said.append), said

    return carry_out


def test_a_recipe_gives_files_with_hashes_and_its_own_file_beside_them(made):
    found, said = made(infer_ms=2.0)
    file = found.files["sim"]
    assert json.loads(Path(file.path).read_text())["infer_ms"] == 2.0
    assert file.whole
    assert said == ["    retelling fp32 with seed 3"]
    told = json.loads(Path(file.path).with_name("quick.recipe.json").read_text())
    assert told["recipe"]["seed"] == 3
    assert told["files"]["sim"]["sha256"] == file.sha256
    assert told["facts"] == {"changed": ["infer_ms"]}


def test_the_same_recipe_gives_the_same_bytes_twice(made):
    (first, _), (second, _) = made(infer_ms=2.0), made(infer_ms=2.0)
    assert first == second
    recipe = Path(second.files["sim"].path).with_name("quick.recipe.json")
    before = recipe.read_bytes()
    made(infer_ms=2.0)
    assert recipe.read_bytes() == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("raise", "ValueError: cannot divide by the number of layers"),
        ("refuse", "the layer Softplus cannot be quantised (layer 3); keep it in float"),
        ("crash", "making it crashed with SIGABRT"),
        ("nothing", "this format has no integers"),
        ("absent", "what was made cannot be read"),
    ],
)
def test_whatever_goes_wrong_is_the_candidates_reason_and_no_error(made, fault, reason):
    found, _ = made(goes_wrong=fault)
    assert found.reason.startswith(reason)
    assert found.files == {}


def test_a_file_that_was_changed_afterwards_is_seen(made):
    file = made(infer_ms=2.0)[0].files["sim"]
    Path(file.path).write_text("{}", encoding="utf-8")
    assert not file.whole
    Path(file.path).unlink()
    assert not file.whole


def test_an_unknown_technique_is_told_with_the_known_ones():
    with pytest.raises(ConfigError, match="no technique called 'magic'"):
        function_of("magic")
