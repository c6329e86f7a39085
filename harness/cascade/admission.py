"""Frames admitted by the camera into a cascade that works on several at once.

A frame goes in when somebody behind the entrance waits for one, and not before it is due. Which one is the policy's
choice: with "drop-stale" the newest waits while the entrance is occupied; with "block" the camera waits until it is
free. Response time runs from when the frame was due.
"""

from __future__ import annotations

import itertools
import time
from typing import Iterator, Optional, Sequence

from harness.camera.pacing import LEAD_NS, Waiting
from harness.camera.policies import NOT_AWAITED, Choice, Taken, as_schedule, policy_named
from harness.cascade.flow import Gate
from harness.cascade.records import Flight
from harness.case import Array
from harness.frames import Frame


def courteous_clock() -> int:
    """The machine's clock, for who reads it over and over beside threads that need Python's lock."""
    time.sleep(0)
    return time.perf_counter_ns()


def admitted(
    frames: Sequence[Frame], stages: int, schedule_ns: Array, policy: str, gates: Sequence[Gate]
) -> Iterator[Flight]:
    """The flights of the frames that are taken, when they are; `frames` over and over, as the camera counts them.

    schedule_ns: int64 [frames], when each is due, from 0.
    """
    choose, waiting = policy_named(policy), Waiting(clock=courteous_clock)
    schedule = as_schedule(schedule_ns + (waiting.clock() + LEAD_NS))
    last: Optional[Choice] = None
    for index, gate in enumerate(itertools.cycle(gates)):
        gate.wait()
        now_ns = waiting.clock()
        before = None if last is None else Taken(last.index, last.due_ns, now_ns)
        choice = choose(schedule, before, now_ns)
        if choice is None:
            return
        awaited = choice.due_ns > now_ns
        now_ns = waiting.until(choice.due_ns)
        lateness_ns = now_ns - choice.due_ns if awaited else NOT_AWAITED
        last = choose(schedule, before, now_ns) or choice
        pixels = frames[last.index % len(frames)].pixels
        yield Flight(index, pixels, stages, last.index, last.due_ns, lateness_ns)
