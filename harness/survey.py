"""What a device can measure, found out on the device: its clock, its engines, and every sensor read for a while."""

from __future__ import annotations

import json
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Tuple

import numpy as np

from harness.case import Job
from harness.errors import HarnessError
from harness.measure import Recorded
from harness.owncost import timer_resolution_ns
from harness.probes.machine import machine_facts
from harness.probes.state import state
from harness.runtimes import open_runtime
from harness.sampling import Sampling
from harness.telemetry import Telemetry, Trace
from harness.warmup import Say


@dataclass(frozen=True)
class SurveyJob:
    """engines: entry -> engine and its options. telemetry: the sensors to read for `seconds`."""

    engines: Mapping[str, Mapping[str, Any]]
    telemetry: Telemetry
    seconds: float

    def to_json(self) -> str:
        """The SurveyJob as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> SurveyJob:
        """Rebuild what `to_json` gave."""
        raw = json.loads(text)
        return SurveyJob(raw["engines"], Telemetry.from_wire(raw["telemetry"]), raw["seconds"])


@dataclass(frozen=True)
class Survey:
    """What was found. engines: entry -> empty, or why its engine cannot be used. facts: of machine and system.

    traces: the samples of every probe, or why it has none.
    """

    timer_resolution_ns: int
    engines: Mapping[str, str]
    facts: Mapping[str, Any]
    traces: Tuple[Trace, ...]

    def save(self, folder: Path) -> None:
        """Write run.json, with the samples in it: there are few."""
        wire = {
            "timer_resolution_ns": self.timer_resolution_ns, "engines": dict(self.engines), "facts": dict(self.facts),
            "traces": [{**one.to_wire(), **_samples(one)} for one in self.traces],
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(wire, indent=1, sort_keys=True), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Survey:
        """Read what `save` wrote; OSError, ValueError or KeyError where it is not whole."""
        raw = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Survey(**{**raw, "traces": tuple(map(_trace, raw["traces"]))})


def carry_out(text: str, out: Path, say: Say, recorded: Recorded, confine: Callable[[Job], None]) -> None:
    """The kind of job that has engines: see harness.agent."""
    survey(SurveyJob.from_json(text)).save(out)


def survey(job: SurveyJob) -> Survey:
    """Carry out `job`; nothing that is missing raises."""
    sampling = Sampling(job.telemetry)
    sampling.start()
    time.sleep(job.seconds)
    return Survey(
        timer_resolution_ns=timer_resolution_ns(time.perf_counter_ns),
        engines={entry: _engine_fault(options) for entry, options in job.engines.items()},
        facts={**machine_facts(), "python": platform.python_version(), **state(tempfile.gettempdir())},
        traces=sampling.stop(),
    )


def _engine_fault(options: Mapping[str, Any]) -> str:
    own = {name: value for name, value in options.items() if name != "engine"}
    try:
        runtime = open_runtime(options["engine"], "", own)
        if not getattr(runtime, "built_in", False):
            runtime.prepare()
    except HarnessError as error:
        return error.sentence
    except Exception as error:
        return f"{type(error).__name__}: {error}"  # an engine that is there and broken raises what it likes
    return ""


def _samples(trace: Trace) -> Dict[str, Any]:
    values = [[None if one != one else one for one in row] for row in trace.values.tolist()]
    return {"time_ns": trace.time_ns.tolist(), "values": values}


def _trace(raw: Mapping[str, Any]) -> Trace:
    wire = {name: value for name, value in raw.items() if name not in ("time_ns", "values")}
    width = len(raw["channels"])
    values = np.array(raw["values"], np.float64).reshape(len(raw["time_ns"]), width)
    return Trace.from_wire(wire, np.array(raw["time_ns"], np.int64), values)
