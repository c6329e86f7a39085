"""The operators of TFLite: names by code, in the order of its schema, and the multiply-adds of those that have any.

Newer operators than these, and those of StableHLO, have no known cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.layercost.tensors import Known, shape_of

_CODES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM
MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2
GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG
SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT
UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE
MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL
COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU
DYNAMIC_UPDATE_SLICE RELU_0_TO_1
"""
_COST_UNKNOWN = """
LSH_PROJECTION LSTM RNN SVDF CALL CUSTOM UNIDIRECTIONAL_SEQUENCE_RNN UNIDIRECTIONAL_SEQUENCE_LSTM
BIDIRECTIONAL_SEQUENCE_RNN DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5
PLACEHOLDER CALL_ONCE RFFT2D CONV_3D CONV_3D_TRANSPOSE
"""
NAMES = _CODES.split()
COST_KNOWN = frozenset(NAMES).difference(_COST_UNKNOWN.split())


@dataclass(frozen=True)
class TfliteOperator:
    """One operator of a file; inputs, outputs: places of its tensors, -1 for one that is left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    transposed: bool


def _conv(tensors: Sequence[Known], one: TfliteOperator) -> int:
    """Weights [out, height, width, in / groups]."""
    return tensors[one.outputs[0]].count * math.prod(shape_of(tensors[one.inputs[1]])[1:])


def _depthwise(tensors: Sequence[Known], one: TfliteOperator) -> int:
    """Weights [1, height, width, out]."""
    return tensors[one.outputs[0]].count * math.prod(shape_of(tensors[one.inputs[1]])[1:3])


def _transposed(tensors: Sequence[Known], one: TfliteOperator) -> int:
    """Inputs: output shape, weights [out, height, width, in], values."""
    return tensors[one.inputs[2]].count * math.prod(shape_of(tensors[one.inputs[1]])[:3])


def _dense(tensors: Sequence[Known], one: TfliteOperator) -> int:
    """Weights [out, in]."""
    return tensors[one.outputs[0]].count * shape_of(tensors[one.inputs[1]])[-1]


def _batched(tensors: Sequence[Known], one: TfliteOperator) -> int:
    return tensors[one.outputs[0]].count * shape_of(tensors[one.inputs[0]])[-2 if one.transposed else -1]


MACS: Mapping[str, tuple[Callable[[Sequence[Known], TfliteOperator], int], tuple[int, int]]] = {
    "CONV_2D": (_conv, (0, 1)),
    "DEPTHWISE_CONV_2D": (_depthwise, (0, 1)),
    "TRANSPOSE_CONV": (_transposed, (2, 1)),
    "FULLY_CONNECTED": (_dense, (0, 1)),
    "BATCH_MATMUL": (_batched, (0, 1)),
}
