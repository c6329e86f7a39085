"""Files of a data set: found within its folder, read within limits, fingerprinted."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import ConfigError, DatasetError, unknown

MAX_LABEL_BYTES = 64 << 20  # a row of CSV takes a few hundred times its size in memory
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": ("a Git LFS pointer", "fetch it with `git lfs pull`"),
    b"/annex/objects/": ("a git-annex pointer", "fetch it with `git annex get`"),
}


def locate(folder: Path, path: str | Path, what: str) -> Path:
    """The existing file or folder `path`, taken from `folder`; DatasetError where there is none."""
    full = folder / path
    if str(path).lower().endswith(ARCHIVES):
        remedy = "unpack it and name the folder, for example with `python -m zipfile -e data.zip data`"
        raise DatasetError(f"{what} is an archive, and archives are not read", where=str(full), remedy=remedy)
    if not os.path.exists(full):  # unlike Path.exists, False for a name that cannot be one
        raise DatasetError(f"{what} does not exist", where=str(full), remedy="paths are taken from the card's folder")
    return full


def inside(root: Path, name: str, where: str) -> Path:
    """The file `name` of the folder `root`; DatasetError where it is missing or leaves the folder."""
    if not name.isprintable() or not name:
        raise DatasetError(f"{name!r} is no file name", where=where)
    full, parts = root / name, PurePosixPath(name)
    stays = not parts.is_absolute() and ".." not in parts.parts
    try:
        stays, exists = stays and full.resolve().is_relative_to(root.resolve()), full.is_file()
    except (OSError, RuntimeError) as error:  # too long a name, a link that leads to itself
        raise DatasetError(f"{name[:80]!r} is no file name: {error}", where=where) from error
    if not stays:
        remedy = f"keep the files (and what links point to) under {root}"
        raise DatasetError(f"{name!r} leads out of the data set's folder", where=where, remedy=remedy)
    if not exists:
        near = unknown("file", name, _names_beside(full)) if full.parent.is_dir() else f"no file called {name!r}"
        raise DatasetError(near, where=where, remedy=f"names are relative to {root}")
    return full


def _names_beside(path: Path, limit: int = 20) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())[:limit]


def walk(root: Path, suffixes: Iterable[str]) -> Iterator[str]:
    """Names (with /) of the files under `root` that end so, sorted; hidden ones and linked folders left out."""
    wanted, found = tuple(suffixes), []
    for place, folders, names in os.walk(root, onerror=_refuse_unreadable):
        folders[:] = [one for one in folders if not one.startswith(".")]
        inner = Path(place).relative_to(root)
        found += [(inner / one).as_posix() for one in names if one[0] != "." and one.lower().endswith(wanted)]
    yield from sorted(found)


def _refuse_unreadable(error: OSError) -> None:
    raise DatasetError(f"cannot read the folder: {error.strerror}", where=str(error.filename)) from error


def sources(path: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """The file `path` under the name "", or the files of the folder `path` under their names; never empty."""
    if path.is_file():
        return {"": path}
    found = {name: inside(path, name, str(path)) for name in walk(path, suffixes)}
    if not found:
        raise DatasetError(f"no file that ends in {', '.join(suffixes)}", where=str(path))
    return found


def read_bytes(path: Path, limit: int) -> bytes:
    """The contents of `path`; DatasetError where it is empty, a pointer, unreadable or above `limit` bytes."""
    data = read_part(path, 0, limit + 1)
    if len(data) > limit:
        raise DatasetError(f"the file is larger than {limit} bytes", where=str(path))
    refuse_stub(data, path)
    return data


def read_part(path: Path, start: int, count: int) -> bytes:
    """Up to `count` bytes of `path` from `start` on."""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read(count)
    except OSError as error:
        raise DatasetError(f"cannot read the file: {error.strerror}", where=str(path)) from error


def read_head(path: Path) -> bytes:
    """The first bytes of `path`, which is neither empty nor a pointer to contents that were never fetched."""
    head = read_part(path, 0, 200)
    refuse_stub(head, path)
    return head


def refuse_stub(head: bytes, path: Path) -> None:
    """DatasetError where the first bytes of `path` show that the contents were never fetched."""
    if not head:
        raise DatasetError("the file is empty", where=str(path), remedy="copy it again")
    for start, (what, remedy) in _POINTERS.items():
        if head.startswith(start):
            raise DatasetError(f"the file is {what}, not the contents", where=str(path), remedy=remedy)


def read_text(path: Path) -> str:
    """The UTF-8 text of a label file, without a byte order mark."""
    try:
        return read_bytes(path, MAX_LABEL_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "save it as UTF-8"
        raise DatasetError(f"byte {error.start} is not UTF-8", where=str(path), remedy=remedy) from error


def fingerprint(facts: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """SHA-256 over `facts` (plain data) and the names, sizes and contents of `files`."""
    whole = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(files):
        try:
            with files[name].open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
                whole.update(json.dumps([name, stream.tell(), digest]).encode())
        except OSError as error:
            raise DatasetError(f"cannot read the file: {error.strerror}", where=str(files[name])) from error
    return whole.hexdigest()


def check_index(index: int, size: int) -> None:
    """IndexError where there is no sample `index`; counting from the end is not offered."""
    if not 0 <= index < size:
        raise IndexError(f"no sample {index}: the data set has {size}, counted from 0")


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """The option `value`, which must be one of `known`; ConfigError where it is not."""
    names = tuple(known)
    if value not in names:
        raise ConfigError(unknown(f"value of the data set option {name!r}", str(value), names))
    return str(value)


def whole(name: str, value: object, least: int, most: int) -> int:
    """The option `value`, which must be an integer from `least` to `most`; ConfigError where it is not."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"the data set option {name!r} is {value!r}, not an integer from {least} to {most}")
    return value


def class_names(value: object) -> tuple[str, ...]:
    """The option `classes`: a list of different names, or empty."""
    names = tuple(value) if isinstance(value, list | tuple) else None
    if names is None or not all(isinstance(one, str) and one for one in names) or len(set(names)) != len(names):
        raise ConfigError(f"the data set option 'classes' is {value!r}, not a list of different names")
    return names
