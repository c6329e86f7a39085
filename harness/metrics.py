"""METRICS: each turns one run into one number, with its unit and its good direction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.camera import arrivals_of
from harness.camera.pacing import paced_of_run
from harness.cameratimes import CameraTimes, camera_times, censored_response_ns
from harness.cascade import SERIAL
from harness.case import STAGES, Array, Run
from harness.energy import Energy, energy_of
from harness.fpsstability import Stability, fps_stability
from harness.placement import (
    batch_norms_left,
    float32_share_percent,
    partitions,
    placed_share_percent,
    unfused_share_percent,
)
from harness.stats.bounds import minimum_frames, nearest_rank
from harness.surroundings import Temperatures, temperatures, throttled_share, utilisation_percent

MS, MB = 1e6, 1e6
RESPONSE = "response"
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
    up. stage and share: of a percentile, which is judged by the exact bound over frames. once: told by one process
    of a session only. exact: the same in every process, so that no worse than the accepted baseline means just that.
    tolerance_percent: how much worse than the accepted baseline is still tolerated; None: not compared.
    """

    name: str
    unit: str
    better: Literal["less", "more"]
    of: Callable[[Run], float | None]
    min_frames: int = 1
    speed: bool = True
    frames: bool = False
    once: bool = False
    exact: bool = False
    stage: str = ""
    share: float | None = None
    tolerance_percent: float | None = None

    def value(self, run: Run) -> float | None:
        """The number, or None where the run is too short or does not tell."""
        return self.of(run) if counted_frames(run, self.stage) >= self.min_frames else None


def _latency_metrics() -> Iterator[Metric]:
    for stage in (*STAGES, "frame", RESPONSE):
        for label, share in PERCENTILES.items():
            yield Metric(
                name=f"{stage}_{label}_ms", unit="ms", better="less",
                of=_percentile(stage, share), min_frames=minimum_frames(share), frames=True,
                stage=stage, share=share, tolerance_percent=TOLERANCES_PERCENT.get(f"{stage}_{label}_ms"),
            )  # fmt: skip
        yield Metric(name=f"{stage}_max_ms", unit="ms", better="less", of=_largest(stage), frames=True)


def stage_times(run: Run, stage: str) -> Array:
    """Nanoseconds of one stage, or of the whole frame, in frame order; all that a gate counts.

    "response" runs from the scheduled arrival, in the order of the camera's frames, and is infinite for dropped ones.
    """
    if stage == RESPONSE:
        paced = paced_of_run(run)
        return np.zeros(0) if paced is None else censored_response_ns(paced)
    return run.frame_ns if stage == "frame" else run.stages[stage]


def counted_frames(run: Run, stage: str) -> int:
    """On how many frames a metric of `stage` rests: of a camera's response on all that were sent, since each counts."""
    return len(stage_times(run, stage)) if stage == RESPONSE else len(run.frame_ns)


def completed_times(run: Run, stage: str) -> Array:
    """The same without frames that were dropped: what percentiles are told of."""
    times = stage_times(run, stage)
    return times[np.isfinite(times)] if stage == RESPONSE else times


def _percentile(stage: str, share: float) -> Callable[[Run], float | None]:
    return _of_times(stage, lambda times: nearest_rank(times, share) / MS)


def _largest(stage: str) -> Callable[[Run], float | None]:
    return _of_times(stage, lambda times: float(times.max()) / MS)


def _of_times(stage: str, of: Callable[[Array], float]) -> Callable[[Run], float | None]:
    def told(run: Run) -> float | None:
        times = completed_times(run, stage)
        return of(times) if len(times) else None

    return told


def camera_times_of(run: Run) -> CameraTimes | None:
    """What a camera's frames waited and took; None where frames went back to back."""
    paced, arrivals = paced_of_run(run), arrivals_of(run)
    return None if paced is None or arrivals is None else camera_times(paced, arrivals)


def stability_of(run: Run) -> Stability | None:
    """Results per second at the camera's pace; None where frames went back to back."""
    paced, arrivals = paced_of_run(run), arrivals_of(run)
    return None if paced is None or arrivals is None else fps_stability(paced, arrivals)


def _camera(of: Callable[[CameraTimes], float | None]) -> Callable[[Run], float | None]:
    def told(run: Run) -> float | None:
        found = camera_times_of(run)
        return None if found is None else of(found)

    return told


def _utilisation_by_camera(run: Run) -> float | None:
    """None where frames overlap in a cascade: their service times add up to more than the machine was busy."""
    found = None if _overlaps(run) else camera_times_of(run)
    return None if found is None else 100 * found.utilisation


def _overlaps(run: Run) -> bool:
    cascade = run.facts.get("cascade")
    return isinstance(cascade, Mapping) and cascade.get("execution", SERIAL) != SERIAL


def _fluctuation_by_camera(found: Stability) -> float | None:
    return found.fluctuation_percent if len(found.completed) >= MINIMUM_WINDOWS else None


