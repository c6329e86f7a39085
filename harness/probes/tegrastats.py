"""NVIDIA's tegrastats as a sensor: rails, temperatures, loads and clocks of a Jetson; never run on the device.

The last resort where the INA3221 in /sys cannot be read: the tool rounds, and a nominal interval of 1000 ms was seen
to last 1029 ms, so each line counts from when it arrives.
"""

from __future__ import annotations

import shutil
import time
from typing import Any, Dict, List, Optional, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.probes.linestream import LineStream, line_buffer
from harness.probes.tegraline import Part, TegraLine, TegrastatsError, parse_line
from harness.telemetry import Channel

WAIT_S, POLL_S = 5.0, 0.02
LONGEST_INTERVAL_MS = 4000
# Boards print a constant of 50 or 100 for it, which nothing measured.
CONSTANT = ("PMIC",)
RESOLUTIONS = {"%": 1.0, "kHz": 1e3, "bytes": 2.0**20}

Quantities = Dict[str, Tuple[str, Reading]]


class Tegrastats:
    """Channels, as far as the first line has them: each rail by its name; temp.NAME; cpuN.load, cpuN.cur;
    gpu.load, gpu.cur; emc.load, emc.cur; ram.used. gpu.cur is the highest clock of the GPU's clusters.
    """

    rate_hz = 1.0

    def __init__(self, interval_ms: int = 1000, command: str = "tegrastats") -> None:
        self.rate_hz = 1e3 / max(interval_ms, 1)
        self.channels: Tuple[Channel, ...] = ()
        self._interval_ms = interval_ms
        self._command = command
        self._stream: Optional[LineStream] = None
        self._early: List[Sample] = []
        self._unknown = self._unparsed = 0
        self._said = ""

    def __enter__(self) -> Tegrastats:
        self._stream = self._started()
        try:
            self._begin(self._stream)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def read(self) -> List[Sample]:
        if self._stream is None:
            return polled(["tegrastats was not started"] * len(self.channels))
        # Asked first: what the program printed before its end still counts.
        ended = self._stream.ended
        samples, self._early = self._early + self._samples(self._stream), []
        return polled([f"tegrastats: {ended}"] * len(self.channels)) if ended and not samples else samples

    def facts(self) -> Dict[str, Any]:
        return {
            "interval_ms": self._interval_ms, "line_buffered": bool(line_buffer()), "unknown_words": self._unknown,
            "lines_not_parsed": self._unparsed, "lines_late": self._stream.late if self._stream else 0,
        }  # fmt: skip

    def _started(self) -> LineStream:
        if not 1 <= self._interval_ms <= LONGEST_INTERVAL_MS:
            what = f"interval_ms is {self._interval_ms}"
            raise ProbeError(what, where="tegrastats", remedy=f"give it from 1 to {LONGEST_INTERVAL_MS}")
        path = shutil.which(self._command)
        if path is None:
            remedy = "it comes with NVIDIA's Jetson Linux; give its path as the option command, or take another probe"
            raise ProbeError("there is no such program", where=self._command, remedy=remedy)
        try:
            return LineStream([path, "--interval", str(self._interval_ms)])
        except OSError as error:
            raise ProbeError(f"it cannot be started: {error}", where=path, remedy="run it by hand") from error

    def _begin(self, stream: LineStream) -> None:
        """Wait for the first line that parses: it tells which channels there are."""
        until = time.monotonic() + WAIT_S
        while not self._early:
            ended = stream.ended
            self._early = self._samples(stream)
            if not self._early and (ended or time.monotonic() > until):
                raise self._silence(ended or f"no line with a reading came within {WAIT_S:g} s")
            time.sleep(POLL_S)

    def _silence(self, why: str) -> ProbeError:
        said = f"; it said {self._said!r}" if self._said else ""
        remedy = f"run `{self._command} --interval {self._interval_ms}` by hand"
        return ProbeError(f"{why}{said}", where=self._command, remedy=remedy)

    def _samples(self, stream: LineStream) -> List[Sample]:
        samples: List[Sample] = []
        for at_ns, text in stream.take():
            try:
                line = parse_line(text)
            except TegrastatsError:
                self._unparsed += 1
                self._said = text[:200]
                continue
            self._unknown += line.unknown
            samples.append((at_ns, self._readings(quantities(line))))
        return samples

    def _readings(self, found: Quantities) -> List[Reading]:
        if not self.channels:
            self.channels = tuple(
                Channel(name, unit, resolution=RESOLUTIONS.get(unit), interval_ms=float(self._interval_ms))
                for name, (unit, _) in found.items()
            )
        return [found[one.name][1] if one.name in found else "not in this line" for one in self.channels]


def quantities(line: TegraLine) -> Quantities:
    """Channel name -> unit, and the number or why there is none; in the order of the channels."""
    found: Quantities = {name: ("mW", value) for name, value in line.rails_mw.items()}
    for name, celsius in line.temperatures_c.items():
        if name not in CONSTANT:
            found[f"temp.{name}"] = ("C", celsius)
    for number, core in enumerate(line.cores):
        found.update(_of_core(f"cpu{number}", core))
    for name, part in (("gpu", line.gpu), ("emc", line.emc)):
        found.update(_of_part(name, part or Part()))
    if line.ram is not None:
        found["ram.used"] = ("bytes", line.ram.used_bytes)
    return found


def _of_core(name: str, core: Part) -> Quantities:
    if core == Part():
        return {f"{name}.load": ("%", "the core is off"), f"{name}.cur": ("kHz", "the core is off")}
    return _of_part(name, core)


def _of_part(name: str, part: Part) -> Quantities:
    found: Quantities = {}
    if part.load_percent is not None:
        found[f"{name}.load"] = ("%", part.load_percent)
    if part.khz:
        found[f"{name}.cur"] = ("kHz", max(part.khz))
    return found
