"""Libraries that an engine loads (delegates, plug-ins, backends), checked before the loader sees them.

The ELF header's fields are those of elf.h: class in byte 4, byte order in byte 5, type and machine in bytes 16 to 20.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Iterator, Optional, Sequence, Tuple

from harness.errors import EngineError

MACHINES = {3: "x86", 8: "MIPS", 40: "Arm 32-bit", 62: "x86-64", 164: "Hexagon", 183: "AArch64", 243: "RISC-V"}
_SHARED_OBJECT = 3
_FOLDERS = ("/usr/local/lib", "/usr/lib", "/lib", "/usr/lib64", "/lib64")


def check_library(library: str, where: str) -> str:
    """The library's path, or its bare name where only the loader can find it.

    EngineError where it is missing, no ELF shared object, or made for another machine than this interpreter; `where`
    names the profile's key.
    """
    path = find_library(library)
    if path is None and os.sep not in library:
        return library
    if path is None:
        remedy = "correct the path, or install the vendor's package on the device"
        raise EngineError(f"the library {library} does not exist", where=where, remedy=remedy)
    theirs, ours = _machine(path, where), _machine(Path(sys.executable).resolve(), where)
    if theirs[0] != _SHARED_OBJECT:
        raise EngineError(f"the library {path} is an ELF file but no shared object", where=where)
    if theirs[1:] != ours[1:]:
        raise EngineError(
            f"the library {path} is made for {_title(theirs)}, this interpreter is {_title(ours)}",
            where=where,
            remedy="take the vendor's build for this machine",
        )
    return str(path)


def require_symbols(library: str, symbols: Sequence[str], where: str) -> None:
    """Load `library`; EngineError where the loader refuses it or it lacks one of the functions."""
    try:
        loaded = ctypes.CDLL(library)
    except OSError as error:
        remedy = "install what it needs (ldd shows it), or correct the path"
        raise EngineError(f"the library {library} cannot be loaded: {error}", where=where, remedy=remedy) from error
    absent = [name for name in symbols if not hasattr(loaded, name)]
    if absent:
        raise EngineError(f"the library {library} has no function {', '.join(absent)}", where=where)


def find_library(library: str) -> Optional[Path]:
    """Where a path, or a bare name as the loader takes it, leads to; None where it is in none of the usual folders."""
    if os.sep in library:
        return Path(library) if Path(library).is_file() else None
    return next((folder / library for folder in _folders() if (folder / library).is_file()), None)


def _folders() -> Iterator[Path]:
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        yield Path(folder)
    for folder in _FOLDERS:
        yield Path(folder)
        yield Path(folder) / f"{os.uname().machine}-linux-gnu"


def _machine(path: Path, where: str) -> Tuple[int, int, int, int]:
    """(type, machine, class, byte order) of an ELF file."""
    try:
        with path.open("rb") as stream:
            head = stream.read(20)
    except OSError as error:
        raise EngineError(f"the library {path} cannot be read: {error}", where=where) from error
    if len(head) < 20 or head[:4] != b"\x7fELF":
        remedy = "it may be a Git-LFS pointer, a linker script or a web page: fetch it again"
        raise EngineError(f"the library {path} is no ELF file", where=where, remedy=remedy)
    kind, machine = struct.unpack(">HH" if head[5] == 2 else "<HH", head[16:20])
    return kind, machine, head[4], head[5]


def _title(machine: Tuple[int, int, int, int]) -> str:
    return MACHINES.get(machine[1], f"machine {machine[1]}") + (", 32 bits" if machine[2] == 1 else "")
