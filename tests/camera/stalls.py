"""A pipeline with a planted stall, and the table of what a stall does: a 30 fps camera, 5.2 ms a frame, 3000 frames."""

from __future__ import annotations

from harness.camera import BLOCK, DROP_STALE, QUEUE

PERIOD_MS, SERVICE_MS, FRAMES, STALLED = 1e3 / 30, 5.2, 3000, 1000

# stall in ms, policy: completed, dropped, p99, p99.9, max (ms), over 50 ms, over one period
TABLE = {
    (103, QUEUE): (3000, 0, "5.2", "18.6", "103.0", 2, 3),
    (103, DROP_STALE): (2998, 2, "5.2", "5.2", "103.0", 1, 1),
    (103, BLOCK): (3000, 0, "5.2", "5.2", "103.0", 1, 1),
    (250, QUEUE): (3000, 0, "5.2", "165.6", "250.0", 8, 8),
    (250, DROP_STALE): (2994, 6, "5.2", "5.2", "250.0", 1, 1),
    (250, BLOCK): (3000, 0, "5.2", "5.2", "250.0", 1, 1),
    (1000, QUEUE): (3000, 0, "156.0", "915.6", "1000.0", 34, 35),
    (1000, DROP_STALE): (2971, 29, "5.2", "5.2", "1000.0", 1, 1),
    (1000, BLOCK): (3000, 0, "5.2", "5.2", "1000.0", 1, 1),
}


class Stalling:
    """The stages of a pipeline; inference number `at` takes longer by what `stall` does."""

    def __init__(self, pipeline, at, stall):
        self.pre, self.post = pipeline.pre, pipeline.post
        self._infer, self._at, self._stall, self._done = pipeline.infer, at, stall, 0

    def infer(self, feeds):
        if self._done == self._at:
            self._stall()
        self._done += 1
        return self._infer(feeds)
