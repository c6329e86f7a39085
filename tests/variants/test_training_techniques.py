"""Pruned, sparse, distilled and quantisation-aware nets: what they are, what their files give, and what is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets are trained in torch: pip install 'dms-harness[zoo]'")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch_pruning", reason="channels are pruned by torch-pruning: pip install 'dms-harness[zoo]'")
onnx = pytest.importorskip("onnx")

from harness.errors import ConfigError  # noqa: E402
from harness.modelfile import inspect_model  # noqa: E402
from harness.variants import Made, Recipe, technique  # noqa: E402
from harness.variants.training.nets import example, folded, multiply_accumulates, unfolded  # noqa: E402
from harness.variants.training.pruning import holding_zeros, output_layers, without_channels, without_weights  # noqa: E402
from tests.variants import toynets  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SHORT = {"steps": 10, "batch": 16}


def made(name: str, folder: Path, **options: Any) -> Made:
    recipe = Recipe(name=name, technique=name, options={**SHORT, **options})
    return technique(name)(recipe, toynets.bench(folder))


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    return {one.name: tuple(one.dims) for one in onnx.load(str(path)).graph.initializer}


def test_half_of_the_channels_are_a_quarter_of_the_work_and_the_outputs_stay(tmp_path: Path) -> None:
    found = made("pruned", tmp_path)
    assert shapes(found.files["onnx"])["0.1.0.weight"] == (16, 8, 3, 3)
    assert [one.shape for one in inspect_model(found.files["onnx"]).outputs] == [(1, 2)]
    facts = found.facts
    assert facts["macs"] / facts["parent_macs"] == pytest.approx(0.28, abs=0.05)
    assert facts["parameters"] < facts["parent_parameters"] / 3
    assert facts["parent"] == {"imitation_loss": 0.0, "accuracy_percent": 100.0}
    assert facts["after_training"]["imitation_loss"] < facts["after_pruning"]["imitation_loss"]
    assert facts["training_steps"] == SHORT["steps"]


def test_a_detector_keeps_all_channels_of_its_heads(tmp_path: Path) -> None:
    bench = toynets.bench(tmp_path, toynets.detector, card=toynets.DETECTOR_CARD)
    net = toynets.made(toynets.detector)
    pruned = without_channels(net, example(bench), 0.5)
    assert [one.out_channels for one in output_layers(net, example(bench))] == [4, 1]
    assert (pruned.trunk[0].out_channels, pruned.boxes.out_channels, pruned.scores.out_channels) == (8, 4, 1)
    assert [one.shape for one in pruned(example(bench, 3))] == [(3, toynets.CELLS, 4), (3, toynets.CELLS, 1)]


def test_pruning_leaves_the_net_that_it_is_given_as_it_was(tmp_path: Path) -> None:
    net = toynets.made(toynets.classifier)
    picture = torch.zeros(1, 1, 10, 16)
    before = multiply_accumulates(net, 10, 16)
    without_channels(net, picture, 0.5)
    without_weights(net, picture, 0.5)
    assert multiply_accumulates(net, 10, 16) == before
    assert all(bool((one != 0).all()) for one in net.parameters() if one.ndim > 1)


def test_weights_that_were_made_zero_stay_zero_while_the_others_learn(tmp_path: Path) -> None:
    found = made("sparse", tmp_path, ratio=0.75, learning_rate=0.01)
    weights = {
        one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(found.files["onnx"])).graph.initializer
    }
    zeros = {name: float((value == 0).mean()) for name, value in weights.items() if value.ndim > 1}
    assert zeros == {"0.0.0.weight": 0.75, "0.1.0.weight": 0.75, "3.weight": 0.0}
    assert 72 < found.facts["zero_weights_percent"] < 75
    parent = {
        one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(str(tmp_path / "fp32.onnx")).graph.initializer
    }
    kept = weights["0.1.0.weight"] != 0
    assert not np.allclose(weights["0.1.0.weight"][kept], parent["0.1.0.weight"][kept], atol=1e-4)


@pytest.mark.parametrize("name", ["pruned", "sparse"])
@pytest.mark.parametrize("ratio", [1.0, 7.0])
def test_nothing_is_left_of_a_net_that_is_pruned_whole(tmp_path: Path, name: str, ratio: float) -> None:
    with pytest.raises(ConfigError, match="give a share between 0 and 1"):
        made(name, tmp_path, ratio=ratio)


def test_normalisation_that_is_put_back_changes_nothing_until_it_learns() -> None:
    net = toynets.made(toynets.classifier)
    pictures = torch.rand(64, 1, 10, 16)
    again = unfolded(net, pictures)
    assert sum(isinstance(one, torch.nn.BatchNorm2d) for one in again.modules()) == 2
    for one in (again, again.train(), folded(again)):
        assert torch.allclose(one(pictures), net(pictures), atol=1e-4)


def test_zeros_are_held_through_normalisation_and_back() -> None:
    net = without_weights(toynets.made(toynets.classifier), torch.zeros(1, 1, 10, 16), 0.5)
    held = holding_zeros(unfolded(net, torch.rand(64, 1, 10, 16)))
    assert [name for name, _ in held.named_buffers() if name.endswith("mask")] == [
        "0.0.0.weight_mask", "0.1.0.weight_mask",
    ]  # fmt: skip


def test_the_student_of_the_card_is_taught_and_exported(tmp_path: Path) -> None:
    found = made("distilled", tmp_path, steps=100, learning_rate=0.02)
    assert shapes(found.files["onnx"])["0.1.0.weight"] == (16, 8, 3, 3)
    assert found.facts["after_training"]["imitation_loss"] < 1.0
    assert found.facts["parent_macs"] > 3 * found.facts["macs"]


def test_the_same_seed_gives_the_same_file_and_another_seed_another_one(tmp_path: Path) -> None:
    bench = toynets.bench(tmp_path)
    contents = []
    for number, seed in enumerate((1, 1, 2)):
        recipe = Recipe(name="distilled", technique="distilled", options=SHORT, seed=seed)
        place = replace(bench, folder=tmp_path / f"made{number}", cache=tmp_path / f"cache{number}")
        contents.append(technique("distilled")(recipe, place).files["onnx"].read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_a_net_trained_to_round_decides_as_its_integer_file(tmp_path: Path) -> None:
    pytest.importorskip("torchao", reason="rounding is learned with torchao: pip install 'dms-harness[zoo]'")
    found = made("qat", tmp_path, steps=30)
    operators = [one.op_type for one in onnx.load(str(found.files["onnx"])).graph.node]
    assert operators.count("DequantizeLinear") > 5
    assert found.facts["onnx_against_trained"]["same_decisions_percent"] >= 97
    assert found.facts["onnx_against_trained"]["compared_frames"] == 100
    assert found.facts["training_precision"] == "float32"
    assert found.facts["after_training"]["accuracy_percent"] >= 97
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["qat.onnx"]


def test_an_option_that_neither_training_nor_quantisation_knows_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torchao", reason="rounding is learned with torchao: pip install 'dms-harness[zoo]'")
    with pytest.raises(ConfigError, match="'methode'"):
        made("qat", tmp_path, methode="minmax")
