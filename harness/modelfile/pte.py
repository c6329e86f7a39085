"""An ExecuTorch program (.pte): inputs, outputs, calls and weights.

Field numbers are those of executorch/exir/_serialize/program.fbs; segments lie behind the flatbuffer, where the
extended header at byte 8 says (executorch/exir/_serialize/_program.py).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Dict, List, Optional, Sequence, Tuple, TypeVar

from harness.case import TensorSpec
from harness.errors import ModelFileError
from harness.modelfile.flatbuffer import Table
from harness.modelfile.info import ModelInfo
from harness.modelfile.source import Source
from harness.modelfile.weights import Weights, bytes_of
from harness.modelfile.xnnpack import XnnGraph, read_xnn_graph

XNNPACK = "XnnpackBackend"
Span = Tuple[int, int]
T = TypeVar("T")
_TYPE = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 11: "bool",
    15: "bfloat16", 27: "uint16", 28: "uint32", 29: "uint64",
}  # fmt: skip
_TENSOR, _KERNEL_CALL, _DELEGATE_CALL, _SEGMENT = 5, 1, 2, 1
_SHAPE_DYNAMISM = 8
_MAX_ITEMS = 1_000_000


@dataclass(frozen=True)
class Program:
    """The method that is run: "forward", or the only one. output_places: where `outputs` stand among all it gives.

    kernels: the operator of each call outside of any backend. delegates: the backend of each call of one, and where
    its data lie in the file; named: where data that several backends may use lie.
    """

    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    kernels: Tuple[str, ...]
    delegates: Tuple[Tuple[str, Span], ...]
    named: Dict[str, Span]
    constants: Tuple[Tuple[TensorSpec, int], ...] = ()
    version: int = 0
    method: str = "forward"
    output_places: Tuple[int, ...] = ()

    def graphs(self, source: Source) -> Tuple[XnnGraph, ...]:
        """What XNNPACK was given, one graph per call of it."""
        spans = [span for backend, span in self.delegates if backend == XNNPACK]
        return tuple(read_xnn_graph(source, start, stop, self.named) for start, stop in spans)


def inspect_pte(path: Path, source: Source, stream: BinaryIO) -> ModelInfo:
    """What the program holds; ModelFileError where it is damaged or has weights that are not finite."""
    program, weights = read_program(source), Weights(source.limits)
    for spec, start in program.constants:
        _check_constant(source, spec, start, weights)
    graphs = program.graphs(source)
    for graph in graphs:
        for dtype, first, last in graph.constants:
            weights.claim(source, last - first, dtype)
            weights.check_finite(source, first, last, dtype, f"of the backend at byte {first}")
    if not program.outputs:
        raise source.damaged("the program has no output")
    nodes = len(program.kernels) + sum(len(graph.nodes) for graph in graphs)
    return ModelInfo(
        format="pte", sha256=source.sha256(), size_bytes=source.size, inputs=program.inputs, outputs=program.outputs,
        opset=program.version, producer="ExecuTorch", node_count=nodes, weight_dtype=weights.dtype,
    )  # fmt: skip


def read_program(source: Source) -> Program:
    """Inputs, outputs and calls of the program."""
    root = Table.root(source)
    plans = {plan.text(0, "a method's name"): plan for plan in root.tables(1)}
    plan = plans.get("forward") or (next(iter(plans.values())) if len(plans) == 1 else None)
    if plan is None:
        what = f"the program has the methods {sorted(plans)} and no 'forward'"
        raise ModelFileError(what, where=source.where, remedy="export one method called forward")
    segments = _segments(source, root)
    values = plan.tables(2)
    outputs = _specs(plan, 4, values, "output")
    kernels, delegates = _calls(source, plan, root, segments)
    return Program(
        inputs=tuple(_specs(plan, 3, values, "input").values()), outputs=tuple(outputs.values()), kernels=kernels,
        delegates=delegates, named=_named(source, root, segments), constants=_constants(root, values, segments),
        version=root.number(0, "I"), method=plan.text(0, "a method's name"), output_places=tuple(outputs),
    )  # fmt: skip


def _segments(source: Source, root: Table) -> List[Span]:
    tables = root.tables(4)
    if not tables:
        return []
    magic, _, _, base = struct.unpack("<4sIQQ", source.read(8, 24))
    if magic != b"eh00":
        raise source.damaged("the program has segments and no extended header")
    spans = [(base + one.number(0, "Q"), base + one.number(0, "Q") + one.number(1, "Q")) for one in tables]
    if any(stop > source.size for _, stop in spans):
        raise source.damaged(f"a segment is said to end at byte {max(stop for _, stop in spans)}")
    return spans


def _named(source: Source, root: Table, segments: List[Span]) -> Dict[str, Span]:
    found = {}
    for one in root.tables(7):
        found[one.text(0, "a blob's name")] = _pick(source, segments, one.number(1, "I"), "segment")
    return found


def _calls(
    source: Source, plan: Table, root: Table, segments: List[Span]
) -> Tuple[Tuple[str, ...], Tuple[Tuple[str, Span], ...]]:
    names = [f"{one.text(0, 'an operator')}.{one.text(1, 'an overload')}" for one in plan.tables(6)]
    backends = [_backend(source, one, root, segments) for one in plan.tables(7)]
    kernels, delegates = [], []
    for instruction in (one for chain in plan.tables(5) for one in chain.tables(2)):
        kind, call = instruction.number(0, "B"), instruction.table(1)
        if kind == _KERNEL_CALL and call is not None:
            kernels.append(_pick(source, names, call.number(0, "i"), "operator"))
        elif kind == _DELEGATE_CALL and call is not None:
            delegates.append(_pick(source, backends, call.number(0, "i"), "backend"))
    return tuple(kernels), tuple(delegates)


def _backend(source: Source, table: Table, root: Table, segments: List[Span]) -> Tuple[str, Span]:
    name, place = table.text(0, "a backend's name"), table.table(1)
    if place is None:
        return name, (0, 0)
    index = place.number(1, "I")
    if place.number(0, "b") == _SEGMENT:
        return name, _pick(source, segments, index, "segment")
    return name, _pick(source, root.tables(3), index, "backend's data").span(0)


def _specs(plan: Table, field: int, values: List[Table], name: str) -> Dict[int, TensorSpec]:
    """Position -> tensor among a method's arguments, called by it: input0, input1 ..."""
    indices = [int(one) for one in plan.array(field, "<i4", _MAX_ITEMS)]
    tensors = [_tensor(_pick(plan.source, values, index, "value")) for index in indices]
    return {place: _spec(one, f"{name}{place}") for place, one in enumerate(tensors) if one is not None}


