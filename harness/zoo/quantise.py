"""INT8 variants by calibration alone, on frames that no evaluation sees."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.case import Array
from harness.errors import EngineError
from harness.variants.frames.frameset import FrameSet
from harness.variants.onnxfile.prepare import prepare
from harness.variants.onnxfile.ranges import Method, widest
from harness.variants.onnxfile.schemes import CPU
from harness.variants.onnxfile.static import Wish, write
from harness.zoo.recipes import Recipe


def tensors(recipe: Recipe, pictures: Array, layout: str) -> Iterator[Array]:
    """The input tensors of cached pictures [n, height, width], as the harness would make them."""
    return FrameSet(name="pictures", pictures=pictures[..., None]).tensors(replace(recipe.input, layout=layout))


def quantise_onnx(recipe: Recipe, pictures: Array, source: Path, target: Path) -> None:
    """Static QDQ: activations unsigned, weights signed and per channel, which x86 and Arm run as integers."""
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        prepare(source, prepared)
        ranges = widest(prepared, lambda: ({"image": one} for one in tensors(recipe, pictures, "NCHW")))
        write(prepared, target, ranges, Wish(method=Method(), scheme=CPU))


def quantise_tflite(recipe: Recipe, pictures: Array, source: Path, target: Path) -> None:
    """INT8 weights per channel and INT8 activations, with the widest range that calibration saw.

    EngineError unless XNNPACK takes the whole graph as one part.
    """
    from harness.modelfile import inspect_model
    from harness.variants.tflitefile import ranges as tflite_ranges
    from harness.variants.tflitefile import recipes as tflite_recipes

    name = inspect_model(source).inputs[0].name
    ranges = tflite_ranges.widest(source, ({name: one} for one in tensors(recipe, pictures, "NHWC")))
    tflite_recipes.write(source, target, tflite_recipes.static(), ranges)
    require_whole(target)


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
