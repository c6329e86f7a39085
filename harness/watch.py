"""What is told beside the frames of a run: samples of the sensors, idle times, and when each phase was.

In a soak the memory of the engine's processes is sampled too, and the sensors go on while the device cools down.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Callable, Iterator, Tuple

from harness.case import Job
from harness.footprint import Footprint
from harness.pipeline import Clock
from harness.sampling import Sampling, with_own_memory
from harness.soakplan import cooling_s, is_soak
from harness.telemetry import Telemetry, Trace
from harness.warmup import Say


class Watch:
    """Facts go to those of the footprint; `traces` are there once `sensors` was left.

    A runtime with a `sampling` or a `rest` of its own is asked for these.
    """

    def __init__(self, job: Job, runtime: Any, footprint: Footprint, clock: Clock, say: Say) -> None:
        self._telemetry, self._cpu_cores = job.telemetry, job.cpu_cores
        self._runtime, self._plan = runtime, job.plan
        self._footprint, self._clock, self._say = footprint, clock, say
        self._sampling: Any = getattr(runtime, "sampling", Sampling)
        self._rest: Callable[[float], None] = getattr(runtime, "rest", time.sleep)
        self.traces: Tuple[Trace, ...] = ()

    @property
    def least_s(self) -> float:
        """How long the frames must last so that energy can be told of them; 0 where none is asked for."""
        return self._telemetry.window_s if self._telemetry.power is not None else 0.0

    @contextmanager
    def sensors(self) -> Iterator[None]:
        """Sample the sensors of the job meanwhile; a sensor that fails costs its own samples and nothing else."""
        telemetry = self._with_memory()
        if not telemetry.probes:
            yield
            return
        sampling = self._sampling(telemetry, self._cpu_cores)
        self._footprint.facts["sampler_core"] = sampling.core
        if self._telemetry.power is not None:
            self._footprint.facts["power"] = asdict(self._telemetry.power)
        sampling.start()
        try:
            yield
            self._cool_down()
        finally:
            self.traces = sampling.stop()

    def _with_memory(self) -> Telemetry:
        processes = (os.getpid(), *getattr(self._runtime, "process_ids", ()))
        return with_own_memory(self._telemetry, processes, always=is_soak(self._plan))

    def _cool_down(self) -> None:
        """Nothing, after the frames of a soak whose device has sensors."""
        if is_soak(self._plan) and self._telemetry.probes:
            with self.phase("cool_down"):
                self._wait("cooling", cooling_s(self._plan))

    def idle(self, phase: str) -> None:
        """Nothing for as long as the job wants it, with the model loaded."""
        idle_s = self._telemetry.idle_s if self._telemetry.power is not None else 0.0
        if not idle_s:
            return
        with self.phase(phase), self._footprint.background("idle_background_ns", "idle_capacity_ns"):
            self._wait("idle", idle_s)

    def _wait(self, phase: str, wait_s: float) -> None:
        for second in range(math.ceil(wait_s)):
            self._say(phase, second, math.ceil(wait_s))
            self._rest(min(wait_s - second, 1.0))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Keep when it began and when it ended."""
        start_ns = self._clock()
        yield
        self._footprint.facts.setdefault("phases", {})[name] = [start_ns, self._clock()]
