"""TensorRT's engine files (plans): their header, judged before TensorRT sees it.

Sources: trtexec --getPlanVersionOnly (samples/common/sampleEngines.cpp of NVIDIA/TensorRT: tag, serialisation version,
and for version 0 the TensorRT that wrote it in bytes 24 to 27); lutzroeder/netron, tensorrt.js: size of what follows
the 24 bytes of header in bytes 16 to 23, which TensorRT compares with the file ("sizeRead ... archive size").
"""

from __future__ import annotations

import struct
from typing import Optional

from harness.errors import EngineError
from harness.runtimes.tensorrt_library import Version

TAG, OLD_TAG = b"ftrt", b"ptrt"
HEADER_BYTES, WITH_VERSION_BYTES = 24, 28
REBUILD = "build it again with the TensorRT and on the GPU that will run it, or give the ONNX file instead"


def check_plan(content: bytes, version: Version, where: str) -> None:
    """EngineError unless `content` is a whole plan of this TensorRT, as far as its header tells."""
    if content[:4] != TAG:
        told = "a plan of TensorRT before 8" if content[:4] == OLD_TAG else f"no plan: it begins with {content[:8]!r}"
        raise EngineError(f"the engine file is {told}", where=where, remedy=REBUILD)
    if len(content) < WITH_VERSION_BYTES or len(content) < HEADER_BYTES + _payload_bytes(content):
        raise EngineError(
            f"the engine file is cut off: it has {len(content)} bytes, and its header tells of more", where=where,
            remedy="copy or build it again",
        )  # fmt: skip
    written = plan_version(content)
    if written is not None and written != version:
        raise EngineError(
            f"the engine file was written by TensorRT {_words(written)} and this is {_words(version)}", where=where,
            remedy=REBUILD,
        )  # fmt: skip


def plan_version(content: bytes) -> Optional[Version]:
    """The TensorRT that wrote a plan; None where its serialisation is none that a public source explains."""
    if len(content) < WITH_VERSION_BYTES or _serialisation(content) != 0:
        return None
    return content[24], content[25], content[26]


def _payload_bytes(content: bytes) -> int:
    known = len(content) >= HEADER_BYTES and _serialisation(content) == 0
    return int(struct.unpack_from("<Q", content, 16)[0]) if known else 0


def _serialisation(content: bytes) -> int:
    return int(struct.unpack_from("<I", content, 4)[0])


def _words(version: Version) -> str:
    return ".".join(map(str, version))
