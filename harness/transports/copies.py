"""Files on this machine's side of a copy: read where they can be, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from harness.errors import ConfigError, DiskError, HarnessError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def opened(source: Path) -> Iterator[IO[bytes]]:
    """The file to read from; ConfigError where it cannot be."""
    try:
        file = source.open("rb")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(source)) from error
    with file:
        yield file


@contextlib.contextmanager
def arriving(target: Path) -> Iterator[Path]:
    """A file beside `target`, mode 0600, that becomes it when all went well; DiskError where there is no room."""
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        _to_disk(part)
        part.replace(target)
        _to_disk(target.parent)
    except OSError as error:
        raise _unwritten(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def spooled(text: bytes) -> Iterator[IO[bytes] | None]:
    """`text` as a file to read from: no thread needs to feed it; None for no text."""
    if not text:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.seek(0)
        yield file


def _unwritten(error: OSError, target: Path) -> HarnessError:
    kind = DiskError if error.errno in NO_ROOM else ConfigError
    remedy = "free some space there" if kind is DiskError else "may this user write there?"
    return kind(f"cannot be written: {error.strerror}", where=str(target), remedy=remedy)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
