"""What collecting costs: our collector, a bare two-clock loop, pytest-benchmark and MLPerf LoadGen on a null model.

`python benchmarks/collector.py` prints nanoseconds per sample, interleaved in one run, as medians of
the repeats. LoadGen is measured where `mlcommons-loadgen` is installed.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.frames import Frame
from harness.owncost import garbage_collector_off
from harness.pipeline import NullPipeline, push

FRAMES = 20_000
REPEATS = 9
TARGET_NS = 200
FRAME = Frame(np.zeros((8, 8), np.uint8))

PEDANTIC = """
import time
def test_null(benchmark):
    def null(): return None
    start = time.perf_counter_ns()
    benchmark.pedantic(null, rounds={frames}, iterations=1)
    print("per-sample-ns", (time.perf_counter_ns() - start) / {frames})
"""


def no_clock() -> int:
    """A CPU clock that costs one call: for engines that compute in other threads."""
    return 0


def ours(cpu_clock: Callable[[], int]) -> float:
    """Per frame-stage sample: a frame has three."""
    pipeline = NullPipeline()
    with garbage_collector_off():
        start = time.perf_counter_ns()
        push(itertools.repeat(FRAME, FRAMES), pipeline, time.perf_counter_ns, cpu_clock)
        return (time.perf_counter_ns() - start) / FRAMES / 3


def bare() -> float:
    """Read the clock, call, read the clock, keep the difference."""
    pipeline, clock, samples = NullPipeline(), time.perf_counter_ns, []
    with garbage_collector_off():
        begin = clock()
        for frame in itertools.repeat(FRAME, FRAMES):
            start = clock()
            pipeline.pre(frame)
            samples.append(clock() - start)
        return (clock() - begin) / FRAMES


def pedantic() -> float:
    """pytest-benchmark's pedantic mode, one call per round."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test_null.py"
        path.write_text(PEDANTIC.format(frames=FRAMES), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", str(path)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout.split("per-sample-ns")[1].split()[0])


def loadgen() -> float | None:
    """MLPerf LoadGen SingleStream with a system that answers at once."""
    try:
        import mlperf_loadgen as lg
    except ImportError:
        return None

    def issue(samples: list[object]) -> None:
        lg.QuerySamplesComplete([lg.QuerySampleResponse(one.id, 0, 0) for one in samples])  # type: ignore[attr-defined]

    settings = lg.TestSettings()
    settings.scenario, settings.mode = lg.TestScenario.SingleStream, lg.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count, settings.max_query_count = 0, FRAMES, FRAMES
    system = lg.ConstructSUT(issue, lambda: None)
    library = lg.ConstructQSL(64, 64, lambda _: None, lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        output = lg.LogOutputSettings()
        output.outdir, output.copy_summary_to_stdout = folder, False
        log = lg.LogSettings()
        log.log_output = output
        start = time.perf_counter_ns()
        lg.StartTestWithLogSettings(system, library, settings, log)
        spent = time.perf_counter_ns() - start
    lg.DestroyQSL(library)
    lg.DestroySUT(system)
    return spent / FRAMES


def main() -> None:
    """Measure all of them in turn and print the table."""
    rows: dict[str, list[float]] = {}
    contenders: dict[str, Callable[[], float | None]] = {
        "bare two-clock loop": bare,
        "harness, engine in other threads": lambda: ours(no_clock),
        "harness, with thread CPU time": lambda: ours(time.thread_time_ns),
        "pytest-benchmark pedantic": pedantic,
        "MLPerf LoadGen SingleStream": loadgen,
    }
    for _ in range(REPEATS):
        for name, measure in contenders.items():
            cost = measure()
            if cost is not None:
                rows.setdefault(name, []).append(cost)
    base = statistics.median(rows["bare two-clock loop"])
    print(f"{'ns per sample, median of ' + str(REPEATS):<36}{'ns':>9}{'above bare':>12}{'x bare':>8}")
    for name, costs in rows.items():
        cost = statistics.median(costs)
        print(f"{name:<36}{cost:>9.0f}{cost - base:>12.0f}{cost / base:>8.1f}")
    for name in ("harness, engine in other threads", "harness, with thread CPU time"):
        above = statistics.median(rows[name]) - base
        verdict = "met" if above <= TARGET_NS else "MISSED"
        print(f"target: at most {TARGET_NS} ns above the bare loop: {verdict} ({above:.0f} ns) {name}")
    if "MLPerf LoadGen SingleStream" not in rows:
        print("LoadGen was not measured: pip install mlcommons-loadgen")


if __name__ == "__main__":
    main()
