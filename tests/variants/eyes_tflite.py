"""The shipped eye_state net as a bench for TFLite, with drawn pictures, and its file with small changes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from harness.model import read_card
from harness.variants import Bench, Recipe
from harness.variants.frames.frameset import FrameSet

SHIPPED = Path(__file__).parents[2] / "suites" / "models"
# torch.Tensor.Conv of layer 0 to 6, as the ONNX file calls them; 0 is depthwise in the TFLite file.
CONVOLUTIONS = tuple(f"/trunk/trunk.{number}/trunk.{number}.0/Conv" for number in range(7))


def bench(folder: Path, *, source: Path | None = None, model: str = "eye_state", frames: int = 6) -> Bench:
    """source: a TFLite file in place of the shipped one, which has no ONNX twin."""
    card = read_card(SHIPPED / model)
    shipped = {name: card.file("fp32", name) for name in ("onnx", "tflite", "pt2")}
    return Bench(
        card=card, files=shipped if source is None else {"tflite": source}, formats=("tflite",), engines=("litert",),
        folder=folder / "made", cache=folder / "cache", say=lambda sentence: None,
        frames=SimpleNamespace(calibration=drawn(frames, card.input.height, card.input.width)),
    )  # fmt: skip


def drawn(count: int, height: int, width: int) -> FrameSet:
    """Discs of many sizes before many brightnesses, no two alike."""
    random, (y, x) = np.random.default_rng(7), np.ogrid[:height, :width]
    pictures = random.normal(random.uniform(30, 200, (count, 1, 1)), 12, (count, height, width))
    for picture, radius, level in zip(
        pictures, random.uniform(4, 30, count), random.uniform(0, 255, count), strict=True
    ):
        picture[(y - height / 2) ** 2 + (x - width / 2) ** 2 < radius**2] = level
    return FrameSet(name="drawn", pictures=np.clip(pictures, 0, 255).astype(np.uint8)[..., None])


def recipe(name: str = "made", **options: object) -> Recipe:
    return Recipe(name=name, technique="static", options=options)


def with_operator(kind: str, target: Path) -> Path:
    """The net with one more operator, of one operand, behind its first convolution of several channels."""
    from ai_edge_litert.tools import flatbuffer_utils as tools

    model, schema = tools.read_model(str(SHIPPED / "eye_state" / "fp32.tflite")), tools.schema_fb
    graph = model.subgraphs[0]
    at = next(at for at, one in enumerate(graph.operators) if tools.opcode_to_name(model, one.opcodeIndex) == "CONV_2D")
    before = graph.operators[at].outputs[0]
    tensor = schema.TensorT()
    tensor.shape, tensor.type, tensor.name = graph.tensors[before].shape, graph.tensors[before].type, kind.encode()
    graph.tensors.append(tensor)
    after = len(graph.tensors) - 1
    for one in graph.operators[at + 1 :]:
        one.inputs = [after if each == before else each for each in one.inputs]
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, kind)
    model.operatorCodes.append(code)
    operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes) - 1, [before], [after]
    graph.operators.insert(at + 1, operator)
    tools.write_model(model, str(target))
    return target


def without_signature(target: Path) -> Path:
    from ai_edge_litert.tools import flatbuffer_utils as tools

    model = tools.read_model(str(SHIPPED / "eye_state" / "fp32.tflite"))
    model.signatureDefs = []
    tools.write_model(model, str(target))
    return target
