"""The one way in: a path becomes a ModelInfo or a ModelFileError."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Mapping, Union

from harness.errors import ModelFileError
from harness.members import member
from harness.modelfile.info import DEFAULT_LIMITS, Limits, ModelInfo
from harness.modelfile.sniff import HEAD_BYTES, regular_file, sniff
from harness.modelfile.source import Source

# Looked up where a file is read, so that a board needs only the readers of what its engine takes.
READERS: Mapping[str, str] = {
    "onnx": "harness.modelfile.onnxfile:inspect_onnx",
    "pt2": "harness.modelfile.pt2:inspect_pt2",
    "pte": "harness.modelfile.pte:inspect_pte",
    "tflite": "harness.modelfile.tflite:inspect_tflite",
}


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
        info: ModelInfo = member("reader of model files", sniff(path, head), READERS)(path, source, stream)
        after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise ModelFileError("the file changed while it was read", where=str(path), remedy="try again")
    return info


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        remedy = "check its permissions"
        raise ModelFileError(f"the file cannot be opened: {error}", where=str(path), remedy=remedy) from error
