"""How late a waiting consumer is woken on this machine: by sleep alone, and by sleep with 1 ms of spinning at the end.

The two alternate second by second, so that what else the machine does meets both alike. Give it an idle core, or on
a machine that is not idle the first right to one: `chrt -f 50 taskset -c 1 python benchmarks/camera_pacing.py`.
"""

from __future__ import annotations

import argparse
import itertools
import time

import numpy as np

from harness.camera import QUEUE, Arrivals, due_ns
from harness.camera.pacing import SPIN_NS, Waiting, pace, paced_of
from harness.cameratimes import LATENESS_LIMIT_MS
from harness.frames import Frame
from harness.pipeline import NullPipeline
from harness.stats.bounds import nearest_rank

WAITS = {"sleep alone": Waiting(spin_ns=0), "sleep, then spin 1 ms": Waiting(spin_ns=SPIN_NS)}
PICTURE = (Frame(np.zeros((4, 4), np.uint8)),)


def lateness_ns(waiting: Waiting, fps: float) -> list[int]:
    """Of one second of frames without any work."""
    schedule = due_ns(Arrivals(fps), round(fps))
    chunks = pace(PICTURE, NullPipeline(), schedule, QUEUE, waiting, time.thread_time_ns)
    return [int(one) for one in paced_of(list(itertools.chain(*chunks))).lateness_ns]


def main() -> None:
    """Print one line per way to wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20, help="of each way to wait")
    parser.add_argument("--fps", type=float, default=60.0)
    asked = parser.parse_args()
    found: dict[str, list[int]] = {name: [] for name in WAITS}
    for _ in range(asked.seconds):
        for name, waiting in WAITS.items():
            found[name] += lateness_ns(waiting, asked.fps)
    for name, times in found.items():
        values = np.array(times) / 1e6
        p50, p99 = (nearest_rank(values, share) for share in (0.5, 0.99))
        verdict = "valid" if p99 < LATENESS_LIMIT_MS else "INVALID"
        print(f"{name}: p50 {p50:.4f} ms, p99 {p99:.4f} ms, max {values.max():.3f} ms, {len(values)} waits: {verdict}")


if __name__ == "__main__":
    main()
