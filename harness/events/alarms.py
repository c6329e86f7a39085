"""From answers to alarms: a state filter for each evidence, then the time that a state must last. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from harness.camera import Paced
from harness.case import Array
from harness.errors import ConfigError
from harness.events import CLOSED, NO_ANSWER, OFF_ROAD, PHONE, Alarm, Answers
from harness.events.filters import ROUNDING, StateFilter

DEBOUNCE_S = 1.0


class Rule(Protocol):
    """When the alarm of one kind is due."""

    @property
    def evidence(self) -> str: ...

    def due(self, held: Array, began: Array, fps: float) -> Array:
        """bool [frames], from the state at each frame and the frame with which it began."""
        ...


@dataclass(frozen=True)
class Lasting:
    """A state without a break for `after_s`, counted from its first evidence."""

    evidence: str
    after_s: float

    def due(self, held: Array, began: Array, fps: float) -> Array:
        lasted: Array = held & (np.arange(len(held)) - began >= self.after_s * fps - ROUNDING)
        return lasted


@dataclass(frozen=True)
class Adding:
    """A state for `after_s` in all within `within_s`; `reset_s` without it begin the count anew."""

    evidence: str
    after_s: float
    within_s: float
    reset_s: float

    def due(self, held: Array, began: Array, fps: float) -> Array:
        del began
        total = np.concatenate([[0], np.cumsum(held)])
        frame = np.arange(len(held))
        # The frame after the last pause that was long enough; -1, and so frame 0, before any.
        seen = np.maximum.accumulate(np.where(held, frame, -1))
        reset = np.maximum.accumulate(np.where(frame - seen >= self.reset_s * fps - ROUNDING, frame, -1)) + 1
        first = np.maximum(reset, frame + 1 - round(self.within_s * fps))
        added: Array = total[1:] - total[first] >= self.after_s * fps - ROUNDING
        return added


# The times are those of harness.events.scenarios; that of the phone, and one second for a microsleep, are our choice.
RULES: Mapping[str, Rule] = {
    "microsleep": Lasting(CLOSED, 1.0), "sleep": Lasting(CLOSED, 3.0), "unresponsive_asleep": Lasting(CLOSED, 6.0),
    "long_distraction": Lasting(OFF_ROAD, 3.0), "unresponsive_away": Lasting(OFF_ROAD, 6.0),
    "cumulative_distraction": Adding(OFF_ROAD, 10.0, 30.0, 2.0), "phone": Lasting(PHONE, 3.0),
}  # fmt: skip


def alarms(
    answers: Answers, filter: StateFilter, rules: Mapping[str, Rule] = RULES, debounce_s: float = DEBOUNCE_S
) -> tuple[Alarm, ...]:
    """The alarms of a clip by time; rules whose evidence nobody answered for are silent.

    debounce_s: an alarm that comes back so soon after it went is the same one. ConfigError for a filter that is longer
    than the clip.
    """
    if not 0 <= debounce_s < np.inf:
        raise ConfigError(f"a debounce of {debounce_s:g} s is no time", remedy="give 0 s or more")
    states = {name: filter.states(shown, answers.fps) for name, shown in answers.evidence.items()}
    raised = [
        Alarm(kind=kind, start_s=answers.ready_at(frame))
        for kind, rule in rules.items() if rule.evidence in states
        for frame in _beginnings(rule.due(*states[rule.evidence], answers.fps), debounce_s * answers.fps)
    ]  # fmt: skip
    return tuple(sorted(raised, key=lambda one: (one.start_s, one.kind)))


def _beginnings(due: Array, debounce_frames: float) -> list[int]:
    frames = np.flatnonzero(due)
    apart = np.diff(frames, prepend=-np.inf) > max(debounce_frames, 1.0)
    return [int(frame) for frame in frames[apart]]


def without(answers: Answers, dropped: Collection[int]) -> Answers:
    """The same clip when these frames, numbered from 0, never had a result. ConfigError for a frame outside of it."""
    lost = np.array(sorted(dropped), np.int64)
    if len(lost) and not (lost[0] >= 0 and lost[-1] < answers.frames):
        raise ConfigError(
            f"the dropped frames go from {lost[0]} to {lost[-1]}, the clip has {answers.frames}, counted from 0",
            where="dropped frames",
        )  # fmt: skip
    kept = {name: shown.copy() for name, shown in answers.evidence.items()}
    for shown in kept.values():
        shown[lost] = NO_ANSWER
    return replace(answers, evidence=kept)


def paced(answers: Answers, run: Paced) -> Answers:
    """The same clip at a camera's pace: only the frames that `run` took have answers, each there at its end.

    Frame `i` of the run stands for frame `i` of the clip; frames beyond the clip do not count. ConfigError for a camera
    that waited ("block"), because the driver did not.
    """
    if not len(run.index):
        raise ConfigError("no frame has a result: there is nothing to score", where="paced run")
    first_ns = run.due_ns[0] - run.index[0] * 1e9 / answers.fps
    slipped_s = float(np.abs(run.due_ns - first_ns - run.index * 1e9 / answers.fps).max()) / 1e9
    if slipped_s > 1 / answers.fps:
        raise ConfigError(
            f"the camera's schedule is up to {slipped_s:.3f} s away from that of the clip", where="paced run",
            remedy=f'use a fixed rate of {answers.fps:g} per second and the policy "queue" or "drop-stale"',
        )  # fmt: skip
    inside = run.index < answers.frames
    taken = run.index[inside]
    ready_s = np.arange(answers.frames) / answers.fps
    ready_s[taken] = (run.end_ns[inside] - first_ns) / 1e9
    lost = np.setdiff1d(np.arange(answers.frames), taken)
    return replace(without(answers, lost.tolist()), ready_s=ready_s)
