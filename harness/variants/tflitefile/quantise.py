"""Quantised TFLite files: static, dynamic, weights alone, and FP16 weights; each is run before it is handed out.

Facts of each: layers (with weights) and quantised_layers (of them); weight_types, precisions and tensor_types, counted
in the file; float_layers: operator -> how many stayed in float that nobody excluded; excluded: the layers that stay in
float as asked; xnnpack_percent of all operators, in xnnpack_partitions; notes: what may make it slower than its parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.errors import ConfigError, HarnessError, unknown
from harness.variants import Bench, Recipe
from harness.variants.quantise.histograms import BINS
from harness.variants.quantise.performat import Written
from harness.variants.tflitefile import recipes
from harness.variants.tflitefile.check import checked, counted, listed
from harness.variants.tflitefile.layers import kept_scopes
from harness.variants.tflitefile.ranges import calibrated


def quantise(recipe: Recipe, bench: Bench) -> Written:
    """Weights and activations in INT8; options as harness.variants.quantise.static says them.

    ConfigError for options that a TFLite file cannot follow; HarnessError where no layer is quantised.
    """
    options = recipe.options
    require_signed(recipe, "TFLite")
    method, percentile = str(options.get("method", "minmax")), float(options.get("percentile", 99.99))
    bins, per_channel = int(options.get("bins", BINS)), bool(options.get("per_channel", True))
    excluded = sorted(options.get("exclude", ()))
    scopes = kept_scopes(bench, excluded)
    ranges = calibrated(bench, method, percentile, bins)
    told = {
        "method": method, **({"percentile": percentile} if method == "percentile" else {}),
        **({"bins": bins} if method != "minmax" else {}),
        "activations": "int8", "weights": "int8", "per_channel": per_channel,
        "calibration_frames": len(bench.frames.calibration), "calibration_key": bench.frames.calibration.key,
    }  # fmt: skip
    path, facts = _written(recipe, bench, scopes, recipes.static(per_channel, scopes), ranges)
    left = [f"{listed(facts['float_layers'])} stays in float: the quantiser knows no INT8 form"]
    notes = left * bool(facts["float_layers"]) + facts["notes"]
    return path, {**told, **facts, "excluded": excluded, "notes": notes}


def quantise_dynamic(recipe: Recipe, bench: Bench) -> Written:
    """Weights rounded without calibration; options as harness.variants.quantise.dynamic says them.

    INT4 goes to fully connected layers, for which LiteRT has a kernel, and INT8 to the others; HarnessError where no
    fully connected layer is rounded. Depthwise convolutions stay in float where activations are rounded, too.
    """
    weights, compute = _one_of(recipe, "weights", "int8", "int4"), _one_of(recipe, "compute", "integer", "float")
    excluded = sorted(recipe.options.get("exclude", ()))
    scopes, bits = kept_scopes(bench, excluded), 4 if weights == "int4" else 8
    make = recipes.dynamic if compute == "integer" else recipes.weights_only
    path, facts = _written(recipe, bench, scopes, make(bits, scopes))
    if weights not in facts["weight_types"]:
        path.unlink()
        raise HarnessError(
            f"no layer takes {weights} weights; LiteRT takes int4 in fully connected layers",
            where=str(bench.parent("tflite")), remedy='use weights = "int8"',
        )  # fmt: skip
    return path, {"weights": weights, "compute": compute, **facts, "excluded": excluded}


def to_half(recipe: Recipe, bench: Bench) -> Written:
    """Weights in FP16, half the size; XNNPACK unpacks them when it loads the file, and computes in FP32."""
    path, facts = _written(recipe, bench, (), recipes.half())
    return path, {"weights": "float16", **facts}


def require_signed(recipe: Recipe, what: str) -> None:
    """ConfigError where a recipe wants unsigned activations, which `what` does not have."""
    if recipe.options.get("activations") == "uint8":
        raise ConfigError(
            f"{what} has signed activations alone", where="the recipe, options.activations", remedy='use "int8"'
        )


def _written(
    recipe: Recipe, bench: Bench, scopes: Sequence[str], manager: Any, ranges: recipes.Ranges | None = None
) -> Written:
    """The checked file and its facts; no file is left where it fails."""
    source, target = bench.parent("tflite"), bench.target(recipe, "tflite")
    recipes.write(source, target, manager, ranges)
    try:
        return target, {**counted(source, target, scopes), **checked(bench, target)}
    except HarnessError:
        target.unlink()
        raise


def _one_of(recipe: Recipe, option: str, *allowed: str) -> str:
    """The option's value, the first one by default; ConfigError for one that is not allowed."""
    value = str(recipe.options.get(option, allowed[0]))
    if value not in allowed:
        raise ConfigError(unknown(option, value, allowed), where=f"the recipe, options.{option}")
    return value
