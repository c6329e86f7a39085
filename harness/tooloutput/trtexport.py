"""What NVIDIA's trtexec exports as JSON: times, layers, outputs. ValueError says what does not fit.

Formats: samples/common/sampleReporting.cpp of NVIDIA/TensorRT (Apache-2.0), today's keys and those of old versions.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

from harness.tooloutput.trtexec import LayerTime, Profile


@dataclass(frozen=True)
class FrameTime:
    """One inference: copy to the device, compute, copy back; latency_ms is their sum, without any queueing."""

    h2d_ms: float
    compute_ms: float
    d2h_ms: float
    latency_ms: float


@dataclass(frozen=True)
class Layer:
    """One layer of the engine; the strings are "" where the engine was built without detailed verbosity."""

    name: str
    kind: str = ""
    output_dtype: str = ""
    activation: str = ""


@dataclass(frozen=True)
class Output:
    """An output of the last inference, in row order."""

    shape: Tuple[int, ...]
    values: Tuple[float, ...]


def parse_times(text: str) -> Tuple[FrameTime, ...]:
    """--exportTimes: one entry per inference, with the keys of today or of 8.0 and older (inMs, outMs)."""
    return tuple(_frame_time(one) for one in _list(text, "times"))


def parse_profile(text: str) -> Profile:
    """--exportProfile: the first element holds the count of iterations."""
    first, *layers = _list(text, "profile") or [{}]
    if "count" not in first:
        raise ValueError("the profile does not begin with the count of iterations")
    return Profile(int(first["count"]), tuple(_layer_time(one) for one in layers))


def parse_layers(text: str) -> Tuple[Layer, ...]:
    """--exportLayerInfo: objects of an engine built with detailed verbosity, otherwise bare names."""
    found = _json(text)
    layers = found.get("Layers") if isinstance(found, dict) else None
    if not isinstance(layers, list):
        raise ValueError("the layer information has no list of Layers")
    return tuple(Layer(one) if isinstance(one, str) else _layer(one) for one in layers)


def parse_outputs(text: str) -> Dict[str, Output]:
    """--exportOutput: values by tensor name. The tool prints nan and inf as C++ does, which JSON does not know."""
    readable = re.sub(r"(?<=[\s,\[])(-?)(nan|inf)(?=[\s,\]])", lambda word: _json_word(word[1], word[2]), text)
    return {str(one["name"]): _output(one) for one in _list(readable, "outputs", ("name", "dimensions", "values"))}


def _frame_time(one: Mapping[str, Any]) -> FrameTime:
    keys = ("h2dMs", "computeMs", "d2hMs") if "h2dMs" in one else ("inMs", "computeMs", "outMs")
    missing = [key for key in keys if key not in one]
    if missing:
        raise ValueError(f"the times have no {missing[0]!r} but {', '.join(one)}: another version of the format")
    parts = [float(one[key]) for key in keys]
    return FrameTime(parts[0], parts[1], parts[2], float(one.get("latencyMs", sum(parts))))


def _layer_time(one: Mapping[str, Any]) -> LayerTime:
    missing = [key for key in ("name", "timeMs", "averageMs") if key not in one]
    if missing:
        raise ValueError(f"a layer of the profile has no {missing[0]!r} but {', '.join(one)}")
    median = one.get("medianMs")
    return LayerTime(
        str(one["name"]), float(one["timeMs"]), float(one["averageMs"]), None if median is None else float(median)
    )


def _layer(one: Mapping[str, Any]) -> Layer:
    outputs = one.get("Outputs") or [{}]
    kind = one.get("ParameterType") or one.get("LayerType", "")
    activation = str(one.get("Activation", ""))
    return Layer(
        str(one.get("Name", "")), str(kind), str(outputs[0].get("Format/Datatype", "")),
        "" if activation in ("NONE", "") else activation,
    )  # fmt: skip


def _output(one: Mapping[str, Any]) -> Output:
    shape = tuple(int(size) for size in str(one["dimensions"]).split("x") if size)
    return Output(shape, tuple(float(value) for value in one["values"]))


def _list(text: str, what: str, keys: Tuple[str, ...] = ()) -> List[Dict[str, Any]]:
    found = _json(text)
    if not isinstance(found, list) or not all(isinstance(one, dict) and set(keys) <= one.keys() for one in found):
        raise ValueError(f"the {what} are no list of objects{' with ' + ', '.join(keys) if keys else ''}")
    return found


def _json(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError as error:
        raise ValueError(f"it is no whole JSON: {error}") from error


def _json_word(sign: str, word: str) -> str:
    return "NaN" if word == "nan" else f"{sign}Infinity"
