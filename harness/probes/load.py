"""What else runs on this process's cores (man 5 proc: /proc/stat): load that the measurement did not make."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Optional, Sequence, Set, Tuple

STAT = Path("/proc/stat")
IDLE_COLUMNS = (3, 4)  # idle and iowait
COUNTED_COLUMNS = 8  # up to steal; guest time is already in user


@dataclass(frozen=True)
class Load:
    """busy_ns: of all cores that this process may use, stolen time too. own_ns: of this process, all threads."""

    at_ns: int
    busy_ns: int
    own_ns: int
    cores: int


def read() -> Optional[Load]:
    """The load until now; None where the system does not tell."""
    cores = _allowed_cores()
    busy = _busy_ticks(cores)
    if busy is None:
        return None
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return Load(time.monotonic_ns(), busy * tick_ns, time.process_time_ns(), len(cores))


class Together:
    """The load beside this process and others, in which its engine runs. others: their ids now."""

    def __init__(self, others: Callable[[], Sequence[int]]) -> None:
        self._others = others

    def read(self) -> Optional[Load]:
        """The load until now."""
        found = read()
        return found and replace(found, own_ns=found.own_ns + sum(map(_cpu_ns, self._others())))

    def since(self, before: Optional[Load]) -> Optional[Tuple[int, int]]:
        """As `since`."""
        return _difference(before, self.read())


def since(before: Optional[Load]) -> Optional[Tuple[int, int]]:
    """CPU time since `before` that others used, and that the cores had to give; the kernel counts in ticks,
    so one of them is left out: a short run must not look disturbed by rounding.
    """
    return _difference(before, read())


def _difference(before: Optional[Load], after: Optional[Load]) -> Optional[Tuple[int, int]]:
    if before is None or after is None:
        return None
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    foreign_ns = after.busy_ns - before.busy_ns - (after.own_ns - before.own_ns) - tick_ns
    return max(foreign_ns, 0), (after.at_ns - before.at_ns) * after.cores


def _cpu_ns(pid: int) -> int:
    """CPU time of a process, all its threads, by its own clock (man 3 clock_getcpuclockid); 0 of one that has ended."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def _allowed_cores() -> Set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()


def _busy_ticks(cores: Set[int]) -> Optional[int]:
    try:
        lines = STAT.read_text().splitlines()
    except OSError:
        return None
    rows = [line.split() for line in lines if line.startswith("cpu") and line[3:4].isdigit()]
    mine = [list(map(int, row[1 : COUNTED_COLUMNS + 1])) for row in rows if int(row[0][3:]) in cores]
    return sum(sum(row) - sum(row[index] for index in IDLE_COLUMNS) for row in mine) if mine else None
