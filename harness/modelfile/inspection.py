"""The one way in: a path becomes a ModelInfo or a ModelFileError."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Union

from harness.errors import ModelFileError
from harness.modelfile.info import DEFAULT_LIMITS, Limits, ModelInfo
from harness.modelfile.onnxfile import inspect_onnx
from harness.modelfile.pt2 import inspect_pt2
from harness.modelfile.pte import inspect_pte
from harness.modelfile.sniff import HEAD_BYTES, regular_file, sniff
from harness.modelfile.source import Source
from harness.modelfile.tflite import inspect_tflite


def inspect_model(path: Union[str, Path], limits: Limits = DEFAULT_LIMITS) -> ModelInfo:
    """What the model file holds, found without any engine.

    ModelFileError where it is missing, no model, damaged, over a limit, able to run code, refers to
    files outside its folder, or has weights that are not finite. The file must not change meanwhile.
    """
    path = Path(path)
    before = regular_file(path, limits)
    with _open(path) as stream:
        head = stream.read(HEAD_BYTES)
        source = Source(stream, before.st_size, str(path), limits)
        info = _read(sniff(path, head), path, source, stream)
        after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise ModelFileError("the file changed while it was read", where=str(path), remedy="try again")
    return info


def _read(form: str, path: Path, source: Source, stream: BinaryIO) -> ModelInfo:
    if form == "onnx":
        return inspect_onnx(path, source)
    if form == "pt2":
        return inspect_pt2(source, stream)
    return inspect_pte(source) if form == "pte" else inspect_tflite(source)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        remedy = "check its permissions"
        raise ModelFileError(f"the file cannot be opened: {error}", where=str(path), remedy=remedy) from error
