"""The toy network of the reference runners: one dense layer in a text file, in float32 or int8.

A file is words with white space between, in this order; docs/external-runner.md tells what is computed:

    toy 1
    input image float32 4  1 1 2 2      (name, dtype, number of sizes, sizes)
    output scores float32 2  1 3
    bias 0.5 0 -1                       (one per output value)
    row 4  1 2 3 4                      (one row per output value: count, weights; repeated over the picture)
    row 1  0.25
    row 2  -1 1

With int8 an input and an output line end with scale and zero point, bias and weights are whole numbers, and the
line `weight_scale 0.01` follows the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, Tuple

import numpy as np

DTYPES = ("float32", "int8")
Array = Any


@dataclass(frozen=True)
class Tensor:
    """One input or output; scale is 0 where it is not quantised."""

    name: str
    dtype: str
    shape: Tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0

    @property
    def size(self) -> int:
        """How many values."""
        return int(np.prod(self.shape))

    def wire(self) -> Dict[str, Any]:
        """As the answer to load tells it."""
        quantised = {"scale": self.scale, "zero_point": self.zero_point} if self.scale else {}
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), **quantised}


class ToyNet:
    """A loaded file; OSError where it cannot be read, ValueError where it is none."""

    def __init__(self, path: str) -> None:
        with open(path, encoding="ascii") as file:
            words = iter(file.read().split())
        try:
            self._read(words)
        except StopIteration:
            raise ValueError("the file ends too early") from None
        if next(words, None) is not None:
            raise ValueError("there is more than a toy network has")

    def __call__(self, picture: Array) -> Array:
        """The outputs for one picture, both in the dtype of the file."""
        values = picture.reshape(-1).astype(np.float64)
        if not self.input.scale:
            return (self._weights @ values + self._bias).astype(np.float32).reshape(self.output.shape)
        sums = self._weights @ (values - self.input.zero_point) + self._bias
        steps = np.rint(sums * (self.input.scale * self._weight_scale / self.output.scale)) + self.output.zero_point
        return np.clip(steps, -128, 127).astype(np.int8).reshape(self.output.shape)

    def _read(self, words: Iterator[str]) -> None:
        _expect(words, "toy")
        _expect(words, "1")
        self.input, self.output = _tensor(words, "input"), _tensor(words, "output")
        if self.input.dtype != self.output.dtype:
            raise ValueError(f"the input is {self.input.dtype} and the output {self.output.dtype}")
        if self.input.scale:
            _expect(words, "weight_scale")
            self._weight_scale = _positive(next(words))
        _expect(words, "bias")
        number = int if self.input.scale else float
        self._bias = np.array([number(next(words)) for _ in range(self.output.size)], np.float64)
        rows = [_row(words, number) for _ in range(self.output.size)]
        self._weights = np.stack([np.resize(row, self.input.size) for row in rows])


def _tensor(words: Iterator[str], kind: str) -> Tensor:
    _expect(words, kind)
    name, dtype, count = next(words), next(words), int(next(words))
    if dtype not in DTYPES:
        raise ValueError(f"{kind} {name} is {dtype}, and must be one of {', '.join(DTYPES)}")
    shape = tuple(int(next(words)) for _ in range(count))
    if not shape or min(shape) < 1:
        raise ValueError(f"{kind} {name} has the sizes {list(shape)}")
    return Tensor(name, dtype, shape, *(() if dtype == "float32" else (_positive(next(words)), int(next(words)))))


def _row(words: Iterator[str], number: Any) -> Array:
    _expect(words, "row")
    count = int(next(words))
    if count < 1:
        raise ValueError(f"a row of {count} weights")
    return np.array([number(next(words)) for _ in range(count)], np.float64)


def _positive(word: str) -> float:
    value = float(word)
    if not 0 < value < float("inf"):
        raise ValueError(f"the scale {word} is not above 0")
    return value


def _expect(words: Iterator[str], word: str) -> None:
    found = next(words)
    if found != word:
        raise ValueError(f"{found[:40]!r} stands where {word!r} belongs")
