"""From a parent's ONNX file to the one that is quantised: lifted, folded, and with the shapes of all tensors."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.runtimes.onnxruntime_graph import QUANTISED
from harness.variants.libraries import library, working
from harness.variants.onnxfile.opset import lifted, opset_of, with_names, without_weight_inputs

WITHOUT_SYMPY = "sympy is not installed, so the shapes of tensors with open sizes are not inferred: pip install sympy"


def prepare(source: Path, target: Path) -> Mapping[str, Any]:
    """Write `target`, which answers as `source` does; what was done.

    opset_before: where it was lifted. notes: sentences for whoever reads the table. EngineError where ONNX Runtime or
    the converter does not take the file.
    """
    onnx = library("onnx")
    with working("this is no ONNX file that can be quantised", source):
        model = onnx.load(str(source))
    _require_float(model, source)
    before, listed = opset_of(model), without_weight_inputs(model)
    model = lifted(model, source)
    with_names(model)
    symbolic = importlib.util.find_spec("sympy") is not None
    inference = library("onnxruntime.quantization.shape_inference")
    with tempfile.TemporaryDirectory() as folder, working("ONNX Runtime cannot prepare the model", source):
        changed = Path(folder) / "changed.onnx"
        onnx.save(model, str(changed))
        inference.quant_pre_process(str(changed), str(target), skip_symbolic_shape=not symbolic)
    return {
        "opset": opset_of(model),
        **({"opset_before": before} if before != opset_of(model) else {}),
        **({"weights_listed_as_inputs": listed} if listed else {}),
        "notes": [*_listed(listed), *([WITHOUT_SYMPY] if _open(model) and not symbolic else [])],
    }


def _require_float(model: Any, source: Path) -> None:
    if any(node.op_type in QUANTISED for node in model.graph.node):
        raise EngineError(
            "it is quantised already", where=str(source), remedy="name a parent in float: its ranges would be lost"
        )


def _open(model: Any) -> bool:
    """Whether an input has a size that the file leaves open."""
    sizes = [size for one in model.graph.input for size in one.type.tensor_type.shape.dim]
    return not all(one.dim_value > 0 for one in sizes)


def _listed(count: int) -> list[str]:
    if not count:
        return []
    return [
        f"the parent lists {count} weights as inputs of the graph, so nothing is folded into them and it runs 2.2 to "
        "2.4 times slower than it could: this file has them as constants, and part of its speed-up is that alone"
    ]
