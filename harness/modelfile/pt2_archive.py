"""The zip of a .pt2 file, read so that torch cannot read another one from the same bytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import Any, BinaryIO, Dict, List

from harness.errors import ModelFileError

_MAX_JSON_BYTES = 64 << 20
_MEMBER = b"PK\x03\x04"
# The end record of 64-bit zips (56), its locator (20) and the plain end record (22).
_END_BYTES = 98
# RuntimeError stands for encrypted members and, as NotImplementedError, for versions that zipfile does not know.
DAMAGE = (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError)


def open_zip(stream: BinaryIO) -> zipfile.ZipFile:
    """A zip that everybody reads alike: it begins with a member, and its directory lies where its last bytes say.

    Python forgives bytes before and after; torch then reads a pickle, or another directory, from the same file.
    """
    stream.seek(0)
    begin = stream.read(len(_MEMBER))
    archive = zipfile.ZipFile(stream)
    if begin != _MEMBER or archive.comment or archive.start_dir != _said_directory(stream):
        raise zipfile.BadZipFile("there are bytes before or behind the archive")
    return archive


def _said_directory(stream: BinaryIO) -> int:
    stream.seek(0, io.SEEK_END)
    stream.seek(max(0, stream.tell() - _END_BYTES))
    tail = stream.read(_END_BYTES)
    if tail[-42:-38] == b"PK\x06\x07":
        return int(struct.unpack("<Q", tail[48:56])[0]) if tail[:4] == b"PK\x06\x06" else -1
    return int(struct.unpack("<I", tail[-6:-2])[0]) if tail[-22:-18] == b"PK\x05\x06" else -1


class Archive:
    """An open .pt2; ModelFileError where it is no whole archive of torch.export.save."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self.where = where
        try:
            self._zip = open_zip(stream)
        except DAMAGE as error:
            raise self.damaged(f"the archive cannot be read: {error}") from error
        infos = self._zip.infolist()
        roots = {info.filename.partition("/")[0] for info in infos}
        if len(roots) != 1 or len(infos) != len({info.filename for info in infos}):
            raise self.damaged("the archive has several roots or two members of one name")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise self.damaged("the archive is compressed, which torch.export.save never does")
        self._infos = {info.filename.partition("/")[2]: info for info in infos}
        if "models/model.json" not in self._infos:
            what = f"a zip archive without models/model.json (it has {', '.join(sorted(self._infos)[:4])})"
            raise ModelFileError(
                what, where=where, remedy="give the .pt2 that torch.export.save writes; pickles are refused"
            )

    @property
    def names(self) -> List[str]:
        return list(self._infos)

    def read(self, name: str) -> bytes:
        """A member's bytes."""
        try:
            return self._zip.read(self._infos[name])
        except (KeyError, *DAMAGE) as error:
            raise self.damaged(f"its member {name} cannot be read: {error}") from error

    def json(self, name: str) -> Dict[str, Any]:
        """A member that holds one JSON object."""
        if name in self._infos and self._infos[name].file_size > _MAX_JSON_BYTES:
            raise self.damaged(f"its member {name} is larger than {_MAX_JSON_BYTES} bytes")
        try:
            found = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"its member {name} is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise self.damaged(f"its member {name} is no JSON object")
        return found

    def damaged(self, what: str) -> ModelFileError:
        """The error of an archive that does not hang together."""
        return ModelFileError(
            what, where=self.where, remedy="the file is truncated or damaged: copy or export it again"
        )
