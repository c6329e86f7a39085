"""One layer of an ONNX file in INT8: its weights and what it gives, while what it takes stays as it is.

The quantiser also rounds what a layer takes. That share belongs to the layer that gives it: an outlier would otherwise
be charged to its reader, which has done nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.variants.libraries import library
from harness.variants.study.graphs_onnx import passing_operators


def keep_own_share(path: Path, own: str, others: Collection[str]) -> None:
    """Rewrite a file in which the layer that gives `own` is quantised: `others`, of other layers, are not rounded.

    Rounding of what no quantisable layer gives stays, that of the network's input too: nobody else bears it. A file
    stays as it is where its scheme rounds what layers take, and not what they give. EngineError where the layer is in
    float.
    """
    model = library("onnx").load(str(path))
    graph = model.graph
    if not any(one.op_type == "DequantizeLinear" for one in graph.node):
        raise EngineError("the quantiser leaves this layer in float", where=path.name)
    if not any(one.op_type == "QuantizeLinear" and _is(own, one, graph) for one in graph.node):
        return
    for rounded, original, nodes in list(_foreign_pairs(graph, frozenset(others))):
        _reconnect(graph, rounded, original)
        for node in nodes:
            graph.node.remove(node)
    library("onnx").save(model, str(path))


def _is(tensor: str, writer: Any, graph: Any) -> bool:
    """Whether a QuantizeLinear rounds `tensor`; an output of the graph has its name behind the rounding."""
    readers = [one for one in graph.node if writer.output[0] in one.input]
    return tensor in (writer.input[0], *(name for one in readers for name in one.output))


def _foreign_pairs(graph: Any, others: frozenset[str]) -> Iterator[tuple[str, str, list[Any]]]:
    """A tensor as it is read rounded, the same unrounded, and the nodes between that nobody else needs."""
    makers = {name: node for node in graph.node for name in node.output}
    for reader in graph.node:
        writer = makers.get(reader.input[0]) if reader.op_type == "DequantizeLinear" else None
        if writer is not None and writer.op_type == "QuantizeLinear" and _given(writer.input[0], others, makers):
            shared = sum(writer.output[0] in node.input for node in graph.node) > 1
            yield reader.output[0], writer.input[0], [reader] if shared else [reader, writer]


def _given(tensor: str, others: frozenset[str], makers: Mapping[str, Any]) -> bool:
    """Whether it is one of `others`, or one of them passed on."""
    if tensor in others:
        return True
    maker = makers.get(tensor)
    if maker is None or maker.op_type not in (*passing_operators(), "QuantizeLinear", "DequantizeLinear"):
        return False
    return _given(maker.input[0], others, makers)


def _reconnect(graph: Any, rounded: str, original: str) -> None:
    for node in graph.node:
        for at, name in enumerate(node.input):
            if name == rounded:
                node.input[at] = original
