"""Files of vendors' engines: judged by their first bytes where a public source tells them, and hashed.

Sources: a TensorRT plan begins with "ftrt" (pytorch/TensorRT, _TorchTensorRTModule.py); a DLC is a zip archive or
begins with D5 0A and its version (lutzroeder/netron, dlc.js); a QNN model library is an ELF shared object. No public
source tells how a QNN context binary begins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Mapping, Tuple, Union

from harness.errors import ModelFileError
from harness.modelfile.info import DEFAULT_LIMITS, Limits, ModelInfo
from harness.modelfile.sniff import HEAD_BYTES, ZIP, imposter, readable_text, regular_file
from harness.modelfile.source import Source

# How files of each format end; none where any ending will do.
ENDINGS: Mapping[str, Tuple[str, ...]] = {
    "onnx": (".onnx",),
    "tflite": (".tflite",),
    "pte": (".pte",),
    "pt2": (".pt2",),
    "engine": (".engine", ".plan", ".trt"),
    "dlc": (".dlc",),
    "qnn": (".so", ".bin", ".dlc"),
    "external": (),
    "sim": (".sim",),
}
OPAQUE = ("engine", "dlc", "qnn", "external")
ELF = b"\x7fELF"
_DLC = (ZIP, b"\xd5\x0a")
_BEGINNINGS: Dict[Tuple[str, str], Tuple[bytes, ...]] = {
    **{("engine", ending): (b"ftrt",) for ending in ENDINGS["engine"]},
    ("dlc", ".dlc"): _DLC,
    ("qnn", ".dlc"): _DLC,
    ("qnn", ".so"): (ELF,),
}


def inspect_opaque(path: Union[str, Path], form: str, limits: Limits = DEFAULT_LIMITS) -> ModelInfo:
    """Size and hash of a file of the format `form`, one of OPAQUE; nothing inside is known.

    ModelFileError where it is missing, too large, a Git-LFS pointer, a web page, a pickle, or begins otherwise
    than files of its format do.
    """
    path = Path(path)
    status = regular_file(path, limits)
    try:
        with path.open("rb", buffering=0) as stream:
            _check_beginning(path, form, stream.read(HEAD_BYTES))
            sha256 = Source(stream, status.st_size, str(path), limits).sha256()
    except OSError as error:
        raise ModelFileError(f"the file cannot be read: {error}", where=str(path)) from error
    return ModelInfo(
        format=form, sha256=sha256, size_bytes=status.st_size, inputs=(), outputs=(), opset=None, producer="",
        node_count=0,
    )  # fmt: skip


def _check_beginning(path: Path, form: str, head: bytes) -> None:
    wanted = _BEGINNINGS.get((form, path.suffix.lower()), ())
    if wanted and head.startswith(wanted):
        return
    zipped = form == "external" and head.startswith(ZIP)
    found = None if zipped else imposter(head) or (None if form == "external" else readable_text(head))
    found = found or (readable_text(head) if head.lstrip()[:1] == b"<" else None)
    if found is not None:
        raise ModelFileError(f"the file is {found[0]}", where=str(path), remedy=_remedy(found[1], form))
    if wanted:
        what = f"the file begins with {head[:8]!r} and not with {' or '.join(map(repr, wanted))}: no {form} file"
        raise ModelFileError(what, where=str(path), remedy=_ENGINE if form == "engine" else "copy or build it again")


_ENGINE = "build the plan again with trtexec; Ultralytics' .engine files have a JSON header that must be cut off"


def _remedy(known: str, form: str) -> str:
    return known if known.startswith(("run ", "download ")) else f"give the {form} file itself"
