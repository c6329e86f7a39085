"""ONNX files of which the weights alone are rounded: to INT8 per channel, or to INT4 in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import EngineError
from harness.variants.libraries import library, working
from harness.variants.onnxfile.layers import graph_of, weighted

BLOCK = 32
# Engines that know MatMulNBits, an operator of ONNX Runtime's own.
INT4_ENGINES = ("onnxruntime", "openvino")


def to_int8_weights(ready: Path, target: Path, excluded: frozenset[str] = frozenset()) -> int:
    """Keep the weights of every layer as int8 with one scale per output channel; how many layers have such weights.

    The engine turns them into floats again, so it computes as before.
    """
    onnx = library("onnx")
    model = onnx.load(str(ready))
    found = graph_of(model)
    done: dict[tuple[str, int], str] = {}
    layers = [one for one in weighted(found) if one.input[1] in found.weights and one.name not in excluded]
    with working("the weights cannot be rounded", ready):
        for node in layers:
            key = (node.input[1], _channel_axis(node, found.weights[node.input[1]]))
            if key not in done:
                done[key] = _dequantised(model.graph, found.weights[key[0]], key[1])
            node.input[1] = done[key]
    _drop_unread(model.graph)
    onnx.save(model, str(target))
    return len(layers)


def to_int4_weights(ready: Path, target: Path, integer: bool, excluded: frozenset[str] = frozenset()) -> int:
    """Keep the weights of matrix products in 4 bits, in blocks of 32; how many products were taken.

    integer: multiply them by activations in int8. There is no such operator for convolutions.
    """
    onnx, quantiser = library("onnx"), library("onnxruntime.quantization.matmul_nbits_quantizer")
    model = library("onnxruntime.quantization.onnx_model").ONNXModel(onnx.load(str(ready)))
    with working("the weights cannot be rounded", ready):
        model.replace_gemm_with_matmul()
        work = quantiser.MatMulNBitsQuantizer(
            model.model, bits=4, block_size=BLOCK, is_symmetric=True, accuracy_level=4 if integer else None,
            nodes_to_exclude=as_products(excluded),
        )  # fmt: skip
        work.process()
        made = work.model.model
    taken = sum(node.op_type == "MatMulNBits" for node in made.graph.node)
    if not taken:
        kinds = sorted({node.op_type for node in weighted(graph_of(onnx.load(str(ready))))})
        raise EngineError(
            "none taken: 4-bit weights are for matrix products alone, and of those this model has none (its layers "
            f"are {', '.join(kinds) or 'without weights'})", where=str(ready), remedy='use weights = "int8"',
        )  # fmt: skip
    onnx.save(made, str(target))
    return int(taken)


def as_products(names: Iterable[str]) -> list[str]:
    """These nodes, and what ONNX Runtime's tools call them where they turn Gemm into MatMul and Add first."""
    return sorted({*names, *(f"{name}_MatMul" for name in names)})


def _channel_axis(node: Any, weights: Any) -> int:
    """Which axis of a layer's weights counts its outputs."""
    if node.op_type == "Gemm":
        return 0 if any(one.name == "transB" and one.i for one in node.attribute) else 1
    return {"Conv": 0, "ConvTranspose": 1}.get(str(node.op_type), len(weights.dims) - 1)


def _dequantised(graph: Any, weights: Any, axis: int) -> str:
    """The name of the weights as a DequantizeLinear gives them, which is put in front of the graph."""
    onnx, tools = library("onnx"), library("onnxruntime.quantization.quant_utils")
    values, int8 = onnx.numpy_helper.to_array(weights), onnx.TensorProto.INT8
    channels = [values.take(index, axis) for index in range(values.shape[axis])]
    found = [tools.compute_data_quant_params(np.atleast_1d(one), int8, symmetric=True) for one in channels]
    zeros, scales = (np.array(list(column)).ravel() for column in zip(*found, strict=True))
    named = {"scale": scales.astype(values.dtype), "zero": zeros.astype(np.int8)}
    parts = [onnx.numpy_helper.from_array(one, f"{weights.name}/{axis}/{name}") for name, one in named.items()]
    rounded = tools.quantize_onnx_initializer(weights, int8, zeros, scales, axis, f"{weights.name}/{axis}/int8")
    graph.initializer.extend([rounded, *parts])
    name = f"{weights.name}/{axis}/rounded"
    inputs = [rounded.name, *(one.name for one in parts)]
    graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", inputs, [name], name=name, axis=axis))
    return name


def _drop_unread(graph: Any) -> None:
    """Remove the weights that nobody reads any more."""
    read: Mapping[str, None] = dict.fromkeys(name for node in graph.node for name in node.input)
    kept = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
