"""Conditions: which of a clip's answers are there under a camera, and when. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.camera import BLOCK, Arrivals, Paced, due_ns
from harness.camera.policies import POLICIES, simulate
from harness.errors import ConfigError, unknown
from harness.events import Answers
from harness.events.alarms import paced, without
from harness.events.answering import Answered


@dataclass(frozen=True, kw_only=True)
class Condition:
    """apply: of the clip with a number, counted from 0, and its answers to what is left of them, and when."""

    name: str
    apply: Callable[[int, Answered], Answers] = field(repr=False)


AT_ONCE = Condition(name="all frames at once", apply=lambda number, one: one.answers)


def at_the_cameras_pace(fps: float, policy: str) -> Condition:
    """The measured service times under a camera of the clips' own rate; ConfigError for a camera that waits."""
    if policy not in POLICIES:
        raise ConfigError(unknown("policy", policy, POLICIES), where="camera")
    if policy == BLOCK:
        what = 'with the policy "block" the camera waits, and the driver does not'
        raise ConfigError(what, where="camera", remedy='take "queue" or "drop-stale"')

    def apply(number: int, one: Answered) -> Answers:
        del number
        due = due_ns(Arrivals(fps=fps, policy=policy), one.answers.frames)
        return paced(one.answers, simulate(due, one.service_ns, policy))

    return Condition(name=f"camera {fps:g} fps, {policy}", apply=apply)


def every_nth_lost(nth: int) -> Condition:
    """Frames n, 2n, ... of each clip have no result; ConfigError where none would be left or none lost."""
    if nth < 2:
        raise ConfigError(
            f"one frame of every {nth} lost: nothing would be left, or nothing lost", where="--drop-every",
            remedy="give 2 or more",
        )  # fmt: skip
    return Condition(
        name=f"one frame of {nth} lost",
        apply=lambda number, one: without(one.answers, range(nth - 1, one.answers.frames, nth)),
    )


def as_recorded(run: Paced, name: str) -> Condition:
    """The frames that a recorded run took, each as late as there: clip after clip the next part of the run.

    ConfigError, when applied, for a run that is shorter than a clip, or at another rate.
    """

    def apply(number: int, one: Answered) -> Answers:
        return paced(one.answers, part(run, number, one.answers.frames))

    return Condition(name=f"as in {name}", apply=apply)


def part(run: Paced, number: int, frames: int) -> Paced:
    """So many camera frames of a run, counted from 0: the part with this number, and from the run's start again."""
    recorded = int(run.index[-1]) + 1 if len(run.index) else 0
    if recorded < frames:
        raise ConfigError(
            f"the recorded run has {recorded} camera frames and a clip {frames}", where="--dropped-from",
            remedy="record a longer run, or take shorter clips with --seconds",
        )  # fmt: skip
    first = number % (recorded // frames) * frames
    kept = (run.index >= first) & (run.index < first + frames)
    lost = (run.dropped >= first) & (run.dropped < first + frames)
    return Paced(
        due_ns=run.due_ns[kept], start_ns=run.start_ns[kept], end_ns=run.end_ns[kept], index=run.index[kept] - first,
        dropped=run.dropped[lost] - first, lateness_ns=np.zeros(0, np.int64),
    )  # fmt: skip
