"""An ONNX file: its inputs, outputs and weights, read without building the message in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Set, Tuple

from harness.case import TensorSpec
from harness.errors import ModelFileError
from harness.modelfile.external import ExternalData
from harness.modelfile.info import ModelInfo
from harness.modelfile.source import Source
from harness.modelfile.tensors import ELEMENT, check_tensor, read_tensor
from harness.modelfile.weights import Weights
from harness.modelfile.wire import BYTES, VARINT, fields, signed

_CHILDREN: Dict[str, Dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "initializer", 15: "sparse initializer"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "sparse initializer": {1: "initializer", 2: "tensor"},
}
_NO_TENSOR = {4: "sequence", 5: "map", 7: "opaque", 8: "sparse", 9: "optional"}
MAX_LISTED = 10_000


@dataclass
class _Found:
    """What the walk has found so far; graphs: (start, stop) of the model's own graph."""

    graphs: List[Tuple[int, int]] = field(default_factory=list)
    initializers: Set[str] = field(default_factory=set)
    nodes: int = 0


def inspect_onnx(path: Path, source: Source, stream: BinaryIO) -> ModelInfo:
    """What the ONNX file holds; ModelFileError where it is damaged, dangerous or no ONNX file."""
    weights, external = Weights(source.limits), ExternalData(path, source.limits)
    found = _walk(source, weights, external)
    if not found.graphs:
        raise ModelFileError("the file holds no ONNX graph", where=source.where, remedy="give a model exported to ONNX")
    opset, producer = _header(source)
    listed = [spec for start, stop in found.graphs for spec in _listed(source, start, stop, 11)]
    outputs = [spec for start, stop in found.graphs for spec in _listed(source, start, stop, 12)]
    if not outputs:
        raise source.damaged("the graph has no output")
    inputs = tuple(spec for spec in listed if spec.name not in found.initializers)
    as_inputs = tuple(spec.name for spec in listed if spec.name in found.initializers)
    return ModelInfo(
        format="onnx", sha256=source.sha256(), size_bytes=source.size, inputs=inputs, outputs=tuple(outputs),
        opset=opset, producer=producer, node_count=found.nodes, weight_dtype=weights.dtype,
        weights_as_inputs=as_inputs, warnings=_warnings(inputs, as_inputs, opset), external_files=external.files,
    )  # fmt: skip


def _walk(source: Source, weights: Weights, external: ExternalData) -> _Found:
    """Every node and tensor, nested graphs too, by a stack of iterators: deep nesting costs no recursion."""
    found = _Found()
    stack: List[Tuple[str, Iterator[Tuple[int, int, int, int]]]] = [("model", fields(source, 0, source.size))]
    while stack:
        kind, pending = stack[-1]
        one = next(pending, None)
        if one is None:
            stack.pop()
            continue
        child = _CHILDREN[kind].get(one[0]) if one[1] == BYTES else None
        if child is None:
            continue
        if child in ("tensor", "initializer"):
            _take_tensor(source, one[2], one[3], child == "initializer", len(stack) == 2, found, weights, external)
            continue
        if child == "graph" and kind == "model":
            found.graphs.append((one[2], one[3]))
        _check_limits(source, child, [name for name, _ in stack], found)
        stack.append((child, fields(source, one[2], one[3])))
    return found


def _check_limits(source: Source, child: str, parents: List[str], found: _Found) -> None:
    found.nodes += child == "node"
    if found.nodes > source.limits.max_nodes:
        raise source.refused(f"more than {source.limits.max_nodes} nodes", "max_nodes")
    if child == "graph" and parents.count("graph") > source.limits.max_depth:
        raise source.refused(f"graphs nested more than {source.limits.max_depth} deep", "max_depth")


def _take_tensor(
    source: Source, start: int, stop: int, initializer: bool, top: bool,
    found: _Found, weights: Weights, external: ExternalData,
) -> None:  # fmt: skip
    tensor = read_tensor(source, start, stop)
    check_tensor(source, tensor, weights, external, initializer)
    if initializer and top:
        found.initializers.add(tensor.name)


