"""The state of a system before it is measured: swap, disk, clock, kernel.

proc.rst (meminfo), kernel-parameters.txt (isolcpus), systemd-timesyncd.service(8) (timesync/synchronized).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict, Optional, Union

from harness.probes.memory import byte_fields
from harness.probes.sysfs import number_of, text_of


def state(folder: Union[str, Path], root: str = "/") -> Dict[str, Any]:
    """All that is known, by the names of the functions below; `folder` lies on the disk that is asked for."""
    found = {
        "swap_used_bytes": swap_used_bytes(root),
        "free_disk_bytes": free_disk_bytes(folder),
        "clock_synchronised": clock_synchronised(root),
        "isolated_cores": isolated_cores(root),
        "realtime_kernel": realtime_kernel(root),
    }
    return {name: value for name, value in found.items() if value is not None}


def swap_used_bytes(root: str = "/") -> Optional[int]:
    """Memory that was moved to a swap device or to compressed memory; None where the system does not tell."""
    fields = byte_fields(text_of(Path(root) / "proc/meminfo") or "")
    return fields["SwapTotal"] - fields["SwapFree"] if {"SwapTotal", "SwapFree"} <= fields.keys() else None


def free_disk_bytes(folder: Union[str, Path]) -> Optional[int]:
    """What this user may still write there; None where the folder cannot be asked."""
    try:
        return shutil.disk_usage(str(folder)).free
    except OSError:
        return None


def clock_synchronised(root: str = "/") -> Optional[bool]:
    """True where systemd has set the clock from a time server since boot; else None, as others may have."""
    try:
        return (Path(root) / "run/systemd/timesync/synchronized").exists() or None
    except OSError:
        return None


def isolated_cores(root: str = "/") -> Optional[str]:
    """What the kernel's command line says after `isolcpus=`, flags too; "" without it, None if it is not readable."""
    line = text_of(Path(root) / "proc/cmdline")
    if line is None:
        return None
    said = [word.partition("=")[2] for word in line.split() if word.startswith("isolcpus=")]
    return said[-1] if said else ""


def realtime_kernel(root: str = "/") -> Optional[bool]:
    """Whether the kernel is fully preemptible; /sys/kernel/realtime exists only with a distribution's patch."""
    said = number_of(Path(root) / "sys/kernel/realtime")
    if said is not None:
        return said == 1
    version = text_of(Path(root) / "proc/version")
    return None if version is None else "PREEMPT_RT" in version or "PREEMPT RT" in version
