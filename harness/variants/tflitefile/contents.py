"""What a TFLite file consists of: its layers, what they compute in, and where their weights are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.variants.libraries import library

_CHANGES_TYPE = ("QUANTIZE", "DEQUANTIZE")
_WEIGHTED = ("BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "TRANSPOSE_CONV")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One operator that computes. name: of its first result. operands, results: the names of all its tensors.

    result_dtype, weight_dtype: as the file keeps them; "" without weights. weights: their values, of a float layer.
    """

    kind: str
    name: str
    operands: tuple[str, ...]
    results: tuple[str, ...]
    result_dtype: str
    weight_dtype: str = ""
    weights: Array | None = None

    @property
    def scope(self) -> str:
        """As the quantiser calls the layer."""
        return "".join(f"{name};" for name in self.results)

    @property
    def precision(self) -> str:
        """What it works in: the type of its results, and that of its weights where it is another one."""
        same = self.weight_dtype in ("", self.result_dtype)
        return self.result_dtype if same else f"{self.result_dtype} with {self.weight_dtype} weights"


def _name(tensor: Any) -> str:
    return str(tensor.name.decode())


def layers(path: Path) -> tuple[Layer, ...]:
    """The operators of the first graph in their order, without those that only change a type."""
    file = _File(path)
    return tuple(file.layer(one) for one in file.graph.operators if file.kind(one) not in _CHANGES_TYPE)


def inputs(path: Path) -> tuple[str, ...]:
    """The names of the first graph's inputs."""
    file = _File(path)
    return tuple(_name(file.graph.tensors[at]) for at in file.graph.inputs)


def ranks(path: Path) -> Mapping[str, int]:
    """Tensor of the first graph -> how many axes it has."""
    file = _File(path)
    return {_name(one): len(one.shape) for one in file.graph.tensors}


def tensor_types(path: Path) -> Mapping[str, int]:
    """How many tensors the first graph has of each type."""
    file = _File(path)
    return dict(sorted(Counter(map(file.dtype, file.graph.tensors)).items()))


class _File:
    def __init__(self, path: Path) -> None:
        self._tools = library("ai_edge_litert.tools.flatbuffer_utils")
        self._model = self._tools.read_model(str(path))
        self.graph = self._model.subgraphs[0]
        unpacked = [one for one in self.graph.operators if self.kind(one) == "DEQUANTIZE"]
        self._packed = {int(one.outputs[0]): int(one.inputs[0]) for one in unpacked}

    def kind(self, operator: Any) -> str:
        return str(self._tools.opcode_to_name(self._model, operator.opcodeIndex))

    def dtype(self, tensor: Any) -> str:
        return str(self._tools.type_to_name(tensor.type)).lower()

    def layer(self, operator: Any) -> Layer:
        results = [self.graph.tensors[at] for at in operator.outputs]
        operands = [self.graph.tensors[at] for at in operator.inputs if at >= 0]
        names, weights = tuple(map(_name, results)), self._weights(operator)
        return Layer(
            kind=self.kind(operator), name=names[0] if names else "", results=names,
            operands=tuple(map(_name, operands)),
            result_dtype=self.dtype(results[0]) if results else "",
            weight_dtype=self.dtype(weights) if weights else "",
            weights=self._values(weights) if weights else None,
        )  # fmt: skip

    def _weights(self, operator: Any) -> Any:
        """The tensor of the weights, behind what unpacks them; None without."""
        if self.kind(operator) not in _WEIGHTED:
            return None
        given = [self.graph.tensors[self._packed.get(int(at), int(at))] for at in operator.inputs if at >= 0]
        stored = [one for one in given if self._stored(one) and len(one.shape) > 1]
        return max(stored, key=lambda one: int(np.prod(one.shape)), default=None)

    def _stored(self, tensor: Any) -> bool:
        data = self._model.buffers[tensor.buffer].data
        return data is not None and len(data) > 0

    def _values(self, tensor: Any) -> Array | None:
        if self.dtype(tensor) != "float32":
            return None
        return np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), np.float32)
