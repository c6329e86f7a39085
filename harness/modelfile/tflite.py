"""A TFLite file: its inputs, outputs and weights; field numbers are those of the TFLite schema, version 3."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, List, Optional, Tuple

from harness.case import TensorSpec
from harness.errors import ModelFileError
from harness.modelfile.flatbuffer import Table
from harness.modelfile.info import ModelInfo
from harness.modelfile.source import Source
from harness.modelfile.weights import Weights, bytes_of

SCHEMA_VERSION = 3
_TYPE = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8", "float64",
    "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16",
    "int2", "uint4", "float8", "float8",
)  # fmt: skip
_MAX_OPERANDS = 10_000
_EXTERNAL = (8, 9)


@dataclass(frozen=True)
class _Tensor:
    spec: TensorSpec
    sizes: Tuple[int, ...]
    buffer: int
    sparse: bool


def inspect_tflite(path: Path, source: Source, stream: BinaryIO) -> ModelInfo:
    """What the TFLite file holds; ModelFileError where it is damaged or has weights that are not finite."""
    model = Table.root(source)
    version = model.number(0, "I")
    if version != SCHEMA_VERSION:
        raise source.damaged(f"the schema version is {version} and not {SCHEMA_VERSION}")
    graphs = model.tables(2)
    if not graphs:
        raise ModelFileError("the TFLite file has no subgraph", where=source.where, remedy="convert the model again")
    if any(model.span(field, 4) != (0, 0) for field in _EXTERNAL):
        remedy = "convert the model with its weights inside"
        raise ModelFileError("the TFLite file keeps its weights in other files", where=source.where, remedy=remedy)
    buffers, codes, weights = model.tables(4), len(model.tables(1)), Weights(source.limits)
    tensors = [[_tensor(one, len(buffers)) for one in graph.tables(0)] for graph in graphs]
    nodes = sum(_check_operators(graph, len(own), codes) for graph, own in zip(graphs, tensors))
    for tensor in (one for own in tensors for one in own):
        _check_values(source, tensor, buffers[tensor.buffer] if buffers else None, weights)
    inputs, outputs = _ends(graphs[0], 1, tensors[0]), _ends(graphs[0], 2, tensors[0])
    if not outputs:
        raise source.damaged("the model has no output")
    return ModelInfo(
        format="tflite", sha256=source.sha256(), size_bytes=source.size, inputs=inputs, outputs=outputs,
        opset=version, producer=model.text(3, "the description"), node_count=nodes, weight_dtype=weights.dtype,
        warnings=_warnings(inputs, len(graphs)),
    )  # fmt: skip


def _tensor(table: Table, buffer_count: int) -> _Tensor:
    limit = table.source.limits.max_rank
    sizes = tuple(int(size) for size in table.array(0, "<i4", limit))
    signature = tuple(int(size) for size in table.array(7, "<i4", limit))
    element, buffer = table.number(1, "b"), table.number(2, "I")
    if any(size < -1 for size in (*sizes, *signature)):
        raise table.source.damaged(f"the tensor at byte {table.position} has the shape {list(sizes)}")
    if buffer_count and buffer >= buffer_count:
        raise table.source.damaged(f"the tensor at byte {table.position} has buffer {buffer} of {buffer_count}")
    scale, zero_point = _quantisation(table.table(4))
    spec = TensorSpec(
        name=table.text(3, "a tensor's name"),
        shape=signature if len(signature) == len(sizes) else sizes,
        dtype=_TYPE[element] if 0 <= element < len(_TYPE) else "unknown",
        scale=scale,
        zero_point=zero_point,
    )
    return _Tensor(spec, sizes, buffer, sparse=table.table(6) is not None)


def _quantisation(table: Optional[Table]) -> Tuple[Optional[float], int]:
    """Scale and zero point of a tensor that has one of each (None, 0 per channel or without quantisation)."""
    if table is None:
        return None, 0
    first, stop = table.span(2, 4)
    if stop - first != 4:
        return None, 0
    scale = float(table.array(2, "<f4", 1)[0])
    start, end = table.span(3, 8)
    zero_point = int(table.array(3, "<i8", 1)[0]) if end - start == 8 else 0
    return scale, zero_point


def _check_operators(graph: Table, tensor_count: int, code_count: int) -> int:
    """The number of operators; ModelFileError where one names a tensor or kind that does not exist."""
    operators = graph.tables(3)
    limits = graph.source.limits
    if len(operators) > limits.max_nodes:
        raise graph.source.refused(f"more than {limits.max_nodes} operators", "max_nodes")
    for operator in operators:
        if operator.number(0, "I") >= code_count:
            raise graph.source.damaged(f"the operator at byte {operator.position} has no kind")
        for field in (1, 2):
            _check_indices(operator, field, tensor_count)
    return len(operators)


def _check_indices(table: Table, field: int, tensor_count: int) -> Tuple[int, ...]:
    indices = tuple(int(one) for one in table.array(field, "<i4", _MAX_OPERANDS))
    if any(not -1 <= index < tensor_count for index in indices):
        raise table.source.damaged(
            f"the table at byte {table.position} names one of {tensor_count} tensors by {indices}"
        )
    return indices


def _ends(graph: Table, field: int, tensors: List[_Tensor]) -> Tuple[TensorSpec, ...]:
    return tuple(tensors[index].spec for index in _check_indices(graph, field, len(tensors)) if index >= 0)


def _check_values(source: Source, tensor: _Tensor, buffer: Optional[Table], weights: Weights) -> None:
    start, stop = _buffer_span(source, buffer)
    dtype = tensor.spec.dtype
    if start == stop:
        return
    need = bytes_of(math.prod(tensor.sizes), dtype)
    if need is not None and need != stop - start and not tensor.sparse:
        what = f"the tensor '{tensor.spec.name}' of shape {list(tensor.sizes)} {dtype} has {stop - start} bytes"
        raise source.damaged(what)
    weights.claim(source, stop - start, dtype)
    weights.check_finite(source, start, stop, dtype, tensor.spec.name)


def _buffer_span(source: Source, buffer: Optional[Table]) -> Tuple[int, int]:
    """Where a buffer's bytes lie: in the flatbuffer, or behind it in files that may pass 2 GiB."""
    if buffer is None:
        return 0, 0
    offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
    if offset <= 1:
        return buffer.span(0)
    if offset + size > source.size:
        raise source.damaged(f"a buffer is said to lie at byte {offset} with {size} bytes")
    return offset, offset + size


def _warnings(inputs: Tuple[TensorSpec, ...], graph_count: int) -> Tuple[str, ...]:
    sentences = []
    if not inputs:
        sentences.append("the model has no input: its answer never depends on a frame; convert it with its input")
    if graph_count > 1:
        sentences.append(f"the file has {graph_count} subgraphs; only the first is listed: check the others by hand")
    return tuple(sentences)
