"""Archives of code that were made before: to make one takes most of a second, and every process would make it anew."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.files import replace_in_order

DIGEST_BYTES = hashlib.sha256().digest_size


def kept(folder: Path, name: str, sources: Path, make: Callable[[], bytes]) -> bytes:
    """What `make` gave for `name` when the Python files below `sources` were what they are now; else it is made.

    One file a name: digest of the sources, digest of the content, content. One that cannot be written costs time only.
    """
    path, state = folder / hashlib.sha256(name.encode()).hexdigest(), sources_state(sources)
    with contextlib.suppress(OSError):
        found = path.read_bytes()
        content = found[2 * DIGEST_BYTES :]
        if found[: 2 * DIGEST_BYTES] == state + hashlib.sha256(content).digest():
            return content
    content = make()
    with contextlib.suppress(OSError):
        replace_in_order({path: state + hashlib.sha256(content).digest() + content})
    return content


def sources_state(folder: Path) -> bytes:
    """Changes with every Python file below `folder`: its time of change is the kernel's own, which no copy keeps."""
    lines = sorted(f"{path} {found.st_ino} {found.st_size} {found.st_ctime_ns}" for path, found in _files(str(folder)))
    return hashlib.sha256("\n".join(lines).encode()).digest()


def _files(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for one in entries:
            if one.is_dir(follow_symlinks=False):
                yield from _files(one.path)
            elif one.name.endswith(".py"):
                yield one.path, one.stat()
