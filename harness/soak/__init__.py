"""A run of many minutes: what it looks like minute by minute, and what is wrong with it.

`soak_of_run` takes any Run; `harness.soak.verdict.judge` says what it shows; harness.questions.soak asks it in a suite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.camera import Paced
from harness.camera.pacing import paced_of_run
from harness.case import Array, Run
from harness.energy import power_rule
from harness.telemetry import PowerRule, Trace


@dataclass(frozen=True, kw_only=True)
class Soak:
    """Completed frames and what sensors told meanwhile, all on one monotonic clock.

    due_ns: int64 [frames], ascending: when each frame was due, or started where no camera sets the pace.
    latency_ns: int64 [frames], from then to its result. dropped_ns: when dropped frames were due; None where nobody
    counted. power: how the watts are told from the traces.
    """

    due_ns: Array
    latency_ns: Array
    dropped_ns: Array | None = None
    traces: tuple[Trace, ...] = ()
    power: PowerRule | None = None

    def __post_init__(self) -> None:
        if len(self.due_ns) != len(self.latency_ns):
            raise ValueError(f"{len(self.due_ns)} frames were due and {len(self.latency_ns)} have a latency")
        if len(self.due_ns) and (np.diff(self.due_ns) < 0).any():
            raise ValueError("the frames are not in the order of time")

    @property
    def start_ns(self) -> int:
        """When the first frame was due; 0 without frames."""
        return int(self.due_ns[0]) if len(self.due_ns) else 0

    @property
    def end_ns(self) -> int:
        """When the last result was there; 0 without frames."""
        return int((self.due_ns + self.latency_ns).max()) if len(self.due_ns) else 0

    @property
    def seconds(self) -> float:
        """From the first frame's due time to the last result."""
        return (self.end_ns - self.start_ns) / 1e9

    @property
    def due_s(self) -> Array:
        """float64 [frames], from the first frame on."""
        seconds: Array = (self.due_ns - self.start_ns) / 1e9
        return seconds


def soak_of_run(run: Run) -> Soak:
    """The timed frames of a run: by their response times where a camera paced them, else back to back."""
    paced = paced_of_run(run)
    return soak_of(run) if paced is None else soak_of_paced(paced, run.traces, power_rule(run))


def soak_of(run: Run) -> Soak:
    """The timed frames of a run that no camera paced."""
    return Soak(due_ns=run.start_ns, latency_ns=run.frame_ns, traces=run.traces, power=power_rule(run))


def soak_of_paced(paced: Paced, traces: tuple[Trace, ...] = (), power: PowerRule | None = None) -> Soak:
    """Frames at a camera's pace, by their response times; where a dropped frame was due is told by its neighbours."""
    dropped = np.interp(paced.dropped, paced.index, paced.due_ns) if len(paced.index) else np.zeros(0)
    return Soak(
        due_ns=paced.due_ns, latency_ns=paced.end_ns - paced.due_ns, dropped_ns=dropped.astype(np.int64),
        traces=traces, power=power,
    )  # fmt: skip
