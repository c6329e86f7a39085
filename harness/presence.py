"""What a machine says it is, and which of a list of things it lacks; needs nothing but the standard library.

The text of this file is handed to the worker's interpreter on standard input, so that it also runs where nothing is
installed yet. Paths: the kernel's devicetree and sysfs documentation (sysfs-devices-soc), ld.so(8).
"""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence

OR = " or "
SOC_FILES = ("machine", "family", "soc_id")
LIBRARY_FOLDERS = ("usr/lib", "lib", "usr/lib64", "lib64", "usr/local/lib", "usr/lib/*-linux-*", "opt/*/lib")
CPU_VENDORS = ("vendor_id", "CPU implementer")


def look(wanted: Mapping[str, Sequence[str]], root: str = "/") -> Dict[str, Any]:
    """The machine's own `identity`, and of `wanted` (files, libraries, commands, modules) what is `absent`.

    A name with " or " in it is there where one of its alternatives is; files may be patterns.
    """
    here = {"files": _file, "libraries": _library, "commands": _command, "modules": _module}
    absent = {
        kind: [name for name in names if not any(here[kind](one, root) for one in name.split(OR))]
        for kind, names in wanted.items()
    }
    return {"identity": identity(root), "absent": absent}


def identity(root: str = "/") -> Dict[str, List[str]]:
    """What the machine tells of itself, by the names of a profile's [identity]; an empty list is nobody's word."""
    top = Path(root)
    model = _text(top / "proc/device-tree/model")
    return {
        "device_tree_compatible": _strings(top / "proc/device-tree/compatible"),
        "device_tree_model": [model] if model else [],
        "soc_id": [text for text in (_text(top / "sys/devices/soc0" / name) for name in SOC_FILES) if text],
        "cpu_vendor": _cpu_vendor(top / "proc/cpuinfo"),
        "machine": [platform.machine()],
        "memory_mib": _memory_mib(top / "proc/meminfo"),
        "pci": _ids(top / "sys/bus/pci/devices", "vendor", "device"),
        "usb": _ids(top / "sys/bus/usb/devices", "idVendor", "idProduct"),
    }


def _strings(path: Path) -> List[str]:
    """The strings of a device-tree property, each ended by a zero byte."""
    return [one for one in _text(path).split("\0") if one]


def _cpu_vendor(cpuinfo: Path) -> List[str]:
    for line in _text(cpuinfo).splitlines():
        name, _, value = line.partition(":")
        if name.strip() in CPU_VENDORS:
            return [value.strip()]
    return []


def _memory_mib(meminfo: Path) -> List[str]:
    """What Linux has of the memory: less than the board, by what its firmware keeps."""
    for line in _text(meminfo).splitlines():
        words = line.split()
        if words[:1] == ["MemTotal:"] and words[1:2] and words[1].isdigit():
            return [str(int(words[1]) // 1024)]
    return []


def _ids(folder: Path, vendor: str, device: str) -> List[str]:
    """vendor:device of everything on a bus, four hexadecimal digits each."""
    pairs = ((_text(one / vendor), _text(one / device)) for one in sorted(folder.glob("*")))
    return sorted({":".join(text.lower().replace("0x", "") for text in pair) for pair in pairs if all(pair)})


def _file(name: str, root: str) -> bool:
    return bool(glob.glob(root.rstrip("/") + name))


def _library(name: str, root: str) -> bool:
    """Found as the loader would, without loading it: that would run the vendor's code here."""
    if name.startswith("/"):
        return _file(name, root)
    cached = f"/{name}".encode()
    cache = _bytes(Path(root) / "etc/ld.so.cache")
    folders = [*(str(Path(root) / one) for one in LIBRARY_FOLDERS), *_listed("LD_LIBRARY_PATH")]
    return any(cached + end in cache for end in (b"\0", b".")) or any(
        glob.glob(os.path.join(folder, f"{name}{end}")) for folder in folders for end in ("", ".*")
    )


def _command(name: str, root: str) -> bool:
    if name.startswith("/"):
        return os.access(root.rstrip("/") + name, os.X_OK)
    return shutil.which(name) is not None


def _module(name: str, root: str) -> bool:
    """Whether this interpreter finds it; it is not imported, which takes seconds."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _listed(variable: str) -> Iterable[str]:
    return filter(None, os.environ.get(variable, "").split(os.pathsep))


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace").strip("\0 \n\t")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(json.loads(sys.argv[1]), sys.argv[2])))
