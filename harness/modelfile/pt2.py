"""A .pt2 archive of torch.export.save: its inputs, outputs and weights. Nothing is unpickled or loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, Dict, Tuple

import numpy as np

from harness.case import TensorSpec
from harness.modelfile.info import ModelInfo
from harness.modelfile.pt2_archive import Archive
from harness.modelfile.pt2_code import code_in
from harness.modelfile.source import Source
from harness.modelfile.weights import Weights

_TYPE = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    13: "bfloat16",
}  # fmt: skip


def inspect_pt2(path: Path, source: Source, stream: BinaryIO) -> ModelInfo:
    """What the archive holds; `warnings` name what would run code when torch loads it."""
    archive = Archive(stream, source.where)
    try:
        graph, inputs, outputs = _signature(archive.json("models/model.json"))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise archive.damaged(f"models/model.json does not hang together: {error!r}") from error
    weights = _weights(archive, source)
    return ModelInfo(
        format="pt2", sha256=source.sha256(), size_bytes=source.size, inputs=inputs, outputs=outputs, opset=None,
        producer="torch.export", node_count=len(graph["nodes"]), weight_dtype=weights.dtype,
        warnings=_warnings(archive),
    )  # fmt: skip


def _signature(model: Dict[str, Any]) -> Tuple[Dict[str, Any], Tuple[TensorSpec, ...], Tuple[TensorSpec, ...]]:
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    given = [one["user_input"]["arg"] for one in signature["input_specs"] if "user_input" in one]
    got = [one["user_output"]["arg"] for one in signature["output_specs"] if "user_output" in one]
    values = graph["tensor_values"]
    inputs = tuple(_spec(one["as_tensor"]["name"], values) for one in given if "as_tensor" in one)
    outputs = tuple(_spec(one["as_tensor"]["name"], values) for one in got if "as_tensor" in one)
    if not outputs or not isinstance(graph["nodes"], list):
        raise ValueError("no output")
    return graph, inputs, outputs


def _spec(name: str, values: Dict[str, Any]) -> TensorSpec:
    sizes = tuple(int(one.get("as_int", -1)) for one in values[name]["sizes"])
    return TensorSpec(str(name), sizes, _TYPE.get(values[name]["dtype"], "unknown"))


def _weights(archive: Archive, source: Source) -> Weights:
    weights = Weights(source.limits)
    config = archive.json("data/weights/model_weights_config.json").get("config", {})
    for name, one in config.items() if isinstance(config, dict) else ():
        if not isinstance(one, dict) or one.get("use_pickle") or not isinstance(one.get("tensor_meta"), dict):
            continue
        dtype = _TYPE.get(one["tensor_meta"].get("dtype"), "unknown")
        content = archive.read(f"data/weights/{one.get('path_name')}")
        weights.claim(source, len(content), dtype)
        if dtype in ("float32", "float64", "float16") and len(content) % np.dtype(dtype).itemsize == 0:
            weights.judge(source, np.frombuffer(content, dtype), False, str(name))
    return weights


def _warnings(archive: Archive) -> Tuple[str, ...]:
    return tuple(f"{one}: the torch engine refuses the file unless trust_pickle = true" for one in code_in(archive))
