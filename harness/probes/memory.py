"""This process's memory as Linux and the Jetson's nvmap driver report it.

man 5 proc (status, clear_refs, smaps_rollup, cgroup), cgroup-v2.rst (memory.peak), nvmap_dev.c (iovmm/clients).
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence

from harness.errors import HarnessError
from harness.probes.sysfs import text_of

STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
CLEAR_REFS = Path("/proc/self/clear_refs")
SMAPS_ROLLUP = Path("/proc/self/smaps_rollup")
NVMAP_CLIENTS = Path("/sys/kernel/debug/nvmap/iovmm/clients")
RESET_PEAK = "5"
RESIDENT_PARTS = {"anonymous": "RssAnon", "file": "RssFile", "shared": "RssShmem"}
FIELD = re.compile(r"^([^:\n]+):[ \t]*([0-9]{1,15}) kB[ \t]*$", re.MULTILINE)
# CLIENT PROCESS PID SIZE; a process may have blanks in its name, and the line of the total has no PID.
NVMAP_CLIENT = re.compile(r"^\S+[ \t].*[ \t]([0-9]{1,10})[ \t]+([0-9]{1,15})([KM])[ \t]*$", re.MULTILINE)
NVMAP_UNITS = {"K": 1 << 10, "M": 1 << 20}

_timed_windows = 0


@contextmanager
def timed_window() -> Iterator[None]:
    """Round timed frames: what would disturb them raises inside, instead of making them slow unseen."""
    global _timed_windows
    _timed_windows += 1
    try:
        yield
    finally:
        _timed_windows -= 1


def outside_timed_window(what: str) -> None:
    """HarnessError inside a timed window."""
    if _timed_windows:
        raise HarnessError(f"{what} read inside a timed window", remedy="read it before or after the timed frames")


def resident_bytes() -> Optional[int]:
    """Resident memory now (VmRSS); None where the system does not tell."""
    return _field("VmRSS", STATUS)


def resident_parts() -> Dict[str, int]:
    """Resident memory by what backs it: anonymous, file, shared; without what the system does not tell."""
    fields = byte_fields(_text(STATUS))
    return {part: fields[name] for part, name in RESIDENT_PARTS.items() if name in fields}


def pss_bytes(path: Path = SMAPS_ROLLUP) -> Optional[int]:
    """Resident memory with each shared page divided among its users; never inside a timed window.

    The kernel walks all pages and holds the lock of the memory map: 23 ms for a process of 1 GB.
    """
    outside_timed_window("smaps_rollup")
    return _field("Pss", path)


def peak_bytes() -> Optional[int]:
    """The highest resident memory since start or the last `reset_peak` (VmHWM)."""
    return _field("VmHWM", STATUS)


def reset_peak(path: Optional[Path] = None) -> bool:
    """Start a new high-water mark; False where the kernel refuses."""
    try:
        (path or CLEAR_REFS).write_text(RESET_PEAK)
    except OSError:
        return False
    return True


class CgroupPeak:
    """The highest memory of this process's cgroup (v2): page cache, kernel memory and all its processes are in it.

    Held open, because a reset (Linux 6.12) counts only for the descriptor that it was written to.
    """

    def __init__(self, root: str = "/") -> None:
        self._root = Path(root)
        self._descriptor: Optional[int] = None

    def __enter__(self) -> CgroupPeak:
        self._descriptor = _opened(_cgroup(self._root) / "memory.peak")
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def peak_bytes(self) -> Optional[int]:
        """Since the cgroup was made or the last `reset_peak`; None where there is no such file."""
        try:
            return None if self._descriptor is None else int(os.pread(self._descriptor, 32, 0))
        except (OSError, ValueError):
            return None

    def reset_peak(self) -> bool:
        """Start a new high-water mark; False where the kernel refuses."""
        try:
            return self._descriptor is not None and os.write(self._descriptor, b"reset\n") > 0
        except OSError:
            return False


def cgroup_peak_bytes(root: str = "/") -> Optional[int]:
    """The highest memory of this process's cgroup since it was made; None on cgroup v1 or in the root cgroup."""
    with CgroupPeak(root) as cgroup:
        return cgroup.peak_bytes()


