"""The first look at a file: is it a file, is its size sane, and do its first bytes fit its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Optional, Tuple

from harness.errors import ModelFileError
from harness.modelfile.info import Limits

FORMATS = {".onnx": "onnx", ".tflite": "tflite", ".pte": "pte", ".pt2": "pt2"}
# Flatbuffers name their schema in the bytes 4 to 8.
IDENTIFIERS = {"tflite": b"TFL3", "pte": b"ET12"}
TITLES = {"tflite": "TFLite model", "pte": "ExecuTorch program"}
ZIP = b"PK\x03\x04"
HEAD_BYTES = 512

_PICKLE = (
    ".pt", ".pth", ".ckpt", ".bin", ".mar", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz", ".h5", ".hdf5",
    ".keras",
)  # fmt: skip
_EXPORT = "export it to ONNX where it was trained (torch.onnx.export, skl2onnx, tf2onnx) and give the .onnx file"
_UNPACK = "unpack it and give the .onnx or .tflite file inside"
_CODE = "can run code when it is loaded, so it is never opened"
_MAGIC: Tuple[Tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a Git-LFS pointer and not the model", "run 'git lfs pull' in its repository"),
    (b"/annex/objects/", "a git-annex pointer and not the model", "run 'git annex get' in its repository"),
    (ZIP, f"a zip archive (PyTorch and Keras files are zips with pickles), which {_CODE}", _EXPORT),
    (b"PK\x05\x06", "an empty zip archive", _EXPORT),
    (b"\x93NUMPY", f"a numpy file, which is no model and {_CODE}", _EXPORT),
    (b"\x89HDF\r\n", f"an HDF5 (Keras) file, which {_CODE}", _EXPORT),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK),
    (b"BZh", "compressed with bzip2", _UNPACK),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK),
    (b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (b"%PDF", "a PDF document", "download the model itself"),
    (b"\x89PNG", "a picture", "give the .onnx or .tflite file"),
    (b"\xff\xd8\xff", "a picture", "give the .onnx or .tflite file"),
)


def regular_file(path: Path, limits: Limits) -> os.stat_result:
    """The file's status; ModelFileError unless it is a regular file of a sane size. Nothing is opened."""
    where = str(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise _missing(where, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise ModelFileError(
            "a folder and not a model file", where=where, remedy="give the .onnx or .tflite file in it"
        )
    if not stat.S_ISREG(status.st_mode):
        raise ModelFileError("a device, pipe or socket and not a model file", where=where, remedy="give a regular file")
    if status.st_size == 0:
        raise ModelFileError("the file is empty", where=where, remedy="copy or export it again")
    if status.st_size > limits.max_bytes:
        raise _too_large(where, status.st_size, limits)
    return status


def _missing(where: str, error: Exception) -> ModelFileError:
    if isinstance(error, FileNotFoundError):
        return ModelFileError("no such file", where=where, remedy="check the path, or whether the file was fetched")
    return ModelFileError(
        f"the file cannot be looked at: {error}", where=where, remedy="check the path and its permissions"
    )


def _too_large(where: str, size: int, limits: Limits) -> ModelFileError:
    what = f"the file has {size} bytes; {limits.max_bytes} are allowed"
    return ModelFileError(what, where=where, remedy="a caller who needs more raises Limits.max_bytes")


def sniff(path: Path, head: bytes) -> str:
    """The format of the file whose first bytes are `head`, one of FORMATS; ModelFileError for anything else."""
    where, suffix = str(path), path.suffix.lower()
    archive = suffix == ".pt2" and head.startswith(ZIP)
    found = None if archive else imposter(head) or (None if suffix in _PICKLE else readable_text(head))
    if found is not None:
        raise ModelFileError(f"the file is {found[0]}", where=where, remedy=found[1])
    if suffix in _PICKLE:
        raise ModelFileError(f"a {suffix} file {_CODE}", where=where, remedy=_EXPORT)
    if suffix not in FORMATS:
        known = ", ".join(FORMATS)
        raise ModelFileError(f"no known model format has the ending '{suffix}'", where=where, remedy=f"known: {known}")
    _check_identifier(where, head, FORMATS[suffix])
    if suffix == ".pt2" and not archive:
        raise ModelFileError("the file is no zip archive, as .pt2 files are", where=where, remedy="export it again")
    return FORMATS[suffix]


def _check_identifier(where: str, head: bytes, form: str) -> None:
    other = [name for name, identifier in IDENTIFIERS.items() if head[4:8] == identifier and name != form]
    if other:
        what = f"the file is a {TITLES[other[0]]} with another ending"
        raise ModelFileError(what, where=where, remedy=f"rename it to .{other[0]}")
    if form in IDENTIFIERS and head[4:8] != IDENTIFIERS[form]:
        what = f"the bytes 4 to 8 are {head[4:8]!r} and not {IDENTIFIERS[form]!r}: no {TITLES[form]}, or a damaged one"
        raise ModelFileError(what, where=where, remedy="copy or export it again; an ONNX model is named .onnx")


def imposter(head: bytes) -> Optional[Tuple[str, str]]:
    """What a file that begins so is instead of a model, and the remedy; None where nothing is known against it."""
    for magic, what, remedy in _MAGIC:
        if head.startswith(magic):
            return what, remedy
    if len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5:
        return f"a pickle, which {_CODE}", _EXPORT
    return None


def readable_text(head: bytes) -> Optional[Tuple[str, str]]:
    """As `imposter`, for a file that begins with a web page or other text."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page saved under the name of a model", "download the model itself (the 'raw' or 'download' link)"
    if text.startswith((b"<?xml", b"{", b"[")) and _is_text(head):
        return "a text file (XML or JSON) and not a model", "give the .onnx or .tflite file"
    if len(head) >= 16 and _is_text(head):
        return "a text file and not a model", "give the .onnx or .tflite file; a download may have failed"
    return None


def _is_text(head: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head.replace(b"\xef\xbb\xbf", b"", 1))
