"""Which ONNX opsets the exporters write and the engines read, and how a file of another one is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from harness.errors import ConfigError, EngineError, HarnessError
from harness.modelfile import inspect_model
from harness.runtimes import open_runtime

OPSET = 17
WHERE = "the export's options, opset"
# Below 9 the exporter lists weights as graph inputs, and no engine folds into them.
LEGACY_LOWEST, DYNAMO_LOWEST = 9, 18
# Engine -> package, of those that run on this host: they are asked themselves.
ASKED = {"onnxruntime": "onnxruntime", "openvino": "openvino"}
TENSORRT = ("tensorrt", "trtexec")
# Version of TensorRT -> the highest opset that its parser takes (onnx-tensorrt, docs/operators.md of each release;
# 11.5: its release notes). All of them take 9.
TENSORRT_HIGHEST: Mapping[str, int] = {"8.5": 17, "10.0": 20, "10.15": 24, "11.5": 25}
TENSORRT_LOWEST = 9


def written(exporter: str) -> tuple[int, int]:
    """The lowest and the highest opset that an exporter of the installed torch writes well."""
    from torch.onnx import _constants

    if exporter == "legacy":
        return LEGACY_LOWEST, _constants.ONNX_TORCHSCRIPT_EXPORTER_MAX_OPSET
    return DYNAMO_LOWEST, _constants.ONNX_MAX_OPSET


def require_written(opset: int, exporter: str) -> None:
    """ConfigError for an opset that the exporter does not write, or writes badly."""
    lowest, highest = written(exporter)
    if not lowest <= opset <= highest:
        raise ConfigError(
            f"opset {opset} is too {'old' if opset < lowest else 'new'}: the {exporter} exporter writes {lowest} to "
            f"{highest}", where=WHERE, remedy=f"take {OPSET if lowest <= OPSET <= highest else lowest}",
        )  # fmt: skip


def require_readable(path: Path, engines: Sequence[str]) -> tuple[str, ...]:
    """What is to be known of the file's opset, in sentences; EngineError where one of `engines` refuses the file.

    The engines of this host open it; for TensorRT its parser's tables speak; others are not asked.
    """
    opset = inspect_model(path).opset or 0
    for engine in engines:
        if engine in ASKED and find_spec(ASKED[engine]):
            _open(path, engine, opset)
    return _tensorrt(opset, path) if set(engines) & set(TENSORRT) else ()


def _open(path: Path, engine: str, opset: int) -> None:
    try:
        runtime = open_runtime(engine, str(path), {"threads": 1})
        runtime.prepare()
        with runtime:
            pass
    except HarnessError as error:
        raise EngineError(
            f"{engine} refuses the file of opset {opset}: {error.what}", where=str(path),
            remedy=f"export with opset {OPSET}, or take a newer engine",
        ) from error  # fmt: skip


def _tensorrt(opset: int, path: Path) -> tuple[str, ...]:
    newest, highest = list(TENSORRT_HIGHEST.items())[-1]
    if not TENSORRT_LOWEST <= opset <= highest:
        raise EngineError(
            f"opset {opset} is too {'old' if opset < TENSORRT_LOWEST else 'new'}: TensorRT {newest} takes "
            f"{TENSORRT_LOWEST} to {highest}", where=str(path), remedy=f"export with opset {OPSET}",
        )  # fmt: skip
    least = next(version for version, top in TENSORRT_HIGHEST.items() if opset <= top)
    old = least == next(iter(TENSORRT_HIGHEST))
    return () if old else (f"opset {opset} needs TensorRT {least} or newer; 8.5 takes 17 at most",)
