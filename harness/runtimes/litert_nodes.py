"""Which unit runs which operator of a TFLite file, read from the interpreter.

The interpreter lists every operator of the file and, behind them, one node DELEGATE per partition of a delegate; it
does not name the delegate. External delegates are applied when the interpreter is made and XNNPACK when tensors are
allocated, so the first nodes are the external delegate's.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Set, Tuple

import numpy as np

XNNPACK, BUILTIN = "XNNPACK", "builtin"
_DELEGATE = "DELEGATE"


def count_delegates(interpreter: Any) -> int:
    """How many partitions the delegates have taken so far."""
    return sum(one["op_name"] == _DELEGATE for one in interpreter._get_ops_details())


def nodes_by_unit(interpreter: Any, external: str, external_count: int) -> Dict[str, Tuple[int, int]]:
    """unit -> (operators of the file, partitions); `external` has the first `external_count` partitions."""
    operators = interpreter._get_ops_details()
    partitions = [one for one in operators if one["op_name"] == _DELEGATE]
    plain = {int(tensor): one for one in operators if one["op_name"] != _DELEGATE for tensor in one["outputs"]}
    taken = [_inside(partition, plain) for partition in partitions]
    left = {int(one["index"]) for one in plain.values()}.difference(*taken)
    found = {external: _sum(taken[:external_count])} if external else {}
    return {**found, XNNPACK: _sum(taken[external_count:]), BUILTIN: (len(left), 0)}


def _sum(taken: List[Set[int]]) -> Tuple[int, int]:
    return sum(map(len, taken)), len(taken)


def _inside(partition: Any, plain: Dict[int, Any]) -> Set[int]:
    """The operators that a partition replaced: back from its outputs up to its inputs."""
    borders = _tensors(partition["inputs"])
    waiting, found = list(_tensors(partition["outputs"])), set()
    while waiting:
        tensor = waiting.pop()
        one = plain.get(tensor)
        if one is None or tensor in borders or one["index"] in found:
            continue
        found.add(int(one["index"]))
        waiting.extend(_tensors(one["inputs"]))
    return found


def _tensors(indices: Iterable[Any]) -> Set[int]:
    return {int(one) for one in indices}


def layer_precisions(interpreter: Any) -> Dict[str, float]:
    """Share of the file's operators per precision, by their tensors: a file's name proves nothing.

    "hybrid" has float activations and integer weights. A delegate that computes float32 tensors in float16 does not
    tell so.
    """
    operators = [one for one in interpreter._get_ops_details() if one["op_name"] != _DELEGATE]
    layers = [_precision(one) for one in operators if one["result_types"]]
    return {name: layers.count(name) / len(layers) for name in sorted(set(layers))}


def _precision(operator: Any) -> str:
    result = np.dtype(operator["result_types"][0])
    weights = operator["operand_types"][1:]
    if result.kind == "f" and any(np.dtype(one) in (np.int8, np.uint8) for one in weights):
        return "hybrid"
    return str(result.name)
