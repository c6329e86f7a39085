"""A net as an exported program (.pt2) and as ExecuTorch programs (.pte).

The files hold no path of the machine that made them, and no pickle.
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from harness.case import Array
from harness.variants.export import program
from harness.variants.export.equality import differences, file_answers, net_answers, require_equal
from harness.variants.export.interface import Interface
from harness.variants.frames.frameset import FrameSet
from harness.variants.libraries import quiet
from harness.variants.training.nets import load, one_thread
from harness.zoo.export import shape
from harness.zoo.measure import card_of
from harness.zoo.nets import NETS, folded
from harness.zoo.quantise import tensors
from harness.zoo.recipes import Recipe


def net_of(recipe: Recipe, source: Path) -> nn.Module:
    """The trained net without batch normalisation, with the weights of its ONNX file."""
    net: nn.Module = folded(NETS[recipe.name]())
    load(net, source, where=str(source))
    return net


def require_same(net: nn.Module, recipe: Recipe, source: Path, pictures: Array) -> float:
    """How far a net is from its ONNX file on `pictures` [n, height, width]; EngineError above rounding."""
    frames, card = FrameSet(name="pictures", pictures=pictures[..., None]), card_of(recipe, source)
    found = differences(file_answers(source, card, frames), net_answers(net, recipe.outputs, card, frames))
    return require_equal(found, str(source)).largest


def to_pt2(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as an exported program: input [1, 1, height, width]."""
    program.to_pt2(net, Interface(shape=shape(recipe)), path)


def to_pte(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as an ExecuTorch program for XNNPACK."""
    program.to_pte(net, Interface(shape=shape(recipe)), path)


def to_int8_pte(net: nn.Module, recipe: Recipe, pictures: Array, path: Path) -> None:
    """Write `net` for XNNPACK in INT8: weights per channel, calibrated on `pictures` [n, height, width].

    Ranges are those that torchao finds to give the least squared error; in one thread, for the same bytes anywhere.
    """
    from harness.variants.ptefile import quantise as pte
    from harness.variants.ptefile.ranges import SQUARED_ERROR, Calibration

    with quiet(), one_thread():
        form = program.xnnpack_form(net, shape(recipe))
        module = program.exported(form, shape(recipe)).module()
        how = Calibration(method=SQUARED_ERROR)
        pte.write(module, lambda: tensors(recipe, pictures, "NCHW"), how, shape(recipe), path)
