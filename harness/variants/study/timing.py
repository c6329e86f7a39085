"""How long a file takes compared with its parent: a quick look for searches, never a result."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from harness.errors import HarnessError
from harness.runtimes import FORMATS, Runtime, open_runtime
from harness.variants import Bench
from harness.variants.scoring import OPTIONS, SCORED_BY
from harness.variants.study.graphs import feeds

WARMUP_RUNS = 10
FEWEST_RUNS, MOST_RUNS = 10, 100
MOST_S = 2.0


def timing_engine(bench: Bench, file_format: str) -> str:
    """The first engine of the target that runs the parent's file in this process, else the one that scores it."""
    for engine in bench.engines:
        if file_format in FORMATS.get(engine, ()) and _runs(bench, file_format, engine):
            return engine
    return SCORED_BY[file_format]


def latency_ratio(bench: Bench, path: Path, parent: Path, engine: str) -> float:
    """The fastest inference of `path` over that of `parent`, on one thread and one real frame, in turn.

    Time that other processes take is not counted where the engine computes in the calling thread.
    """
    with ExitStack() as stack:
        runs = [_repeater(bench, one, stack.enter_context(_opened(one, engine))) for one in (path, parent)]
        alone = all(thread for _, thread in runs)
        fastest = _interleaved([run for run, _ in runs], time.thread_time_ns if alone else time.perf_counter_ns)
    return fastest[0] / fastest[1]


def _runs(bench: Bench, file_format: str, engine: str) -> bool:
    try:
        with _opened(bench.parent(file_format), engine) as runtime:
            _repeater(bench, bench.parent(file_format), runtime)[0]()
    except HarnessError:
        return False
    return True


def _opened(path: Path, engine: str) -> Runtime:
    runtime = open_runtime(engine, str(path), OPTIONS.get(engine, {}))
    runtime.prepare()
    return runtime


def _repeater(bench: Bench, path: Path, runtime: Runtime) -> tuple[Callable[[], object], bool]:
    """One inference of the first calibration frame, and whether all of it happens in this thread."""
    feed = next(feeds(path, bench.card, bench.frames.calibration.part([0], "timing")))
    return lambda: runtime.infer(feed), runtime.in_calling_thread


def _interleaved(runs: list[Callable[[], object]], clock: Callable[[], int]) -> list[int]:
    """The shortest time of each in nanoseconds, at least 1."""
    fastest = np.full(len(runs), 2**62)
    end_s = time.monotonic() + MOST_S
    for number in range(WARMUP_RUNS + MOST_RUNS):
        taken = [_timed(run, clock) for run in runs]
        if number >= WARMUP_RUNS:
            fastest = np.minimum(fastest, taken)
        if number >= WARMUP_RUNS + FEWEST_RUNS and time.monotonic() > end_s:
            break
    return [max(int(one), 1) for one in fastest]


def _timed(run: Callable[[], object], clock: Callable[[], int]) -> int:
    began = clock()
    run()
    return clock() - began
