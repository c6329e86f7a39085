"""What an engine is built with, as the device profile asks for it, and what of it a version of TensorRT can do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, Mapping, Sequence, Tuple

from harness.errors import EngineError, unknown
from harness.runtimes.tensorrt_library import Version

WHERE = "runtimes.* of the device profile"
# INT8 leaves what it cannot do to FP16, as DLA and edge GPUs need it; layer_precisions tells what really ran.
PRECISIONS: Mapping[str, Tuple[str, ...]] = {
    "": (), "fp32": (), "fp16": ("FP16",), "bf16": ("BF16",), "int8": ("INT8", "FP16"),
}  # fmt: skip
LAYER_TYPES = {"fp32": "FLOAT", "fp16": "HALF", "bf16": "BF16", "int8": "INT8"}
CALIBRATORS = ("entropy", "minmax")
SHAPE = re.compile(r"\d+(x\d+)*")
TYPED_BY_THE_FILE = 11

Shapes = Dict[str, Tuple[Tuple[int, ...], ...]]


@dataclass(frozen=True)
class BuildOptions:
    """As TensorRt documents them."""

    precision: str = ""
    tf32: bool = False
    layer_precisions: Mapping[str, str] = field(default_factory=dict)
    dynamic_ranges: Mapping[str, float] = field(default_factory=dict)
    calibration: str = ""
    calibrator: str = "entropy"
    shapes: Mapping[str, str] = field(default_factory=dict)
    workspace_mib: int = 0
    dla_core: int = -1
    gpu_fallback: bool = False
    plugins: Sequence[str] = ()

    @property
    def weakly_typed(self) -> bool:
        """True where the builder, and not the file, chooses the types of the layers."""
        return bool(self.precision or self.layer_precisions or self.dynamic_ranges or self.calibration)

    @property
    def quantised(self) -> bool:
        """True where any layer may be INT8."""
        return "int8" in (self.precision, *self.layer_precisions.values())

    def flags(self) -> Iterator[str]:
        """Names of trt.BuilderFlag that allow all the precisions that are asked for."""
        wanted = [self.precision, *self.layer_precisions.values()]
        yield from dict.fromkeys(flag for name in wanted for flag in PRECISIONS[name])
        if self.layer_precisions:
            yield "OBEY_PRECISION_CONSTRAINTS"
        if self.dla_core >= 0 and self.gpu_fallback:
            yield "GPU_FALLBACK"

    def profile_shapes(self) -> Shapes:
        """Input -> its least, best and largest shape."""
        return {name: _three(name, words) for name, words in self.shapes.items()}


def check_options(options: BuildOptions, version: Version) -> None:
    """EngineError for what is contradictory, unknown, or not to be had from this TensorRT."""
    for name in (options.precision, *options.layer_precisions.values()):
        if name not in PRECISIONS:
            raise EngineError(unknown("precision", name, filter(None, PRECISIONS)), where=WHERE)
    if "" in options.layer_precisions.values():
        raise EngineError("layer_precisions needs a precision for each pattern", where=WHERE)
    if options.calibrator not in CALIBRATORS:
        raise EngineError(unknown("calibrator", options.calibrator, CALIBRATORS), where=WHERE)
    if options.calibration and options.precision != "int8":
        raise EngineError("calibration needs precision = 'int8'", where=WHERE)
    if options.gpu_fallback and options.dla_core < 0:
        raise EngineError("gpu_fallback needs a dla_core", where=WHERE)
    options.profile_shapes()
    if version[0] >= TYPED_BY_THE_FILE and options.weakly_typed:
        raise _typed_by_the_file(options, version)
    if options.dynamic_ranges and not options.quantised:
        raise EngineError("dynamic_ranges needs precision = 'int8', here or in layer_precisions", where=WHERE)


def _typed_by_the_file(options: BuildOptions, version: Version) -> EngineError:
    names = ("precision", "calibration", "layer_precisions", "dynamic_ranges")
    asked = [name for name in names if getattr(options, name)]
    return EngineError(
        f"TensorRT {version[0]} takes all types from the file and knows no {', '.join(asked)}", where=WHERE,
        remedy="take the option out, and give a model that is quantised explicitly (QDQ nodes) for INT8, or cast to "
        "float16 or bfloat16",
    )  # fmt: skip


def _three(name: str, words: str) -> Tuple[Tuple[int, ...], ...]:
    texts = [one.strip() for one in words.split(",")]
    if len(texts) not in (1, 3) or not all(SHAPE.fullmatch(one) for one in texts):
        raise EngineError(
            f"shapes.{name} = {words!r} is neither one shape nor three", where=WHERE,
            remedy="write the least, best and largest: '1x1x96x96, 1x1x192x192, 4x1x192x192'",
        )  # fmt: skip
    least, best, most = (tuple(map(int, one.split("x"))) for one in (texts * 3)[:3])
    ordered = all(a <= b <= c for a, b, c in zip(least, best, most))
    if not len(least) == len(best) == len(most) or not ordered:
        raise EngineError(f"shapes.{name} = {words!r} does not grow from the least to the largest", where=WHERE)
    return least, best, most