def _at_pace(
    of: Callable[[Stability], float | None], back_to_back: Callable[[Run], float]
) -> Callable[[Run], float | None]:
    """Of whole seconds where a camera sends the frames."""

    def told(run: Run) -> float | None:
        if not run.camera:
            return back_to_back(run)
        found = stability_of(run)
        return None if found is None else of(found)

    return told


def _taken_ns(run: Run) -> Array:
    """What each frame took of the time: where frames overlap in a cascade, from one result to the next."""
    if not _overlaps(run):
        return run.frame_ns
    return np.diff(run.start_ns + run.frame_ns, prepend=run.start_ns[:1])


def window_fps(run: Run) -> Array:
    """Frames per second of each whole window of 30 consecutive frames."""
    windows = len(run.frame_ns) // WINDOW_FRAMES
    sums = _taken_ns(run)[: windows * WINDOW_FRAMES].reshape(windows, WINDOW_FRAMES).sum(axis=1)
    fps: Array = WINDOW_FRAMES * 1e9 / sums
    return fps


def _mean_fps(run: Run) -> float:
    return len(run.frame_ns) * 1e9 / float(_taken_ns(run).sum())


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


def _energy(of: Callable[[Energy], float | None]) -> Callable[[Run], float | None]:
    def told(run: Run) -> float | None:
        found = energy_of(run)
        return of(found) if isinstance(found, Energy) else None

    return told


def _temperature(of: Callable[[Temperatures], float]) -> Callable[[Run], float | None]:
    def told(run: Run) -> float | None:
        found = temperatures(run)
        return None if found is None else of(found)

    return told


def _utilisation(what: str) -> Callable[[Run], float | None]:
    return lambda run: utilisation_percent(run, what)


def _throttled_percent(run: Run) -> float | None:
    share = throttled_share(run)
    return None if share is None else 100 * share


def _leak(run: Run) -> float | None:
    """Growth of the resident memory over the timed frames."""
    grown = _growth("rss_steady_bytes", "rss_before_frames_bytes")(run)
    return None if grown is None else 1e3 * grown / len(run.frame_ns)


def _growth(after: str, before: str) -> Callable[[Run], float | None]:
    return lambda run: (run.marks[after] - run.marks[before]) / MB if {after, before} <= run.marks.keys() else None


def _gpu_memory(run: Run) -> float | None:
    """On a Jetson by NvMap, on a discrete GPU by NVML."""
    known = (run.marks.get(name) for name in ("nvmap_bytes", "gpu_bytes"))
    return next((one / MB for one in known if one is not None), None)


def _peak(run: Run) -> float | None:
    """On a Jetson with the buffers of its GPU, which lie in the same memory and are in no process's own count."""
    peaks = [value for name, value in run.marks.items() if name.startswith("peak_")]
    return (max(peaks) + run.marks.get("nvmap_bytes", 0.0)) / MB if peaks else None


def _exact(name: str, unit: str, better: Literal["less", "more"], of: Callable[[Run], float | None]) -> Metric:
    return Metric(name=name, unit=unit, better=better, of=of, min_frames=0, speed=False, exact=True)


