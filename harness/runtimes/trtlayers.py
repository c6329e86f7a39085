"""Placement, precision and fusion of an engine, from what trtexec told when it built it and looked inside."""

from __future__ import annotations

import re
from typing import Any, Dict, Sequence

from harness.runtimes.trtengine import BuiltEngine
from harness.tooloutput.trtexport import Layer

PRECISIONS = (
    (r"fp32|^float$", "fp32"), (r"bf16|bfloat", "bf16"), (r"fp16|half", "fp16"), (r"fp8", "fp8"), (r"int8", "int8"),
    (r"int32", "int32"), (r"int64", "int64"), (r"bool", "bool"),
)  # fmt: skip


def placement(unit: str, engine: BuiltEngine) -> Dict[str, Any]:
    """On the GPU all of it. A mixture with the DLA is told in pieces, and nobody tells how many nodes each holds."""
    if unit == "GPU":
        return {"placement": {unit: 1.0}, "partitions": 1}
    if not engine.dla_pieces and not engine.gpu_layers:
        return {}
    if engine.dla_pieces and engine.gpu_layers:
        return {"partitions": engine.dla_pieces}
    return {"placement": {unit if engine.dla_pieces else "GPU": 1.0}, "partitions": engine.dla_pieces}


def precision_and_fusion(layers: Sequence[Layer]) -> Dict[str, Any]:
    """Nothing where the engine was built so that it tells names only."""
    known = [one for one in layers if one.kind]
    if not known:
        return {}
    precisions = [_precision(one.output_dtype) for one in known]
    convolutions = [one for one in known if "conv" in one.kind.lower()]
    norms = [one for one in known if one not in convolutions and re.search(r"batch_?norm", one.name, re.I)]
    return {
        "layer_precisions": {name: precisions.count(name) / len(precisions) for name in dict.fromkeys(precisions)},
        "fusion": {
            "convolutions": len(convolutions),
            "with_activation": sum(bool(one.activation) for one in convolutions),
            "batch_norms": len(norms),
        },
    }


def _precision(words: str) -> str:
    return next((name for pattern, name in PRECISIONS if re.search(pattern, words, re.I)), words.lower())
