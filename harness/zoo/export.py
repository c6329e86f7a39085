"""A trained net as an ONNX and as a TFLite file, static, without batch normalisation."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from harness.variants.export import litert_file, onnx_file
from harness.variants.export.interface import Interface
from harness.variants.export.torch_side import ready
from harness.zoo.measure import tensor_names
from harness.zoo.nets import folded
from harness.zoo.recipes import Recipe

FORMATS = ("onnx", "tflite", "pte", "pt2")


def to_onnx(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as ONNX: input `image` [1, 1, height, width], outputs as the recipe names them."""
    wanted = Interface(shape=shape(recipe), input="image", outputs=recipe.outputs)
    onnx_file.to_onnx(folded(ready(net)), wanted, path)


def to_tflite(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as TFLite: input [1, height, width, 1]."""
    litert_file.to_tflite(folded(ready(net)), Interface(shape=shape(recipe), channel_last=True), path)


def shape(recipe: Recipe) -> tuple[int, int, int, int]:
    """The input of the net."""
    return (1, 1, recipe.input.height, recipe.input.width)


def output_names(folder: Path, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Format -> the task's output name -> the tensor's name, told apart by their last axis."""
    from harness.modelfile import inspect_model

    files = {name: folder / f"fp32.{name}" for name in FORMATS}
    return {name: tensor_names(inspect_model(path).outputs, recipe) for name, path in files.items() if path.is_file()}
