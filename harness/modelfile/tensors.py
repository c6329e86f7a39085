"""One TensorProto of an ONNX file: what it claims and where its values lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Dict, List, Optional, Tuple

import numpy as np

from harness.modelfile.external import ExternalData
from harness.modelfile.source import Source
from harness.modelfile.weights import BITS, Weights, bytes_of
from harness.modelfile.wire import BYTES, VARINT, Field, fields, numbers

ELEMENT = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8", 18: "float8", 19: "float8", 20: "float8", 21: "uint4", 22: "int4", 23: "float4", 24: "float8",
    25: "uint2", 26: "int2",
}  # fmt: skip
EXTERNAL = 1
MAX_PIECES = 4096
_FLOATS, _INTS, _TEXTS, _LONGS, _RAW, _DOUBLES, _ULONGS = 4, 5, 6, 7, 9, 10, 11
_ITEM_BYTES = {_FLOATS: 4, _DOUBLES: 8}


@dataclass
class Tensor:
    """A TensorProto without its values; pieces: field number, start and stop of each run of values."""

    name: str = ""
    element: int = 0
    dims: List[int] = field(default_factory=list)
    pieces: List[Tuple[int, int, int]] = field(default_factory=list)
    singles: int = 0
    external: bool = False
    entries: Dict[str, str] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        return ELEMENT.get(self.element, "")

    @property
    def count(self) -> int:
        return math.prod(self.dims)


def read_tensor(source: Source, start: int, stop: int) -> Tensor:
    """The tensor whose message lies from `start` to `stop`; its values are not read."""
    tensor = Tensor()
    for one in fields(source, start, stop):
        number, kind, first, last = one
        if number == 1:
            tensor.dims += numbers(source, one, source.limits.max_rank, "a tensor's shape")
        elif number == 2 and kind == VARINT:
            tensor.element = first
        elif number == 8 and kind == BYTES:
            tensor.name = source.text(first, last, "a tensor's name")
        elif number == 13 and kind == BYTES:
            key, value = _entry(source, first, last)
            tensor.entries[key] = value
        elif number == 14 and kind == VARINT:
            tensor.external = first == EXTERNAL
        elif number in (_FLOATS, _INTS, _TEXTS, _LONGS, _RAW, _DOUBLES, _ULONGS):
            _add_piece(source, tensor, one)
    if len(tensor.dims) > source.limits.max_rank:
        raise source.refused(f"a tensor of {len(tensor.dims)} dimensions", "max_rank")
    return tensor


def _add_piece(source: Source, tensor: Tensor, one: Field) -> None:
    number, kind, first, last = one
    if kind == VARINT or number == _TEXTS:
        tensor.singles += 1
        return
    if number == _RAW:
        tensor.pieces = [piece for piece in tensor.pieces if piece[0] != _RAW]
    tensor.pieces.append((number, first, last))
    if len(tensor.pieces) > MAX_PIECES:
        raise source.damaged(f"a tensor at byte {first} lies in more than {MAX_PIECES} pieces")


def _entry(source: Source, start: int, stop: int) -> Tuple[str, str]:
    pair = {1: "", 2: ""}
    for number, kind, first, last in fields(source, start, stop):
        if number in pair and kind == BYTES:
            pair[number] = source.text(first, last, "a key or value of external data")
    return pair[1], pair[2]


def check_tensor(source: Source, tensor: Tensor, weights: Weights, external: ExternalData, initializer: bool) -> None:
    """ModelFileError where the tensor's values are not where it says, or are weights that are not finite."""
    if any(size < 0 for size in tensor.dims):
        raise source.damaged(f"the tensor '{tensor.name}' has the shape {tensor.dims}")
    need = bytes_of(tensor.count, tensor.dtype)
    if not (tensor.external or tensor.entries):
        _check_count(source, tensor, need)
    if initializer:
        weights.claim(source, need or 0, tensor.dtype)
    if tensor.external or tensor.entries:
        with external.open(tensor.entries, tensor.name, need) as (file, start, stop):
            weights.check_finite(file, start, stop, tensor.dtype if initializer else "", tensor.name)
        return
    for number, start, stop in tensor.pieces if initializer else ():
        scan = weights.check_packed_halves if number == _INTS else weights.check_finite
        scan(source, start, stop, tensor.dtype, tensor.name)


def _check_count(source: Source, tensor: Tensor, need: Optional[int]) -> None:
    if need is None:
        return
    raw = [stop - start for number, start, stop in tensor.pieces if number == _RAW]
    if raw:
        fits = raw[0] == need
    else:
        fits = tensor.singles + sum(_held(source, piece) for piece in tensor.pieces) >= _stored(tensor, need)
    if not fits:
        what = f"the tensor '{tensor.name}' of shape {tensor.dims} and {tensor.dtype} does not hold its {need} bytes"
        raise source.damaged(what)


def _stored(tensor: Tensor, need: int) -> int:
    """How many numbers the typed fields hold: two per complex value, one for each byte of small values."""
    if BITS[tensor.dtype] < 8:
        return need
    return tensor.count * (2 if tensor.dtype.startswith("complex") else 1)


def _held(source: Source, piece: Tuple[int, int, int]) -> int:
    number, start, stop = piece
    if number in _ITEM_BYTES:
        return (stop - start) // _ITEM_BYTES[number]
    return sum(int(np.count_nonzero(np.frombuffer(chunk, np.uint8) < 0x80)) for chunk in source.chunks(start, stop))
