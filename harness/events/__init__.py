"""What a driver does over time, and what a monitoring system says about it.

timeline   events drawn from a seed                clip       frames of them, with their truth
answering  a cascade on a clip: answers by frame   conditions which answers are there under a camera, and when
alarms     answers through a filter to alarms      scoring    alarms beside events: detection, delays, false alarms
trial      systems on the same clips               losses     two of them event by event
filtering  what a card says of states and filter   scenarios  frame times and a filter: margins to the public times
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.case import Array
from harness.errors import ConfigError, unknown

YES, NO, NO_ANSWER = 1, 0, -1
CLOSED, OFF_ROAD, PHONE = "eyes_closed", "off_road", "phone"
EVIDENCE = (CLOSED, OFF_ROAD, PHONE)
LIDS, ATTENTION = "lids", "attention"

# What each kind of event shows; a held phone draws the gaze down or not, so its gaze is left open.
KINDS: Mapping[str, str] = {
    "blink": CLOSED, "microsleep": CLOSED, "sleep": CLOSED, "glance": OFF_ROAD, "long_distraction": OFF_ROAD,
    "cumulative_distraction": OFF_ROAD, "phone": PHONE, "unresponsive_asleep": CLOSED, "unresponsive_away": OFF_ROAD,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that the driver does from onset to end, each in the middle of its transition.

    may_show: evidence that an event of this kind may show besides its own; alarms on it are neither right nor wrong.
    """

    kind: str
    onset_s: float
    end_s: float
    may_show: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(unknown("kind of event", self.kind, KINDS))
        if not 0 <= self.onset_s < self.end_s < np.inf:
            raise ConfigError(f"a {self.kind} from {self.onset_s:g} s to {self.end_s:g} s is no span of time")

    @property
    def shows(self) -> str:
        return KINDS[self.kind]

    @property
    def channel(self) -> str:
        """What of the driver it takes up: two events of one channel cannot overlap."""
        return LIDS if self.shows == CLOSED else ATTENTION

    @property
    def name(self) -> str:
        return f"{self.kind} at {self.onset_s:.1f} s"


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """The system says `kind` from `start_s` on: the moment at which the result of the deciding frame is there.

    clip: which recording it is in, where that is known.
    """

    kind: str
    start_s: float
    clip: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} at {self.start_s:.1f} s" + (f" in {self.clip}" if self.clip else "")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered for each frame of a clip at a constant rate.

    evidence: name -> int8 [frames]: YES, NO or NO_ANSWER. ready_s: when each frame's answer was there [frames],
    counted from the first frame's arrival; without it, at the arrival of the frame itself. ConfigError where these
    do not fit together.
    """

    fps: float
    evidence: Mapping[str, Array] = field(repr=False)
    ready_s: Array | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        checked_fps(self.fps)
        for name in self.evidence:
            if name not in EVIDENCE:
                raise ConfigError(unknown("evidence", name, EVIDENCE), where="answers")
        lengths = {name: len(one) for name, one in self.evidence.items()}
        if self.ready_s is not None:
            lengths["ready_s"] = len(self.ready_s)
        if len(set(lengths.values())) != 1 or not min(lengths.values()):
            raise ConfigError(f"answers of {lengths or 'nothing'} frames do not make one clip", where="answers")

    @cached_property
    def frames(self) -> int:
        return len(next(iter(self.evidence.values())))

    @property
    def duration_s(self) -> float:
        return self.frames / self.fps

    def ready_at(self, frame: int) -> float:
        """When the answer to a frame was there, in seconds."""
        return frame / self.fps if self.ready_s is None else float(self.ready_s[frame])


def checked_fps(fps: float) -> float:
    """The same number; ConfigError where it is no frame rate."""
    if not 0 < fps < np.inf:
        raise ConfigError(f"{fps:g} frames per second is no frame rate", remedy="give a number above 0, such as 30")
    return fps
