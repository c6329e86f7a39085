"""One file read within limits: every read is bounded, and so is the number of records read."""

from __future__ import annotations

import hashlib
from typing import BinaryIO, Iterator, Tuple

from harness.errors import ModelFileError
from harness.modelfile.info import Limits

WINDOW_BYTES = 1 << 13
CHUNK_BYTES = 1 << 22


class Source:
    """`size` bytes of an open file at `where`, read by position; `where` stands in every error."""

    def __init__(self, stream: BinaryIO, size: int, where: str, limits: Limits) -> None:
        self.size, self.where, self.limits = size, where, limits
        self._stream = stream
        self._window, self._base = b"", 0
        self._records = 0

    def read(self, start: int, count: int) -> bytes:
        """`count` bytes from `start`; the caller keeps `count` small (see `chunks`)."""
        if start < 0 or count < 0 or start + count > self.size:
            raise self.damaged(f"something at byte {start} is said to be {count} bytes long")
        offset = start - self._base
        if offset >= 0 and offset + count <= len(self._window):
            return self._window[offset : offset + count]
        return self._fetch(start, count)

    def _fetch(self, start: int, count: int) -> bytes:
        try:
            self._stream.seek(start)
            data = self._stream.read(count)
        except OSError as error:
            raise ModelFileError(f"the file cannot be read: {error}", where=self.where) from error
        if len(data) != count:
            raise ModelFileError("the file changed while it was read", where=self.where, remedy="try again")
        return data

    def window(self, position: int, count: int = 20) -> Tuple[bytes, int]:
        """Bytes around `position` and the position of the first: at least `count` of them, or up to the end."""
        offset = position - self._base
        if offset < 0 or offset + count > len(self._window):
            self._window = self._fetch(position, min(WINDOW_BYTES, self.size - position))
            self._base = position
        return self._window, self._base

    def chunks(self, start: int, stop: int, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
        """The bytes from `start` to `stop` in pieces of `chunk_bytes`."""
        for position in range(start, stop, chunk_bytes):
            yield self.read(position, min(chunk_bytes, stop - position))

    def sha256(self) -> str:
        """The hash of the whole file."""
        digest = hashlib.sha256()
        for chunk in self.chunks(0, self.size):
            digest.update(chunk)
        return digest.hexdigest()

    def spend(self) -> None:
        """Count one record; ModelFileError where there are too many."""
        self._records += 1
        if self._records > self.limits.max_records:
            raise self.refused(f"more than {self.limits.max_records} records", "max_records")

    def text(self, start: int, stop: int, what: str) -> str:
        """A name in the file; it may hold any character."""
        if stop - start > self.limits.max_name_bytes:
            raise self.refused(f"{what} of {stop - start} bytes", "max_name_bytes")
        try:
            return self.read(start, stop - start).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.damaged(f"{what} at byte {start} is not UTF-8") from error

    def damaged(self, what: str) -> ModelFileError:
        """The error for a file whose bytes do not fit together."""
        remedy = "the file is truncated or damaged: copy or export it again"
        return ModelFileError(what, where=f"{self.where}, {self.size} bytes", remedy=remedy)

    def refused(self, what: str, limit: str) -> ModelFileError:
        """The error for a file that is larger, deeper or longer than a limit."""
        allowed = getattr(self.limits, limit)
        remedy = f"simplify the model (onnxslim, onnxsim); a caller who needs more raises Limits.{limit}"
        return ModelFileError(f"the model holds {what}; {allowed} are allowed", where=self.where, remedy=remedy)
