"""Layers that were left out of quantisation stay in float when ONNX Runtime loads the file.

Where a layer with float weights stands between DequantizeLinear and QuantizeLinear, ONNX Runtime 1.31 rounds its
weights to int8 per tensor while it loads the file (WeightBiasQuantization), and the layer that was left out runs in
integers all the same. It looks through Relu and Clip, but not through LeakyRelu, which it fuses as it does Relu.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from harness.variants.libraries import library
from harness.variants.onnxfile.layers import Graph, graph_of

# Those that it rounds by itself.
ROUNDED = ("Conv", "ConvTranspose", "Gemm")


def keep_float(model: Any, names: Collection[str]) -> int:
    """Change the nodes behind those called so, without changing any answer; how many layers it was needed for."""
    found = graph_of(model)
    chosen = [node for node in model.graph.node if node.name in names and _is_taken(node, found)]
    for node in chosen:
        reader = found.only_reader(node)
        if reader.op_type == "Relu":
            _leaky(reader, 0.0)
        else:
            _insert(model.graph, node, reader)
    return len(chosen)


def _is_taken(node: Any, found: Graph) -> bool:
    maker = found.makers.get(node.input[0]) if node.op_type in ROUNDED else None
    if maker is None or maker.op_type != "DequantizeLinear":
        return False
    reader = found.only_reader(node)
    while reader is not None and reader.op_type in ("Relu", "Clip"):
        reader = found.only_reader(reader)
    return reader is not None and reader.op_type == "QuantizeLinear"


def _leaky(node: Any, slope: float) -> None:
    """With slope 0 it is Relu, with 1 it is nothing."""
    node.op_type = "LeakyRelu"
    node.attribute.append(library("onnx").helper.make_attribute("alpha", slope))


def _insert(graph: Any, node: Any, reader: Any) -> None:
    """Nothing, as a LeakyRelu, between a node and its only reader."""
    given = node.output[0]
    passed = library("onnx").helper.make_node("LeakyRelu", [given], [f"{given}/kept"], name=f"{node.name}/kept")
    passed.attribute.append(library("onnx").helper.make_attribute("alpha", 1.0))
    reader.input[list(reader.input).index(given)] = f"{given}/kept"
    graph.node.insert(list(graph.node).index(node) + 1, passed)
