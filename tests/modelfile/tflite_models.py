"""Small TFLite models, written with the flatbuffers package and the schema that LiteRT ships."""

from __future__ import annotations

from collections.abc import Callable

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

Model = schema.ModelT
TYPES = {"float32": 0, "int8": 9, "uint8": 3, "int32": 2}


def _tensor(name: str, shape: list[int], dtype: str, buffer: int, scale: float | None = None) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, TYPES[dtype], buffer
    if scale is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [-3 if dtype == "int8" else 0]
    return tensor


def _buffer(values: np.ndarray | None = None) -> schema.BufferT:
    buffer = schema.BufferT()
    if values is not None:
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _operator(code: int, inputs: list[int], outputs: list[int], options: object, kind: int) -> schema.OperatorT:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, outputs
    operator.builtinOptions, operator.builtinOptionsType = options, kind
    return operator


def _code(builtin: int) -> schema.OperatorCodeT:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 4 if builtin == schema.BuiltinOperator.FULLY_CONNECTED else 2
    return code


def classifier(dtype: str = "float32", classes: int = 4, size: int = 8) -> Model:
    """serving_default_image:0 [1, size, size, 3] -> mean over all pixels -> linear -> scores:0 [1, classes]."""
    quantised = dtype == "int8"
    weights = np.random.default_rng(0).normal(0, 1, (classes, 3))
    stored = (weights * 50).clip(-127, 127).astype(np.int8) if quantised else weights.astype(np.float32)
    pool, dense = schema.Pool2DOptionsT(), schema.FullyConnectedOptionsT()
    pool.padding, pool.filterWidth, pool.filterHeight = schema.Padding.VALID, size, size
    pool.strideW = pool.strideH = size
    graph = schema.SubGraphT()
    graph.name, graph.inputs, graph.outputs = "main", [0], [3]
    graph.tensors = [
        _tensor("serving_default_image:0", [1, size, size, 3], dtype, 1, 0.5 if quantised else None),
        _tensor("pooled", [1, 1, 1, 3], dtype, 0, 0.5 if quantised else None),
        _tensor("weights", [classes, 3], dtype, 2, 0.02 if quantised else None),
        _tensor("scores:0", [1, classes], dtype, 0, 0.25 if quantised else None),
    ]
    if quantised:
        graph.tensors[2].quantization.zeroPoint = [0]
    graph.operators = [
        _operator(0, [0], [1], pool, schema.BuiltinOptions.Pool2DOptions),
        _operator(1, [1, 2, -1], [3], dense, schema.BuiltinOptions.FullyConnectedOptions),
    ]
    model = Model()
    model.version, model.description, model.subgraphs = 3, "tests", [graph]
    codes = schema.BuiltinOperator
    model.operatorCodes = [_code(codes.AVERAGE_POOL_2D), _code(codes.FULLY_CONNECTED)]
    model.buffers = [_buffer(), _buffer(), _buffer(stored)]
    return model


def to_bytes(model: Model, change: Callable[[Model], object] | None = None) -> bytes:
    """The file's bytes, after `change` of the model."""
    if change is not None:
        change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
