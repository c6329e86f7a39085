"""METRICS: each turns one run into one number, with its unit and its good direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.case import STAGES, Array, Run
from harness.stats.bounds import minimum_frames, nearest_rank

MS, MB = 1e6, 1e6
WINDOW_FRAMES = 30
MINIMUM_WINDOWS = 20
# The lower quartile is the typical time: other load moves it least. p95 stands for the tail.
TOLERANCES_PERCENT = {"frame_p25_ms": 5.0, "frame_p95_ms": 10.0}
PERCENTILES = {"p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number of one run.

    of: the number, None where the run does not tell. min_frames: below it the number is not given.
    speed: depends on how fast the machine is at the moment (the smoke plan never judges these).
    frames: comes from the timed frames, so it means something only where these became steady and add
    up. stage and share: of a percentile, which is judged by the exact bound over frames.
    tolerance_percent: how much worse than the accepted baseline is still tolerated; None: not compared.
    """

    name: str
    unit: str
    better: Literal["less", "more"]
    of: Callable[[Run], float | None]
    min_frames: int = 1
    speed: bool = True
    frames: bool = False
    stage: str = ""
    share: float | None = None
    tolerance_percent: float | None = None

    def value(self, run: Run) -> float | None:
        """The number, or None where the run is too short or does not tell."""
        return self.of(run) if len(run.frame_ns) >= self.min_frames else None


def _latency_metrics() -> Iterator[Metric]:
    for stage in (*STAGES, "frame"):
        for label, share in PERCENTILES.items():
            yield Metric(
                name=f"{stage}_{label}_ms", unit="ms", better="less",
                of=_percentile(stage, share), min_frames=minimum_frames(share), frames=True,
                stage=stage, share=share, tolerance_percent=TOLERANCES_PERCENT.get(f"{stage}_{label}_ms"),
            )  # fmt: skip
        yield Metric(name=f"{stage}_max_ms", unit="ms", better="less", of=_largest(stage), frames=True)


def stage_times(run: Run, stage: str) -> Array:
    """Nanoseconds of one stage, or of the whole frame, in frame order."""
    return run.frame_ns if stage == "frame" else run.stages[stage]


def _percentile(stage: str, share: float) -> Callable[[Run], float]:
    return lambda run: nearest_rank(stage_times(run, stage), share) / MS


def _largest(stage: str) -> Callable[[Run], float]:
    return lambda run: float(stage_times(run, stage).max()) / MS


def window_fps(run: Run) -> Array:
    """Frames per second of each whole window of 30 consecutive frames."""
    windows = len(run.frame_ns) // WINDOW_FRAMES
    sums = run.frame_ns[: windows * WINDOW_FRAMES].reshape(windows, WINDOW_FRAMES).sum(axis=1)
    fps: Array = WINDOW_FRAMES * 1e9 / sums
    return fps


def _mean_fps(run: Run) -> float:
    return len(run.frame_ns) * 1e9 / float(run.frame_ns.sum())


def _fluctuation(run: Run) -> float:
    fps = window_fps(run)
    return 100 * float(fps.std(ddof=1) / fps.mean())


def _worst_window(run: Run) -> float:
    return float(window_fps(run).min())


def _tail_ratio(run: Run) -> float:
    return nearest_rank(run.frame_ns, 0.99) / nearest_rank(run.frame_ns, 0.5)


def _longest_gap(run: Run) -> float:
    ends = run.start_ns + run.frame_ns
    return float(np.diff(ends).max()) / MS


def _cpu_percentile(share: float) -> Callable[[Run], float | None]:
    return lambda run: nearest_rank(run.cpu_ns, share) / MS if len(run.cpu_ns) else None


def _mark(name: str, divisor: float) -> Callable[[Run], float | None]:
    return lambda run: run.marks[name] / divisor if name in run.marks else None


def _growth(after: str, before: str) -> Callable[[Run], float | None]:
    return lambda run: (run.marks[after] - run.marks[before]) / MB if {after, before} <= run.marks.keys() else None


def _peak(run: Run) -> float | None:
    peaks = [value for name, value in run.marks.items() if name.startswith("peak_")]
    return max(peaks) / MB if peaks else None


_WINDOWS = WINDOW_FRAMES * MINIMUM_WINDOWS
_P99 = minimum_frames(0.99)
_OTHER = (
    Metric(name="fps_mean", unit="1/s", better="more", frames=True, of=_mean_fps),
    Metric(name="fps_fluctuation_percent", unit="%", better="less", frames=True,
           of=_fluctuation, min_frames=_WINDOWS),
    Metric(name="fps_worst_window", unit="1/s", better="more", frames=True,
           of=_worst_window, min_frames=WINDOW_FRAMES),
    Metric(name="frame_p99_over_p50", unit="x", better="less", frames=True, of=_tail_ratio, min_frames=_P99),
    Metric(name="longest_gap_ms", unit="ms", better="less", frames=True, of=_longest_gap, min_frames=2),
    Metric(name="frame_cpu_p25_ms", unit="ms", better="less", frames=True, of=_cpu_percentile(0.25),
           tolerance_percent=5.0),
    Metric(name="frame_cpu_p50_ms", unit="ms", better="less", frames=True, of=_cpu_percentile(0.5)),
    Metric(name="frame_cpu_p95_ms", unit="ms", better="less", frames=True,
           of=_cpu_percentile(0.95), min_frames=minimum_frames(0.95)),
    Metric(name="frame_cpu_p99_ms", unit="ms", better="less", frames=True,
           of=_cpu_percentile(0.99), min_frames=_P99),
    Metric(name="import_ms", unit="ms", better="less", of=_mark("import_ns", MS)),
    Metric(name="load_ms", unit="ms", better="less", of=_mark("load_ns", MS), tolerance_percent=25.0),
    Metric(name="first_inference_ms", unit="ms", better="less", of=_mark("first_inference_ns", MS)),
    Metric(name="model_memory_mb", unit="MB", better="less", speed=False,
           of=_growth("rss_after_load_bytes", "rss_after_import_bytes")),
    Metric(name="runtime_memory_mb", unit="MB", better="less", speed=False,
           of=_growth("rss_steady_bytes", "rss_before_import_bytes")),
    Metric(name="peak_memory_mb", unit="MB", better="less", speed=False, of=_peak, tolerance_percent=3.0),
    Metric(name="device_memory_mb", unit="MB", better="more", speed=False, of=_mark("device_memory_bytes", MB)),
    Metric(name="file_size_mb", unit="MB", better="less", speed=False, of=_mark("file_bytes", MB)),
)  # fmt: skip

METRICS: dict[str, Metric] = {one.name: one for one in (*_latency_metrics(), *_OTHER)}
