"""Exported and quantised files agree with the net that they were made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")
ort = pytest.importorskip("onnxruntime")

from harness.zoo import export, measure, nets, quantise  # noqa: E402
from harness.zoo.recipes import RECIPES  # noqa: E402

RECIPE = RECIPES["face_detection"]
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    torch.manual_seed(2)
    made = nets.face_detection()
    made(torch.rand(4, 1, 160, 256))
    return made.eval()


@pytest.fixture(scope="module")
def files(net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    pictures = np.random.default_rng(1).integers(0, 255, (8, 160, 256), np.uint8)
    export.to_onnx(net, RECIPE, folder / "fp32.onnx")
    export.to_tflite(net, RECIPE, folder / "fp32.tflite")
    quantise.quantise_onnx(RECIPE, pictures, folder / "fp32.onnx", folder / "int8.onnx")
    quantise.quantise_tflite(RECIPE, pictures, folder / "fp32.tflite", folder / "int8.tflite")
    return folder


@pytest.mark.parametrize(("engine", "file"), [("onnxruntime", "fp32.onnx"), ("litert", "fp32.tflite")])
def test_a_float_file_gives_the_numbers_of_the_net(engine: str, file: str, net: torch.nn.Module, files: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 255, (160, 256), np.uint8)
    with torch.no_grad():
        boxes, scores = net(torch.from_numpy(picture / np.float32(255))[None, None])
    found = measure.infer(RECIPE, files / file, engine, picture)
    assert np.allclose(found["boxes"], boxes, atol=1e-3)
    assert np.allclose(found["scores"], scores, atol=1e-3)


def test_every_convolution_of_the_int8_file_is_quantised(files: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(files / "int8.onnx").graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert convolutions
    assert all(makers[node.input[0]] == "DequantizeLinear" for node in convolutions)


def test_the_int8_tflite_file_is_one_delegated_part(files: Path) -> None:
    quantise.require_whole(files / "int8.tflite")


def test_outputs_are_told_apart_by_their_last_axis(files: Path) -> None:
    names = export.output_names(files, RECIPE)
    assert names["onnx"] == {"boxes": "boxes", "scores": "scores"}
    assert set(names) == {"onnx", "tflite"}
    assert names["tflite"]["boxes"] != names["tflite"]["scores"]
