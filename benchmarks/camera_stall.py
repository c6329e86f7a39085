"""A real engine at the camera's pace with a stall of 1 s: what each policy, and a closed loop, tell of it.

`python benchmarks/camera_stall.py [--seconds 100] [--fps 30] [--stall 1.0]`. The engine is ONNX Runtime with the
shipped eye_state/int8; one inference begins so much later. docs/camera.md says what the rows should show. Where other
load wakes a waiting consumer late the row says INVALID, and its classes still stand.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.camera import BLOCK, DROP_STALE, QUEUE, Arrivals, due_ns
from harness.camera.pacing import Waiting, pace, paced_of
from harness.cameratimes import CameraTimes, camera_times
from harness.case import Case, Job, Plan
from harness.datasets.cabin import Cabin
from harness.frames import Frame
from harness.model import find_cards
from harness.pipeline import Pipeline, push, split_records
from harness.runtimes import open_runtime
from harness.stats.bounds import nearest_rank
from harness.tasks import open_task
from harness.tasks.preprocess import one_thread

CHECKOUT = Path(__file__).resolve().parent.parent
WARM_UP, DISTINCT, STEP = 200, 16, 40


class Stalling:
    """The stages of a pipeline; inference number `at` begins `seconds` late."""

    def __init__(self, pipeline: Any, at: int, seconds: float) -> None:
        self.pre, self.post = pipeline.pre, pipeline.post
        self._infer, self._at, self._seconds, self._done = pipeline.infer, at, seconds, 0

    def infer(self, feeds: Any) -> Any:
        if self._done == self._at:
            time.sleep(self._seconds)
        self._done += 1
        return self._infer(feeds)


def job_of() -> Job:
    """The shipped model on the engine."""
    (card,) = find_cards(["eye_state"], CHECKOUT / "suites/models")
    return Job(
        case=Case("host", "eye_state", "int8", "onnxruntime"), plan=Plan("bench", frames=0), engine="onnxruntime",
        options={"threads": 1}, model_path=str(card.file("int8", "onnx")), model_sha256="", frames_path="",
        input=card.input_spec("onnx"), task=card.task_spec(), outputs=card.outputs("onnx"),
    )  # fmt: skip


def closed(frames: Sequence[Frame], pipeline: Any, count: int) -> str:
    """The same frames back to back."""
    records = push(itertools.islice(itertools.cycle(frames), count), pipeline, time.perf_counter_ns, int)
    times = split_records(records)["frame"] / 1e6
    p99, p999 = (nearest_rank(times, share) for share in (0.99, 0.999))
    return f"{'closed loop':<12}{count:>7}{0:>6}{p99:>10.1f}{p999:>10.1f}{times.max():>10.1f}{'-':>8}{'-':>9}"


def row(policy: str, found: CameraTimes) -> str:
    """One policy."""
    times, misses = found.response, found.misses
    valid = "INVALID" if found.generator_fault else "valid"
    return (
        f"{policy:<12}{times.frames:>7}{misses.dropped:>6}{times.p99_ms:>10.1f}{times.p999_ms:>10.1f}"
        f"{times.max_ms:>10.1f}{misses.missed:>8}{found.lateness_p99_ms or 0:>9.3f}  {valid}"
    )


def main() -> None:
    """Print one row per policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--stall", type=float, default=1.0, help="seconds")
    asked = parser.parse_args()
    count, job = round(asked.seconds * asked.fps), job_of()
    cabin = Cabin(Path(tempfile.gettempdir()), split="eval", frames=DISTINCT * STEP)
    samples = [cabin[index * STEP] for index in range(DISTINCT)]
    frames = [Frame(one.frame, one.rois["face"]) for one in samples]
    one_thread()
    runtime = open_runtime(job.engine, job.model_path, job.options)
    runtime.prepare()
    print(f"{'':<12}{'results':>7}{'drops':>6}{'P99 ms':>10}{'P99.9 ms':>10}{'max ms':>10}{'misses':>8}{'late p99':>9}")
    with runtime as loaded:
        pipeline = Pipeline(job, loaded, open_task(job.task, job.input))
        push(itertools.islice(itertools.cycle(frames), WARM_UP), pipeline, time.perf_counter_ns, int)
        print(closed(frames, Stalling(pipeline, count // 3, asked.stall), count), flush=True)
        for policy in (QUEUE, DROP_STALE, BLOCK):
            arrivals, stalled = Arrivals(asked.fps, policy), Stalling(pipeline, count // 3, asked.stall)
            schedule = due_ns(arrivals, count)
            chunks = list(pace(frames, stalled, schedule, policy, Waiting(), time.thread_time_ns))
            found = camera_times(paced_of(np.concatenate(chunks)), arrivals)
            assert found is not None
            print(row(policy, found), flush=True)


if __name__ == "__main__":
    main()
