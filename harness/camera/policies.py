"""Which frame is next, and which are dropped: one rule for the live loop and for the simulation. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Union

import numpy as np

from harness.camera import BLOCK, DROP_STALE, QUEUE, Paced
from harness.case import Array
from harness.errors import ConfigError, unknown

NOT_AWAITED = -1


@dataclass(frozen=True)
class Taken:
    """A frame that was taken: its number, when it was due, and when its result was there."""

    index: int
    due_ns: int
    end_ns: int


@dataclass(frozen=True)
class Choice:
    """The frame to take next, when it is due; with "block", when the camera captures it."""

    index: int
    due_ns: int


Choose = Callable[[Sequence[int], Optional[Taken], int], Optional[Choice]]


def queue(due_ns: Sequence[int], before: Optional[Taken], now_ns: int) -> Optional[Choice]:
    """Every frame in order."""
    index = _following(before)
    return Choice(index, due_ns[index]) if index < len(due_ns) else None


def drop_stale(due_ns: Sequence[int], before: Optional[Taken], now_ns: int) -> Optional[Choice]:
    """The newest that has come, else the next to come; what is due at this very moment has come."""
    oldest = _following(before)
    if oldest >= len(due_ns):
        return None
    index = max(bisect_right(due_ns, now_ns, oldest) - 1, oldest)
    return Choice(index, due_ns[index])


def block(due_ns: Sequence[int], before: Optional[Taken], now_ns: int) -> Optional[Choice]:
    """Every frame, captured one interval after the one before it and never before that one's result is there."""
    index = _following(before)
    if index >= len(due_ns):
        return None
    if before is None:
        return Choice(index, due_ns[index])
    return Choice(index, max(before.due_ns + due_ns[index] - due_ns[index - 1], before.end_ns))


POLICIES: Dict[str, Choose] = {QUEUE: queue, DROP_STALE: drop_stale, BLOCK: block}


def policy_named(name: str, where: str = "policy") -> Choose:
    """`choose(due_ns, frame taken before, now)`: the next frame, None after the last; ConfigError for no such policy.

    A frame that is due later than now is not there yet: wait, then ask again.
    """
    if name not in POLICIES:
        raise ConfigError(unknown("policy", name, POLICIES), where=where)
    return POLICIES[name]


def simulate(due_ns: Array, service_ns: Array, policy: str) -> Paced:
    """What becomes of the frames of a schedule where frame k takes service_ns[k] and nothing else takes time."""
    choose, schedule, services = policy_named(policy), as_schedule(due_ns), as_schedule(service_ns)
    rows: List[Sequence[int]] = []
    before: Optional[Taken] = None
    now_ns = schedule[0] if schedule else 0
    while True:
        choice = choose(schedule, before, now_ns)
        if choice is None:
            return paced(rows)
        waited = before is None or choice.due_ns > now_ns
        start_ns = max(choice.due_ns, now_ns)
        now_ns = start_ns + services[choice.index]
        before = Taken(choice.index, choice.due_ns, now_ns)
        rows.append((choice.index, choice.due_ns, 0 if waited else NOT_AWAITED, start_ns, now_ns))


def as_schedule(values_ns: Array) -> Sequence[int]:
    """Whole numbers that are small to hold and quick to take one by one."""
    return array("q", np.ascontiguousarray(values_ns, np.int64).tobytes())


def paced(rows: Union[Sequence[Sequence[int]], Array]) -> Paced:
    """Rows of index, due, lateness (-1: nobody waited), start, end.

    A frame below the last one taken that was not taken itself was dropped: no policy takes an older frame, nor leaves
    the newest.
    """
    index, due_ns, lateness_ns, start_ns, end_ns = np.asarray(rows, np.int64).reshape(-1, 5).T
    return Paced(
        due_ns=due_ns, start_ns=start_ns, end_ns=end_ns, index=index,
        dropped=np.setdiff1d(np.arange(int(index[-1]) + 1 if len(index) else 0), index),
        lateness_ns=lateness_ns[lateness_ns != NOT_AWAITED],
    )  # fmt: skip


def _following(before: Optional[Taken]) -> int:
    return 0 if before is None else before.index + 1
