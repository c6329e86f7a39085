"""A trained net as an ONNX and as a TFLite file, static, without batch normalisation."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from harness.case import TensorSpec
from harness.zoo.nets import folded
from harness.zoo.recipes import Recipe

OPSET = 17
FORMATS = ("onnx", "tflite", "pte", "pt2")


def to_onnx(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as ONNX: input `image` [1, 1, height, width], outputs as the recipe names them."""
    example = torch.zeros(1, 1, recipe.input.height, recipe.input.width)
    with warnings.catch_warnings():
        # The exporter that needs no extra package announces its own end.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            folded(_plain(net)), (example,), str(path), opset_version=OPSET, dynamo=False,
            input_names=["image"], output_names=list(recipe.outputs),
        )  # fmt: skip


def to_tflite(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as TFLite: input [1, height, width, 1]."""
    import litert_torch

    logging.getLogger("litert_torch").setLevel(logging.ERROR)
    last = litert_torch.to_channel_last_io(folded(_plain(net)), args=[0])
    litert_torch.convert(last, (torch.zeros(1, recipe.input.height, recipe.input.width, 1),)).export(str(path))


def _plain(net: nn.Module) -> nn.Module:
    kept: nn.Module = net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return kept.eval()


def output_names(folder: Path, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Format -> the task's output name -> the tensor's name, told apart by their last axis."""
    from harness.modelfile import inspect_model

    files = {name: folder / f"fp32.{name}" for name in FORMATS}
    return {name: _named(inspect_model(path).outputs, recipe) for name, path in files.items() if path.is_file()}


def _named(tensors: Sequence[TensorSpec], recipe: Recipe) -> dict[str, str]:
    if len(recipe.outputs) == 1:
        return {recipe.outputs[0]: tensors[0].name}
    return {"boxes" if one.shape[-1] == 4 else "scores": one.name for one in tensors}
