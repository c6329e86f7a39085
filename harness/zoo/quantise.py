"""INT8 variants by calibration alone, on frames that no evaluation sees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.tasks.preprocess import Preprocess
from harness.zoo.recipes import Recipe


def tensors(recipe: Recipe, pictures: Array, layout: str) -> Iterator[Array]:
    """The input tensors of cached pictures [n, height, width], as the harness would make them."""
    maker = Preprocess(recipe.input)
    for picture in pictures:
        tensor = maker.tensor(np.asarray(picture)[:, :, None])
        yield tensor if layout == "NCHW" else np.ascontiguousarray(tensor.transpose(0, 2, 3, 1))


def quantise_onnx(recipe: Recipe, pictures: Array, source: Path, target: Path) -> None:
    """Static QDQ: activations unsigned, weights signed and per channel, which x86 and Arm run as integers."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        feeds = ({"image": one} for one in tensors(recipe, pictures, "NCHW"))

        def get_next(self) -> dict[str, Array] | None:
            return next(self.feeds, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared))
        quantize_static(
            str(prepared), str(target), Reader(), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip


def quantise_tflite(recipe: Recipe, pictures: Array, source: Path, target: Path) -> None:
    """static_wi8_ai8 with the widest range that calibration saw.

    The quantiser's own choice, a moving average of ranges, clips what is rare: it cost the gaze net
    22 points. EngineError unless XNNPACK takes the whole graph as one part.
    """
    from ai_edge_quantizer import calibrator, quantizer, recipe_manager
    from ai_edge_quantizer import recipe as recipes

    signature, name = _signature(source)
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipes.static_wi8_ai8())
    ranges = calibrator.Calibrator(str(source), num_threads=1, qsv_update_func=widest)
    ranges.calibrate({signature: [{name: one} for one in tensors(recipe, pictures, "NHWC")]}, manager)
    work = quantizer.Quantizer(str(source), recipes.static_wi8_ai8())
    work.quantize(ranges.get_model_qsvs()).export_model(str(target), overwrite=True)
    target.chmod(0o644)
    require_whole(target)


def widest(known: Mapping[str, Array], new: Mapping[str, Array]) -> dict[str, Array]:
    """The range that holds both ranges."""
    return {"min": np.minimum(known["min"], new["min"]), "max": np.maximum(known["max"], new["max"])}


def _signature(path: Path) -> tuple[str, str]:
    from ai_edge_litert.interpreter import Interpreter

    signatures: dict[str, Any] = Interpreter(str(path)).get_signature_list()
    name = next(iter(signatures))
    return name, signatures[name]["inputs"][0]


def require_whole(path: Path) -> None:
    """EngineError unless one delegate runs every operator of a TFLite file."""
    from harness.runtimes.litert import LiteRt

    runtime = LiteRt(str(path))
    runtime.prepare()
    with runtime:
        facts = runtime.facts()
    if facts["partitions"] != 1 or facts["placement"]["builtin"] > 0:
        raise EngineError(
            f"{facts['partitions']} XNNPACK partitions, {facts['placement']}", where=str(path),
            remedy="use operators with an int8 kernel",
        )  # fmt: skip
