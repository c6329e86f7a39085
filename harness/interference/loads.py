"""Named loads that run beside a measurement: stress-ng's where it is installed, else the harness's own.

Facts: man 1 stress-ng. Nothing is left behind: the load leads a group of its own that is killed on the way out, and
when this process dies, be it by kill -9, Linux sends the load a SIGTERM, on which it ends its workers and removes its
files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError, HarnessError, unknown
from harness.processes import end_group, ends_within, group_leader, group_members, has_ended, signal_group

TOOL = "stress-ng"
OWN = f"the harness's own ({TOOL} is not installed)"
PACKAGE = Path(__file__).resolve().parent
NONE = "none"
SETTLE_S, START_S, END_S = 0.2, 5.0, 3.0
LONGEST_WORDS = 300


@dataclass(frozen=True, kw_only=True)
class Load:
    """What stress-ng is told; `{workers}` stands for how many. what: in words, for the report."""

    what: str
    arguments: tuple[str, ...] = ()


LOADS: Mapping[str, Load] = {
    NONE: Load(what="nothing beside it"),
    "cpu": Load(
        what="arithmetic that stays in the core's caches", arguments=("--cpu", "{workers}", "--cpu-method", "fft")
    ),
    "memory": Load(
        what="memory bandwidth: STREAM over buffers far beyond the caches",
        arguments=("--stream", "{workers}", "--stream-l3-size", "32M"),
    ),
    "io": Load(
        what="files written, read and synced",
        arguments=("--hdd", "{workers}", "--hdd-bytes", "64M", "--hdd-opts", "fsync,wr-seq,rd-seq"),
    ),
}


class Running:
    """A load at work."""

    def __init__(self, name: str, process: subprocess.Popen[bytes] | None) -> None:
        self.name, self._process = name, process

    @property
    def group(self) -> int | None:
        """The process group; None for `none`."""
        return self._process.pid if self._process else None

    def cpu_s(self) -> float:
        """CPU time that the load has taken so far, in s: what shows that it ran. 0 for `none`."""
        return sum(map(_cpu_s, group_members(self._process.pid))) if self._process else 0.0

    def check(self) -> None:
        """HarnessError where the load is not at work any more: what was measured beside it says nothing."""
        if self._process and has_ended(self._process.pid):
            raise HarnessError(
                f"the load {self.name!r} ended while it was needed", remedy="run again; is memory short?"
            )


def check_load(name: str, where: str = "load") -> None:
    """ConfigError for an unknown name."""
    if name not in LOADS:
        raise ConfigError(unknown("load", name, LOADS), where=where)


def tool() -> str:
    """Whose loads run here: they differ, so that numbers beside one say nothing about the other."""
    return TOOL if shutil.which(TOOL) else OWN


@contextlib.contextmanager
def running(
    name: str, *, cores: Collection[int] = (), workers: int = 0, folder: Path | None = None
) -> Iterator[Running]:
    """A load that is at work inside, on `cores` (all of this process without any), a worker for each of them.

    folder: where files of `io` lie while it runs. HarnessError where it cannot start, or ended before it should.
    """
    check_load(name)
    if name == NONE:
        yield Running(name, None)
        return
    process = _started(name, _cores(cores), workers, folder or Path(tempfile.gettempdir()))
    try:
        load = Running(name, process)
        _wait_for_work(load, process)
        yield load
        load.check()
    finally:
        # Asked first, since only stress-ng itself removes its own files.
        signal_group(process, signal.SIGTERM)
        ends_within(process.pid, END_S)
        end_group(process)


def _cores(asked: Collection[int]) -> tuple[int, ...]:
    allowed = os.sched_getaffinity(0)
    if missing := sorted(set(asked) - allowed):
        raise ConfigError(f"no such cores: {missing}, this process may use {sorted(allowed)}", where="cores of a load")
    return tuple(sorted(asked or allowed))


def _started(name: str, cores: tuple[int, ...], workers: int, folder: Path) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH", ""))))
    return subprocess.Popen(
        _command(name, str(workers or len(cores)), str(folder)), env={**os.environ, "PYTHONPATH": path}, cwd=folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=_pinned_leader(cores),
    )  # fmt: skip


def _command(name: str, number: str, folder: str) -> list[str]:
    if tool() == OWN:
        return [sys.executable, "-m", "harness.interference.workers", name, number, folder]
    arguments = [number if one == "{workers}" else one for one in LOADS[name].arguments]
    return [TOOL, *arguments, "--timeout", "0", "--temp-path", folder, "--oomable", "--quiet"]


def _pinned_leader(cores: tuple[int, ...]) -> Callable[[], None]:
    lead = group_leader(ended_by=signal.SIGTERM)

    def begin() -> None:
        lead()
        os.sched_setaffinity(0, cores)

    return begin


def _wait_for_work(load: Running, process: subprocess.Popen[bytes]) -> None:
    """Until its workers have taken some CPU time."""
    until = time.monotonic() + START_S
    while load.cpu_s() < 0.05 and time.monotonic() < until:
        if has_ended(process.pid):
            remedy = f"try {' '.join(map(str, process.args))}"  # type: ignore[arg-type]
            raise HarnessError(f"the load {load.name!r} ended at once", remedy=remedy[:LONGEST_WORDS])
        time.sleep(0.02)
    time.sleep(SETTLE_S)


def _cpu_s(pid: int) -> float:
    """User and system time of a process (man 5 proc, stat, fields 14 and 15); 0 where it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
