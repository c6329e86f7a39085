"""The sampler's own process: `python -m harness.sampler CONFIG.json JOURNAL` reads the sensors until its input ends.

CONFIG: {"probes": entry -> kind, rate_hz and options, "core": where to run or null}. JOURNAL: JSON lines, first one
head per probe, then samples as they come, last a tail per probe; each line is one write, so that a killed sampler
loses nothing that it had told.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Optional

from harness.errors import HarnessError
from harness.probes import Probe, open_probe
from harness.processes import end_with_parent

READY = b"ready\n"
NICE = 5


@dataclass
class _Sensor:
    """One opened probe and when it is due next."""

    entry: str
    probe: Probe
    period_ns: int
    due_ns: int

    def skip(self, now_ns: int) -> None:
        """Due at the next beat after now; what was missed is not made up for."""
        if self.due_ns <= now_ns:
            self.due_ns += self.period_ns * (1 + (now_ns - self.due_ns) // self.period_ns)


def main(arguments: List[str]) -> int:
    """Returns the process's exit status."""
    with open(arguments[0], encoding="utf-8") as file:
        config = json.load(file)
    _step_aside(config["core"])
    journal = os.open(arguments[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with ExitStack() as stack:
        sensors = [one for entry, options in config["probes"].items()
                   for one in [_opened(entry, options, stack, journal)] if one]  # fmt: skip
        for one in sensors:
            _read(one, journal)  # so that a sample lies before whatever begins now
            one.skip(time.monotonic_ns())
        os.write(sys.stdout.fileno(), READY)
        own_ns = time.process_time_ns()
        _sample(sensors, journal)
        spent_ns = time.process_time_ns() - own_ns
        for one in sensors:
            _write(journal, {"tail": one.entry, "facts": one.probe.facts(), "cpu_ns": spent_ns})
    return 0


def _step_aside(core: Optional[int]) -> None:
    """Leave the measured cores alone, and end with the worker however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [core])
    end_with_parent()


def _opened(entry: str, options: Mapping[str, Any], stack: ExitStack, journal: int) -> Optional[_Sensor]:
    own = {name: value for name, value in options.items() if name not in ("kind", "rate_hz")}
    head = {"head": entry, "missing": "", "channels": [], "facts": {}, "period_ns": 0}
    try:
        probe = stack.enter_context(open_probe(options["kind"], own))
        period_ns = round(1e9 / float(options.get("rate_hz") or probe.rate_hz))
        facts = json.loads(json.dumps(probe.facts(), allow_nan=False))
        channels = [asdict(one) for one in probe.channels]
    except Exception as error:
        # Whatever it is, it costs this sensor only.
        fault = error.sentence if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        _write(journal, {**head, "missing": fault})
        return None
    _write(journal, {**head, "channels": channels, "facts": facts, "period_ns": period_ns})
    return _Sensor(entry, probe, period_ns, time.monotonic_ns())


def _sample(sensors: List[_Sensor], journal: int) -> None:
    """Each sensor at its own pace, until the worker closes our input."""

    def keep_the_pace(number: int, frame: object) -> None:
        """After a rest all sensors are overdue: reading them at once would be a load that sampling is not."""
        for one in sensors:
            one.skip(time.monotonic_ns())

    signal.signal(signal.SIGCONT, keep_the_pace)
    while not _input_ended(_wait_s(sensors)):
        for one in sensors:
            now_ns = time.monotonic_ns()
            if one.due_ns <= now_ns:
                one.skip(now_ns)
                _read(one, journal)
    for one in sensors:
        _read(one, journal)  # what changed since the last beat is seen too


def _read(sensor: _Sensor, journal: int) -> None:
    for at_ns, readings in sensor.probe.read():
        _write(journal, {"probe": sensor.entry, "at": at_ns, "values": list(readings)})


def _wait_s(sensors: List[_Sensor]) -> float:
    soonest = min((one.due_ns for one in sensors), default=time.monotonic_ns() + 1_000_000_000)
    return max(soonest - time.monotonic_ns(), 0) / 1e9


def _input_ended(wait_s: float) -> bool:
    return bool(select.select([sys.stdin.fileno()], [], [], wait_s)[0])


def _write(journal: int, line: Dict[str, Any]) -> None:
    text = (json.dumps(line, allow_nan=False) + "\n").encode()
    if os.write(journal, text) != len(text):
        raise OSError("the journal of the sampler takes no more: is the disk full?")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
