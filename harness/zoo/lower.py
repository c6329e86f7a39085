"""A net as an exported program (.pt2) and as ExecuTorch programs (.pte).

The files hold no path of the machine that made them, and no pickle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from harness.case import Array
from harness.errors import EngineError
from harness.variants.export import program as export_program
from harness.variants.export.interface import Interface
from harness.variants.export.torch_side import quiet
from harness.zoo.export import shape
from harness.zoo.nets import NETS, folded
from harness.zoo.quantise import tensors
from harness.zoo.recipes import Recipe

SAME = 1e-4


def net_of(recipe: Recipe, source: Path) -> nn.Module:
    """The trained net without batch normalisation: an ONNX file keeps the weights under their torch names."""
    import onnx
    from onnx import numpy_helper

    stored = onnx.load(str(source)).graph.initializer
    net = folded(NETS[recipe.name]())
    net.load_state_dict({one.name: torch.from_numpy(np.array(numpy_helper.to_array(one))) for one in stored})
    return net.eval()


def require_same(net: nn.Module, recipe: Recipe, source: Path, pictures: Array) -> float:
    """The largest difference between a net and the ONNX file; EngineError above SAME."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(source))
    differences = [0.0]
    for one in tensors(recipe, pictures, "NCHW"):
        with torch.no_grad():
            ours = net(torch.from_numpy(one))
        for wanted, got in zip(session.run(None, {"image": one}), _listed(ours), strict=True):
            if wanted.shape != tuple(got.shape):
                raise EngineError(f"the net gives {tuple(got.shape)} and {source} {wanted.shape}", where="harness.zoo")
            differences.append(float(np.abs(wanted - got.numpy()).max()))
    # NaN is no agreement: Python's max would pass over it.
    worst = float(np.max(differences))
    if not worst <= SAME:
        raise EngineError(f"the net differs from {source} by {worst:.2g}; {SAME} is allowed", where="harness.zoo")
    return worst


def to_pt2(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as an exported program: input [1, 1, height, width]."""
    export_program.to_pt2(net, Interface(shape=shape(recipe)), path)


def to_pte(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as an ExecuTorch program for XNNPACK."""
    export_program.to_pte(net, Interface(shape=shape(recipe)), path)


def to_int8_pte(net: nn.Module, recipe: Recipe, pictures: Array, path: Path) -> None:
    """Write `net` for XNNPACK in INT8: weights per channel, calibrated on `pictures` [n, height, width].

    Ranges are those that torchao finds to give the least squared error; in one thread, for the same bytes anywhere.
    """
    from harness.variants.ptefile import quantise as pte
    from harness.variants.ptefile.ranges import SQUARED_ERROR, Calibration
    from harness.variants.training.nets import one_thread

    with quiet(), one_thread():
        form = export_program.xnnpack_form(net, shape(recipe))
        module = export_program.exported(form, shape(recipe)).module()
        how = Calibration(method=SQUARED_ERROR)
        pte.write(module, lambda: tensors(recipe, pictures, "NCHW"), how, shape(recipe), path)


def _listed(found: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)
