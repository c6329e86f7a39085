"""Does a quantised TFLite file run, what is it really made of, and does XNNPACK take it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import EngineError, HarnessError
from harness.runtimes.litert import LiteRt
from harness.runtimes.litert_nodes import XNNPACK
from harness.variants import Bench
from harness.variants.libraries import library
from harness.variants.study.graphs import feeds
from harness.variants.tflitefile.contents import layers, tensor_types

_DELEGATE = "DELEGATE"


def counted(source: Path, path: Path, scopes: Collection[str]) -> dict[str, Any]:
    """What the layers of a new file are, as facts; HarnessError where the weights of none are quantised.

    scopes: those that were to stay in float.
    """
    found = layers(path)
    weighted = [one for one in found if one.weight_dtype]
    rounded = [one for one in weighted if one.weight_dtype != "float32"]
    if not rounded:
        kinds = ", ".join(sorted({one.kind for one in found}))
        raise HarnessError(
            f"no layer of it was quantised, of {kinds}", where=str(source),
            remedy="leave fewer layers out, or use another technique",
        )  # fmt: skip
    left = [one for one in found if one.precision == "float32" and one.scope not in scopes]
    return {
        "layers": len(weighted), "quantised_layers": len(rounded),
        "weight_types": _sorted(one.weight_dtype for one in weighted),
        "precisions": _sorted(one.precision for one in found),
        "float_layers": _sorted(one.kind for one in left),
        "tensor_types": dict(tensor_types(path)),
    }  # fmt: skip


def _sorted(names: Iterable[str]) -> dict[str, int]:
    """How often each occurs."""
    return dict(sorted(Counter(names).items()))


def checked(bench: Bench, path: Path) -> dict[str, Any]:
    """Facts of a file that has just run one real frame; EngineError where it does not, or answers with no numbers."""
    placed, before = _run(bench, path), _run(bench, bench.parent("tflite"))
    share, partitions = placed["placement"].get(XNNPACK, 0.0), placed["partitions"]
    worse = share < before["placement"].get(XNNPACK, 0.0) or partitions > before["partitions"]
    return {
        "xnnpack_percent": round(100 * share, 1),
        "xnnpack_partitions": partitions,
        "notes": [_sentence(path, partitions, before["partitions"])] if worse else [],
    }


def _run(bench: Bench, path: Path) -> Mapping[str, Any]:
    runtime = LiteRt(str(path))
    runtime.prepare()
    with runtime:
        found = runtime.infer(next(feeds(path, bench.card, bench.frames.calibration)))
        for name, value in found.items():
            if not np.isfinite(value).all():
                raise EngineError(f"the output {name!r} is not finite for a real frame", where=str(path))
        return runtime.facts()


def _sentence(path: Path, parts: int, parts_before: int) -> str:
    left = left_over(path)
    own = f"LiteRT's own kernels run {listed(_sorted(left))}"
    rest = f"XNNPACK takes the graph in {parts} parts instead of {parts_before}"
    told = [own] * bool(left) + [rest] * (parts > parts_before)
    return f"{' and '.join(told) or 'XNNPACK takes less of the graph'}: it may be slower than its parent"


def listed(kinds: Mapping[str, int]) -> str:
    """Kinds of operators and how many there are, for a sentence."""
    return ", ".join(f"{kind} ({count})" for kind, count in kinds.items())


def left_over(path: Path) -> tuple[str, ...]:
    """The kinds of the operators that XNNPACK leaves to LiteRT's own kernels."""
    interpreter = library("ai_edge_litert.interpreter").Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    makers = {int(at): one for one in nodes if one["op_name"] != _DELEGATE for at in one["outputs"]}
    taken = {at for one in nodes if one["op_name"] == _DELEGATE for at in _inside(one, makers)}
    return tuple(one["op_name"] for one in nodes if one["op_name"] != _DELEGATE and one["index"] not in taken)


def _inside(partition: Mapping[str, Any], makers: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """The operators between a partition's outputs and its inputs."""
    borders = {int(at) for at in partition["inputs"]}
    waiting, found = [int(at) for at in partition["outputs"]], set()
    while waiting:
        one = makers.get(at) if (at := waiting.pop()) not in borders else None
        if one is not None and one["index"] not in found:
            found.add(int(one["index"]))
            waiting.extend(int(at) for at in one["inputs"])
    return found
