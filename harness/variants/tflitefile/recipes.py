"""What the TFLite quantiser is told to do, and that it does it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError, printable
from harness.variants.libraries import library, quiet
from harness.variants.tflitefile.contents import ranks

Ranges = Mapping[str, tuple[float, float]]
EVERYTHING = ".*"


def static(per_channel: bool = True, kept: Sequence[str] = ()) -> Any:
    """Weights and activations in INT8, but in the scopes `kept` (see harness.variants.tflitefile.layers)."""
    types, manager = _types(), _manager()
    granularity = types.QuantGranularity.CHANNELWISE if per_channel else types.QuantGranularity.TENSORWISE
    manager.add_static_config(EVERYTHING, types.TFLOperationName.ALL_SUPPORTED, 8, 8, granularity)
    return _keeping(manager, kept)


def dynamic(bits: int = 8, kept: Sequence[str] = ()) -> Any:
    """Weights of `bits` bits where a kernel takes them; activations are turned into INT8 frame by frame.

    Depthwise convolutions stay in float: XNNPACK has no such kernel for them, and each would split the graph in two.
    """
    operations, manager = _types().TFLOperationName, _manager()
    manager.add_dynamic_config(EVERYTHING, operations.ALL_SUPPORTED, 8)
    manager.add_quantization_config(
        EVERYTHING, operations.DEPTHWISE_CONV_2D, None, library("ai_edge_quantizer.recipe").AlgorithmName.NO_QUANTIZE
    )
    if bits == 4:
        manager.add_dynamic_config(EVERYTHING, operations.FULLY_CONNECTED, 4)
    return _keeping(manager, kept)


def weights_only(bits: int = 8, kept: Sequence[str] = ()) -> Any:
    """Weights of `bits` bits where a kernel takes them; everything is computed in float."""
    operations, manager = _types().TFLOperationName, _manager()
    manager.add_weight_only_config(EVERYTHING, operations.ALL_SUPPORTED, 8)
    if bits == 4:
        manager.add_weight_only_config(EVERYTHING, operations.FULLY_CONNECTED, 4)
    return _keeping(manager, kept)


def half() -> Any:
    """Weights in FP16; everything is computed in FP32 where the engine has nothing else."""
    operations, manager = _types().TFLOperationName, _manager()
    casting = library("ai_edge_quantizer.recipe").AlgorithmName.FLOAT_CASTING
    manager.add_weight_only_config(EVERYTHING, operations.ALL_SUPPORTED, 16, algorithm_key=casting)
    return manager


def write(source: Path, target: Path, manager: Any, extremes: Ranges | None = None) -> None:
    """Write the quantised file; HarnessError where the quantiser gives up."""
    known = _statistics(source, extremes) if extremes else None
    quantizer = library("ai_edge_quantizer.quantizer")
    try:
        with quiet():
            work = quantizer.Quantizer(str(source), manager.get_quantization_recipe())
            made = work.quantize(known, enable_progress_bar=False, enable_progress_report=False)
    except Exception as error:
        # The quantiser raises whatever its parts do.
        raise HarnessError(f"the quantiser fails: {printable(str(error), 500)}", where=str(source)) from error
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(bytes(made.quantized_model))


def _keeping(manager: Any, kept: Sequence[str]) -> Any:
    """The same, with these scopes in float."""
    no = library("ai_edge_quantizer.recipe").AlgorithmName.NO_QUANTIZE
    for scope in kept:
        manager.add_quantization_config(f"^{re.escape(scope)}$", _types().TFLOperationName.ALL_SUPPORTED, None, no)
    return manager


def _manager() -> Any:
    return library("ai_edge_quantizer.recipe_manager").RecipeManager()


def _types() -> Any:
    return library("ai_edge_quantizer.qtyping")


def _statistics(source: Path, extremes: Ranges) -> dict[str, dict[str, Any]]:
    """As the quantiser's calibrator gives them: with every axis of the tensor, else it doubles some tensors."""
    axes = {name: (1,) * rank for name, rank in ranks(source).items()}
    return {
        name: {"min": np.full(axes[name], low, np.float32), "max": np.full(axes[name], high, np.float32)}
        for name, (low, high) in extremes.items()
    }
