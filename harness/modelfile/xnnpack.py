"""The graph that ExecuTorch gives to XNNPACK: which nodes, in which precision, and whether activations were fused.

Field numbers are those of executorch/backends/xnnpack/serialization/runtime_schema.fbs, the header is that of
xnnpack_graph_serialize.py beside it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Dict, List, Mapping, Tuple

from harness.modelfile.flatbuffer import Table
from harness.modelfile.source import Source

_DTYPE = {
    1: "float32", 2: "float16", 3: "int8", 4: "uint8", 5: "int32", 6: "int8", 7: "int32", 8: "int4", 9: "int8",
    10: "int4", 11: "int8", 12: "int32", 13: "float32", 14: "bfloat16",
}  # fmt: skip
# Node kinds by their place in the union XNodeUnion.
_CONVOLUTIONS = (7, 13, 39)
# The field that holds a node's output, for kinds where it is not the second (_XNNNode1x1).
_OUTPUT_FIELD = {
    **dict.fromkeys((1, 8, 12, 15, 16, 25, 26, 29, 31, 37), 2), **dict.fromkeys((2, 5, 9, 20), 3),
    **dict.fromkeys((10, 35), 4), **dict.fromkeys((32, 33, 34, 36, 38), 5), **dict.fromkeys((7, 13, 39), 18),
    **dict.fromkeys((11, 14), 11), 21: 7,
}  # fmt: skip
_QUANTISED = 2
_NAMED = (1 << 64) - 1


@dataclass(frozen=True)
class XnnGraph:
    """One graph. nodes: the dtype of each node's output. constants: dtype, first and last byte of each weight."""

    nodes: Tuple[str, ...]
    convolutions: int
    with_activation: int
    constants: Tuple[Tuple[str, int, int], ...]


def read_xnn_graph(source: Source, start: int, stop: int, named: Mapping[str, Tuple[int, int]]) -> XnnGraph:
    """The graph whose bytes lie from `start` to `stop`; `named`: where weights that have a name lie."""
    magic, _, offset, size, data, _ = struct.unpack("<4sHIIIQ", source.read(start + 4, 26))
    if magic != b"XH00" or offset + size > stop - start:
        raise source.damaged(f"the XNNPACK graph at byte {start} has no header")
    root = Table(source, start + offset + struct.unpack("<I", source.read(start + offset, 4))[0])
    values = [_value(one) for one in root.tables(2)]
    dtypes = {one.number(6, "I"): _DTYPE.get(one.number(0, "h"), "unknown") for one in values}
    nodes = root.tables(1)
    convolutions = [one for one in nodes if one.number(0, "B") in _CONVOLUTIONS]
    return XnnGraph(
        nodes=tuple(dtypes.get(_output(one), "unknown") for one in nodes),
        convolutions=len(convolutions),
        with_activation=sum(map(_bounded, convolutions)),
        constants=tuple(_constants(source, root, values, start + data, named)),
    )


def _value(table: Table) -> Table:
    kind, value = table.number(0, "B"), table.table(1)
    inner = value.table(0) if kind == _QUANTISED and value is not None else value
    if inner is None:
        raise table.source.damaged(f"the value at byte {table.position} is empty")
    return inner


def _output(node: Table) -> int:
    inner = node.table(1)
    if inner is None:
        raise node.source.damaged(f"the node at byte {node.position} is empty")
    return inner.number(_OUTPUT_FIELD.get(node.number(0, "B"), 1), "I")


def _bounded(node: Table) -> bool:
    """True where the node also clamps its output, as ReLU does."""
    bounds = node.table(3)
    return bounds is not None and not (math.isinf(bounds.number(0, "f")) and math.isinf(bounds.number(1, "f")))


def _constants(
    source: Source, root: Table, values: List[Table], base: int, named: Mapping[str, Tuple[int, int]]
) -> List[Tuple[str, int, int]]:
    places = [_place(one, base, named) for one in root.tables(8)]
    found: Dict[int, Tuple[str, int, int]] = {}
    for value in values:
        index = value.number(3, "I")
        if not 0 < index < len(places):
            continue
        first, last = places[index]
        if last > source.size:
            raise source.damaged(f"a weight is said to end at byte {last}")
        found[index] = (_DTYPE.get(value.number(0, "h"), "unknown"), first, last)
    return list(found.values())


def _place(table: Table, base: int, named: Mapping[str, Tuple[int, int]]) -> Tuple[int, int]:
    offset, size, name = table.number(0, "Q"), table.number(1, "Q"), table.text(2, "a weight's name")
    if offset == _NAMED:
        if name not in named:
            raise table.source.damaged(f"the weight {name!r} is not in the file")
        return named[name][0], named[name][0] + size
    return base + offset, base + offset + size