def _header(source: Source) -> Tuple[int, str]:
    """Opset of the ai.onnx domain (1 where a file older than IR 3 gives none) and the producer's name."""
    opset, ir_version, sets, texts = 1, 0, 0, {2: "", 3: ""}
    for number, kind, start, stop in fields(source, 0, source.size):
        if number == 1 and kind == VARINT:
            ir_version = start
        elif number == 8 and kind == BYTES:
            sets += 1
            opset = _opset(source, start, stop) or opset
        elif number in texts and kind == BYTES:
            texts[number] = source.text(start, stop, "the producer")
    if ir_version >= 3 and not sets:
        raise source.damaged("the file names no operator set")
    return opset, " ".join(text for text in texts.values() if text)


def _opset(source: Source, start: int, stop: int) -> Optional[int]:
    domain, version = "", 0
    for number, kind, first, last in fields(source, start, stop):
        if number == 1 and kind == BYTES:
            domain = source.text(first, last, "an operator domain")
        elif number == 2 and kind == VARINT:
            version = signed(first)
    return version if domain in ("", "ai.onnx") else None


def _listed(source: Source, start: int, stop: int, wanted: int) -> List[TensorSpec]:
    specs: List[TensorSpec] = []
    for number, kind, first, last in fields(source, start, stop):
        if number == wanted and kind == BYTES:
            specs.append(_value_info(source, first, last))
    if len(specs) > MAX_LISTED:
        raise source.damaged(f"the graph lists {len(specs)} inputs or outputs ({MAX_LISTED} are allowed)")
    return specs


def _value_info(source: Source, start: int, stop: int) -> TensorSpec:
    name, dtype = "", "unknown"
    shape: List[int] = []
    for number, kind, first, last in fields(source, start, stop):
        if number == 1 and kind == BYTES:
            name = source.text(first, last, "a tensor's name")
        elif number == 2 and kind == BYTES:
            dtype, shape = _type(source, first, last)
    return TensorSpec(name, tuple(shape), dtype)


def _type(source: Source, start: int, stop: int) -> Tuple[str, List[int]]:
    dtype = "unknown"
    shape: List[int] = []
    for number, kind, first, last in fields(source, start, stop):
        if number == 1 and kind == BYTES:
            dtype, shape = _tensor_type(source, first, last)
        elif number in _NO_TENSOR and kind == BYTES:
            dtype = _NO_TENSOR[number]
    return dtype, shape


def _tensor_type(source: Source, start: int, stop: int) -> Tuple[str, List[int]]:
    dtype = "unknown"
    shape: List[int] = []
    for number, kind, first, last in fields(source, start, stop):
        if number == 1 and kind == VARINT:
            dtype = ELEMENT.get(first, "unknown")
        elif number == 2 and kind == BYTES:
            shape = [_dim(source, *one[2:]) for one in fields(source, first, last) if one[:2] == (1, BYTES)]
    if len(shape) > source.limits.max_rank:
        raise source.refused(f"a tensor of {len(shape)} dimensions", "max_rank")
    return dtype, shape


def _dim(source: Source, start: int, stop: int) -> int:
    size = -1
    for number, kind, value, _ in fields(source, start, stop):
        if number == 1 and kind == VARINT:
            size = max(signed(value), -1)
        elif number == 2:
            size = -1
    return size


def _warnings(inputs: Tuple[TensorSpec, ...], as_inputs: Tuple[str, ...], opset: int) -> Tuple[str, ...]:
    sentences = []
    if as_inputs:
        sentences.append(
            f"{len(as_inputs)} weights are listed as graph inputs, so engines do not fold constants and run 2.2 to 2.4 "
            "times slower: remove them from graph.input and set ir_version to 4 (docs/add-model.md has the command)"
        )
    if not inputs:
        sentences.append("the model has no input: its answer never depends on a frame; export it with its input")
    if opset < 13:
        sentences.append(
            f"opset {opset} is older than 13, where per-channel int8 begins: lift it with "
            "onnx.version_converter before quantising"
        )
    return tuple(sentences)
