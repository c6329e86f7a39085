"""The deployment checklist: what the recipes beside the files tell, and that a damaged one makes nothing done."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.trendreport.deployment.folder import Folder, read_folder
from harness.trendreport.deployment.made import made_items
from harness.trendreport.model import ITEM_STATES, Evidence, Item
from harness.variants import Recipe
from tests.trendreport.repository import CARD, FP32, HEAD, digest, eyes, recipe, repository

FIT = {"method": "minmax", "calibration_frames": 400}
EVALUATED = "none of them is among the 8000 evaluation frames"
KEYED = {"method": "percentile", "percentile": 99.99, "calibration_frames": 400, "calibration_key": "ab" * 32}
DISJOINT = {"disjoint_from_evaluation_frames": 8000}
ERRORS = {"before": {"error_percent": 3.25}, "after": {"error_percent": 0.5}}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return repository(tmp_path)


def items(root: Path) -> dict[str, Item]:
    """Those that the folder shows, on a device that nobody knows."""
    return {one.name: one for one in made_items(read_folder(eyes(root), Path("suites/models")), None, "")}


def told(root: Path, item: str, what: str = "int8") -> Evidence:
    """The only evidence of an item for a variant."""
    (one,) = (one for one in items(root)[item].evidence if one.what == what)
    return one


@pytest.mark.parametrize(
    ("technique", "facts", "state", "sentence"),
    [
        ("static", {"onnx": KEYED, **DISJOINT}, "done",
         f"onnx: percentile 99.99 ranges, 400 frames, key abababababab; {EVALUATED}"),
        ("qat", {**FIT, "onnx": DISJOINT}, "done", f"minmax ranges, 400 frames; {EVALUATED}"),
        ("static", FIT, "unknown",
         "minmax ranges, 400 frames; nobody says whether frames of the evaluation set are among them"),
        ("mixed", {"trace": []}, "unknown", "its recipe tells no calibration frames"),
        ("static", {"calibration_frames": 0, **DISJOINT}, "unknown", "its recipe tells no calibration frames"),
        ("static", {"calibration_frames": True, **DISJOINT}, "unknown", "its recipe tells no calibration frames"),
        ("dynamic", {}, "not needed", "weights alone are quantised: no range is fitted"),
    ],
)  # fmt: skip
def test_calibration_is_told_by_method_and_frames_and_done_where_they_are_disjoint(
    root, technique, facts, state, sentence
):
    recipe(root, "int8", technique, facts=facts)
    found = told(root, "calibrated")
    assert (found.state, found.sentence, found.where) == (state, sentence, "suites/models/eyes/int8.recipe.json")


def test_integers_without_a_recipe_are_not_known_to_be_calibrated(tmp_path):
    root = repository(tmp_path, card=CARD.replace('parent = "fp32"', 'parent = "fp32"\nmade = "by a friend"'))
    found = told(root, "calibrated")
    assert (found.state, found.sentence) == (
        "unknown", "no int8.recipe.json beside its files; the card says: by a friend"
    )  # fmt: skip


def test_a_model_without_integers_needs_no_calibration(tmp_path):
    root = repository(tmp_path, card=f"{HEAD}{FP32}")
    assert items(root)["calibrated"].state == "not needed"
    assert told(root, "calibrated", "fp32").sentence == "its weights are float32"


def test_a_file_that_cannot_be_read_is_not_known_to_need_none(root):
    (eyes(root) / "int8.onnx").write_bytes(b"\x08")
    assert told(root, "calibrated").state == "unknown"


@pytest.mark.parametrize(
    ("techniques", "facts", "sentence"),
    [
        (("simplified",), {"nodes_before": 40, "nodes_after": 31}, "40 nodes became 31"),
        (("static", "simplified"), {}, "made from the simplified file"),
        (("static",), {"onnx": {"nodes_before": 40, "nodes_after": 40}}, "40 nodes became 40"),
        (("simplified",), {"nodes_before": 40, "nodes_after": None}, "made from the simplified file"),
    ],
)
def test_simplification_is_told_by_the_recipe_with_its_nodes(root, techniques, facts, sentence):
    recipe(root, "int8", *techniques, facts=facts)
    recipe(root, "fp32", "half", facts={})
    assert items(root)["simplified"].state == "done"
    assert told(root, "simplified").sentence == sentence


def test_without_a_recipe_that_tells_of_it_nothing_is_known_to_be_simplified(root):
    recipe(root, "int8", "static", facts=FIT)
    (found,) = items(root)["simplified"].evidence
    assert (found.what, found.state, found.sentence) == ("", "unknown", "no recipe beside the files tells of it")


def test_a_recipe_is_read_as_harness_optimize_writes_it_beside_every_candidate(root):
    from harness.optimise.made import MadeFile, MadeVariant, write_recipe

    made = MadeVariant(files={"onnx": MadeFile.read(eyes(root) / "int8.onnx")}, facts={"onnx": {**KEYED, **DISJOINT}})
    write_recipe(eyes(root) / "int8.recipe.json", Recipe(name="int8", technique="static"), {}, made)
    found = told(root, "calibrated")
    assert (found.state, found.sentence) == (
        "done", f"onnx: percentile 99.99 ranges, 400 frames, key abababababab; {EVALUATED}"
    )  # fmt: skip


def test_confidence_is_an_item_where_a_recipe_tells_a_temperature(root):
    assert "confidence calibrated" not in items(root)
    recipe(root, "int8", facts={"confidence": {"temperature": 1.125, **ERRORS}})
    found = told(root, "confidence calibrated")
    assert (found.state, found.sentence) == (
        "done", "temperature 1.125, calibration error 3.25 % before, 0.5 % after"
    )  # fmt: skip


@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), 10**400, 0, -1.0])
def test_what_is_no_temperature_is_no_item(root, value):
    recipe(root, "int8", facts={"temperature": value})
    assert "confidence calibrated" not in items(root)


@pytest.mark.parametrize("error", [None, "", {"error_percent": "1"}])
def test_a_temperature_without_its_errors_says_no_more(root, error):
    recipe(root, "int8", facts={"temperature": 2, "before": error, "after": ERRORS["after"]})
    assert told(root, "confidence calibrated").sentence == "temperature 2"


def test_a_recipe_of_another_file_is_not_believed(root):
    recipe(root, "int8", "simplified", facts={**FIT, **DISJOINT, "temperature": 1.0})
    shutil.copy(eyes(root) / "fp32.onnx", eyes(root) / "int8.onnx")
    found = items(root)
    assert found["simplified"].state == "unknown"
    assert [one.sentence for one in found["simplified"].evidence] == ["int8.recipe.json is of other files than these"]
    assert "confidence calibrated" not in found


@pytest.mark.parametrize("files", [{}, {"tflite": {"sha256": digest("int8")}}])
def test_a_recipe_that_names_none_of_the_files_is_not_believed(root, files):
    recipe(root, "int8", facts={**FIT, **DISJOINT}, files=files)
    assert told(root, "calibrated").sentence == "int8.recipe.json is of other files than these"


DAMAGED = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"recipes": 1, "facts": {}, "files": {}}',
    b'{"recipes": [{}], "facts": {}, "files": {}}', b'{"recipe": null}', b'{"recipe": {"technique": "static"}}',
    b'{"recipes": [], "facts": [1], "files": {}}', b'{"recipes": [], "facts": {}, "files": [1]}',
    b'{"recipes": [], "facts": {}, "files": {"onnx": "x"}}', b"1" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_recipe_says_so_and_makes_nothing_done(root, content):
    (eyes(root) / "int8.recipe.json").write_bytes(content)
    found = told(root, "calibrated")
    assert (found.state, "int8.recipe.json cannot be read: " in found.sentence) == ("unknown", True)
    assert items(root)["simplified"].state == "unknown"
    assert str(root) not in found.sentence


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
KEYS = st.sampled_from([
    "calibration_frames", "disjoint_from_evaluation_frames", "temperature", "nodes_before", "nodes_after", "method",
    "percentile", "calibration_key", "before", "after", "error_percent", "onnx",
])  # fmt: skip
FACTS = st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(KEYS, SCALARS, max_size=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The model's, with a recipe beside int8."""
    root = repository(tmp_path_factory.mktemp("read"))
    recipe(root, "int8", facts={})
    return read_folder(eyes(root), Path("suites/models"))


