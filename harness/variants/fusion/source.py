"""The convolutions of an ONNX file and what follows each: what an engine could make one layer of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.variants.fusion import Convolution

CONVOLUTIONS = ("Conv", "ConvTranspose", "QLinearConv", "ConvInteger")
ACTIVATIONS = (
    "Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Gelu", "Mish",
    "Tanh", "Softplus",
)  # fmt: skip
NORM, QUANTISE = "BatchNormalization", "QuantizeLinear"
RANGE = "Relu, as the quantised range"
LOWEST = {np.dtype("uint8"): 0, np.dtype("int8"): -128}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A convolution of the file. names: of its node and of its result; norm_names, activation_names: of what should go
    into it. obstacle: what in the file itself keeps an engine from fusing.
    """

    name: str
    names: frozenset[str]
    norm_names: frozenset[str] = frozenset()
    activation: str = ""
    activation_names: frozenset[str] = frozenset()
    obstacle: str = ""

    def answer(self, fused: bool | None, reason: str, norms_left: frozenset[str] | None = None) -> Convolution:
        """The engine's answer; an obstacle in the file is the better reason. norms_left: of the engine's graph."""
        folded = not self.norm_names & norms_left if self.norm_names and norms_left is not None else None
        if not self.activation:
            return Convolution(name=self.name, reason=reason or "no activation follows it", folded=folded)
        if fused is False:
            between = "a batch normalisation that was not folded stands between" if folded is False else ""
            reason = self.obstacle or between or reason
        return Convolution(name=self.name, activation=self.activation, fused=fused, reason=reason, folded=folded)


def wanted(path: Path) -> tuple[Wanted, ...]:
    """All convolutions of the main graph, in its order."""
    import onnx

    file = _File(onnx.load(str(path)).graph, onnx.numpy_helper.to_array)
    return tuple(file.wanted(node) for node in file.nodes if node.op_type in CONVOLUTIONS)


def names(*nodes: Any) -> frozenset[str]:
    """All names by which an engine may call these nodes."""
    return frozenset(name for node in nodes for name in (node.name, *node.output) if name)


class _File:
    def __init__(self, graph: Any, to_array: Callable[[Any], Array]) -> None:
        self.nodes = list(graph.node)
        self._listed = {one.name for one in graph.input}
        self._zeros = {one.name: to_array(one) for one in graph.initializer if math.prod(one.dims) == 1}
        self._readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)

    def wanted(self, node: Any) -> Wanted:
        following = self._reading(node)
        norm = following[0] if [one.op_type for one in following] == [NORM] else None
        following = following if norm is None else self._reading(norm)
        chain = self._activation(following)
        return Wanted(
            name=str(node.name or node.output[0]), names=names(node), norm_names=names(norm) if norm else frozenset(),
            activation="+".join(RANGE if one.op_type == QUANTISE else one.op_type for one in chain),
            activation_names=names(*chain),
            obstacle=self._obstacle(node, [one for one in following if one not in chain]),
        )  # fmt: skip

    def _reading(self, node: Any) -> list[Any]:
        return self._readers.get(node.output[0], [])

    def _obstacle(self, node: Any, others: Sequence[Any]) -> str:
        if node.input[1] in self._listed:
            return "its weights are listed as inputs of the graph"
        read = ", ".join(str(one.name or one.output[0]) for one in others)
        return f"its result is also read by {read}" if read else ""

    def _activation(self, following: Sequence[Any]) -> list[Any]:
        """The nodes that together are the activation: x * sigmoid(x) is two."""
        first = next((one for one in following if one.op_type in ACTIVATIONS or self._cuts(one)), None)
        if first is None:
            return []
        product = next((one for one in self._reading(first) if one.op_type == "Mul" and one in following), None)
        return [first] if product is None else [first, product]

    def _cuts(self, node: Any) -> bool:
        """A quantiser whose zero is its lowest number lets nothing below zero through."""
        zero = self._zeros.get(node.input[2]) if node.op_type == QUANTISE and len(node.input) > 2 else None
        return zero is not None and LOWEST.get(zero.dtype) == int(zero.item())
