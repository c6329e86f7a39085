"""Engines that are command-line tools: one process for a window of frames, with a deadline, its log and its errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError
from harness.processes import end_group, group_leader, has_ended
from harness.runtimes.feeds import check_feeds

Tensors = Dict[str, Array]
LOG_LIMIT_BYTES = 64 * 2**20
LONGEST_POLL_S = 0.05
LAST_WORDS = 3
COMPLAINT = re.compile(r"error|fail|unsupported|not supported|invalid|cannot|unknown", re.I)


@dataclass(frozen=True)
class WindowTimes:
    """What a tool told of the frames of one process.

    infer_ns: int64 [frames] in order, empty where the tool tells averages only. marks: scalars by name, the unit in
    the name; infer_mean_ns where the tool tells it, load_ns of its own loading. facts: how it ran.
    """

    infer_ns: Array
    marks: Mapping[str, float]
    facts: Mapping[str, Any]


class Windowed(ABC):
    """A command-line engine, and what it has beside the protocol of every engine. It holds nothing between frames."""

    windowed = True
    in_calling_thread = False

    def __exit__(self, *error: object) -> None:
        return None

    def infer(self, feeds: Tensors) -> Tensors:
        return self.infer_many([feeds])[0]

    @abstractmethod
    def infer_many(self, feeds: Sequence[Tensors]) -> List[Tensors]:
        """The outputs of each frame, from as few processes as the tool allows."""

    @abstractmethod
    def time_window(self, feeds: Sequence[Tensors], frames: int) -> WindowTimes:
        """Run `frames` frames in one process, the feeds in turn; nothing is left out at its beginning."""


@dataclass(frozen=True)
class Finished:
    """A process that ended well: all that it wrote, and the most memory that it held at once.

    peak_bytes: the last reading while it ran; None where it ended before there was one.
    """

    log: str
    peak_bytes: Optional[int]

    @property
    def marks(self) -> Dict[str, float]:
        """peak_tool_bytes, where it is known."""
        return {} if self.peak_bytes is None else {"peak_tool_bytes": float(self.peak_bytes)}


class Tool:
    """One program. option: the profile's option that names it. environment: added to the worker's own."""

    def __init__(self, program: str, option: str, deadline_s: float, environment: Mapping[str, str]) -> None:
        self._program, self._option = program, option
        self._deadline_s, self._environment = deadline_s, dict(environment)

    def find(self) -> None:
        """EngineError where the program is not there or may not be executed."""
        if shutil.which(self._program) is None:
            raise EngineError(
                f"the tool {self._program} is not there, or may not be executed",
                where=f"option {self._option} of the runtime in the device profile",
                remedy="install the vendor's package on the device, or write the tool's full path there",
            )

    def run(self, arguments: Sequence[str], folder: Path) -> Finished:
        """One process in `folder`, from its start to its end.

        EngineError where it ends with another status than 0, is not done at the deadline, or floods its log.
        """
        log = folder / f"{self._option}.log"
        try:
            with open(log, "wb") as file:
                process = subprocess.Popen(
                    [self._program, *arguments], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                    cwd=str(folder), env={**os.environ, **self._environment}, preexec_fn=group_leader(),
                )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(f"{self._program} cannot be started: {error}", where=f"option {self._option}") from error
        peak_bytes = self._wait(process, log)
        words = log.read_bytes().decode("utf-8", "replace")
        if process.returncode != 0:
            raise EngineError(
                f"{self._name} {_ending(process.returncode)}: {last_words(words)}", where=" ".join(arguments),
                remedy=f"run the same command on the device: {self._program}",
            )  # fmt: skip
        return Finished(words, peak_bytes)

    @property
    def _name(self) -> str:
        return os.path.basename(self._program)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> Optional[int]:
        """Reap the process; its largest resident memory. rusage would tell this process's own, kept through exec."""
        until, pause_s = time.monotonic() + self._deadline_s, 0.001
        peak_bytes: Optional[int] = None
        try:
            while not has_ended(process.pid):
                peak_bytes = _peak_bytes(process.pid) or peak_bytes
                self._refuse_endless(until, log)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_POLL_S)
            return peak_bytes
        finally:
            end_group(process)

    def _refuse_endless(self, until: float, log: Path) -> None:
        if time.monotonic() > until:
            raise EngineError(
                f"{self._name} was not done after {self._deadline_s:g} s and was ended: "
                f"{last_words(log.read_text(encoding='utf-8', errors='replace'))}",
                where=f"option {self._option}", remedy="raise deadline_s of the runtime in the device profile",
            )  # fmt: skip
        if log.stat().st_size > LOG_LIMIT_BYTES:
            raise EngineError(f"{self._name} wrote more than {LOG_LIMIT_BYTES >> 20} MiB and was ended")


def last_words(log: str) -> str:
    """The last lines of a log that complain, or its last lines at all, in one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    chosen = [line for line in lines if COMPLAINT.search(line)] or lines
    return " / ".join(chosen[-LAST_WORDS:]) or "it wrote nothing"


def write_raw(feeds: Tensors, inputs: Sequence[TensorSpec], folder: Path, number: int) -> Dict[str, Path]:
    """One file of bare values per input, as these tools read them; EngineError where the feeds do not fit."""
    check_feeds(feeds, {spec.name: spec for spec in inputs}, f"frame {number} for the tool")
    paths = {spec.name: folder / f"frame{number}_{at}.raw" for at, spec in enumerate(inputs)}
    for name, path in paths.items():
        np.ascontiguousarray(feeds[name]).tofile(str(path))
    return paths


def read_raw(path: Path, spec: TensorSpec) -> Array:
    """The values of one output file; EngineError where its size is not that of the tensor."""
    values = np.fromfile(str(path), np.uint8)
    wanted = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
    if len(values) != wanted:
        raise EngineError(
            f"{path.name} has {len(values)} bytes, {spec.name!r} {spec.dtype} {list(spec.shape)} has {wanted}"
        )
    return values.view(spec.dtype).reshape(spec.shape)


def cycled(count: int, frames: int) -> Iterator[int]:
    """Which of `count` feeds each of `frames` frames is."""
    return (number % count for number in range(frames))


def _peak_bytes(pid: int) -> Optional[int]:
    """VmHWM of /proc/PID/status (man 5 proc), which starts anew with each program."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"), re.M)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _ending(status: int) -> str:
    return f"ended with status {status}" if status > 0 else f"was killed by signal {-status}"
