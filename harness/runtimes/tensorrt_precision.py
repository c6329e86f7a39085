"""Precision of single layers and ranges of single tensors in a network of TensorRT before 11."""

from __future__ import annotations

import fnmatch
from typing import Any, Iterator, List, Mapping, Tuple, TypeVar

from harness.errors import EngineError
from harness.runtimes.tensorrt_options import LAYER_TYPES, WHERE, BuildOptions

SHOWN = 8
Value = TypeVar("Value")


def check_quantisation(trt: Any, network: Any, options: BuildOptions, strongly_typed: bool, where: str) -> None:
    """EngineError unless INT8 gets its ranges in one way: from QDQ nodes, or from calibration and dynamic ranges."""
    quantised = (trt.LayerType.QUANTIZE, trt.LayerType.DEQUANTIZE)
    explicit = any(layer.type in quantised for layer in layers_of(network))
    given = bool(options.calibration or options.dynamic_ranges)
    if explicit and not options.quantised and not strongly_typed:
        raise EngineError("the file has QDQ nodes", where=where, remedy="set precision = 'int8' for it")
    if explicit and given:
        what = "the file has QDQ nodes, so calibration and dynamic_ranges would count for nothing"
        raise EngineError(what, where=where, remedy="take them out, or give the file without QDQ nodes")
    if options.quantised and not explicit and not given:
        what = (
            "precision = 'int8' of the whole or of a layer without QDQ nodes in the file, calibration or dynamic_ranges"
        )
        raise EngineError(what, where=where, remedy="give a quantised file (QDQ), or name calibration frames")


def set_precisions(trt: Any, network: Any, options: BuildOptions) -> None:
    """What layer_precisions and dynamic_ranges ask for; EngineError for a pattern that matches nothing."""
    layers = {layer.name: layer for layer in layers_of(network)}
    for name, precision in _matched(options.layer_precisions, layers, "layer_precisions"):
        _set_precision(trt, layers[name], getattr(trt.DataType, LAYER_TYPES[precision]))
    tensors = {one.name: one for one in (*inputs_of(network), *_outputs_of(network))}
    for name, most in _matched(options.dynamic_ranges, tensors, "dynamic_ranges"):
        if not tensors[name].set_dynamic_range(-most, most):
            raise EngineError(f"TensorRT does not take {most} as the range of {name!r}", where=WHERE)


def _set_precision(trt: Any, layer: Any, dtype: Any) -> None:
    """Only of what gives floating point: what computes shapes and indices keeps its type."""
    floats = (trt.DataType.FLOAT, trt.DataType.HALF)
    outputs = [number for number in range(layer.num_outputs) if layer.get_output(number).dtype in floats]
    if outputs:
        layer.precision = dtype
    for number in outputs:
        layer.set_output_type(number, dtype)


def layers_of(network: Any) -> Iterator[Any]:
    """All layers of a network."""
    return (network.get_layer(number) for number in range(network.num_layers))


def inputs_of(network: Any) -> Iterator[Any]:
    """All input tensors of a network."""
    return (network.get_input(number) for number in range(network.num_inputs))


def _outputs_of(network: Any) -> Iterator[Any]:
    """Of every layer."""
    return (layer.get_output(number) for layer in layers_of(network) for number in range(layer.num_outputs))


def _matched(patterns: Mapping[str, Value], known: Mapping[str, Any], option: str) -> List[Tuple[str, Value]]:
    """Names that the patterns match, in their order."""
    found: List[Tuple[str, Value]] = []
    for pattern, value in patterns.items():
        names = [name for name in known if fnmatch.fnmatchcase(name, pattern)]
        if not names:
            some = ", ".join(list(known)[:SHOWN])
            what = f"the pattern {pattern!r} matches nothing in the network, which has {some}, and {len(known)} in all"
            raise EngineError(what, where=f"{option}, {WHERE}")
        found += [(name, value) for name in names]
    return found
