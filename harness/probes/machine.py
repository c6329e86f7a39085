"""What this machine is: processor, board, system, and a mark of the single unit. Facts that stay over a reboot."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path
from typing import Dict, Optional, Union

CPUINFO = Path("/proc/cpuinfo")
OS_RELEASE = Path("/etc/os-release")
BOARD = Path("/proc/device-tree/model")
SERIALS = (Path("/proc/device-tree/serial-number"), Path("/etc/machine-id"))
# What names a processor, on x86 and on Arm; never what it measures, such as MHz or BogoMIPS.
CPU_FIELDS = ("model name", "CPU part", "Hardware")


def machine_facts() -> Dict[str, Union[str, int]]:
    """cpu, board, cores, os, kernel, and unit: a hash of the serial number. What nobody tells is left out."""
    found: Dict[str, Optional[Union[str, int]]] = {
        "cpu": _cpu(),
        "board": _text(BOARD),
        "cores": os.cpu_count(),
        "os": _os_name(),
        "kernel": platform.release(),
        "unit": _unit(),
    }
    return {name: value for name, value in found.items() if value}


def _cpu() -> Optional[str]:
    for line in (_text(CPUINFO) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in CPU_FIELDS:
            return value.strip()
    return platform.processor() or None


def _os_name() -> Optional[str]:
    for line in (_text(OS_RELEASE) or "").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip('"')
    return None


def _unit() -> Optional[str]:
    serial = next(filter(None, map(_text, SERIALS)), None)
    return hashlib.sha256(serial.encode()).hexdigest()[:12] if serial else None


def _text(path: Path) -> Optional[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0\n ") or None
    except OSError:
        return None
