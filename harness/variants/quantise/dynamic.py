"""Weights in INT8 or INT4 without calibration: ranges of activations are found frame by frame, or not needed.

Options: weights: "int8" or "int4". compute: "integer" rounds activations while the model runs, "float" turns the
weights back into floats. exclude: layers that stay as they are. convolutions (ONNX): take convolutions too, True by
default; they are 4 times smaller, and slower than in FP32 on x86.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, EngineError, unknown
from harness.variants import Bench, Made, Recipe
from harness.variants.libraries import library, working
from harness.variants.onnxfile.checked import checked, whole
from harness.variants.onnxfile.layers import excluded_nodes, graph_of, weighted
from harness.variants.onnxfile.prepare import prepare
from harness.variants.onnxfile.weights import INT4_ENGINES, as_products, to_int4_weights, to_int8_weights
from harness.variants.quantise.performat import Written, by_format, check_options
from harness.variants.study.graphs import feeds

CHOICES = {"weights": ("int8", "int4"), "compute": ("integer", "float")}
WRITERS = {
    "onnx": "harness.variants.quantise.dynamic:quantise",
    "tflite": "harness.variants.tflitefile.quantise:quantise_dynamic",
}
# Measured on x86 with AVX512-VNNI, one thread, ONNX Runtime 1.31, the shipped models.
SLOW_CONVOLUTIONS = (
    "convolutions run as ConvInteger between conversions of each activation: 0.9 to 2.1 times the latency of FP32 on "
    "x86, static INT8 takes 0.3 to 0.6 of it"
)
SLOW_WEIGHTS = (
    "ONNX Runtime turns the weights back into floats at every frame: a quarter of the file, 1.4 to 1.7 times the "
    "latency of FP32 on x86"
)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The options of a recipe, read."""

    weights: str
    compute: str
    convolutions: bool
    exclude: tuple[str, ...]


def dynamic(recipe: Recipe, bench: Bench) -> Made:
    """The parent with smaller weights; ConfigError for an unknown option, HarnessError where no format works."""
    check_options(recipe, (*CHOICES, "exclude", "convolutions"))
    for name, allowed in CHOICES.items():
        _one_of(recipe, name, allowed)
    return by_format(recipe, bench, WRITERS)


def quantise(recipe: Recipe, bench: Bench) -> Written:
    """The ONNX file, which has run a real frame. quantised_layers: of `layers`, those whose weights were rounded.

    layers_left: those whose weights were not, although nobody excluded them.
    EngineError where none was, or the target's engine does not know 4-bit weights.
    """
    source, target = bench.parent("onnx"), bench.target(recipe, "onnx")
    wish = Wish(
        weights=_one_of(recipe, "weights", CHOICES["weights"]), compute=_one_of(recipe, "compute", CHOICES["compute"]),
        convolutions=bool(recipe.options.get("convolutions", True)), exclude=tuple(recipe.options.get("exclude", ())),
    )  # fmt: skip
    _require_int4(wish, bench.engines, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "prepared.onnx"
        facts = dict(prepare(source, ready))
        with whole(target, ready, source):
            facts |= _taken(ready, target, wish, source)
            facts |= checked(target, next(feeds(target, bench.card, bench.frames.calibration)))
    return target, {**facts, "notes": [*facts["notes"], *_notes(wish, facts, bench.engines)]}


def _taken(ready: Path, target: Path, wish: Wish, source: Path) -> dict[str, Any]:
    before = graph_of(library("onnx").load(str(ready)))
    layers, excluded = list(weighted(before)), frozenset(excluded_nodes(before, wish.exclude))
    if wish.weights == "int4":
        taken = to_int4_weights(ready, target, wish.compute == "integer", excluded)
    elif wish.compute == "float":
        taken = to_int8_weights(ready, target, excluded)
    else:
        taken = _to_integers(ready, target, wish, excluded)
    if not taken:
        raise EngineError("none taken: no layer of it has weights to round", where=str(source))
    return {
        "weights": wish.weights, "compute": wish.compute,
        "layers": len(layers), "quantised_layers": taken, "excluded": sorted(excluded),
        "layers_left": len(layers) - taken - sum(one.name in excluded for one in layers),
    }  # fmt: skip


def _to_integers(ready: Path, target: Path, wish: Wish, excluded: frozenset[str]) -> int:
    """Weights in uint8: ConvInteger with int8 weights takes 6 to 11 times as long as FP32."""
    quantisation = library("onnxruntime.quantization")
    kinds = ["MatMul", "Gemm", *(["Conv"] if wish.convolutions else [])]
    with working("ONNX Runtime's quantiser fails", ready):
        quantisation.quantize_dynamic(
            str(ready), str(target), op_types_to_quantize=kinds, weight_type=quantisation.QuantType.QUInt8,
            nodes_to_exclude=as_products(excluded),
        )  # fmt: skip
        nodes = library("onnx").load(str(target)).graph.node
    return sum(node.op_type in ("ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul") for node in nodes)


def _notes(wish: Wish, facts: dict[str, Any], engines: Sequence[str]) -> Iterator[str]:
    if "onnxruntime" in engines and wish.weights == "int8":
        if wish.compute == "float":
            yield SLOW_WEIGHTS
        elif facts["integer_convolutions"]:
            yield SLOW_CONVOLUTIONS
    if facts["layers_left"] > 0:
        yield f"{facts['layers_left']} of {facts['layers']} layers keep their float weights"


def _require_int4(wish: Wish, engines: Sequence[str], source: Path) -> None:
    if wish.weights == "int4" and engines and not set(engines) & set(INT4_ENGINES):
        raise EngineError(
            f"4-bit weights are written as MatMulNBits, which {', '.join(INT4_ENGINES)} know and {', '.join(engines)} "
            "does not", where=str(source), remedy='use weights = "int8"',
        )  # fmt: skip


def _one_of(recipe: Recipe, option: str, allowed: Sequence[str]) -> str:
    value = str(recipe.options.get(option, allowed[0]))
    if value not in allowed:
        raise ConfigError(unknown(option, value, allowed), where=f"recipe {recipe.name}, options.{option}")
    return value
