"""The cost of a TFLite file, operator by operator; field numbers are those of the TFLite schema, version 3."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from harness.layercost.tensors import Known, NotKnownError, Shape
from harness.layercost.tfliteops import COST_KNOWN, MACS, NAMES, TfliteOperator
from harness.layers import Layer, Network, fastest
from harness.modelfile.flatbuffer import Table
from harness.modelfile.source import Source
from harness.modelfile.weights import bytes_of

_DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8", 10: "float64",
    15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
}  # fmt: skip
_ROWS = ("GATHER", "GATHER_ND", "EMBEDDING_LOOKUP")
_UNPACKING = ("DEQUANTIZE", "DENSIFY")


def tflite_network(source: Source, inputs: Mapping[str, Shape]) -> Network:
    """The cost of one frame. inputs: the shapes that inputs will have; where the file was converted for others and
    leaves them open, no cost is known.
    """
    model = Table.root(source)
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = [_tensor(one, buffers, index) for index, one in enumerate(graph.tables(0))]
    names = [one.text(3, "a tensor's name") for one in graph.tables(0)]
    ends = [_indices(graph, field) for field in (1, 2)]
    if any(inputs.get(names[index], tensors[index].shape) != tensors[index].shape for index in ends[0]):
        tensors = [one if one.origin else Known(None, one.dtype) for one in tensors]
    layers, uncounted = _layers(graph, _codes(model), tensors)
    if any(tensors[index].shape is None for found in ends for index in found):
        uncounted["an open input or output"] += 1
    return Network(
        layers=layers, uncounted=dict(uncounted),
        input_bytes=sum(tensors[index].bytes for index in ends[0]),
        output_bytes=sum(tensors[index].bytes for index in ends[1]),
    )  # fmt: skip


def _layers(graph: Table, codes: Sequence[str], tensors: list[Known]) -> tuple[tuple[Layer, ...], Counter[str]]:
    layers: list[Layer] = []
    uncounted: Counter[str] = Counter()
    read: set[str] = set()
    for one in (_operator(table, codes) for table in graph.tables(3)):
        if one.name in _UNPACKING and tensors[one.inputs[0]].origin:
            tensors[one.outputs[0]] = tensors[one.inputs[0]]
            continue
        try:
            layer = _layer(one, tensors, read)
        except (NotKnownError, IndexError):
            layer = None
        if layer is None or one.name not in COST_KNOWN:
            uncounted[one.name] += 1
        layers.append(layer or Layer(name=one.name, operator=one.name))
    return tuple(layers), uncounted


def _layer(one: TfliteOperator, tensors: Sequence[Known], read: set[str]) -> Layer:
    """NotKnownError or IndexError where a multiplying operator lacks a shape or an input."""
    macs, operands = MACS.get(one.name, (lambda *_: 0, ()))
    multiplied = [one.inputs[index] for index in operands]
    if min(multiplied, default=0) < 0:
        raise NotKnownError
    precision = fastest(tensors[index].precision for index in multiplied)
    given = [tensors[index] for index in one.inputs if index >= 0]
    fresh = {tensor.origin: tensor.origin_bytes for tensor in given if tensor.origin and tensor.origin not in read}
    read.update(fresh)
    written = sum(tensors[index].bytes_in(precision) for index in one.outputs)
    parameters = sum(fresh.values())
    return Layer(
        name=one.name, operator=one.name, precision=precision, macs=macs(tensors, one),
        parameter_bytes=min(parameters, written) if one.name in _ROWS else parameters,
        read_bytes=sum(tensor.bytes_in(precision) for tensor in given if not tensor.origin), written_bytes=written,
    )  # fmt: skip


def _tensor(table: Table, buffers: Sequence[Table], index: int) -> Known:
    """A tensor with values in the file is a constant."""
    shape = tuple(int(size) for size in table.array(0, "<i4", table.source.limits.max_rank))
    dtype = _DTYPES.get(table.number(1, "b"), "")
    buffer = table.number(2, "I")
    if not _filled(buffers, buffer):
        return Known(shape, dtype)
    return Known(shape, dtype, origin=f"buffer {buffer}", origin_bytes=bytes_of(math.prod(shape), dtype) or 0)


def _filled(buffers: Sequence[Table], index: int) -> bool:
    """Values stand in the buffer, or behind the flatbuffer in large files."""
    if not 0 < index < len(buffers):
        return False
    first, stop = buffers[index].span(0)
    return stop > first or buffers[index].number(1, "Q") > 1


def _codes(model: Table) -> list[str]:
    """Names of the file's kinds of operators; old files have their codes in a byte."""
    found = []
    for one in model.tables(1):
        code = max(one.number(0, "b"), one.number(3, "i"))
        name = NAMES[code] if 0 <= code < len(NAMES) else f"operator {code}"
        custom = one.text(1, "a custom operator's name")
        found.append(f"{name} {custom}" if custom else name)
    return found


def _operator(table: Table, codes: Sequence[str]) -> TfliteOperator:
    options = table.table(4)
    name = codes[table.number(0, "I")]
    adjoint = name == "BATCH_MATMUL" and options is not None and options.number(0, "b")
    return TfliteOperator(name, _indices(table, 1), _indices(table, 2), bool(adjoint))


def _indices(table: Table, field: int) -> tuple[int, ...]:
    return tuple(int(one) for one in np.ravel(table.array(field, "<i4", 10_000)))
