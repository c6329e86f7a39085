"""Static INT8 as an ONNX file with Q and DQ nodes: weights and activations are rounded, ranges come from frames."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ConfigError, EngineError, unknown
from harness.variants import Bench, Recipe
from harness.variants.libraries import library, working
from harness.variants.onnxfile.checked import checked, whole
from harness.variants.onnxfile.keep_float import keep_float
from harness.variants.onnxfile.layers import Graph, excluded_nodes, float_layers, graph_of, is_quantised, weighted
from harness.variants.onnxfile.nncf import write_with_nncf
from harness.variants.onnxfile.prepare import prepare
from harness.variants.onnxfile.ranges import Method, Ranges, ranges
from harness.variants.onnxfile.schemes import Scheme, scheme_of
from harness.variants.quantise.histograms import METHODS
from harness.variants.study.graphs import feeds

NNCF = "nncf"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of a recipe, read: see harness.variants.quantise.static."""

    method: Method
    scheme: Scheme
    per_channel: bool = True
    exclude: tuple[str, ...] = ()


def wish_of(recipe: Recipe, engines: Sequence[str]) -> Wish:
    """ConfigError for an unknown method, or activations that an engine does not take."""
    options, usual = recipe.options, Method()
    if options.get("method", usual.name) not in (*METHODS, NNCF):
        what = unknown("calibration method", options["method"], (*METHODS, NNCF))
        raise ConfigError(what, where="the recipe, options.method")
    return Wish(
        method=Method(
            name=str(options.get("method", usual.name)), percentile=float(options.get("percentile", usual.percentile)),
            bins=int(options.get("bins", usual.bins)),
        ),
        scheme=scheme_of(engines, str(options.get("activations", ""))),
        per_channel=bool(options.get("per_channel", True)), exclude=tuple(options.get("exclude", ())),
    )  # fmt: skip


def quantise(recipe: Recipe, bench: Bench) -> tuple[Path, dict[str, Any]]:
    """The file, which has run a real frame, and what is known of it; options as quantise.static says them.

    float_convolutions, integer_products and so on: what ONNX Runtime's CPU provider runs, absent in a file for another
    processor; notes: where it runs something in float that is quantised, and more to tell. quantised_layers: of
    `layers`, those that have weights. float_layers: operator -> how many have no quantised form. excluded: the nodes
    that were left out. ConfigError for options that cannot be followed, EngineError where nothing is quantised.
    """
    source, target = bench.parent("onnx"), bench.target(recipe, "onnx")
    wish, frames = wish_of(recipe, bench.engines), bench.frames.calibration
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "prepared.onnx"
        facts = dict(prepare(source, ready))
        excluded = excluded_nodes(_graph(ready), wish.exclude)
        bench.say(f"{bench.card.name}: {recipe.name}.onnx, {wish.method.name} on {len(frames)} frames")
        with whole(target, ready, source):
            _written(ready, target, wish, excluded, bench)
            facts |= _told(_graph(ready), _graph(target), wish, source)
            kernels = checked(target, next(feeds(target, bench.card, frames)))
    if not wish.scheme.only:
        facts |= {**kernels, "notes": [*facts["notes"], *_surprises(facts, kernels)]}
    return target, {**facts, "excluded": excluded, "calibration_frames": len(frames), "calibration_key": frames.key}


def write(ready: Path, target: Path, found: Ranges, wish: Wish, excluded: Sequence[str] = ()) -> None:
    """Quantise a prepared file with known ranges, but the nodes `excluded`; the same bytes each time."""
    quantisation = library("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder, working("ONNX Runtime's quantiser fails", ready):
        kept, made = Path(folder) / "ranges.json", Path(folder) / "made.onnx"
        _as_calibration(found, kept)
        quantisation.quantize_static(
            str(ready), str(made), None, calibration_cache_path=kept, quant_format=quantisation.QuantFormat.QDQ,
            nodes_to_exclude=list(excluded), **_arguments(ready, wish, excluded),
        )  # fmt: skip
        model = library("onnx").load(str(made))
        keep_float(model, excluded)
        library("onnx").save(model, str(target))


def _written(ready: Path, target: Path, wish: Wish, excluded: Sequence[str], bench: Bench) -> None:
    frames, card = bench.frames.calibration, bench.card
    if wish.method.name == NNCF:
        write_with_nncf(ready, target, lambda: feeds(ready, card, frames), wish.scheme, wish.per_channel, excluded)
        return
    decides = [frames.key, repr(card.input_spec("onnx")), repr(card.extra_input_list())]
    found = ranges(ready, lambda: feeds(ready, card, frames), wish.method, bench.cache, decides)
    write(ready, target, found, wish, excluded)


def _graph(path: Path) -> Graph:
    return graph_of(library("onnx").load(str(path)))


def _arguments(ready: Path, wish: Wish, excluded: Sequence[str]) -> dict[str, Any]:
    """What the quantiser is told for the scheme."""
    quantisation = library("onnxruntime.quantization")
    types = {"uint8": quantisation.QuantType.QUInt8, "int8": quantisation.QuantType.QInt8}
    told = {
        "activation_type": types[wish.scheme.activations], "weight_type": types["int8"],
        "per_channel": wish.per_channel,
    }  # fmt: skip
    if not wish.scheme.qnn:
        return {**told, "extra_options": dict(wish.scheme.extra)}
    qnn = library("onnxruntime.quantization.execution_providers.qnn")
    config = qnn.get_qnn_qdq_config(str(ready), None, nodes_to_exclude=list(excluded), **told)
    return {**told, "op_types_to_quantize": config.op_types_to_quantize, "extra_options": config.extra_options}


def _as_calibration(found: Ranges, path: Path) -> None:
    """Ranges as the quantiser reads them back."""
    calibrate = library("onnxruntime.quantization.calibrate")
    tensors = {
        name: calibrate.TensorData(lowest=np.array([low], np.float32), highest=np.array([high], np.float32))
        for name, (low, high) in found.items()
    }
    calibrate.save_tensors_data(calibrate.TensorsData(calibrate.CalibrationMethod.MinMax, tensors), path)


def _surprises(facts: Mapping[str, Any], kernels: Mapping[str, int]) -> Iterator[str]:
    """Where the CPU provider does not run what the file says."""
    integer = kernels["integer_convolutions"] + kernels["integer_products"]
    total, quantised = facts["layers"], facts["quantised_layers"]
    if integer < quantised:
        yield f"{quantised - integer} of {quantised} quantised layers run in float on ONNX Runtime's CPU provider"
    if integer > quantised:
        left = total - quantised
        yield f"{integer - quantised} of {left} layers left in float run in integers on ONNX Runtime's CPU provider"


def _told(before: Graph, after: Graph, wish: Wish, source: Path) -> dict[str, Any]:
    """EngineError where no layer was quantised."""
    layers, left = list(weighted(after)), float_layers(before)
    if not any(node.op_type == "DequantizeLinear" for node in after.graph.node):
        kinds = ", ".join(f"{count} {kind}" for kind, count in left.items())
        raise EngineError(
            f"nothing of it can be quantised{': it has no integer form of ' + kinds if kinds else ''}",
            where=str(source), remedy="leave fewer layers out" if wish.exclude else "use another technique",
        )  # fmt: skip
    return {
        **wish.method.facts(),
        "scheme": wish.scheme.name, "activations": wish.scheme.activations, "weights": "int8",
        "scheme_reason": wish.scheme.reason, "per_channel": wish.per_channel,
        "layers": len(layers), "quantised_layers": sum(is_quantised(one, after) for one in layers),
        "float_layers": left,
    }  # fmt: skip
