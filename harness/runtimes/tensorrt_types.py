"""TensorRT's types and shapes as numpy's."""

from __future__ import annotations

from typing import Any, Tuple

from harness.errors import EngineError

# By the names of trt.DataType; numpy has no BF16, FP8 or 4-bit types.
DTYPES = {
    "FLOAT": "float32", "HALF": "float16", "INT8": "int8", "UINT8": "uint8", "INT32": "int32", "INT64": "int64",
    "BOOL": "bool",
}  # fmt: skip


def dtype_of(value: Any, tensor: str) -> str:
    """EngineError for a type that numpy does not have."""
    if value.name not in DTYPES:
        remedy = "cast it to float32 or float16 at the edge of the model"
        raise EngineError(f"{tensor!r} is {value.name}, which numpy does not have", remedy=remedy)
    return DTYPES[value.name]


def shape_of(dims: Any) -> Tuple[int, ...]:
    """Sizes of a trt.Dims, -1 for open ones."""
    return tuple(int(size) for size in dims)
