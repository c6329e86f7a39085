"""The worker's side of the sampler: start it, let it rest, end it, and read what it told."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from harness.processes import end_group, ends_within, signal_group
from harness.sampler import READY
from harness.telemetry import Telemetry, Trace, empty_trace

START_S, END_S = 15.0, 5.0
MEMORY, MEMORY_RATE_HZ = "device_memory", 1.0


class Sampling:
    """A sampler in a process of its own.

    Nothing here raises: a sampler that cannot be started, or that dies, leaves traces that say so. core: the one to
    which it is pinned, None where the kernel chooses (see `spare_core`).
    """

    def __init__(self, telemetry: Telemetry, measured_cores: Sequence[int] = ()) -> None:
        self._telemetry = telemetry
        self.core = spare_core(measured_cores)
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._journal: Optional[int] = None
        self._fault = ""

    def start(self) -> None:
        """Returns when every sensor is open, or after 15 s."""
        try:
            # Both sides hold the journal open, so that its folder can go at once: nothing stays behind a kill -9.
            with tempfile.TemporaryDirectory(prefix="dms-sampler-") as folder:
                self._fault = self._started(Path(folder))
        except OSError as error:
            self._fault = f"the sampler cannot be started: {error}"

    def _started(self, folder: Path) -> str:
        """Why the sampler is not ready; empty where it is."""
        config, journal = folder / "config.json", folder / "journal"
        probes = {name: dict(options) for name, options in self._telemetry.probes.items()}
        config.write_text(json.dumps({"probes": probes, "core": self.core}), encoding="utf-8")
        journal.touch()
        self._journal = os.open(str(journal), os.O_RDONLY | os.O_CLOEXEC)
        # A group of its own, so that programs that it started rest and end with it.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.sampler", str(config), str(journal)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], START_S)[0]:
            return "the sampler was not ready in time"
        ready = os.read(self._process.stdout.fileno(), len(READY)) == READY
        return "" if ready else "the sampler died at its start"

    def pause(self) -> None:
        """Take no samples until `resume`."""
        if self._process is not None:
            signal_group(self._process, signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._process is not None:
            signal_group(self._process, signal.SIGCONT)

    def stop(self) -> Tuple[Trace, ...]:
        """End the sampler; one trace per entry of the telemetry's probes, in its order."""
        status = self._end()
        if status != 0 and not self._fault:
            self._fault = f"the sampler died ({_death(status)})"
        content = b""
        if self._journal is not None:
            with open(self._journal, "rb") as journal:
                content = journal.read()
            self._journal = None
        return read_journal(content, tuple(self._telemetry.probes), self._fault)

    def _end(self) -> Optional[int]:
        """The sampler's exit status, None where it does not even end by force. What it started ends with it."""
        self.resume()
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        ends_within(process.pid, END_S)
        status = end_group(process)
        process.stdout.close()
        return status


def with_own_memory(telemetry: Telemetry, pids: Sequence[int], always: bool) -> Telemetry:
    """The same with these processes, the worker's own first, for probes of memory that name none.

    always: such a probe is added where the device has none.
    """
    own = {"pid": pids[0], "also": list(pids[1:])}
    kinds = {entry: options.get("kind", entry) for entry, options in telemetry.probes.items()}
    probes = {
        entry: {**options, **own} if kinds[entry] == MEMORY and not options.get("pid") else options
        for entry, options in telemetry.probes.items()
    }
    if always and MEMORY not in kinds.values():
        # An entry may have this name and be of another kind.
        entry = next(one for one in (MEMORY, f"own {MEMORY}") if one not in probes)
        probes[entry] = {"kind": MEMORY, "rate_hz": MEMORY_RATE_HZ, **own}
    return replace(telemetry, probes=probes)


def spare_core(measured: Sequence[int]) -> Optional[int]:
    """The highest core that may be used and that is not measured; None where there is none, or no core is chosen.

    Beside a worker that may use every core the kernel finds an idle one better than we do. A worker that is confined
    to its cores has a parent that is not.
    """
    if not measured or not hasattr(os, "sched_getaffinity"):
        return None
    allowed = os.sched_getaffinity(os.getppid()) | os.sched_getaffinity(0)
    left = allowed - set(measured)
    return max(left) if left and len(allowed) > 1 else None


def read_journal(content: bytes, entries: Sequence[str], fault: str) -> Tuple[Trace, ...]:
    """The traces in a journal, whole or cut off anywhere; an entry without a tail has `ended` early."""
    heads: Dict[str, Mapping[str, Any]] = {}
    tails: Dict[str, Mapping[str, Any]] = {}
    samples: Dict[str, List[Mapping[str, Any]]] = {name: [] for name in entries}
    for line in _lines(content):
        if "head" in line:
            heads[line["head"]] = line
        elif "tail" in line:
            tails[line["tail"]] = line
        elif line.get("probe") in samples:
            samples[line["probe"]].append(line)
    why = fault or "the sampler's journal is cut off"
    return tuple(_trace(name, heads.get(name), samples[name], tails.get(name), why) for name in entries)


def _lines(content: bytes) -> Iterator[Mapping[str, Any]]:
    for line in content.split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _trace(
    name: str, head: Optional[Mapping[str, Any]], samples: List[Mapping[str, Any]], tail: Optional[Mapping[str, Any]],
    fault: str,
) -> Trace:  # fmt: skip
    if head is None:
        return empty_trace(name, fault, ended=fault)
    if head["missing"]:
        return empty_trace(name, head["missing"])
    width = len(head["channels"])
    whole = [one for one in samples if len(one["values"]) == width]
    reasons = Counter(value for one in whole for value in one["values"] if isinstance(value, str))
    facts = {**head["facts"], **({"sampler_cpu_ns": tail["cpu_ns"]} if tail else {})}
    wire = {
        "probe": name, "channels": head["channels"], "period_ns": head["period_ns"], "reasons": dict(reasons),
        "facts": facts, "facts_after": tail["facts"] if tail else {}, "missing": "", "ended": "" if tail else fault,
    }  # fmt: skip
    values = [[np.nan if isinstance(one, str) else one for one in sample["values"]] for sample in whole]
    time_ns = np.array([one["at"] for one in whole], np.int64)
    return Trace.from_wire(wire, time_ns, np.array(values, np.float64).reshape(len(whole), width))


def _death(status: Optional[int]) -> str:
    if status is None:
        return "it does not end"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