def peaks(root: str = "/") -> Dict[str, int]:
    """The high-water marks that this system keeps, by their source; they count different things."""
    found = {"VmHWM": peak_bytes(), "cgroup memory.peak": cgroup_peak_bytes(root)}
    return {source: value for source, value in found.items() if value is not None}


class Together:
    """The memory of this process and of others, in which its engine runs. others: their ids now.

    The peak is the sum of all peaks: never below the peak of the sum. What two of them share counts twice.
    """

    def __init__(self, others: Callable[[], Sequence[int]]) -> None:
        self._others = others

    def resident_bytes(self) -> Optional[int]:
        """Resident memory now."""
        return _sum([resident_bytes(), *(_field("VmRSS", path / "status") for path in self._paths())])

    def peak_bytes(self) -> Optional[int]:
        """The sum of the highest resident memory of each, since the last `reset_peak`."""
        return _sum([peak_bytes(), *(_field("VmHWM", path / "status") for path in self._paths())])

    def pss_bytes(self) -> Optional[int]:
        """Resident memory with each shared page divided among its users; never inside a timed window."""
        return _sum([pss_bytes(), *(pss_bytes(path / "smaps_rollup") for path in self._paths())])

    def reset_peak(self) -> bool:
        """Start a new high-water mark of each; False where the kernel refuses one."""
        return all([reset_peak(), *(reset_peak(path / "clear_refs") for path in self._paths())])

    def _paths(self) -> List[Path]:
        return [Path(f"/proc/{pid}") for pid in self._others()]


def device_bytes() -> Optional[int]:
    """All memory of this device that Linux manages (MemTotal)."""
    return _field("MemTotal", MEMINFO)


def nvmap_device_bytes() -> Optional[int]:
    """Buffers of the GPU and its like of all processes (NvMapMemUsed); None but on a Jetson."""
    return _field("NvMapMemUsed", MEMINFO)


def nvmap_process_bytes(pid: int, path: Path = NVMAP_CLIENTS) -> Optional[int]:
    """GPU buffers of a process on a Jetson, which are not in its resident memory; None where it is not listed.

    Only root may read the file. Never run on the device.
    """
    return nvmap_clients(_text(path)).get(pid)


def nvmap_clients(text: str) -> Dict[int, int]:
    """Bytes by process id from nvmap's table of clients; a process with several clients counts once, with their sum."""
    found: Dict[int, int] = {}
    for pid, size, unit in NVMAP_CLIENT.findall(text):
        found[int(pid)] = found.get(int(pid), 0) + int(size) * NVMAP_UNITS[unit]
    return found


def byte_fields(text: str) -> Dict[str, int]:
    """The lines `Name: 12 kB` of a file of /proc, in bytes."""
    return {name: int(kibibytes) * 1024 for name, kibibytes in FIELD.findall(text)}


def _sum(parts: Sequence[Optional[int]]) -> Optional[int]:
    """None where one is not known: a sum without it would be too small."""
    known = [one for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None


def _field(name: str, path: Path) -> Optional[int]:
    return byte_fields(_text(path)).get(name)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def _cgroup(root: Path) -> Path:
    lines = (text_of(root / "proc/self/cgroup") or "").splitlines()
    inside = next((line[len("0::") :] for line in lines if line.startswith("0::")), "")
    return root / "sys/fs/cgroup" / inside.lstrip("/")


def _opened(path: Path) -> Optional[int]:
    """For writing too where that is allowed: only such a descriptor can be reset."""
    for flags in (os.O_RDWR, os.O_RDONLY):
        try:
            return os.open(str(path), flags | os.O_CLOEXEC)
        except OSError:
            continue
    return None
