"""What a model file is and whether it is safe to open, found out before any engine sees it.

Read downwards: `info` says what comes back, `inspection` is the one way in, `sniff` looks at the first
bytes, `source` reads a file within limits, `wire`, `onnxfile` and `tensors` read ONNX, `flatbuffer` and
`tflite` read TFLite, `pte` and `xnnpack` ExecuTorch programs, `pt2` archives of torch.export, `opaque` hashes what
only a vendor's engine can read, `external` judges files that a model refers to, `weights` looks for values that are
not finite, `names` judges names.

The readers are our own, for three reasons: a board has only numpy; the `onnx` library and every
engine build the whole message in memory (and open external data) before anything can be judged; and
a file that lies about its sizes must be refused in bounded time and memory. They read only what
`ModelInfo` shows. The device side imports this package: standard library and numpy, Python 3.8.
"""

from __future__ import annotations

from harness.modelfile.info import ExternalFile, Limits, ModelInfo
from harness.modelfile.inspection import inspect_model
from harness.modelfile.names import check_model_name, derive_model_name
from harness.modelfile.opaque import ENDINGS, OPAQUE, inspect_opaque

__all__ = [
    "ENDINGS", "OPAQUE", "ExternalFile", "Limits", "ModelInfo", "check_model_name", "derive_model_name",
    "inspect_model", "inspect_opaque",
]  # fmt: skip
