"""The layers of TFLite files, by an interpreter that keeps every tensor."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.model import ModelCard
from harness.variants.frames import FrameSet
from harness.variants.study.graphs import GraphLayer, Seen, feeds

PASSING = ("PAD", "PADV2", "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "MAX_POOL_2D", "SPLIT", "SLICE",
           "STRIDED_SLICE", "GATHER", "RESIZE_NEAREST_NEIGHBOR", "RELU", "RELU6", "RELU_N1_TO_1")  # fmt: skip
"""Operators that pass on rounded numbers, or that quantisation makes one with what is before them."""
CONVERTING = ("QUANTIZE", "DEQUANTIZE", "DELEGATE")


class TfliteGraphs:
    """The kernels of the interpreter itself run: XNNPACK, which keeps no tensor, may round the last bit otherwise."""

    def layers(self, path: Path) -> tuple[GraphLayer, ...]:
        """One for each operator; activations are parts of their operators already."""
        interpreter = _opened(path)
        tensors = _tensors(interpreter)
        operators = [one for one in interpreter._get_ops_details() if one["op_name"] not in CONVERTING]
        given = [(one["op_name"], tensors[index]) for one in operators for index in one["outputs"] if index in tensors]
        return tuple(_layer(operator, tensor) for operator, tensor in given)

    def activations(
        self, parent: Path, variant: Path, card: ModelCard, frames: FrameSet
    ) -> Iterator[Mapping[str, Seen]]:
        """In the shapes of the files, matched by name."""
        runs = (_run(path, card, frames) for path in (parent, variant))
        for first, second in zip(*runs, strict=True):
            yield {name: Seen(parent=value, variant=second.get(name)) for name, value in first.items()}

    def weights(self, parent: Path, variant: Path) -> Mapping[str, Seen]:
        """Constants that have the same name in both files."""
        first, second = (dict(_constants(_opened(path))) for path in (parent, variant))
        return {
            name: Seen(parent=value, variant=second[name][0])
            for name, (value, rounded) in first.items()
            if not rounded and name in second and second[name][1]
        }


def _opened(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with warnings.catch_warnings():
            # That it keeps every tensor is what it warns of.
            warnings.simplefilter("ignore", UserWarning)
            interpreter = Interpreter(
                str(path), num_threads=1, experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )  # fmt: skip
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise EngineError(f"LiteRT refuses the model: {error}", where=str(path)) from error
    return interpreter


def _tensors(interpreter: Any) -> Mapping[int, Mapping[str, Any]]:
    """What the interpreter says of each tensor of numbers that layers give."""
    given = {index for one in interpreter._get_ops_details() for index in one["outputs"]}
    return {one["index"]: one for one in interpreter.get_tensor_details() if one["index"] in given and _numeric(one)}


def _numeric(tensor: Mapping[str, Any]) -> bool:
    """Integers without a scale are indices and shapes."""
    return tensor["dtype"] in (np.float32, np.float16) or _rounded(tensor)


def _rounded(tensor: Mapping[str, Any]) -> bool:
    return bool(tensor["quantization_parameters"]["scales"].size)


def _layer(operator: str, tensor: Mapping[str, Any]) -> GraphLayer:
    name = str(tensor["name"])
    shape = tuple(int(size) for size in tensor["shape"])
    return GraphLayer(
        name=name, operator=operator, tensor=name, shape=shape, channel_axis=-1 if len(shape) == 4 else None,
        quantisable=operator not in PASSING,
    )  # fmt: skip


def _run(path: Path, card: ModelCard, frames: FrameSet) -> Iterator[Mapping[str, Array]]:
    interpreter = _opened(path)
    tensors = _tensors(interpreter)
    inputs = {one["name"]: one["index"] for one in interpreter.get_input_details()}
    for given in feeds(path, card, frames):
        for name, value in given.items():
            interpreter.set_tensor(inputs[name], value)
        interpreter.invoke()
        yield {str(one["name"]): _as_float(interpreter.get_tensor(index), one) for index, one in tensors.items()}


def _constants(interpreter: Any) -> Iterator[tuple[str, tuple[Array, bool]]]:
    """Name, value as floats and whether it is quantised, of each tensor that no layer gives and nobody feeds."""
    given = {index for one in interpreter._get_ops_details() for index in one["outputs"]}
    fed = {one["index"] for one in interpreter.get_input_details()}
    for one in interpreter.get_tensor_details():
        if one["index"] in given | fed or not _numeric(one):
            continue
        try:
            value = interpreter.get_tensor(one["index"])
        except ValueError:
            # A scratch tensor that holds nothing.
            continue
        yield str(one["name"]), (_as_float(value, one), _rounded(one))


def _as_float(values: Array, tensor: Mapping[str, Any]) -> Array:
    """What quantised numbers stand for; scales are per tensor, or per channel along one axis."""
    scales, zeros = (tensor["quantization_parameters"][key] for key in ("scales", "zero_points"))
    if not scales.size:
        return np.asarray(values, np.float32)
    axis = int(tensor["quantization_parameters"]["quantized_dimension"])
    shape = [-1 if at == axis else 1 for at in range(values.ndim)] if scales.size > 1 else [1] * values.ndim
    real: Array = (values.astype(np.float32) - zeros.reshape(shape)) * scales.reshape(shape)
    return real
