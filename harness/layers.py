"""What one frame costs a network, layer by layer: multiply-adds, bytes and precision. Pure.

harness/layercost reads it from a model file, harness/roofline turns it into a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BITS = {"int4": 4, "fp8": 8, "int8": 8, "fp16": 16, "tf32": 32, "fp32": 32}
"""Precisions and their width in memory, those that a device may compute faster first."""

_SPELLINGS = {
    "int4": ("int4", "uint4", "i4", "u4", "int2", "uint2", "float4"),
    "fp8": ("fp8", "float8", "f8e4m3", "f8e5m2"),
    "int8": ("int8", "uint8", "i8", "u8"),
    "fp16": ("fp16", "float16", "f16", "half", "bf16", "bfloat16"),
    "tf32": ("tf32",),
    "fp32": ("fp32", "float32", "f32", "float", "fp64", "float64", "f64", "double"),
}
_NAMED = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator of a network.

    macs: multiply-adds of the direct algorithm, those on padding included. parameter_bytes: of its constants, as the
    file stores them. read_bytes, written_bytes: its activations in `precision`, the narrowest of its operands and one
    of BITS, or "" where it has none of these.
    """

    name: str
    operator: str
    macs: int = 0
    parameter_bytes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class Network:
    """All layers that a frame passes, and the bytes of the network's own inputs and outputs.

    uncounted: operator -> how many of them have a cost that is not known. While there is one, every sum is a
    lower bound.
    """

    layers: tuple[Layer, ...]
    input_bytes: int = 0
    output_bytes: int = 0
    uncounted: Mapping[str, int] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Multiply-adds of one frame."""
        return sum(one.macs for one in self.layers)

    @property
    def working(self) -> tuple[Layer, ...]:
        """The layers with multiply-adds; the others can be computed while these read or write."""
        return tuple(one for one in self.layers if one.macs)

    @property
    def parameter_bytes(self) -> int:
        """Constants of the layers with multiply-adds; an engine may fold those of the others into them."""
        return sum(one.parameter_bytes for one in self.working)


def precision_named(text: str) -> str:
    """The precision that an engine or a file calls `text`; "" where it names none that multiplies (int64, bool)."""
    return _NAMED.get(text.strip().lower(), "")


def fastest(precisions: Iterable[str]) -> str:
    """The first of them in the order of BITS; "" where there is none."""
    known = set(precisions)
    return next((one for one in BITS if one in known), "")
