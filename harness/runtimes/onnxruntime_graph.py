"""An ONNX graph as ONNX Runtime optimised it: what was fused, and in which precision each layer runs.

Which node stands for what: docs/ContribOperators.md of onnxruntime, and what 1.31 wrote (`optimized_model_filepath`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from harness.modelfile.info import Limits
from harness.modelfile.source import Source
from harness.modelfile.tensors import ELEMENT
from harness.modelfile.wire import BYTES, VARINT, fields, numbers

CONVOLUTIONS = (
    "Conv", "ConvTranspose", "FusedConv", "NhwcConv", "NhwcFusedConv", "QLinearConv", "QLinearConvTranspose",
    "ConvInteger",
)  # fmt: skip
PRODUCTS = (
    "MatMul", "Gemm", "FusedMatMul", "FusedGemm", "QLinearMatMul", "QGemm", "MatMulInteger", "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
)  # fmt: skip
INTEGER = (
    "QLinearConv", "QLinearConvTranspose", "ConvInteger", "QLinearMatMul", "QGemm", "MatMulInteger",
    "MatMulIntegerToFloat", "DynamicQuantizeMatMul",
)  # fmt: skip
QUANTISED = ("QuantizeLinear", "DequantizeLinear", *INTEGER)
ZERO_POINT = {"QLinearConv": 7, "QLinearConvTranspose": 7}
LOWEST = {"uint8": 0, "int8": -128}
_RAW, _INTS = 9, 5


@dataclass
class Node:
    """One node; activation: the one that was fused into it."""

    kind: str = ""
    inputs: List[str] = field(default_factory=list)
    outputs: List[str] = field(default_factory=list)
    activation: str = ""


@dataclass
class Graph:
    """The file's own graph; dtypes of its weights by name, values of the 8-bit ones that hold a single number."""

    metadata: Dict[str, str] = field(default_factory=dict)
    nodes: List[Node] = field(default_factory=list)
    dtypes: Dict[str, str] = field(default_factory=dict)
    scalars: Dict[str, int] = field(default_factory=dict)


def read_graph(path: str) -> Graph:
    """The graph of an ONNX file without its weights; OSError or ModelFileError where it cannot be read."""
    graph = Graph()
    with Path(path).open("rb", buffering=0) as stream:
        source = Source(stream, os.fstat(stream.fileno()).st_size, path, Limits())
        for number, kind, start, stop in fields(source, 0, source.size):
            if kind == BYTES and number == 7:
                _take_graph(source, start, stop, graph)
            elif kind == BYTES and number == 14:
                key, value = _texts(source, start, stop, (1, 2))
                graph.metadata[key] = value
    return graph


def graph_facts(graph: Graph) -> Dict[str, Any]:
    """`fusion` and `layer_precisions` (of convolutions and matrix products) of an optimised graph."""
    convolutions = [node for node in graph.nodes if node.kind in CONVOLUTIONS]
    precisions = [one for one in _precisions(graph) if one]
    facts: Dict[str, Any] = {
        "fusion": {
            "convolutions": len(convolutions),
            "with_activation": sum(_has_activation(node, graph) for node in convolutions),
            "batch_norms": sum(node.kind == "BatchNormalization" for node in graph.nodes),
        }
    }
    if precisions:
        facts["layer_precisions"] = {one: precisions.count(one) / len(precisions) for one in sorted(set(precisions))}
    return facts


def float_layers_left(graph: Graph) -> Optional[Tuple[int, int]]:
    """Layers that run in float32 and layers in all, where the graph is quantised and not wholly integer."""
    precisions = list(_precisions(graph))
    left = precisions.count("float32")
    quantised = any(node.kind in QUANTISED for node in graph.nodes)
    return (left, len(precisions)) if quantised and left else None


def _precisions(graph: Graph) -> Iterator[str]:
    """Of each convolution and matrix product; empty where the file does not tell."""
    scales = {node.outputs[0]: node.inputs[1] for node in graph.nodes if node.kind == "DequantizeLinear"}
    for node in graph.nodes:
        if node.kind in INTEGER:
            yield "int8"
        elif node.kind in CONVOLUTIONS + PRODUCTS:
            weight = node.inputs[1]
            # Weights that are dequantised first have the type of their scale.
            yield graph.dtypes.get(scales.get(weight, weight), "")


def _has_activation(node: Node, graph: Graph) -> bool:
    """An integer convolution has its ReLU in the output range: nothing below the lowest number is below zero."""
    index = ZERO_POINT.get(node.kind, len(node.inputs))
    if index >= len(node.inputs):
        return bool(node.activation)
    name = node.inputs[index]
    lowest = LOWEST.get(graph.dtypes.get(name, ""))
    return lowest is not None and graph.scalars.get(name) == lowest


def _take_graph(source: Source, start: int, stop: int, graph: Graph) -> None:
    for number, kind, first, last in fields(source, start, stop):
        if kind == BYTES and number == 1:
            graph.nodes.append(_node(source, first, last))
        elif kind == BYTES and number == 5:
            _take_weight(source, first, last, graph)


def _node(source: Source, start: int, stop: int) -> Node:
    node = Node()
    for number, kind, first, last in fields(source, start, stop):
        if kind != BYTES:
            continue
        if number == 1:
            node.inputs.append(source.text(first, last, "a tensor's name"))
        elif number == 2:
            node.outputs.append(source.text(first, last, "a tensor's name"))
        elif number == 4:
            node.kind = source.text(first, last, "an operator's name")
        elif number == 5:
            node.activation = _activation(source, first, last) or node.activation
    return node


def _activation(source: Source, start: int, stop: int) -> str:
    """The value of the attribute `activation`; nothing of any other one, which may be large."""
    value = (0, 0)
    for number, kind, first, last in fields(source, start, stop):
        if kind == BYTES and number == 1 and source.text(first, last, "an attribute's name") != "activation":
            return ""
        if kind == BYTES and number == 4:
            value = (first, last)
    return source.text(*value, "an activation")


def _take_weight(source: Source, start: int, stop: int, graph: Graph) -> None:
    name, element, value = "", 0, None
    for one in fields(source, start, stop):
        number, kind, first, last = one
        if number == 2 and kind == VARINT:
            element = first
        elif number == 8 and kind == BYTES:
            name = source.text(first, last, "a weight's name")
        elif number == _RAW and kind == BYTES and last - first == 1:
            value = source.read(first, 1)[0]
        elif number == _INTS and (kind == VARINT or last - first <= 10):
            value = _single(numbers(source, one, 10, "a weight"), value)
    graph.dtypes[name] = ELEMENT.get(element, "")
    if value is not None and graph.dtypes[name] in LOWEST:
        graph.scalars[name] = value - 256 if graph.dtypes[name] == "int8" and value > 127 else value


def _single(values: Sequence[int], known: Optional[int]) -> Optional[int]:
    return values[0] if len(values) == 1 else known


def _texts(source: Source, start: int, stop: int, wanted: Tuple[int, int]) -> Tuple[str, str]:
    found = dict.fromkeys(wanted, "")
    for number, kind, first, last in fields(source, start, stop):
        if kind == BYTES and number in found and last - first <= source.limits.max_name_bytes:
            found[number] = source.text(first, last, "metadata")
    return found[wanted[0]], found[wanted[1]]
