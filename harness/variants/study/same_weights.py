"""Layers known by their weights: exporters change names and axes and, by folding, the scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.case import Array
from harness.variants import Bench
from harness.variants.libraries import library

_SAME = 1e-5


def layers_of_onnx_nodes(bench: Bench, weights: Mapping[str, Array]) -> Mapping[str, str]:
    """Node of the parent's ONNX file -> the layer of another file that has the same weights; empty without that file.

    weights: of each layer of the other file, in any order of their axes and multiplied by any number.
    """
    if "onnx" not in bench.files:
        return {}
    waiting = {name: _ranked(values) for name, values in weights.items()}
    found = {}
    for node, values in _weights(bench.parent("onnx")):
        wanted = _ranked(values)
        name = next((name for name, other in waiting.items() if _same(wanted, other)), None)
        if name is not None:
            found[node] = name
            del waiting[name]
    return found


def _weights(source: Path) -> Iterator[tuple[str, Array]]:
    onnx = library("onnx")
    graph = onnx.load(str(source)).graph
    stored = {one.name: one for one in graph.initializer if len(one.dims) > 1}
    for node in graph.node:
        for name in node.input:
            if name in stored:
                yield node.name, np.asarray(onnx.numpy_helper.to_array(stored[name]), np.float32)


def _ranked(weights: Array) -> Array:
    """Magnitudes in their order, the largest one 1."""
    sizes = np.sort(np.abs(weights.ravel()))
    return sizes / max(float(sizes[-1]), 1e-30)


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.abs(one - other).max() < _SAME)
