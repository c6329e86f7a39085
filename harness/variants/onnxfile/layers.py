"""The layers of an ONNX graph as quantisation sees them, and those that it is to leave in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError, unknown
from harness.variants.libraries import library

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ACTIVATIONS = ("Relu", "Clip")
# What only renames, or turns into another type.
_TRIVIAL = ("Cast", "Constant", "Dropout", "Identity", "QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph with its edges. makers: tensor -> node. readers: tensor -> nodes; an output of the graph is read by None.

    weights: name -> initializer.
    """

    graph: Any
    makers: Mapping[str, Any]
    readers: Mapping[str, Sequence[Any]]
    weights: Mapping[str, Any]

    def only_reader(self, node: Any) -> Any:
        """The node that alone reads what `node` gives; None where there is none."""
        found = self.readers.get(node.output[0], ()) if len(node.output) == 1 else ()
        return found[0] if len(found) == 1 else None


def graph_of(model: Any) -> Graph:
    """The main graph of a loaded model."""
    graph = model.graph
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for one in graph.output:
        readers.setdefault(one.name, []).append(None)
    return Graph(
        graph=graph, makers={name: node for node in graph.node for name in node.output}, readers=readers,
        weights={one.name: one for one in graph.initializer},
    )  # fmt: skip


def weighted(found: Graph) -> Iterator[Any]:
    """The nodes that multiply by constants, quantised or not."""
    for node in found.graph.node:
        if node.op_type in WEIGHTED and _constant(node.input[1], found):
            yield node


def is_quantised(node: Any, found: Graph) -> bool:
    """Whether the weights of a layer are kept as integers, or rounded as if they were."""
    maker = found.makers.get(node.input[1])
    return maker is not None and maker.op_type == "DequantizeLinear"


def excluded_nodes(found: Graph, names: Sequence[str]) -> list[str]:
    """The names of the nodes that stay in float; a layer and the activation behind it, which becomes part of it, go
    together. A layer is called by its node or by what it gives; ConfigError for a name that is none.
    """
    nodes = {one.name: one for one in found.graph.node}
    for name in names:
        if name not in nodes and name not in found.makers:
            raise ConfigError(unknown("layer", name, nodes), where="the recipe, options.exclude")
    chosen = [nodes.get(name) or found.makers[name] for name in names]
    return sorted({one.name for node in chosen for one in _together(node, found)})


def float_layers(found: Graph) -> dict[str, int]:
    """Operator -> how many nodes, of those that compute in floating point and have no quantised form."""
    registry = library("onnxruntime.quantization.registry")
    known = {*registry.QLinearOpsRegistry, *registry.QDQRegistry, *_TRIVIAL}
    floats = _float_tensors(found)
    left = [one.op_type for one in found.graph.node if one.op_type not in known and floats & {*one.output}]
    return dict(sorted(Counter(left).items()))


def _together(node: Any, found: Graph) -> Iterator[Any]:
    yield node
    reader, maker = found.only_reader(node), found.makers.get(next(iter(node.input), ""))
    if reader is not None and reader.op_type in ACTIVATIONS and node.op_type not in ACTIVATIONS:
        yield reader
    if node.op_type in ACTIVATIONS and maker is not None and found.only_reader(maker) is node:
        yield maker


def _constant(name: str, found: Graph) -> bool:
    """An initializer, or one that is dequantised."""
    maker = found.makers.get(name)
    while maker is not None and maker.op_type in ("DequantizeLinear", "QuantizeLinear"):
        name = maker.input[0]
        maker = found.makers.get(name)
    return name in found.weights


def _float_tensors(found: Graph) -> set[str]:
    types = library("onnx").TensorProto
    floats = (types.FLOAT, types.FLOAT16, types.BFLOAT16)
    known = (*found.graph.value_info, *found.graph.output)
    return {one.name for one in known if one.type.tensor_type.elem_type in floats}
