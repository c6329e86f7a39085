"""A model that plain quantisation breaks, made on purpose: the same answers in float, an outlier inside.

ReLU gives f * x for f * x where f is positive, so one channel of a layer can be made larger and its reader's weights
smaller by the same factor, and the float answers stay (Nagel et al., Data-free quantization, ICCV 2019, undo exactly
this). One range for the whole tensor then has next to no steps left for the other channels. It is rounded between
the two layers, so both have to stay in float where INT8 is to work.

The eye_state net, factor 256 in channel 0 of its fifth convolution, 2,000 frames: FP32 97.25 % as before, INT8 min-max
70.7 % (97.3 % without it), percentile 99.99 94.7 %, entropy 97.35 %; min-max with the convolution alone in float
70.65 %, with its reader too 97.3 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigError, unknown
from harness.variants.libraries import library
from harness.variants.onnxfile.layers import Graph, graph_of

FACTOR = 256.0
# What passes a positive factor on, channel by channel.
_PASSING = ("Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Identity")


def plant_outlier(source: Path, target: Path, layer: str, channel: int = 0, factor: float = FACTOR) -> tuple[str, ...]:
    """Write `target`, which is `source` with output channel `channel` of the convolution `layer` `factor` times larger
    and all that read it smaller to match; the names of its readers.

    The factor is a power of two by default, so that float answers change in the last bit at most. ConfigError for a
    layer or channel that is none, shared weights, a factor that is not above 0, or a reader that is no convolution.
    """
    onnx = library("onnx")
    model = onnx.load(str(source))
    found = graph_of(model)
    convolutions = {node.name: node for node in model.graph.node if node.op_type == "Conv"}
    if layer not in convolutions:
        raise ConfigError(unknown("convolution", layer, convolutions), where=str(source))
    if not factor > 0:
        raise ConfigError(f"factor = {factor:g} is not above 0", where=layer)
    readers = list(_readers(convolutions[layer], found, layer))
    for name in convolutions[layer].input[1:3]:
        _scale(found, name, channel, factor, layer)
    for reader in readers:
        _scale_reader(found, reader, channel, 1.0 / factor)
    onnx.save(model, str(target))
    return tuple(reader.name for reader in readers)


def _readers(node: Any, found: Graph, layer: str) -> Iterator[Any]:
    """The convolutions that read what `node` gives, behind whatever passes a factor on."""
    for reader in found.readers.get(node.output[0], ()):
        if reader is not None and reader.op_type == "Conv":
            yield reader
        elif reader is not None and reader.op_type in _PASSING:
            yield from _readers(reader, found, layer)
        else:
            kind = "an output of the model" if reader is None else reader.op_type
            raise ConfigError(
                f"{kind} reads it, which cannot undo a factor of one channel", where=layer,
                remedy="choose a convolution that only convolutions read, behind ReLU or pooling",
            )  # fmt: skip


def _scale_reader(found: Graph, reader: Any, channel: int, factor: float) -> None:
    groups = next((one.i for one in reader.attribute if one.name == "group"), 1)
    weights = _values(found, reader.input[1], reader.name)
    outputs, inputs = weights.shape[:2]
    group, place = divmod(channel, inputs)
    rows = slice(group * (outputs // groups), (group + 1) * (outputs // groups))
    weights[rows, place] *= np.float32(factor)
    _keep(found, reader.input[1], weights)


def _scale(found: Graph, name: str, channel: int, factor: float, layer: str) -> None:
    values = _values(found, name, layer)
    if not 0 <= channel < len(values):
        raise ConfigError(f"there is no channel {channel}, only 0 to {len(values) - 1}", where=layer)
    values[channel] *= np.float32(factor)
    _keep(found, name, values)


def _values(found: Graph, name: str, layer: str) -> Any:
    if name not in found.weights:
        raise ConfigError(f"its weights {name!r} are no constants", where=layer, remedy="simplify the model first")
    if len(found.readers[name]) > 1:
        raise ConfigError(f"other layers share its weights {name!r}", where=layer, remedy="choose another layer")
    return library("onnx.numpy_helper").to_array(found.weights[name]).copy()


def _keep(found: Graph, name: str, values: Any) -> None:
    found.weights[name].CopyFrom(library("onnx.numpy_helper").from_array(values, name))
