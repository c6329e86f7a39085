"""The live loop: frames pushed through a pipeline when the camera sends them, each stage timed.

A stage that never returns keeps this loop for ever: the deadline is the business of who started the worker, which hears
of every chunk and ends a worker that falls silent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from harness.camera import Paced
from harness.camera.policies import NOT_AWAITED, Choice, Taken, as_schedule, paced, policy_named
from harness.case import Array, Run
from harness.frames import Frame
from harness.owncost import garbage_collector_off
from harness.pipeline import CAMERA_RECORD, Clock

SPIN_NS = 1_000_000
LEAD_NS = 20_000_000
# A chunk is handed over about once a second, in a wait that is long enough, or at last without one.
CHUNK_NS, SLACK_NS, LATEST_CHUNK_NS = 1_000_000_000, 3_000_000, 4_000_000_000
INDEX, DUE, LATENESS, RECORD = 0, 1, 2, 3
START, END = RECORD, RECORD + 7
PacedRecord = Tuple[int, int, int, int, int, int, int, int, int, int, int, int]


@dataclass(frozen=True)
class Waiting:
    """How time is read and passed: `rest` until the last `spin_ns` before the moment, then only reading the clock.

    A scheduler wakes a sleeper late; the core that spins meanwhile also keeps its clock frequency up.
    """

    clock: Clock = time.perf_counter_ns
    rest: Callable[[float], None] = time.sleep
    spin_ns: int = SPIN_NS

    def until(self, moment_ns: int) -> int:
        """Come back at `moment_ns` or as soon after it as can be; the time then."""
        clock = self.clock
        now_ns = clock()
        if moment_ns - now_ns > self.spin_ns:
            self.rest((moment_ns - now_ns - self.spin_ns) / 1e9)
        while now_ns < moment_ns:
            now_ns = clock()
        return now_ns


def waiting_of(runtime: Any) -> Waiting:
    """The machine's clock, or that of an engine with a clock and a `rest` of its own, which never oversleeps."""
    clock = getattr(runtime, "clock", None)
    return Waiting() if clock is None else Waiting(clock, runtime.rest, spin_ns=0)


def pace(
    frames: Sequence[Frame], pipeline: Any, due_ns: Array, policy: str, waiting: Waiting, cpu_clock: Clock
) -> Iterator[List[PacedRecord]]:
    """Push the camera's frames as they come; chunks of records, at least one, in order.

    `due_ns`: from harness.camera.due_ns; its 0 is 20 ms after the first step. Camera frame k shows
    frames[k modulo their number]. A record is: number of the camera's frame, when it was due, how late an idle consumer
    was woken for it (-1: nobody waited), and the nine of harness.pipeline.push, with the CPU time of this frame alone.
    What the caller does with a chunk happens while nothing is due, as long as it takes less than 3 ms; what it takes
    longer is lateness. Without such waits, a chunk comes every 4 s all the same and delays the frame after it.
    """
    if not frames:
        raise ValueError("no frames to show")
    with garbage_collector_off():
        yield from _Loop(frames, pipeline, policy, waiting, cpu_clock).chunks(due_ns)


class _Loop:
    def __init__(self, frames: Sequence[Frame], pipeline: Any, policy: str, waiting: Waiting, cpu_clock: Clock) -> None:
        self._frames, self._pipeline, self._waiting, self._cpu_clock = frames, pipeline, waiting, cpu_clock
        self._choose = policy_named(policy)

    def chunks(self, due_ns: Array) -> Iterator[List[PacedRecord]]:
        clock, choose = self._waiting.clock, self._choose
        chunk: List[PacedRecord] = []
        chunk_ns = clock()
        schedule = as_schedule(due_ns + (chunk_ns + LEAD_NS))
        before: Optional[Taken] = None
        while True:
            now_ns = clock()
            choice = choose(schedule, before, now_ns)
            if choice is None:
                break
            awaited = choice.due_ns > now_ns
            if chunk and _hand_over(now_ns - chunk_ns, choice.due_ns - now_ns):
                yield chunk
                chunk, chunk_ns = [], now_ns
            now_ns = self._waiting.until(choice.due_ns)
            lateness_ns = now_ns - choice.due_ns if awaited else NOT_AWAITED
            # Who comes very late finds that a newer frame has come meanwhile.
            choice = choose(schedule, before, now_ns) or choice
            record = self._pushed(choice, lateness_ns)
            chunk.append(record)
            before = Taken(choice.index, choice.due_ns, record[END])
        if chunk:
            yield chunk

    def _pushed(self, choice: Choice, lateness_ns: int) -> PacedRecord:
        """As harness.pipeline.push does it, but without the CPU time of the wait before."""
        clock, pipeline = self._waiting.clock, self._pipeline
        frame = self._frames[choice.index % len(self._frames)]
        cpu_before = self._cpu_clock()
        start = clock()
        pre_start = clock()
        feeds, geometry = pipeline.pre(frame)
        pre_end = clock()
        infer_start = clock()
        outputs = pipeline.infer(feeds)
        infer_end = clock()
        post_start = clock()
        pipeline.post(outputs, geometry)
        post_end = clock()
        end = clock()
        used = self._cpu_clock() - cpu_before
        return (
            choice.index, choice.due_ns, lateness_ns,
            start, pre_start, pre_end, infer_start, infer_end, post_start, post_end, end, used,
        )  # fmt: skip


def _hand_over(age_ns: int, slack_ns: int) -> bool:
    return (age_ns >= CHUNK_NS and slack_ns >= SLACK_NS) or age_ns >= LATEST_CHUNK_NS


def paced_of_run(run: Run) -> Optional[Paced]:
    """What became of the camera's frames in a run; None where frames went back to back."""
    if not run.camera:
        return None
    camera, end_ns = run.camera, run.start_ns + run.frame_ns
    return paced(np.stack([camera["index"], camera["due_ns"], camera["lateness_ns"], run.start_ns, end_ns], axis=1))


def paced_of(records: Union[Sequence[PacedRecord], Array]) -> Paced:
    """What became of the camera's frames."""
    table = np.asarray(records, np.int64).reshape(-1, CAMERA_RECORD)
    return paced(table[:, [INDEX, DUE, LATENESS, START, END]])
