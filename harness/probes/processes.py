"""Which other processes used the processor meanwhile: the names behind what harness.probes.load counts (psutil)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, Sequence, Tuple, Union

from harness.errors import printable
from harness.probes import ProbeError, Sample, polled
from harness.probes.memory import outside_timed_window
from harness.probes.sysfs import ValueFile
from harness.telemetry import Channel

MOST = 5
LEAST_PERCENT = 1.0
LONGEST_NAME = 40
SHORTEST_NS = 500_000_000
MISSING = "psutil is not installed: pip install 'dms-harness[host]'"


@dataclass(frozen=True)
class Snapshot:
    """cpu_s: CPU time of each process until `at_ns`, all its threads; psutil tells a reused id by its start."""

    at_ns: int
    cpu_s: Dict[Any, float]


@dataclass(frozen=True)
class ForeignProcess:
    """percent: CPU time of all its threads, 100 = one core."""

    name: str
    pid: int
    percent: float

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid}) {self.percent:.0f} %"


def snapshot() -> Union[Snapshot, str]:
    """All processes now, or why they are not known; about 10 ms for 300, so never inside a timed window."""
    outside_timed_window("the list of processes")
    try:
        import psutil
    except ImportError:
        return MISSING
    found: Dict[Any, float] = {}
    at_ns = time.monotonic_ns()
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[process] = times.user + times.system
    return Snapshot(at_ns, found)


def since(
    before: Union[Snapshot, str], own: Collection[int], most: int = MOST
) -> Union[Tuple[ForeignProcess, ...], str]:
    """The processes that used most CPU time since `before`, busiest first; those that ended meanwhile are missed.

    own: process ids that are left out with all that they started.
    """
    if isinstance(before, str):
        return before
    after = snapshot()
    if isinstance(after, str):
        return after
    seconds = (after.at_ns - before.at_ns) / 1e9
    used = {process: 100 * (cpu_s - before.cpu_s.get(process, 0.0)) / seconds for process, cpu_s in after.cpu_s.items()}
    busy = {process: percent for process, percent in used.items() if percent > LEAST_PERCENT}
    return tuple(_foreign(busy, frozenset(own), most))


def _foreign(busy: Dict[Any, float], own: Collection[int], most: int) -> Iterator[ForeignProcess]:
    import psutil

    for process in sorted(busy, key=lambda one: -busy[one]):
        try:
            family = {process.pid, *(parent.pid for parent in process.parents())}
            name = process.name()
        except psutil.Error:
            continue
        if most and family.isdisjoint(own):
            most -= 1
            yield ForeignProcess(printable(name, LONGEST_NAME), process.pid, round(busy[process], 1))


class Processes:
    """Which other processes used the cores between the start and the end of the sampler, and how many could run.

    Read by the sampler's own process, so that the measured one carries nothing of it.
    """

    rate_hz = 1.0
    channels = (Channel("runnable", "processes"),)

    def __init__(self, root: str = "/") -> None:
        self._path = Path(root) / "proc/loadavg"

    def __enter__(self) -> Processes:
        before = snapshot()
        if isinstance(before, str):
            raise ProbeError("nobody can tell which processes run", remedy=before)
        self._before = before
        self._file = ValueFile(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self) -> Sequence[Sample]:
        """The running ones of "running/all", the fourth word of /proc/loadavg."""
        text, fault = self._file.content()
        words = text.split()
        runnable = words[3].partition("/")[0] if len(words) > 3 else ""
        return polled([float(runnable) if runnable.isdigit() else fault or f"{self._path}: {text[:40]!r}"])

    def facts(self) -> Dict[str, Any]:
        if time.monotonic_ns() - self._before.at_ns < SHORTEST_NS:
            return {}  # the kernel counts in ticks of 10 ms: at once everybody seems busy or idle
        others = since(self._before, {os.getppid(), os.getpid()})
        return {"foreign_processes": [str(one) for one in others]} if not isinstance(others, str) else {}
