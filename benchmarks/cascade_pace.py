"""The shipped cascade at the camera's pace beside a pipeline that does nothing: response times, and frames lost.

`python -m benchmarks.cascade_pace [--minutes 10] [--block-s 30] [--fps 30] [--cores N] [--budget-ms 50]
[--mode serial|stages|steps|streams] [--models FOLDER] [--variant int8]` pins itself to that many cores. Blocks of both
take turns, so that what else the machine does meets both alike; --minutes counts those of the cascade, and it takes
twice that. Response times run from when a frame was due; P99 counts each dropped frame as one that never came.
Both have the same time, so where the cascade costs no frames, each lost one falls on either by even chance: the sign
test says how sure it is that the cascade loses more.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np

from benchmarks.cascade import CHECKOUT, cabin_job
from harness.camera import DROP_STALE, Arrivals, Paced, due_ns, frames_within
from harness.camera.pacing import Waiting, pace, paced_of
from harness.camera.policies import paced
from harness.cameratimes import censored_response_ns, lateness_p99_ms, service_ns
from harness.cascade import SERIAL, CascadeJob, Execution
from harness.cascade.admission import admitted
from harness.cascade.crew import Crew, loaded
from harness.cascade.execution import executed, gates_of
from harness.cascade.measure import camera_frames
from harness.cascade.records import POST_END, STAMPS
from harness.cascade.serial import CascadePipeline
from harness.owncost import garbage_collector_off
from harness.pipeline import NullPipeline
from harness.stats.bounds import nearest_rank, quantile_upper_bound
from harness.tasks.preprocess import one_thread

CASCADE, NULL = "cascade", "null"
MS = 1e6
Block = Callable[[], Paced]


def paced_through(job: CascadeJob, pipeline: object, seconds: float, fps: float) -> Paced:
    """One block, one frame after the other."""
    arrivals = Arrivals(fps=fps)
    schedule = due_ns(arrivals, frames_within(arrivals, seconds))
    chunks = pace(camera_frames(job), pipeline, schedule, DROP_STALE, Waiting(), time.thread_time_ns)
    return paced_of(list(itertools.chain(*chunks)))


def paced_overlapped(job: CascadeJob, crew: Crew, seconds: float, fps: float) -> Paced:
    """One block, several frames at once."""
    arrivals, gates = Arrivals(fps=fps), gates_of(job)
    schedule = due_ns(arrivals, frames_within(arrivals, seconds))
    rows = []
    with garbage_collector_off():
        flights = admitted(camera_frames(job), len(job.stages), schedule, DROP_STALE, gates)
        for flight in executed(job, crew, flights, gates):
            end_ns = max(flight.stamps[POST_END::STAMPS])
            rows.append((flight.number, flight.due_ns, flight.lateness_ns, flight.admitted_ns, end_ns))
    return paced(rows)


def blocks_of(job: CascadeJob, crew: Crew, seconds: float, fps: float) -> dict[str, Block]:
    """How a block of each is carried out."""
    pipeline = CascadePipeline(crew.lanes[0], time.perf_counter_ns, crew.runtimes)

    def cascade() -> Paced:
        if job.execution.mode != SERIAL:
            return paced_overlapped(job, crew, seconds, fps)
        pipeline.begin(lambda flight: None)
        return paced_through(job, pipeline, seconds, fps)

    return {CASCADE: cascade, NULL: lambda: paced_through(job, NullPipeline(), seconds, fps)}


def line(name: str, blocks: list[Paced]) -> str:
    """One row of the table: percentiles over completed frames, and what was lost."""
    response = np.concatenate([censored_response_ns(one) for one in blocks])
    done, service = response[np.isfinite(response)] / MS, np.concatenate([service_ns(one) for one in blocks]) / MS
    late = [one for one in (lateness_p99_ms(block) for block in blocks) if one is not None]
    tail = (nearest_rank(done, share) for share in (0.5, 0.99, 0.999))
    return (
        f"{name:<9}{len(response):>8}{lost(blocks):>7}" + "".join(f"{one:>9.2f}" for one in (*tail, done.max()))
        + f"{nearest_rank(service, 0.99):>13.2f}{np.median(late):>13.3f}{max(late):>9.3f}"
    )  # fmt: skip


def lost(blocks: list[Paced]) -> int:
    """Frames that a newer one displaced."""
    return sum(len(one.dropped) for one in blocks)


def in_budget(blocks: list[Paced], budget_ms: float) -> str:
    """Whether P99 over all camera frames, the dropped ones included, is within the budget for sure."""
    response = np.concatenate([censored_response_ns(one) for one in blocks]) / MS
    upper = quantile_upper_bound(response, 0.99)
    bound = "too few frames for a bound" if upper is None else f"at most {upper:.2f} ms with 95 % confidence"
    held = "within" if upper is not None and upper <= budget_ms else "NOT proven within"
    return (
        f"end-to-end P99 over all camera frames: {nearest_rank(response, 0.99):.2f} ms, {bound}: {held} {budget_ms:g}"
    )


def no_more_lost(cascade: int, null: int) -> str:
    """Whether the cascade loses more frames than nothing at all does."""
    total = cascade + null
    chance = sum(comb(total, k) for k in range(cascade, total + 1)) / 2**total
    said = "no more" if cascade <= null else f"more, which chance alone gives in {100 * chance:.2g} % of such runs"
    return f"frames lost: {cascade} by the cascade, {null} by the null pipeline: {said}"


def main() -> None:
    """Print the table and both answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--block-s", type=float, default=30.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--budget-ms", type=float, default=50.0)
    parser.add_argument("--mode", default=SERIAL)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "suites/models")
    parser.add_argument("--variant", default="int8")
    asked = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    one_thread()
    found: dict[str, list[Paced]] = {CASCADE: [], NULL: []}
    print(
        f"load {os.getloadavg()[0]:.1f} before; {asked.mode}, {asked.variant}, {asked.fps:g} fps, {asked.cores} cores"
    )
    with tempfile.TemporaryDirectory() as folder:
        job = replace(cabin_job(Path(folder), 1, asked.models, asked.variant), execution=Execution(asked.mode))
        with loaded(job) as crew:
            blocks_of(job, crew, 3.0, asked.fps)[CASCADE]()
            blocks = blocks_of(job, crew, asked.block_s, asked.fps)
            for number in range(max(round(asked.minutes * 60 / asked.block_s), 1)):
                for name in (CASCADE, NULL) if number % 2 == 0 else (NULL, CASCADE):
                    found[name].append(blocks[name]())
    print(f"{'':<9}{'frames':>8}{'lost':>7}{'p50 ms':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'service p99':>13}"
          f"{'late p99 ms':>13}{'worst':>9}")  # fmt: skip
    for name in (CASCADE, NULL):
        print(line(name, found[name]))
    print(in_budget(found[CASCADE], asked.budget_ms))
    print(no_more_lost(lost(found[CASCADE]), lost(found[NULL])))


if __name__ == "__main__":
    main()