_WINDOWS = WINDOW_FRAMES * MINIMUM_WINDOWS
_P99 = minimum_frames(0.99)
_OTHER = (
    Metric(name="fps_mean", unit="1/s", better="more", frames=True, of=_at_pace(lambda one: one.mean_fps, _mean_fps)),
    Metric(name="fps_fluctuation_percent", unit="%", better="less", frames=True, min_frames=_WINDOWS,
           of=_at_pace(_fluctuation_by_camera, _fluctuation)),
    Metric(name="fps_worst_window", unit="1/s", better="more", frames=True, min_frames=WINDOW_FRAMES,
           of=_at_pace(lambda one: one.worst_fps, _worst_window)),
    Metric(name="deadline_misses_percent", unit="%", better="less", frames=True,
           of=_camera(lambda one: 100 * one.misses.missed / one.misses.frames)),
    Metric(name="dropped_per_10000", unit="frames", better="less", frames=True,
           of=_camera(lambda one: one.dropped_per_10000)),
    Metric(name="age_at_output_max_ms", unit="ms", better="less", frames=True,
           of=_camera(lambda one: one.age_at_output.max_ms)),
    Metric(name="age_of_result_max_ms", unit="ms", better="less", frames=True,
           of=_camera(lambda one: one.age_of_result.max_ms if one.age_of_result else None)),
    Metric(name="camera_utilisation_percent", unit="%", better="less", frames=True, of=_utilisation_by_camera),
    Metric(name="backlog_frames", unit="frames", better="less", frames=True, of=_camera(lambda one: one.backlog)),
    Metric(name="camera_lateness_p99_ms", unit="ms", better="less", frames=True,
           of=_camera(lambda one: one.lateness_p99_ms)),
    Metric(name="frame_p99_over_p50", unit="x", better="less", frames=True, of=_tail_ratio, min_frames=_P99),
    Metric(name="longest_gap_ms", unit="ms", better="less", frames=True, of=_longest_gap, min_frames=2),
    Metric(name="frame_cpu_p25_ms", unit="ms", better="less", frames=True, of=_cpu_percentile(0.25),
           tolerance_percent=5.0),
    Metric(name="frame_cpu_p50_ms", unit="ms", better="less", frames=True, of=_cpu_percentile(0.5)),
    Metric(name="frame_cpu_p95_ms", unit="ms", better="less", frames=True,
           of=_cpu_percentile(0.95), min_frames=minimum_frames(0.95)),
    Metric(name="frame_cpu_p99_ms", unit="ms", better="less", frames=True,
           of=_cpu_percentile(0.99), min_frames=_P99),
    Metric(name="infer_mean_ms", unit="ms", better="less", of=_mark("infer_mean_ns", MS), min_frames=0),
    Metric(name="accelerator_share_percent", unit="%", better="more", of=_mark("accelerator_share", 0.01),
           min_frames=0),
    Metric(name="build_ms", unit="ms", better="less", of=_mark("build_ns", MS), min_frames=0),
    Metric(name="import_ms", unit="ms", better="less", of=_mark("import_ns", MS)),
    Metric(name="load_ms", unit="ms", better="less", of=_mark("load_ns", MS), tolerance_percent=25.0),
    Metric(name="first_inference_ms", unit="ms", better="less", of=_mark("first_inference_ns", MS)),
    Metric(name="model_memory_mb", unit="MB", better="less", speed=False,
           of=_growth("rss_after_load_bytes", "rss_after_import_bytes")),
    Metric(name="runtime_memory_mb", unit="MB", better="less", speed=False,
           of=_growth("rss_steady_bytes", "rss_before_import_bytes")),
    Metric(name="peak_memory_mb", unit="MB", better="less", speed=False, of=_peak, tolerance_percent=3.0),
    Metric(name="pss_mb", unit="MB", better="less", speed=False, of=_mark("pss_bytes", MB)),
    Metric(name="gpu_memory_mb", unit="MB", better="less", speed=False, of=_gpu_memory),
    Metric(name="device_memory_mb", unit="MB", better="more", speed=False, of=_mark("device_memory_bytes", MB)),
    Metric(name="memory_growth_kb_per_frame", unit="kB", better="less", speed=False, of=_leak, min_frames=100),
    Metric(name="file_size_mb", unit="MB", better="less", speed=False, of=_mark("file_bytes", MB)),
    Metric(name="power_mean_w", unit="W", better="less", once=True, of=_energy(lambda one: one.mean_w)),
    Metric(name="power_peak_w", unit="W", better="less", once=True, of=_energy(lambda one: one.peak_w)),
    Metric(name="energy_per_frame_mj", unit="mJ", better="less", once=True, of=_energy(lambda one: one.gross_mj),
           tolerance_percent=5.0),
    Metric(name="net_energy_per_frame_mj", unit="mJ", better="less", once=True,
           of=_energy(lambda one: one.net_mj if one.resolved else None)),
    Metric(name="fps_per_w", unit="1/(s W)", better="more", once=True,
           of=_energy(lambda one: one.frames / one.seconds / one.mean_w if one.mean_w > 0 else None)),
    Metric(name="temperature_start_c", unit="C", better="less", of=_temperature(lambda one: one.start_c)),
    Metric(name="temperature_end_c", unit="C", better="less", of=_temperature(lambda one: one.end_c)),
    Metric(name="temperature_slope_c_per_min", unit="C/min", better="less",
           of=_temperature(lambda one: one.slope_c_per_min)),
    Metric(name="throttled_share_percent", unit="%", better="less", of=_throttled_percent),
    Metric(name="cpu_utilisation_percent", unit="%", better="less", of=_utilisation("cpu")),
    Metric(name="gpu_utilisation_percent", unit="%", better="less", of=_utilisation("gpu")),
    Metric(name="memory_controller_percent", unit="%", better="less", of=_utilisation("memory_controller")),
    _exact("placed_share_percent", "%", "more", placed_share_percent),
    _exact("partitions", "parts", "less", partitions),
    _exact("float32_share_percent", "%", "less", float32_share_percent),
    _exact("unfused_share_percent", "%", "less", unfused_share_percent),
    _exact("batch_norms_left", "nodes", "less", batch_norms_left),
)  # fmt: skip


def worst(metric: Metric, values: Sequence[float]) -> float:
    """The value that is farthest from what is good."""
    return min(values) if metric.better == "more" else max(values)


OF_A_CAMERA = (
    "deadline_misses_percent", "dropped_per_10000", "age_at_output_max_ms", "age_of_result_max_ms",
    "camera_utilisation_percent", "backlog_frames", "camera_lateness_p99_ms",
    *(one.name for one in _latency_metrics() if one.name.startswith(f"{RESPONSE}_")),
)  # fmt: skip
METRICS: dict[str, Metric] = {one.name: one for one in (*_latency_metrics(), *_OTHER)}
