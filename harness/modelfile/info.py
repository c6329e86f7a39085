"""What an inspection finds, and the limits it works within."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Optional, Tuple

from harness.case import TensorSpec


@dataclass(frozen=True)
class Limits:
    """What a model may claim before it is refused; far above any driver-monitoring model.

    max_bytes bounds the file and, separately, all the weights together. max_records bounds the work:
    every field of a protobuf message and every table of a flatbuffer counts as one.
    """

    max_bytes: int = 2 << 30
    max_nodes: int = 100_000
    max_records: int = 1_000_000
    max_depth: int = 32
    max_rank: int = 32
    max_name_bytes: int = 1024


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class ExternalFile:
    """A file with weights that lies beside the model; `name` is relative, with forward slashes."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class ModelInfo:
    """A model file that was found safe to open.

    inputs are those that must be fed: weights listed as inputs stand in `weights_as_inputs`. opset is
    that of the ai.onnx domain, or the schema version of a TFLite file. node_count includes nested
    graphs. weight_dtype is the dtype that most weight bytes have, "" without weights. warnings are
    sentences with their remedy.
    """

    format: str
    sha256: str
    size_bytes: int
    inputs: Tuple[TensorSpec, ...]
    outputs: Tuple[TensorSpec, ...]
    opset: Optional[int]
    producer: str
    node_count: int
    weight_dtype: str = ""
    weights_as_inputs: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    external_files: Tuple[ExternalFile, ...] = ()

    @property
    def model_sha256(self) -> str:
        """The hash of all files that make up the model: `sha256` where it is alone."""
        if not self.external_files:
            return self.sha256
        hashes = [self.sha256, *(one.sha256 for one in self.external_files)]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()
