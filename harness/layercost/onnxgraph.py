"""The nodes of an ONNX file and the values of its small constants; field numbers are those of onnx.proto."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.case import Array
from harness.modelfile.source import Source
from harness.modelfile.tensors import ELEMENT, Tensor, read_tensor
from harness.modelfile.weights import bytes_of
from harness.modelfile.wire import BYTES, FIXED32, VARINT, Field, fields, numbers, signed

MOST_VALUES = 1024
_DOMAINS = ("", "ai.onnx")
_RAW = 9
_VALUES = {4: "<f4", 10: "<f8"}


@dataclass(frozen=True)
class Constant:
    """A tensor that the file holds; values: None where it is large, text, or outside the file."""

    shape: tuple[int, ...]
    dtype: str
    bytes: int
    values: Array | None = None


@dataclass
class Node:
    """One node; a subgraph among its attributes is None. operator has its domain where that is not ai.onnx."""

    operator: str = ""
    name: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """The file's own graph. declared: tensor -> shape, None in it for an open size, and dtype, as the file says."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    declared: dict[str, tuple[tuple[int | None, ...], str]] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_graph(source: Source) -> Graph:
    """The graph of a file that was found safe; nested graphs are left out."""
    graph = Graph()
    for _, start, stop in _messages(source, 0, source.size, (7,)):
        for number, first, last in _messages(source, start, stop, (1, 5, 11, 12, 13)):
            if number == 1:
                graph.nodes.append(_node(source, first, last))
            elif number == 5:
                name, constant = _constant(source, first, last)
                graph.constants[name] = constant
            else:
                _declare(graph, number, *_value_info(source, first, last))
    graph.inputs = [name for name in graph.inputs if name not in graph.constants]
    return graph


def _messages(source: Source, start: int, stop: int, wanted: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    for number, kind, first, last in fields(source, start, stop):
        if number in wanted and kind == BYTES:
            yield number, first, last


def _declare(graph: Graph, number: int, name: str, shape: tuple[int | None, ...] | None, dtype: str) -> None:
    {11: graph.inputs, 12: graph.outputs, 13: []}[number].append(name)
    if shape is not None:
        graph.declared[name] = shape, dtype


def _node(source: Source, start: int, stop: int) -> Node:
    node, domain = Node(), ""
    for number, first, last in _messages(source, start, stop, (1, 2, 3, 4, 5, 7)):
        if number == 5:
            name, value = _attribute(source, first, last)
            node.attributes[name] = value
            continue
        text = source.text(first, last, "a node's name")
        if number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(text)
        elif number == 3:
            node.name = text
        elif number == 4:
            node.operator = text
        else:
            domain = text
    node.operator = node.operator if domain in _DOMAINS else f"{domain}.{node.operator}"
    return node


def _attribute(source: Source, start: int, stop: int) -> tuple[str, Any]:
    name: str = ""
    value: Any = None
    several: list[Any] = []
    for one in fields(source, start, stop):
        number, kind, first, last = one
        if number == 1:
            name = source.text(first, last, "an attribute's name")
        elif number == 2 and kind == FIXED32:
            value = _float(source, first)
        elif number == 3 and kind == VARINT:
            value = signed(first)
        elif number == 4:
            value = source.read(first, min(last - first, source.limits.max_name_bytes)).decode("utf-8", "replace")
        elif number == 5:
            _, value = _constant(source, first, last)
        elif number == 7:
            several += _floats(source, one)
        elif number == 8:
            several += numbers(source, one, MOST_VALUES, "an attribute")
    return name, several or value


def _float(source: Source, position: int) -> float:
    value: float = struct.unpack("<f", source.read(position, 4))[0]
    return value


def _floats(source: Source, one: Field) -> list[float]:
    _, kind, first, last = one
    stop = last if kind == BYTES else first + 4
    return [_float(source, position) for position in range(first, min(stop, first + 4 * MOST_VALUES), 4)]


def _constant(source: Source, start: int, stop: int) -> tuple[str, Constant]:
    tensor = read_tensor(source, start, stop)
    size = bytes_of(tensor.count, tensor.dtype) or 0
    values = _values(source, tensor, start, stop) if tensor.count <= MOST_VALUES else None
    return tensor.name, Constant(tuple(tensor.dims), tensor.dtype, size, values)


def _values(source: Source, tensor: Tensor, start: int, stop: int) -> Array | None:
    if tensor.external or tensor.entries or tensor.dtype not in ("int64", "int32", "float32", "float64", "bool"):
        return None
    found: list[Any] = []
    for one in fields(source, start, stop):
        number, _, first, last = one
        if number == _RAW:
            found = list(np.frombuffer(source.read(first, last - first), np.dtype(tensor.dtype).newbyteorder("<")))
        elif number in (5, 7):
            found += numbers(source, one, MOST_VALUES, "a tensor")
        elif number in _VALUES and one[1] == BYTES:
            found += list(np.frombuffer(source.read(first, last - first), _VALUES[number]))
    return np.array(found, tensor.dtype).reshape(tensor.dims) if len(found) == math.prod(tensor.dims) else None


def _value_info(source: Source, start: int, stop: int) -> tuple[str, tuple[int | None, ...] | None, str]:
    name, dtype, shape = "", "", None
    for number, first, last in _messages(source, start, stop, (1, 2)):
        if number == 1:
            name = source.text(first, last, "a tensor's name")
            continue
        for _, inner, end in _messages(source, first, last, (1,)):
            dtype, shape = _tensor_type(source, inner, end)
    return name, shape, dtype


def _tensor_type(source: Source, start: int, stop: int) -> tuple[str, tuple[int | None, ...] | None]:
    dtype, shape = "", None
    for number, kind, first, last in fields(source, start, stop):
        if number == 1 and kind == VARINT:
            dtype = ELEMENT.get(first, "")
        elif number == 2 and kind == BYTES:
            shape = tuple(_size(source, inner, end) for _, inner, end in _messages(source, first, last, (1,)))
    return dtype, shape


def _size(source: Source, start: int, stop: int) -> int | None:
    sizes = [signed(value) for number, kind, value, _ in fields(source, start, stop) if (number, kind) == (1, VARINT)]
    return sizes[-1] if sizes and sizes[-1] >= 0 else None
