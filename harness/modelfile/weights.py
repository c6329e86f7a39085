"""The values of weights: none may be NaN or infinite. Read in pieces, so memory stays bounded."""

from __future__ import annotations

from typing import Dict, Iterator, Optional

import numpy as np

from harness.case import Array
from harness.errors import ModelFileError
from harness.modelfile.info import Limits
from harness.modelfile.source import Source

BITS = {
    "float64": 64, "int64": 64, "uint64": 64, "complex64": 64, "complex128": 128,
    "float32": 32, "int32": 32, "uint32": 32, "float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16,
    "int8": 8, "uint8": 8, "bool": 8, "float8": 8, "int4": 4, "uint4": 4, "float4": 4, "int2": 2, "uint2": 2,
}  # fmt: skip
_PARTS = {"complex64": "<f4", "complex128": "<f8", "float64": "<f8", "float32": "<f4", "float16": "<f2"}


def bytes_of(count: int, dtype: str) -> Optional[int]:
    """How many bytes `count` values of `dtype` take; None for text and unknown types."""
    bits = BITS.get(dtype)
    return None if bits is None else (count * bits + 7) // 8


class Weights:
    """Adds up the weights of one model and refuses those that cannot be right."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._by_dtype: Dict[str, int] = {}

    @property
    def dtype(self) -> str:
        """The dtype that most weight bytes have; "" without weights."""
        return max(sorted(self._by_dtype), key=self._by_dtype.__getitem__, default="")

    def claim(self, source: Source, byte_count: int, dtype: str) -> None:
        """Count weights before they are read: a few bytes of a file can claim any number."""
        self._total += byte_count
        if self._total > self._limits.max_bytes:
            raise source.refused(f"at least {self._total} bytes of weights", "max_bytes")
        self._by_dtype[dtype] = self._by_dtype.get(dtype, 0) + byte_count

    def check_finite(self, source: Source, start: int, stop: int, dtype: str, name: str) -> None:
        """ModelFileError where the little-endian values from `start` to `stop` hold NaN or infinity.

        A single value may be infinite: it is a bound (of Clip, of padding) and not a weight.
        """
        if dtype not in _PARTS and dtype != "bfloat16":
            return
        single = stop - start <= BITS[dtype] // 8
        for chunk in source.chunks(start, stop):
            self.judge(source, _floats(chunk, dtype), single, name)

    def check_packed_halves(self, source: Source, start: int, stop: int, dtype: str, name: str) -> None:
        """The same for 16-bit floats that a protobuf message stores as varints, one to three bytes each."""
        if dtype not in ("float16", "bfloat16"):
            return
        single = stop - start <= 3
        for halves in _varint_halves(source, start, stop):
            self.judge(source, _floats(halves.tobytes(), dtype), single, name)

    def judge(self, source: Source, values: Array, single: bool, name: str) -> None:
        """ModelFileError for NaN, and for infinity unless `values` is a single bound."""
        if np.isfinite(values).all() or (single and not np.isnan(values).any()):
            return
        kind = "NaN" if np.isnan(values).any() else "infinite values"
        remedy = "the training diverged or the file was damaged: export the last good checkpoint"
        raise ModelFileError(f"the weights '{name}' hold {kind}", where=source.where, remedy=remedy)


def _floats(chunk: bytes, dtype: str) -> Array:
    if dtype != "bfloat16":
        part = np.dtype(_PARTS[dtype])
        return np.frombuffer(chunk, part, len(chunk) // part.itemsize)
    wide = np.frombuffer(chunk, "<u2", len(chunk) // 2).astype(np.uint32) << 16
    return wide.view(np.float32)


def _varint_halves(source: Source, start: int, stop: int) -> Iterator[Array]:
    rest = b""
    for chunk in source.chunks(start, stop):
        data = np.frombuffer(rest + chunk, np.uint8)
        ends = np.flatnonzero(data < 0x80)
        begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)[: len(ends)]
        yield _decode(data, begins, ends)
        rest = data[ends[-1] + 1 :].tobytes() if len(ends) else data[-10:].tobytes()


def _decode(data: Array, begins: Array, ends: Array) -> Array:
    values = np.zeros(len(ends), np.uint32)
    for index in range(3):
        at = begins + index
        inside = at <= ends
        values[inside] |= (data[at[inside]].astype(np.uint32) & 0x7F) << (7 * index)
    return values.astype("<u2")
