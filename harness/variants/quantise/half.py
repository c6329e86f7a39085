"""FP16: half the size. Whether it is faster is up to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.variants import Bench, Made, Recipe
from harness.variants.libraries import library, working
from harness.variants.onnxfile.checked import checked, whole
from harness.variants.quantise.performat import Written, by_format, check_options
from harness.variants.study.graphs import feeds

WRITERS = {"onnx": "harness.variants.quantise.half:to_half", "tflite": "harness.variants.tflitefile.quantise:to_half"}
ON_CPU = (
    "ONNX Runtime's CPU provider turns FP16 back into FP32 when it loads the file: half the file, the speed of FP32"
)


def half(recipe: Recipe, bench: Bench) -> Made:
    """The parent in FP16; HarnessError where no format works."""
    check_options(recipe, ())
    return by_format(recipe, bench, WRITERS)


def to_half(recipe: Recipe, bench: Bench) -> Written:
    """The ONNX file with weights and computing in FP16, inputs and outputs as before; it has run a real frame.

    tensors_in_float32: of the weights. EngineError where there is no weight to convert, or the file does not run.
    """
    source, target = bench.parent("onnx"), bench.target(recipe, "onnx")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target, source, source):
        halved = _convert(source, target)
        facts = checked(target, next(feeds(target, bench.card, bench.frames.calibration)))
    told = {"notes": [ON_CPU]} if "onnxruntime" in bench.engines else {}
    return target, {**halved, **facts, **told}


def _convert(source: Path, target: Path) -> dict[str, Any]:
    onnx, converter = library("onnx"), library("onnxruntime.transformers.float16")
    with working("the model cannot be converted to FP16", source):
        model = library("onnxruntime.quantization.onnx_model").ONNXModel(
            converter.convert_float_to_float16(onnx.load(str(source)), keep_io_types=True)
        )
        # The casts at inputs and outputs are added at the end.
        model.topological_sort()
    types = [one.data_type for one in model.model.graph.initializer]
    if onnx.TensorProto.FLOAT16 not in types:
        raise EngineError("it has no float weights, so there is nothing to halve", where=str(source))
    onnx.save(model.model, str(target))
    return {"tensors_in_float16": types.count(onnx.TensorProto.FLOAT16),
            "tensors_in_float32": types.count(onnx.TensorProto.FLOAT)}  # fmt: skip
