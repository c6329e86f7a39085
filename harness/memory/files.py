"""Model files written anew for a setting, a batch, or sessions that share weights. The parent's file stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigError, EngineError
from harness.runtimes.onnxruntime_plugin import words_of

SMALLEST_BYTES = 1024


def mapped_weights(source: Path, target: Path) -> None:
    """The same graph with every weight of a kilobyte or more in TARGET.data."""
    _saved(source, target, "ORT_DISABLE_ALL", {
        "session.optimized_model_external_initializers_file_name": f"{target.name}.data",
        "session.optimized_model_external_initializers_min_size_in_bytes": str(SMALLEST_BYTES),
    })  # fmt: skip


def optimised(source: Path, target: Path) -> None:
    """The graph as ONNX Runtime optimises it for the processor that it runs on."""
    _saved(source, target, "ORT_ENABLE_ALL", {})


REWRITTEN: Mapping[str, Callable[[Path, Path], None]] = {"mapped-weights": mapped_weights, "optimised": optimised}


def with_batch(source: Path, target: Path, batch: int) -> None:
    """The same graph for `batch` frames; EngineError where the graph is not one for that."""
    onnx = _onnx()
    model = onnx.load(str(source))
    stored = {one.name for one in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.output):
        sizes = value.type.tensor_type.shape.dim
        if value.name not in stored and sizes:
            sizes[0].dim_value = batch
    del model.graph.value_info[:]
    onnx.save(model, str(target))


def shared_weights(sources: Sequence[Path], target: Path) -> int:
    """TARGET with the weights of a kilobyte or more that all files hold under one name, bit by bit; how many."""
    tables = [_weights(one) for one in dict.fromkeys(sources)]
    first, *others = tables
    common = {
        name: values for name, values in first.items()
        if all(name in one and _same(values, one[name]) for one in others)
    }  # fmt: skip
    if common:
        np.savez(target, **common)
    return len(common)


def _saved(source: Path, target: Path, level: str, entries: Mapping[str, str]) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            f"ONNX Runtime writes the file for this setting and is not there: {error}", where=str(source),
            remedy="pip install 'dms-harness[host]'",
        ) from error  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(target)
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    try:
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(f"ONNX Runtime cannot write the file anew: {words_of(error)}", where=str(source)) from error


def _weights(source: Path) -> dict[str, Any]:
    onnx = _onnx()
    stored = onnx.load(str(source)).graph.initializer
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in stored}
    return {name: one for name, one in arrays.items() if one.nbytes >= SMALLEST_BYTES}


def _same(one: Any, other: Any) -> bool:
    return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())


def _onnx() -> Any:
    try:
        import onnx
        import onnx.numpy_helper
    except ImportError as error:
        raise ConfigError(
            f"the ONNX file must be taken apart for this: {error}", remedy="pip install 'dms-harness[zoo]'"
        ) from error
    return onnx
