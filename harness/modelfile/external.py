"""Files that an ONNX model refers to for its weights: only plain files inside the model's own folder.

The rules close the known ways out of the folder (path traversal, symbolic and hard links, and engines
that treat some locations as memory addresses): CVE-2024-27318, CVE-2025-51480, CVE-2026-27489,
CVE-2026-34445.
"""

from __future__ import annotations

import io
import os
import re
import stat
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, Mapping, Optional, Tuple

from harness.errors import ModelFileError
from harness.modelfile.info import ExternalFile, Limits
from harness.modelfile.source import Source

KEYS = ("location", "offset", "length", "checksum")
MAX_FILES = 1000
_REMEDY = "export the model again with its weights inside, or in one plain file beside it"
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_Identity = Tuple[int, int, int, int]


class ExternalData:
    """The external files of the model at `model`; every one is judged before it is opened."""

    def __init__(self, model: Path, limits: Limits) -> None:
        self._model, self._limits = model, limits
        self._seen: Dict[str, Tuple[_Identity, ExternalFile]] = {}

    @property
    def files(self) -> Tuple[ExternalFile, ...]:
        """All files that were opened, in the order of their names."""
        return tuple(self._seen[name][1] for name in sorted(self._seen))

    @contextmanager
    def open(self, entries: Mapping[str, str], tensor: str, need: Optional[int]) -> Iterator[Tuple[Source, int, int]]:
        """The file of one tensor, and where its `need` bytes start and stop in it.

        entries: the key-value pairs that the tensor holds. need: None where the size is not known.
        """
        where = f"{self._model}: weights '{tensor}'"
        self._check_keys(entries, where)
        name = check_location(entries.get("location", ""), where)
        with self._plain_file(name, where) as source:
            start, stop = _span(entries, source, need, where)
            yield source, start, stop

    def _check_keys(self, entries: Mapping[str, str], where: str) -> None:
        for key in entries:
            if key not in KEYS:
                raise ModelFileError(f"unknown key '{key}' of external data", where=where, remedy=_REMEDY)

    @contextmanager
    def _plain_file(self, name: str, where: str) -> Iterator[Source]:
        path = self._model.parent.joinpath(*PurePosixPath(name).parts)
        _refuse_links(self._model.parent, name, where)
        with _opened(path, where) as descriptor:
            status = os.fstat(descriptor)
            self._check_status(status, name, where)
            source = Source(io.FileIO(descriptor, closefd=False), status.st_size, str(path), self._limits)
            self._remember(source, status, name, where)
            yield source

    def _check_status(self, status: os.stat_result, name: str, where: str) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise _refused(name, "is not a regular file", where)
        if status.st_nlink != 1:
            raise _refused(name, "has several hard links, so it may be another file of this machine", where)
        if os.path.samestat(status, os.stat(self._model)):
            raise _refused(name, "is the model file itself", where)

    def _remember(self, source: Source, status: os.stat_result, name: str, where: str) -> None:
        identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if name not in self._seen:
            self._check_total(status.st_size, name, where)
            self._seen[name] = identity, ExternalFile(name, status.st_size, source.sha256())
        if self._seen[name][0] != identity:
            raise _refused(name, "changed while it was read", where)

    def _check_total(self, size: int, name: str, where: str) -> None:
        total = size + sum(file.size_bytes for file in self.files)
        if len(self._seen) >= MAX_FILES:
            raise _refused(name, f"is one of more than {MAX_FILES} files", where)
        if total > self._limits.max_bytes:
            raise _refused(name, f"makes {total} bytes of external data; {self._limits.max_bytes} are allowed", where)


def check_location(location: str, where: str) -> str:
    """A location inside the model's folder, with forward slashes; ModelFileError for any other."""
    parts = PurePosixPath(location).parts
    if not location or not parts:
        raise _refused(location, "is empty", where)
    if "\\" in location or not location.isprintable():
        raise _refused(location, "holds a backslash or an invisible character", where)
    if parts[0].startswith("/") or re.match(r"[A-Za-z]:", location):
        raise _refused(location, "is absolute", where)
    if "*" in location or "_ORT_MEM_ADDR_" in location:
        raise _refused(location, "is an address in memory and no file", where)
    if ".." in parts:
        raise _refused(location, "leads out of the model's folder", where)
    return "/".join(parts)


def _refuse_links(folder: Path, name: str, where: str) -> None:
    path = folder
    for part in PurePosixPath(name).parts:
        path = path / part
        if path.is_symlink():
            raise _refused(name, "is, or lies behind, a symbolic link", where)


@contextmanager
def _opened(path: Path, where: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError) as error:
        remedy = f"copy it beside the model, or {_REMEDY}"
        raise ModelFileError(
            f"the external data '{path.name}' cannot be opened: {error}", where=where, remedy=remedy
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _span(entries: Mapping[str, str], source: Source, need: Optional[int], where: str) -> Tuple[int, int]:
    start = _number(entries, "offset", 0, where)
    length = _number(entries, "length", 0, where) or (source.size - start if need is None else need)
    if start + length > source.size:
        raise _refused(
            entries["location"], f"ends at byte {source.size}, before the weights do ({start + length})", where
        )
    if need is not None and length != need:
        raise _refused(entries["location"], f"is said to hold {length} bytes of weights that take {need}", where)
    return start, start + length


def _number(entries: Mapping[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key, str(default))
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise ModelFileError(f"the {key} '{text}' of external data is no byte count", where=where, remedy=_REMEDY)
    return int(text)


def _refused(name: str, why: str, where: str) -> ModelFileError:
    return ModelFileError(f"the external data '{name}' {why}", where=where, remedy=_REMEDY)