@given(facts=FACTS, technique=st.sampled_from(["static", "dynamic", "", "simplified"]))
def test_whatever_facts_a_recipe_tells_every_item_has_a_state_and_a_sentence(folder, facts, technique):
    told = replace(folder.recipes["int8"], facts=facts, techniques=(technique,))
    found = {one.name: one for one in made_items(replace(folder, recipes={"int8": told}), None, "")}
    assert all(one.state in ITEM_STATES for one in found.values())
    assert all(told.sentence for one in found.values() for told in one.evidence)
    counts = [one for one in _values(facts, "calibration_frames") if type(one) is int and one > 0]
    assert (found["calibrated"].state == "done") <= bool(counts)


def _values(table: dict[str, Any], key: str) -> list[Any]:
    """Of a key, at whatever depth of tables."""
    below = [one for inner in table.values() if isinstance(inner, dict) for one in _values(inner, key)]
    return [*([table[key]] if key in table else []), *below]


def test_a_sentence_has_an_end(root):
    recipe(root, "int8", facts={**FIT, "method": "x" * 5000})
    assert len(told(root, "calibrated").sentence) < 700


def test_facts_nested_without_end_are_read_to_their_end(root):
    facts: dict[str, Any] = {**FIT, **DISJOINT}
    for _ in range(400):
        facts = {"onnx": facts}
    recipe(root, "int8", facts=facts)
    assert told(root, "calibrated").state == "done"
