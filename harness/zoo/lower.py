"""A net as an exported program (.pt2) and as ExecuTorch programs (.pte).

The files hold no path of the machine that made them, and no pickle.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from harness.case import Array
from harness.errors import EngineError
from harness.zoo.nets import NETS, Classifier, folded
from harness.zoo.quantise import tensors
from harness.zoo.recipes import Recipe

SAME = 1e-4


class _Pooled(nn.Module):
    """A Classifier whose mean keeps its axes, as XNNPACK wants it: otherwise it splits the net in two."""

    def __init__(self, net: Classifier) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> Tensor:
        scores: Tensor = self.net.head(self.net.trunk(picture).mean((-1, -2), keepdim=True).flatten(1))
        return scores


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
    program = _exported(net, recipe)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)
    program.example_inputs = None
    torch.export.save(program, str(path))


def to_pte(net: nn.Module, recipe: Recipe, path: Path) -> None:
    """Write `net` as an ExecuTorch program for XNNPACK."""
    with _quiet():
        path.write_bytes(_lowered(_exported(_xnnpack_form(net), recipe)))


def to_int8_pte(net: nn.Module, recipe: Recipe, pictures: Array, path: Path) -> None:
    """Write `net` for XNNPACK in INT8: static, weights per channel, calibrated on `pictures` [n, height, width]."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    with _quiet():
        quantiser = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        observed = prepare_pt2e(_exported(_xnnpack_form(net), recipe).module(), quantiser)
        for one in tensors(recipe, pictures, "NCHW"):
            observed(torch.from_numpy(one))
        path.write_bytes(_lowered(_exported(convert_pt2e(observed), recipe)))


def _xnnpack_form(net: nn.Module) -> nn.Module:
    return _Pooled(net).eval() if isinstance(net, Classifier) else net


def _exported(net: nn.Module, recipe: Recipe) -> ExportedProgram:
    example = torch.zeros(1, 1, recipe.input.height, recipe.input.width)
    with torch.no_grad():
        return torch.export.export(net, (example,))


def _lowered(program: ExportedProgram) -> bytes:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    edge = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
    return bytes(edge.to_executorch().buffer)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter announces the end of many things that it uses itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _listed(found: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return found if isinstance(found, tuple) else (found,)
