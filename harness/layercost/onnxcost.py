"""The cost of an ONNX file, node by node: shapes go forward from the inputs, constants are folded as engines do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.layercost.folding import folded
from harness.layercost.multiplying import MULTIPLYING
from harness.layercost.onnxgraph import Graph, Node, read_graph
from harness.layercost.shapes import RULES, output_shapes
from harness.layercost.tensors import Call, Known, NotKnownError, Shape, shape_of
from harness.layers import Layer, Network, fastest
from harness.modelfile.source import Source
from harness.modelfile.tensors import ELEMENT

_FREE = ("Constant",)
_ROWS = ("Gather", "GatherElements")
_INTEGERS = ("Shape", "Size", "ArgMax", "ArgMin", "NonZero")
_TRUTHS = ("And", "Or", "Not", "Xor", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsInf", "IsNaN")
_LIKE = {"DequantizeLinear": 1, "QuantizeLinear": 2, "QLinearConv": 7, "QLinearMatMul": 7, "Where": 1}
_SUMS = ("ConvInteger", "MatMulInteger")


def onnx_network(source: Source, inputs: Mapping[str, Shape]) -> Network:
    """The cost of one frame. inputs: the shapes of inputs that the file leaves open."""
    graph = read_graph(source)
    walk = _Walk(graph, inputs)
    for node in _alive(graph):
        walk.take(node)
    ends = [walk.known.get(name) for name in (*graph.inputs, *graph.outputs)]
    if any(one is None or one.shape is None for one in ends):
        walk.uncounted["an open input or output"] += 1
    return Network(
        layers=tuple(walk.layers), uncounted=dict(walk.uncounted),
        input_bytes=sum(walk.known[name].bytes for name in graph.inputs),
        output_bytes=sum(walk.known[name].bytes for name in graph.outputs if name in walk.known),
    )  # fmt: skip


def _alive(graph: Graph) -> list[Node]:
    """The nodes that an output depends on; an engine drops the others."""
    wanted = set(graph.outputs)
    kept = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]


class _Walk:
    """What is known of every tensor so far, and the layers passed."""

    def __init__(self, graph: Graph, inputs: Mapping[str, Shape]) -> None:
        self._graph = graph
        self.layers: list[Layer] = []
        self.uncounted: Counter[str] = Counter()
        self._read: set[str] = set()
        self.known = {
            name: Known(one.shape, one.dtype, origin=name, origin_bytes=one.bytes, values=one.values)
            for name, one in graph.constants.items()
        }
        for name in graph.inputs:
            declared, dtype = graph.declared.get(name, ((None,), ""))
            self.known[name] = Known(_filled(declared, inputs.get(name)), dtype)

    def take(self, node: Node) -> None:
        """Pass one node: what it gives is known afterwards, and what it costs."""
        call = Call(node, tuple(self.known.get(name, Known(None)) if name else None for name in node.inputs))
        constants = self._folded(call)
        if constants is not None:
            self.known.update(zip(node.outputs, constants, strict=False))
            return
        outputs = self._outputs(call)
        self.known.update(zip(node.outputs, outputs, strict=True))
        self._cost(call, outputs)

    def _folded(self, call: Call) -> list[Known] | None:
        """The outputs of a node that does not depend on the frame; None where it does."""
        given = [one for one in call.inputs if one is not None]
        values = folded(call)
        constant = given and all(one.origin for one in given) and call.node.operator in RULES
        if call.node.operator not in _FREE and not constant and values is None:
            return None
        if values is not None:
            name = call.node.outputs[0]
            return [Known(values.shape, str(values.dtype), origin=name, origin_bytes=values.nbytes, values=values)]
        return [self._made_of(call, given, one) for one in self._outputs(call)]

    def _made_of(self, call: Call, given: Sequence[Known], output: Known) -> Known:
        """A constant that is computed from others: an engine reads those, or the result if that is smaller."""
        stored = sum(one.origin_bytes for one in given)
        attribute = call.attribute("value")
        shape = attribute.shape if attribute is not None and call.node.operator in _FREE else output.shape
        dtype = attribute.dtype if attribute is not None and call.node.operator in _FREE else output.dtype
        made = Known(shape, dtype, output.narrow)
        origin = given[0].origin if given else call.node.outputs[0]
        return Known(shape, dtype, output.narrow, origin, min(stored, made.bytes) if given else made.bytes)

    def _outputs(self, call: Call) -> list[Known]:
        node, shapes = call.node, output_shapes(call) or []
        dtype, narrow = _dtype(call), _narrow(call)
        found = []
        for index, name in enumerate(node.outputs):
            declared, told = self._graph.declared.get(name, ((None,), ""))
            shape = shapes[index] if index < len(shapes) else _filled(declared, None)
            found.append(Known(shape, told or dtype, narrow))
        return found

    def _cost(self, call: Call, outputs: Sequence[Known]) -> None:
        operator = call.node.operator
        try:
            layer = self._layer(call, outputs)
        except (NotKnownError, IndexError, ValueError):
            layer = None
        if layer is None or operator not in RULES:
            self.uncounted[operator] += 1
        self.layers.append(layer or Layer(name=call.node.name, operator=operator))

    def _layer(self, call: Call, outputs: Sequence[Known]) -> Layer:
        """NotKnownError where a multiplying operator lacks a shape."""
        multiplying = MULTIPLYING.get(call.node.operator)
        operands = [call.input(index) for index in multiplying.operands] if multiplying else []
        precision = fastest(one.precision for one in operands)
        given = [one for one in call.inputs if one is not None and not one.origin]
        written = sum(one.bytes_in(precision) for one in outputs)
        return Layer(
            name=call.node.name, operator=call.node.operator, precision=precision,
            macs=multiplying.macs(call, shape_of(outputs[0])) if multiplying else 0,
            parameter_bytes=self._parameters(call, written),
            read_bytes=sum(one.bytes_in(precision) for one in given), written_bytes=written,
        )  # fmt: skip

    def _parameters(self, call: Call, written_bytes: int) -> int:
        """Bytes of the constants that no layer before has read; of a table only the rows that are looked up."""
        fresh = {one.origin: one.origin_bytes for one in call.inputs if one is not None and one.origin}
        total = sum(size for origin, size in fresh.items() if origin not in self._read)
        self._read.update(fresh)
        return min(total, written_bytes) if call.node.operator in _ROWS else total


def _filled(declared: Sequence[int | None], wanted: Shape | None) -> Shape | None:
    """The declared shape, or `wanted` where it leaves sizes open and `wanted` fits; None where one stays open."""
    sizes = tuple(size for size in declared if size is not None)
    if len(sizes) == len(declared):
        return sizes
    if wanted is None or len(wanted) != len(declared):
        return None
    return wanted if all(size in (None, other) for size, other in zip(declared, wanted, strict=True)) else None


def _dtype(call: Call) -> str:
    operator = call.node.operator
    if operator == "Cast":
        return ELEMENT.get(call.attribute("to"), "")
    if operator in _INTEGERS:
        return "int64"
    if operator in _TRUTHS:
        return "bool"
    if operator in _SUMS:
        return "int32"
    like = call.get(_LIKE.get(operator, 0))
    if like is None and operator == "QuantizeLinear":
        return ELEMENT.get(call.attribute("output_dtype", 2), "")
    return like.dtype if like is not None else ""


def _narrow(call: Call) -> str:
    """The dtype behind a dequantised tensor; moving its values about does not change it."""
    first = call.get(0)
    if first is None:
        return ""
    if call.node.operator == "DequantizeLinear":
        return first.dtype
    return first.narrow if call.node.operator in ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten") else ""
