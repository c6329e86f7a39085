"""The state filter between single frames and a state of the driver: a window with hysteresis. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.case import Array
from harness.errors import ConfigError
from harness.events import YES
from harness.eventtables import OFF_SHARE, ON_SHARE, WINDOW_S

ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class StateFilter:
    """The state begins when `on_share` of a window shows it, and ends when no more than `off_share` does.

    window_s: its length. missing: what a frame without an answer is: "absent", it takes up its place in the window and
    shows nothing, so a lost frame never adds evidence; "skipped", the window holds as many answered frames as fit into
    it without loss. ConfigError for values that cannot be right.
    """

    window_s: float = WINDOW_S
    on_share: float = ON_SHARE
    off_share: float = OFF_SHARE
    missing: Literal["absent", "skipped"] = "absent"

    def __post_init__(self) -> None:
        if not 0 < self.window_s < math.inf:
            raise ConfigError(
                f"a filter window of {self.window_s:g} s holds no frame", where="filter",
                remedy="give its length in seconds, above 0",
            )  # fmt: skip
        if not 0 <= self.off_share < self.on_share <= 1:
            what = f"a state cannot begin at a share of {self.on_share:g} and end at {self.off_share:g}"
            raise ConfigError(what, where="filter", remedy="give 0 <= off_share < on_share <= 1")
        if self.missing not in ("absent", "skipped"):
            raise ConfigError(f"missing = {self.missing!r} is neither 'absent' nor 'skipped'", where="filter")

    def frames(self, fps: float) -> int:
        """The window in frames, at least one."""
        return max(round(self.window_s * fps), 1)

    def needed(self, fps: float) -> int:
        """How many frames of a window have to show the state before it begins."""
        return max(math.ceil(self.on_share * self.frames(fps) - ROUNDING), 1)

    def delay_s(self, fps: float) -> float:
        """From an onset to the state with perfect answers at once, an onset just after a frame included."""
        return self.needed(fps) / fps

    def check_fits(self, fps: float, frames: int) -> None:
        """ConfigError where the window is longer than the clip or run."""
        if self.frames(fps) > frames:
            raise ConfigError(
                f"a filter window of {self.window_s:g} s is longer than the {frames / fps:g} s that there are",
                where="filter", remedy="shorten the window or take a longer clip",
            )  # fmt: skip

    def states(self, shown: Array, fps: float) -> tuple[Array, Array]:
        """Of one evidence, YES, NO or NO_ANSWER [frames]: the state at each frame, and where it began.

        Two arrays [frames]: bool, whether it holds; int64, the first frame of its evidence, -1 where it does not hold.
        """
        self.check_fits(fps, len(shown))
        places = np.arange(len(shown)) if self.missing == "absent" else np.flatnonzero(shown >= 0)
        held, began = self._over(shown[places] == YES, fps)
        began = np.where(began >= 0, places[began] if len(places) else began, -1)
        if self.missing == "absent":
            return held, began
        return _kept(len(shown), places, held, began)

    def _over(self, yes: Array, fps: float) -> tuple[Array, Array]:
        window, needed = self.frames(fps), self.needed(fps)
        total = np.concatenate([[0], np.cumsum(yes)])
        last = np.arange(1, len(yes) + 1)
        counts = total[last] - total[np.maximum(last - window, 0)]
        ends_at = self.off_share * window + ROUNDING
        held, began = np.zeros(len(yes), bool), np.full(len(yes), -1)
        since = -1
        for index, count in enumerate(counts.tolist()):
            if since < 0 and count >= needed:
                first = max(index - window + 1, 0)
                since = first + int(yes[first : index + 1].argmax())
            elif since >= 0 and count <= ends_at:
                since = -1
            held[index], began[index] = since >= 0, since
        return held, began


def _kept(frames: int, places: Array, held: Array, began: Array) -> tuple[Array, Array]:
    """The state of answered frames alone, laid over all frames: without an answer nothing is decided."""
    all_held, all_began = np.zeros(frames, bool), np.full(frames, -1)
    all_held[places], all_began[places] = held, began
    return all_held, all_began
