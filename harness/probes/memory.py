"""This process's memory as Linux reports it (man 5 proc: /proc/PID/status, /proc/PID/clear_refs)."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

STATUS = Path("/proc/self/status")
MEMINFO = Path("/proc/meminfo")
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def resident_bytes() -> Optional[int]:
    """Resident memory now (VmRSS); None where the system does not tell."""
    return _field("VmRSS", STATUS)


def peak_bytes() -> Optional[int]:
    """The highest resident memory since start or the last `reset_peak` (VmHWM)."""
    return _field("VmHWM", STATUS)


def reset_peak() -> bool:
    """Start a new high-water mark; False where the kernel refuses."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK)
    except OSError:
        return False
    return True


def device_bytes() -> Optional[int]:
    """All memory of this device that Linux manages (MemTotal)."""
    return _field("MemTotal", MEMINFO)


def _field(name: str, path: Path) -> Optional[int]:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None
