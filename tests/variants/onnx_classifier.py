"""Small ONNX nets for the recordings of rawmodel, and a bench to make variants of them on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from harness.model import read_card
from harness.variants import Bench, Recipe
from harness.variants.frames import Frames
from tests.modelfile.onnx_models import Net, save
from tests.variants.rawmodel import HEIGHT, WIDTH, raw_model

FIRST, SECOND, THIRD, LAST = "conv_0", "conv_2", "conv_4", "gemm_8"
"""The layers of `classifier`."""


def classifier(activation: str = "Relu", seed: int = 3) -> onnx.ModelProto:
    """image [1, 1, 10, 16] -> scores [1, 2]: three convolutions with an activation each, and a linear layer."""
    net = Net(seed)
    x = "image"
    for before, after, stride in ((1, 8, 1), (8, 8, 2), (8, 16, 2)):
        x = net.op(activation, net.conv(x, before, after, 3, stride))
    return finished(net, net.dense(x, 16, 2))


def finished(net: Net, scores: str, opset: int = 17) -> onnx.ModelProto:
    """image [1, 1, 10, 16] -> scores [1, 2], what `net` calls `scores`."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])
    nodes = [*net.nodes, helper.make_node("Identity", [scores], ["scores"], name="end")]
    graph = helper.make_graph(nodes, "graph", [image], [output], net.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def bench(folder: Path, model: onnx.ModelProto, engines: tuple[str, ...] = ("onnxruntime",)) -> Bench:
    """With 40 real recordings to calibrate on."""
    card = read_card(raw_model(folder / "eyes", evaluated=8, calibrated=60))
    frames = Frames(card=card, cache=folder / "cache", calibration_frames=40, fewest=1)
    return Bench(
        card=card, files={"onnx": save(model, folder / "fp32.onnx")}, formats=("onnx",), engines=engines,
        folder=folder / "made", cache=folder / "cache", frames=frames, say=lambda sentence: None,
    )  # fmt: skip


def recipe(technique: str = "static", **options: object) -> Recipe:
    return Recipe(name="made", technique=technique, options=options)


def feeds(count: int = 12, seed: int = 5) -> list[Mapping[str, np.ndarray]]:
    """Pictures of noise in 0..1, dark ones and bright ones."""
    random = np.random.default_rng(seed)
    lights = random.uniform(0.1, 1, count).astype(np.float32)
    return [{"image": light * random.random((1, 1, HEIGHT, WIDTH), np.float32)} for light in lights]


def answers(path: Path, given: Iterable[Mapping[str, np.ndarray]], optimise: bool = True) -> np.ndarray:
    """The scores of each, one row per picture; without optimising, every node is computed as the file says."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    return np.concatenate([session.run(None, dict(one))[0] for one in given])


def noise(path: Path, parent: Path) -> float:
    """How far the answers are from the parent's, relative to how these differ among each other."""
    wanted = answers(parent, feeds(40))
    return float(np.sqrt(np.mean((answers(path, feeds(40)) - wanted) ** 2)) / wanted.std(0).mean())
