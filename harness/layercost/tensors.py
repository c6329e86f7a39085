"""What is known of one tensor on the way through a graph, and how a shape rule asks for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.case import Array
from harness.layercost.onnxgraph import Node
from harness.layers import BITS, precision_named
from harness.modelfile.weights import bytes_of

Shape = tuple[int, ...]


class NotKnownError(Exception):
    """A rule lacks a shape or a value; whoever applies rules turns it into a cost that is not known."""


@dataclass(frozen=True)
class Known:
    """A tensor. shape: None where it is not known. narrow: the dtype of the values behind it, which differs from
    `dtype` after DequantizeLinear. origin: the constant of the file that it is made of, "" where it depends on the
    frame. origin_bytes: as stored. values: of a small constant.
    """

    shape: Shape | None
    dtype: str = ""
    narrow: str = ""
    origin: str = ""
    origin_bytes: int = 0
    values: Array | None = None

    @property
    def precision(self) -> str:
        """In which precision it can be multiplied."""
        return precision_named(self.narrow or self.dtype)

    @property
    def count(self) -> int:
        """How many values; NotKnownError."""
        return math.prod(shape_of(self))

    @property
    def bytes(self) -> int:
        """Its size in its own dtype; 0 where that or its shape is not known."""
        return 0 if self.shape is None else bytes_of(self.count, self.dtype) or 0

    def bytes_in(self, precision: str) -> int:
        """Its size in `precision`, in its own dtype without one; 0 where its shape is not known."""
        return (self.count * BITS[precision] + 7) // 8 if self.shape is not None and precision in BITS else self.bytes


def shape_of(tensor: Known) -> Shape:
    """The shape; NotKnownError."""
    if tensor.shape is None:
        raise NotKnownError
    return tensor.shape


@dataclass(frozen=True)
class Call:
    """A node with what is known of its inputs; None for an input that is left out."""

    node: Node
    inputs: tuple[Known | None, ...]

    def get(self, index: int) -> Known | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def input(self, index: int) -> Known:
        """An input; NotKnownError where it is left out."""
        found = self.get(index)
        if found is None:
            raise NotKnownError
        return found

    def shape(self, index: int = 0) -> Shape:
        """The shape of an input; NotKnownError."""
        return shape_of(self.input(index))

    def values(self, index: int) -> Array:
        """The values of a constant input; NotKnownError."""
        found = self.input(index).values
        if found is None:
            raise NotKnownError
        return found

    def integers(self, index: int) -> list[int]:
        """The same as a list of integers."""
        return [int(one) for one in np.ravel(self.values(index))]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        value = self.node.attributes.get(name)
        return default if value is None else value

    def given(self, name: str, index: int, default: list[int] | None = None) -> list[int] | None:
        """Integers that older operator sets have as an attribute and newer ones as an input."""
        if name in self.node.attributes:
            return [int(one) for one in np.ravel(self.attribute(name))]
        return default if self.get(index) is None else self.integers(index)
