"""A small net that tells dark pictures from bright ones, with frames to judge it on, and a bench over both."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness.model import read_card
from harness.variants import Bench, Recipe
from harness.variants.frames.frameset import FrameSet
from harness.variants.planting import plant_outlier
from tests.variants.rawmodel import CALIBRATION, HEIGHT, OPTIONS, WIDTH, pictures, record

CONVOLUTIONS = ("first", "second", "third")
LAYERS = (*CONVOLUTIONS, "pool", "head")
"""What static quantisation rounds, in graph order."""
CARD = f"""task = "classification"
[input]
width = {WIDTH}
height = {HEIGHT}
[formats.onnx]
outputs = {{ scores = "scores" }}
[options]
classes = ["dark", "bright"]
[dataset]
{OPTIONS}
path = "frames.y8"
labels = "frames.csv"
{CALIBRATION}
[variants.fp32]
files = {{ onnx = "fp32.onnx" }}
[variants.int8]
files = {{ onnx = "int8.onnx" }}
parent = "fp32"
"""


def bench(folder: Path, *, outlier: str = "", tuning: int = 300, engine: str = "onnxruntime") -> Bench:
    """outlier: the layer that has one. The net is never wrong on the tuning frames, whose labels are its answers."""
    source = model(folder, outlier=outlier) / "fp32.onnx"
    return Bench(
        card=read_card(folder), files={"onnx": source}, formats=("onnx",), engines=(engine,),
        folder=folder / "made", cache=folder / "cache", say=lambda sentence: None,
        frames=SimpleNamespace(calibration=frames(40, seed=3), tuning=labelled(tuning)),
    )  # fmt: skip


def model(folder: Path, *, outlier: str = "", calibrated: int = 0) -> Path:
    """The folder of its card. calibrated: frames of its calibration recording."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.toml").write_text(CARD)
    onnx.save(net(), str(folder / "fp32.onnx"))
    if outlier:
        plant_outlier(folder / "fp32.onnx", folder / "fp32.onnx", outlier, channel=1)
    if calibrated:
        record(folder, "frames", pictures(20, seed=1))
        record(folder, "calibration", pictures(calibrated, seed=2))
    return folder


def recipe(name: str = "made", **options: object) -> Recipe:
    return Recipe(name=name, technique="mixed", options=options)


def frames(count: int, seed: int) -> FrameSet:
    return FrameSet(name="frames", pictures=pictures(count, seed)[..., None])


def labelled(count: int) -> FrameSet:
    """Pictures that the net is sure of."""
    shown = pictures(2 * count, seed=4)[..., None]
    answers = scores(net(), "scores", shown)
    sure = np.flatnonzero(np.abs(answers[:, 0] - answers[:, 1]) > 1.0)[:count]
    truths = tuple(np.array([[one]], np.float32) for one in answers[sure].argmax(1))
    samples = tuple({"subject": f"s{index % 12}"} for index in range(len(sure)))
    return FrameSet(name="tuning", pictures=shown[sure], truths=truths, samples=samples)


@cache
def net(channels: int = 8) -> onnx.ModelProto:
    """image [1, 1, HEIGHT, WIDTH] -> scores [1, 2]: three convolutions, their mean, and a head that is fitted."""
    random = np.random.default_rng(2)
    weights = {"head.weight": np.zeros((2, channels)), "head.bias": np.zeros(2)}
    for name in CONVOLUTIONS:
        inputs = 1 if name == "first" else channels
        weights[f"{name}.weight"] = random.normal(0, np.sqrt(2 / (9 * inputs)), (channels, inputs, 3, 3))
        weights[f"{name}.bias"] = random.normal(0, 0.1, channels)
    shown = pictures(400, seed=5)[..., None]
    features = scores(graph(weights, "features"), "features", shown)
    wanted = np.where(shown.mean((1, 2, 3)) > 127, 1.0, -1.0)
    *fitted, bias = np.linalg.lstsq(np.column_stack([features, np.ones(len(shown))]), wanted, rcond=None)[0]
    weights |= {"head.weight": np.stack([-np.array(fitted), fitted]), "head.bias": np.array([-bias, bias])}
    return graph(weights, "scores")


def graph(weights: dict[str, np.ndarray], result: str, batch: int | str = 1, prefix: str = "") -> onnx.ModelProto:
    """prefix: of all tensors between input and result."""
    nodes, last = [], "image"
    for name in CONVOLUTIONS:
        taken = [last, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", taken, [f"{prefix}{name}_sum"], name=name, pads=[1, 1, 1, 1]))
        last = f"{prefix}{name}_out"
        nodes.append(helper.make_node("Relu", [f"{prefix}{name}_sum"], [last], name=f"{name}_relu"))
    nodes += [
        helper.make_node("GlobalAveragePool", [last], [f"{prefix}pooled"], name="pool"),
        helper.make_node("Flatten", [f"{prefix}pooled"], [f"{prefix}features"], name="flat"),
        helper.make_node("Gemm", [f"{prefix}features", "head.weight", "head.bias"], ["scores"], name="head", transB=1),
    ]
    width = len(weights["head.bias"]) if result == "scores" else weights["head.weight"].shape[1]
    kept = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 1, HEIGHT, WIDTH])
    given = helper.make_tensor_value_info(result, TensorProto.FLOAT, [batch, width])
    return helper.make_model(
        helper.make_graph(nodes, "brightness", [image], [given], kept),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
    )  # fmt: skip


def weights_of(net: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one).copy() for one in net.graph.initializer}


def scores(net: onnx.ModelProto, name: str, shown: np.ndarray) -> np.ndarray:
    """What the net gives as `name`, one row per picture."""
    import onnxruntime

    session = onnxruntime.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
    fed = (shown.astype(np.float32) / 255).transpose(0, 3, 1, 2)
    return np.concatenate([session.run([name], {"image": one[None]})[0] for one in fed])
