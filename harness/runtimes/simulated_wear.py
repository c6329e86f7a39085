"""What a simulated device suffers from in a long run, planted by the .sim file; nothing by default.

From `throttle_after_s` after its first inference on every frame takes `throttle_slower` more (0.3: 30 %), clocks fall
by the same and the over-current counter rises; 0: never. Every `stall_every_s` a frame takes `stall_ms`.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional

DEFAULTS: Dict[str, Any] = {"throttle_after_s": 0.0, "throttle_slower": 0.0, "stall_every_s": 0.0, "stall_ms": 0.0}


class Wear:
    """Says how long frames take by the time on `clock`, which starts with the first one that asks."""

    def __init__(self, model: Mapping[str, Any], clock: Callable[[], int]) -> None:
        self._after_s, self.slower = float(model["throttle_after_s"]), float(model["throttle_slower"])
        self._every_s, self._stall_ms = float(model["stall_every_s"]), float(model["stall_ms"])
        self._clock, self._stalled = clock, 0
        self._start_ns: Optional[int] = None

    @property
    def throttled_from_ns(self) -> Optional[int]:
        """From when on it is throttled; None where it never will be, or where no frame has come yet."""
        if self._start_ns is None or not self._after_s or not self.slower:
            return None
        return self._start_ns + round(self._after_s * 1e9)

    def frame_ms(self, duration_ms: float) -> float:
        """What a frame takes now that takes `duration_ms` on a fresh device."""
        if not self._after_s and not self._every_s:
            return duration_ms
        now_ns = self._clock()
        if self._start_ns is None:
            self._start_ns = now_ns
        from_ns = self.throttled_from_ns
        worn_ms = duration_ms * (1 + self.slower) if from_ns is not None and now_ns >= from_ns else duration_ms
        return max(worn_ms, self._stall_ms) if self._is_due((now_ns - self._start_ns) / 1e9) else worn_ms

    def _is_due(self, passed_s: float) -> bool:
        due = int(passed_s / self._every_s) if self._every_s else 0
        stalls, self._stalled = due > self._stalled, max(due, self._stalled)
        return stalls
