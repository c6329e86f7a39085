"""INT8 programs for ExecuTorch with XNNPACK: made with torchao, and run before they are handed out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import EngineError, HarnessError, printable
from harness.modelfile.pte import XNNPACK
from harness.runtimes.executorch import ExecuTorch
from harness.variants import Bench, Recipe
from harness.variants.export.interface import interface
from harness.variants.export.program import exported, lowered
from harness.variants.libraries import library, quiet
from harness.variants.ptefile.ranges import SQUARED_ERROR, Calibration, Tensors, quantised, rounded_layers, weights
from harness.variants.ptefile.source import named_weights, source_file, source_module
from harness.variants.quantise.histogram_cache import Histograms, cached
from harness.variants.quantise.histograms import BINS, check_method
from harness.variants.quantise.performat import Written
from harness.variants.tflitefile.quantise import require_signed
from harness.variants.tflitefile.ranges import key_of, require_frames
from harness.variants.training.nets import one_thread

SPLIT = "XNNPACK takes the program in {} parts, and portable kernels run the rest: it may be slower than its parent"
LIBRARIES = ("executorch.exir", "torchao.quantization.pt2e")


def quantise(recipe: Recipe, bench: Bench) -> Written:
    """Weights and activations in INT8; options as harness.variants.quantise.static says them.

    layers: those with weights; quantised_layers: of them; excluded: those that stay in float as asked; layer_shares:
    precision -> share of XNNPACK's nodes; notes: what may make it slower than its parent. ConfigError for options
    that XNNPACK cannot follow.
    """
    for name in LIBRARIES:
        library(name)
    require_signed(recipe, "XNNPACK")
    require_frames(bench)
    target, frames, spec = bench.target(recipe, "pte"), bench.frames.calibration, bench.card.input_spec("pte")
    with one_thread(), quiet():
        module = source_module(bench)
        floats = named_weights(bench, module, tuple(recipe.options.get("exclude", ())))
        how = replace(_calibration(recipe, bench), floats=floats)
        bench.say(f"{bench.card.name}: {target.name}, {how.method} on {len(frames)} frames, then lowered for XNNPACK")
        layers = len(weights(module))
        rounded = write(module, lambda: frames.tensors(spec), how, interface(bench, "pte").input_shape, target)
    told = {
        **how.facts(), "activations": "int8", "weights": "int8",
        "calibration_frames": len(frames), "calibration_key": frames.key,
        "layers": layers, "quantised_layers": rounded,
        "excluded": [one.removesuffix(".weight") for one in floats],
    }  # fmt: skip
    try:
        return target, {**told, **checked(bench, target)}
    except HarnessError:
        target.unlink()
        raise


def write(module: Any, tensors: Tensors, how: Calibration, shape: tuple[int, ...], target: Path) -> int:
    """Write the INT8 program of an exported module with an input of `shape`; how many of its layers were quantised.

    HarnessError where none was, or a library gives up.
    """
    try:
        made = quantised(module, tensors, how)
        rounded = rounded_layers(made)
        if not rounded:
            raise HarnessError("no layer of it was quantised", remedy="leave fewer layers out")
        content = lowered(exported(made, shape))
    except HarnessError:
        raise
    except Exception as error:
        # torchao and ExecuTorch raise whatever their parts do.
        raise HarnessError(f"the net cannot be quantised for XNNPACK: {printable(str(error), 500)}") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return rounded


def checked(bench: Bench, path: Path) -> dict[str, Any]:
    """Facts of a program that has just run one real frame; EngineError where it does not, or gives no numbers."""
    tensor = next(iter(bench.frames.calibration.tensors(bench.card.input_spec("pte"))))
    runtime = ExecuTorch(str(path))
    runtime.prepare()
    with runtime:
        found = runtime.infer({runtime.inputs[0].name: tensor})
        facts = runtime.facts()
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise EngineError(f"the output {name!r} is not finite for a real frame", where=str(path))
    share = facts.get("placement", {}).get(XNNPACK)
    whole = share == 1.0 and facts["partitions"] == 1
    return {
        **({} if share is None else {"xnnpack_percent": round(100 * share, 1)}),
        "xnnpack_partitions": facts["partitions"],
        **({"layer_shares": facts["layer_precisions"]} if "layer_precisions" in facts else {}),
        "notes": [] if whole else [SPLIT.format(facts["partitions"])],
    }  # fmt: skip


def _calibration(recipe: Recipe, bench: Bench) -> Calibration:
    options = recipe.options
    method, percentile = str(options.get("method", "minmax")), float(options.get("percentile", 99.99))
    bins = int(options.get("bins", BINS))
    if method != SQUARED_ERROR:
        check_method(method, percentile, bins)
    return Calibration(
        method=method, percentile=percentile, bins=bins,
        per_channel=bool(options.get("per_channel", True)), cached=partial(_kept, recipe, bench),
    )  # fmt: skip


def _kept(recipe: Recipe, bench: Bench, make: Callable[[], Histograms]) -> Histograms:
    """The histograms of this parent, these frames and these layers, from the bench's cache where they are there."""
    decides = [str(recipe.options.get("bins", BINS)), *sorted(recipe.options.get("exclude", ()))]
    return cached(
        bench.cache, "pte", [*key_of(bench, source_file(bench), library("torch").__version__), *decides], make
    )
