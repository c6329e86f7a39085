"""Small ONNX nets with planted peculiarities, and a bench over one of them with a few frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness.model import read_card
from harness.variants import Bench
from harness.variants.frames.frameset import FrameSet
from tests.variants.rawmodel import HEIGHT, WIDTH, pictures

CHANNELS, CLASSES = 8, 2
ALL = ("conv", "shared", "norm", "identity")
CARD = f"""task = "classification"
[input]
width = {WIDTH}
height = {HEIGHT}
[formats.onnx]
outputs = {{ scores = "scores" }}
[formats.tflite]
layout = "NHWC"
[options]
classes = ["dark", "bright"]
[dataset]
kind = "raw"
path = "frames.y8"
"""
NODES = {
    "conv": [("Conv", "image w0", "c0"), ("Relu", "c0", "a0")],
    "shared": [("Conv", "a0 w1", "c1"), ("Relu", "c1", "r1"), ("Add", "c1 r1", "a1")],
    "norm": [("Conv", "a1 w2", "c2"), ("BatchNormalization", "c2 gain shift mean spread", "n2"), ("Relu", "n2", "a2")],
    "identity": [("Identity", "a2", "a3")],
    "head": [("Conv", "{last} w4", "c4"), ("GlobalAveragePool", "c4", "g4"), ("Flatten", "g4", "scores")],
}  # fmt: skip
"""Part -> operator, inputs and result of its nodes; a node is called as its operator with the part's name."""


def net(
    parts: Sequence[str] = ("conv", "shared", "norm", "identity"), *, listed: bool = False, opset: int = 17, ir: int = 8
) -> Any:
    """A classifier of these parts and the head. listed: weights stand among the inputs, as old exporters left them.

    Files older than IR version 4 had to list them, and ONNX Runtime folds into them all the same.
    """
    nodes, last = [], ""
    for part in (*parts, "head"):
        for kind, inputs, output in NODES[part]:
            names = inputs.format(last=last).split()
            nodes.append(helper.make_node(kind, names, [output], name=f"{kind.lower()}_{part}"))
            last = output
    weights = [one for one in _weights() if any(one.name in node.input for node in nodes)]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])]
    if listed:
        inputs += [helper.make_tensor_value_info(one.name, TensorProto.FLOAT, list(one.dims)) for one in weights]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES])
    graph = helper.make_graph(nodes, "net", inputs, [scores], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def _weights() -> list[Any]:
    random = np.random.default_rng(1)
    shapes = {"w0": (CHANNELS, 1, 3, 3), "w1": (CHANNELS, CHANNELS, 1, 1), "w2": (CHANNELS, CHANNELS, 3, 3),
              "w4": (CLASSES, CHANNELS, 1, 1)}  # fmt: skip
    values = {name: random.normal(0, 0.5, shape) for name, shape in shapes.items()}
    values |= {name: random.uniform(0.5, 1.5, CHANNELS) for name in ("gain", "shift", "mean", "spread")}
    return [numpy_helper.from_array(value.astype(np.float32), name) for name, value in values.items()]


def saved(model: Any, path: Path) -> Path:
    """The file of a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def bench(
    folder: Path, files: Mapping[str, Path], *, formats: Sequence[str] = ("onnx",), engines: Sequence[str] = (),
    card: str = CARD, frames: int = 6,
) -> Bench:  # fmt: skip
    """A bench over a parent with these files. frames: of its calibration set."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'{name} = "{path.name}"' for name, path in files.items())
    (folder / "model.toml").write_text(f"{card}\n[variants.fp32]\nfiles = {{ {listed} }}\n")
    return Bench(
        card=read_card(folder), files=files, formats=tuple(formats), engines=tuple(engines), folder=folder / "made",
        cache=folder / "cache", frames=SimpleNamespace(calibration=frame_set(frames)), say=lambda sentence: None,
    )  # fmt: skip


def frame_set(count: int) -> FrameSet:
    """Pictures of many brightnesses without labels."""
    return FrameSet(name="calibration", pictures=pictures(count, seed=3)[..., None])
