"""A journal that outlives a crash: one record a line, each with its checksum, each on disk before the next.

A line is eight hex digits of CRC-32 of the text, a blank, the record as JSON with sorted keys, a newline. What was
cut off or damaged is left out and counted; nothing is ever guessed.
"""

from __future__ import annotations

import errno
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Records:
    """records: whole ones, in order. damaged: lines that are none. length: bytes up to the end of the last line."""

    records: Tuple[Dict[str, Any], ...]
    damaged: int
    length: int


class Journal:
    """Opened to append, by one process; OSError where a record cannot be kept whole."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._file).st_size
        self._torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        folder = os.open(str(path.parent), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write(self, record: Mapping[str, Any]) -> None:
        """Returns when the record is on disk."""
        # What was cut off before must not take this record with it.
        line = b"\n" * self._torn + to_line(record)
        self._torn = True
        if os.write(self._file, line) < len(line):
            raise OSError(errno.ENOSPC, "no room for a whole record")
        os.fsync(self._file)
        self._torn = False

    def close(self) -> None:
        """Nothing is written any more."""
        os.close(self._file)


def to_line(record: Mapping[str, Any]) -> bytes:
    """The record as one line of a journal."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read_lines(content: bytes) -> Records:
    """Every whole record of `content`, which may be cut off or damaged anywhere."""
    *lines, rest = content.split(b"\n")
    found = [record for record in map(_record, lines) if record is not None]
    return Records(tuple(found), len(lines) - len(found), len(content) - len(rest))


def _record(line: bytes) -> Optional[Dict[str, Any]]:
    """None for a line that is no record."""
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
