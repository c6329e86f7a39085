"""Cards are written in the format that the harness reads; the shipped models do what their cards say."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import EngineError
from harness.model import read_card
from harness.modelfile import inspect_model
from harness.zoo import cards, data, measure, parity
from harness.zoo.__main__ import main
from harness.zoo.recipes import RECIPES

SHIPPED = Path(__file__).parents[2] / "suites" / "models"
MOST_BYTES = 32 * 2**20
NAMES = sorted(RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_a_written_card_is_read_as_it_was_meant(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    folder = tmp_path / name
    folder.mkdir()
    names = {one: f"StatefulPartitionedCall:{index}" for index, one in enumerate(recipe.outputs)}
    outputs = {"onnx": {one: one for one in recipe.outputs}, "tflite": names, "pte": names, "pt2": names}
    cards.write_card(recipe, folder, seed=3, outputs=outputs, worst=91.7)
    card = read_card(folder)
    assert card.input_spec("onnx") == recipe.input
    assert card.input_spec("tflite").layout == "NHWC"
    assert [card.outputs(one) for one in outputs] == list(outputs.values())
    assert set(card.variants["fp32"].files) == set(outputs)
    assert set(card.variants["int8"].files) == {"onnx", "tflite", "pte"}
    assert _plain(card.task_spec().options) == _plain(measure.options(recipe))
    assert card.variants["int8"].parent == "fp32"
    assert card.training is not None
    assert card.training.net == f"harness.zoo.nets:{name}"
    assert "--seed 3" in card.variants["fp32"].made


@pytest.mark.parametrize("command", ["export", "finish", "train"])
def test_a_card_with_variants_that_were_made_later_is_not_written_anew(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gaze").mkdir()
    path = tmp_path / "gaze" / "model.toml"
    made = '\n[variants.qat]\nparent = "fp32"\nfiles = { onnx = "qat.onnx" }\n'
    path.write_text((SHIPPED / "gaze" / "model.toml").read_text(encoding="utf-8") + made)
    before = path.read_bytes()
    assert main([command, "gaze", "--models", str(tmp_path), "--cache", str(tmp_path)]) == 2
    assert "would lose the variants qat" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_the_floor_stands_below_the_worst_score(tmp_path: Path) -> None:
    cards.write_card(RECIPES["gaze"], tmp_path, seed=1, outputs={}, worst=91.7)
    assert "accuracy_min_percent = 88.0" in (tmp_path / "model.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_card_agrees_with_its_recipe(name: str) -> None:
    card, recipe = read_card(SHIPPED / name), RECIPES[name]
    assert card.input_spec("onnx") == recipe.input
    assert _plain(card.task_spec().options) == _plain(measure.options(recipe))
    assert card.dataset["truth"] == recipe.truth
    assert [sorted(card.variants[one].files) for one in ("fp32", "int8")] == [
        ["onnx", "pt2", "pte", "tflite"],
        ["onnx", "pte", "tflite"],
    ]
    for variant, files in card.variants.items():
        assert all(card.file(variant, file_format).is_file() for file_format in files.files)


@pytest.mark.parametrize("name", NAMES)
def test_the_nets_that_a_shipped_card_names_are_there(name: str) -> None:
    nets = pytest.importorskip("torch") and importlib.import_module("harness.zoo.nets")
    training = read_card(SHIPPED / name).training
    assert training is not None
    for function in (training.net, training.student):
        module, _, attribute = function.partition(":")
        assert module == nets.__name__
        assert callable(getattr(nets, attribute))


@pytest.mark.parametrize("name", NAMES)
def test_the_outputs_of_a_shipped_card_are_those_of_its_files(name: str) -> None:
    card = read_card(SHIPPED / name)
    for variant, files in card.variants.items():
        for file_format in files.files:
            found = {one.name for one in inspect_model(card.file(variant, file_format)).outputs}
            assert set(card.outputs(file_format).values()) == found


def test_the_shipped_files_are_small_enough_for_git() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.*")) < MOST_BYTES


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("engine", "package", "variant"),
    [
        ("onnxruntime", "onnxruntime", "fp32"),
        ("onnxruntime", "onnxruntime", "int8"),
        ("litert", "ai_edge_litert", "fp32"),
        ("litert", "ai_edge_litert", "int8"),
        ("executorch", "executorch", "fp32"),
        ("executorch", "executorch", "int8"),
        ("torch", "torch", "fp32"),
    ],
)
def test_a_shipped_file_is_far_better_than_a_constant_answer(
    name: str, variant: str, engine: str, package: str, few: dict[str, data.Examples]
) -> None:
    pytest.importorskip(package)
    file = SHIPPED / name / f"{variant}.{measure.ENGINES[engine][0]}"
    score = measure.score(RECIPES[name], few[name], file, engine)
    assert score.value > score.trivial + 20.0


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", NAMES)
def test_every_engine_gives_the_answers_of_every_other(name: str, few: dict[str, data.Examples]) -> None:
    for package in ("onnxruntime", "openvino", "ai_edge_litert", "executorch", "torch"):
        pytest.importorskip(package)
    found = list(parity.compare(RECIPES[name], SHIPPED / name, few[name].pictures))
    assert [one.engine for one in found] == [
        *("openvino", "litert", "executorch", "torch"),
        *("onnxruntime", "openvino", "litert", "executorch"),
    ]
    for one in found:
        parity.require_agreement(name, one)


@pytest.mark.parametrize(
    ("name", "file", "largest", "percent", "right"),
    [
        ("eye_state", "int8.onnx", 0.3, 99.0, True),
        ("eye_state", "int8.onnx", 0.5, 99.0, False),
        ("head_counting", "int8.onnx", 1.3, 98.0, True),
        ("head_counting", "int8.onnx", 1.3, 97.9, False),
        ("gaze", "fp32.pt2", 1e-5, 100.0, True),
        ("gaze", "fp32.pt2", 0.01, 100.0, False),
        ("gaze", "fp32.pt2", float("nan"), 100.0, False),
        ("gaze", "int8.pte", float("nan"), 100.0, False),
    ],
)
def test_each_model_has_its_own_tolerance_and_nan_is_in_none(
    name: str, file: str, largest: float, percent: float, right: bool
) -> None:
    found = parity.Agreement(engine="any", file=file, largest=largest, agreeing_percent=percent)
    with nullcontext() if right else pytest.raises(EngineError, match="are the tolerance"):
        parity.require_agreement(name, found)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, data.Examples]:
    pytest.importorskip("cv2")
    split = data.Split(name="eval", frames=120, step=37)
    cache = tmp_path_factory.mktemp("eval")
    return {name: data.examples(recipe, split, cache) for name, recipe in RECIPES.items()}


def test_a_truth_leaves_out_absent_boxes() -> None:
    boxes = np.full((8, 4), np.nan, np.float32)
    boxes[0] = 1, 2, 3, 4
    assert measure.truth(RECIPES["head_counting"], boxes).tolist() == [[1, 2, 3, 4, 0]]


def _plain(options: Mapping[str, Any]) -> object:
    """Lists and tuples made equal."""
    return json.loads(json.dumps(dict(options)))