def _tensor(value: Table) -> Optional[Table]:
    return value.table(1) if value.number(0, "B") == _TENSOR else None


def _spec(tensor: Table, name: str) -> TensorSpec:
    """Sizes that may change are upper bounds, and it is not told which: any above 1 may be open."""
    sizes = tuple(int(one) for one in tensor.array(2, "<i4", tensor.source.limits.max_rank))
    if tensor.number(_SHAPE_DYNAMISM, "b"):
        sizes = tuple(-1 if size > 1 else size for size in sizes)
    return TensorSpec(name, sizes, _TYPE.get(tensor.number(0, "b"), "unknown"))


def _constants(root: Table, values: List[Table], segments: List[Span]) -> Tuple[Tuple[TensorSpec, int], ...]:
    """Weights outside of any backend, and the byte where each begins."""
    segment = root.table(5)
    if segment is None:
        return ()
    base, _ = _pick(root.source, segments, segment.number(0, "I"), "segment") if segments else (0, 0)
    offsets = [int(one) for one in segment.array(1, "<u8", _MAX_ITEMS)]
    found = []
    for tensor in filter(None, map(_tensor, values)):
        index = tensor.number(5, "I")
        if index and tensor.table(6) is None and index < len(offsets):
            found.append((_spec(tensor, f"constant {index}"), base + offsets[index]))
    return tuple(found)


def _check_constant(source: Source, spec: TensorSpec, start: int, weights: Weights) -> None:
    count = bytes_of(math.prod(spec.shape), spec.dtype)
    if count is None:
        return
    if start + count > source.size:
        raise source.damaged(f"{spec.name} is said to end at byte {start + count}")
    weights.claim(source, count, spec.dtype)
    weights.check_finite(source, start, start + count, spec.dtype, spec.name)


def _pick(source: Source, items: Sequence[T], index: int, what: str) -> T:
    if not 0 <= index < len(items):
        raise source.damaged(f"the {what} {index} of {len(items)} is used")
    return items[index]
