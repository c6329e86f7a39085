"""A simplified file has fewer nodes, says how many, and computes what its parent computes on real frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

pytest.importorskip("onnxruntime")

from harness.errors import ConfigError, HarnessError
from harness.modelfile import inspect_model
from harness.variants import Made, Recipe, technique
from harness.variants.export import simplify
from tests.variants.onnxnets import bench, net, saved

RECIPE = Recipe(name="simplified", technique="simplified")
SLIM = "onnxslim"


def made(folder: Path, model: Any, **options: Any) -> tuple[Made, Path]:
    parent = saved(model, folder / "fp32.onnx")
    return technique("simplified")(RECIPE, bench(folder, {"onnx": parent}, **options)), parent


def test_a_batch_normalisation_is_folded_and_the_nodes_are_counted(tmp_path: Path) -> None:
    pytest.importorskip(SLIM)
    found, _ = made(tmp_path, net())
    assert (found.facts["nodes_before"], found.facts["nodes_after"]) == (12, 10)
    assert found.facts["operators_before"]["BatchNormalization"] == 1
    assert not {"BatchNormalization", "Identity"} & set(found.facts["operators_after"])
    assert found.facts["sentence"].startswith("12 nodes became 10, ")
    assert found.facts["bytes_after"] == found.files["onnx"].stat().st_size


def test_the_simplified_file_is_equal_on_real_frames(tmp_path: Path) -> None:
    pytest.importorskip(SLIM)
    facts = made(tmp_path, net(), frames=40)[0].facts
    assert (facts["compared_frames"], facts["same_decisions_percent"]) == (32, 100.0)
    assert facts["largest_difference"] < 1e-4


def test_the_same_parent_gives_the_same_file(tmp_path: Path) -> None:
    pytest.importorskip(SLIM)
    hashes = {made(tmp_path / name, net())[0].facts["sha256"] for name in ("first", "second")}
    assert len(hashes) == 1


def test_where_nothing_is_to_simplify_the_file_stays_as_it_is_and_it_is_said(tmp_path: Path) -> None:
    found, parent = made(tmp_path, net(["conv"]))
    assert found.files["onnx"].read_bytes() == parent.read_bytes()
    assert found.facts["changed"] is False
    assert found.facts["sentence"] == "nothing to simplify: no tool leaves fewer than the 5 nodes that there are"
    assert "largest_difference" not in found.facts


@pytest.mark.parametrize("ir", [3, 8])
def test_weights_are_taken_off_the_inputs_even_where_no_node_goes(ir: int, tmp_path: Path) -> None:
    found, parent = made(tmp_path, net(["conv"], listed=True, ir=ir))
    assert inspect_model(parent).weights_as_inputs == ("w0", "w4")
    assert inspect_model(found.files["onnx"]).weights_as_inputs == ()
    assert found.facts["weights_taken_off_inputs"] == 2
    assert found.facts["changed"] is True
    assert found.facts["largest_difference"] < 1e-6


def without_relus(model: Any) -> Any:
    """A tool that breaks what it simplifies."""
    for node in [one for one in model.graph.node if one.op_type == "Relu"]:
        for other in model.graph.node:
            other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
        model.graph.node.remove(node)
    return model


def raising(model: Any) -> Any:
    raise RuntimeError("what is this?")


def absent(model: Any) -> Any:
    raise ImportError("No module named 'onnxslim'")


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        (without_relus, "output 'scores' differs"),
        (raising, "RuntimeError: what is this?"),
        (absent, "not installed: No module named 'onnxslim'; pip install 'dms-harness[zoo]'"),
    ],
)
def test_a_tool_that_breaks_the_net_is_given_up_and_told(
    tool: Any, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simplify, "TOOLS", {"planted": tool})
    found, parent = made(tmp_path, net(["conv"]))
    assert sentence in found.facts["given_up"]["planted"]
    assert found.files["onnx"].read_bytes() == parent.read_bytes()


def test_the_tool_that_leaves_the_fewest_nodes_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_identity(model: Any) -> Any:
        model.graph.node.remove(next(one for one in model.graph.node if one.op_type == "Identity"))
        next(one for one in model.graph.node if "a3" in one.input).input[0] = "a2"
        return model

    monkeypatch.setattr(
        simplify, "TOOLS", {"lazy": lambda model: model, "good": without_identity, "wrong": without_relus}
    )
    facts = made(tmp_path, net())[0].facts
    assert (facts["tool"], facts["nodes_after"]) == ("good", 11)
    assert list(facts["given_up"]) == ["wrong"]


@pytest.mark.filterwarnings("default")
def test_what_the_newer_exporter_left_unoptimised_is_cleaned(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    nn, path = torch.nn, tmp_path / "raw.onnx"
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3, bias=False), nn.BatchNorm2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    torch.onnx.export(
        net.eval(), (torch.zeros(1, 1, 10, 16),), str(path), dynamo=True, optimize=False, external_data=False,
        verbose=False, input_names=["image"], output_names=["scores"],
    )  # fmt: skip
    facts = made(tmp_path, onnx.load(str(path)))[0].facts
    assert "onnxscript" in facts["tool"]
    assert facts["operators_before"]["BatchNormalization"] == 2
    assert "BatchNormalization" not in facts["operators_after"]


def test_a_target_without_onnx_is_refused_and_other_formats_are_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="only ONNX files are simplified"):
        made(tmp_path / "none", net(), formats=["tflite"])
    assert made(tmp_path, net(["conv"]), formats=["onnx", "tflite"])[0].failures == {
        "tflite": "only ONNX files are simplified"
    }


def test_an_option_is_refused(tmp_path: Path) -> None:
    recipe = Recipe(name="simplified", technique="simplified", options={"tool": "mine"})
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")})
    with pytest.raises(ConfigError, match="takes no options, and has tool"):
        simplify.simplified(recipe, work)
