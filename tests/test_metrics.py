"""Every metric: exact on a run made by hand, silent where a run is too short or does not tell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.case import STAGES
from harness.metrics import METRICS, stage_times, window_fps

MS = 1_000_000
STAGES_AND_FRAME = (*STAGES, "frame")
LADDER = np.random.default_rng(0).permutation(np.arange(1, 3001)) * MS


def value(metric: str, run):
    return METRICS[metric].value(run)


@pytest.mark.parametrize(
    ("label", "rank"), [("p50", 1500), ("p90", 2700), ("p95", 2850), ("p99", 2970), ("p999", 2997), ("max", 3000)]
)
def test_a_percentile_of_a_frame_is_its_nearest_rank_in_milliseconds(make_run, label, rank):
    run = make_run(LADDER)
    assert value(f"frame_{label}_ms", run) == rank
    assert value(f"infer_{label}_ms", run) == rank - 2
    assert value(f"pre_{label}_ms", run) == value(f"post_{label}_ms", run) == 1


MARKS = {
    "import_ns": 200 * MS, "load_ns": 30 * MS, "first_inference_ns": 12 * MS, "file_bytes": 4_000_000,
    "rss_before_import_bytes": 100_000_000, "rss_after_import_bytes": 130_000_000,
    "rss_after_load_bytes": 137_000_000, "rss_steady_bytes": 141_000_000,
    "peak_load_bytes": 150_000_000, "peak_first_bytes": 160_000_000, "peak_steady_bytes": 145_000_000,
    "device_memory_bytes": 8_000_000_000,
}  # fmt: skip
# ten windows at 10 ms and ten at 20 ms, back to back but for 3 ms between frames
STEPS = np.repeat([10 * MS, 20 * MS], 300)
EXPECTED = {
    "fps_mean": 1000 / 15,
    "fps_fluctuation_percent": 100 * 25 * math.sqrt(20 / 19) / 75,
    "fps_worst_window": 50,
    "frame_p99_over_p50": 2,
    "longest_gap_ms": 23,
    "frame_cpu_p25_ms": 5,
    "frame_cpu_p50_ms": 5,
    "frame_cpu_p95_ms": 10,
    "frame_cpu_p99_ms": 10,
    "import_ms": 200,
    "load_ms": 30,
    "first_inference_ms": 12,
    "model_memory_mb": 7,
    "runtime_memory_mb": 41,
    "peak_memory_mb": 160,
    "file_size_mb": 4,
    "device_memory_mb": 8000,
}


@pytest.fixture
def steps(make_run):
    return make_run(STEPS, gap_ns=3 * MS, cpu_ns=STEPS // 2, marks=MARKS)


@pytest.mark.parametrize("metric", EXPECTED)
def test_a_metric_of_a_hand_made_run_is_exact(steps, metric):
    assert value(metric, steps) == pytest.approx(EXPECTED[metric], rel=1e-12)


def test_every_metric_is_tried_by_hand():
    latency = {f"{stage}_{label}_ms" for stage in ("pre", "infer", "post", "frame") for label in
               ("p25", "p50", "p90", "p95", "p99", "p999", "max")}  # fmt: skip
    assert set(METRICS) == latency | set(EXPECTED)


@pytest.mark.parametrize(
    ("metric", "unit", "better"),
    [
        ("frame_p99_ms", "ms", "less"),
        ("fps_mean", "1/s", "more"),
        ("fps_worst_window", "1/s", "more"),
        ("fps_fluctuation_percent", "%", "less"),
        ("peak_memory_mb", "MB", "less"),
    ],
)
def test_a_metric_carries_its_unit_and_its_good_direction(metric, unit, better):
    assert (METRICS[metric].unit, METRICS[metric].better) == (unit, better)


@pytest.mark.parametrize(
    ("metric", "frames"),
    [
        ("frame_p50_ms", 5), ("frame_p90_ms", 29), ("frame_p95_ms", 59), ("frame_p99_ms", 299), ("infer_p99_ms", 299),
        ("frame_p999_ms", 2995), ("frame_cpu_p99_ms", 299), ("fps_fluctuation_percent", 600),
        ("fps_worst_window", 30), ("longest_gap_ms", 2), ("frame_max_ms", 1), ("fps_mean", 1),
    ],
)  # fmt: skip
def test_a_run_below_the_fewest_frames_gives_no_number(make_run, metric, frames):
    enough, few = (make_run(np.full(n, 10 * MS), cpu_ns=np.full(n, 9 * MS)) for n in (frames, frames - 1))
    assert value(metric, enough) is not None
    assert value(metric, few) is None


@pytest.mark.parametrize("metric", METRICS)
def test_a_run_without_frames_gives_no_number(make_run, metric):
    assert value(metric, make_run([])) is None


@pytest.mark.parametrize(
    "metric",
    [name for name in EXPECTED if name not in METRICS or not name.startswith(("fps", "frame_p", "longest"))],
)
def test_what_a_device_does_not_tell_is_no_number(make_run, metric):
    assert value(metric, make_run(STEPS)) is None


@pytest.mark.parametrize("mark", ["rss_after_load_bytes", "rss_after_import_bytes"])
def test_a_growth_with_one_end_missing_is_no_number(make_run, mark):
    marks = {name: size for name, size in MARKS.items() if name != mark}
    assert value("model_memory_mb", make_run(STEPS, marks=marks)) is None


def test_a_window_is_thirty_frames_and_the_rest_is_left_out(make_run):
    assert window_fps(make_run(np.full(89, 20 * MS))).tolist() == [50, 50]


def test_speed_is_what_depends_on_the_machine_of_the_moment():
    assert {name for name, one in METRICS.items() if not one.speed} == {
        "model_memory_mb", "runtime_memory_mb", "peak_memory_mb", "file_size_mb", "device_memory_mb",
    }  # fmt: skip


PERCENTILES = {"p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


def test_a_percentile_names_the_stage_and_the_share_that_the_exact_bound_needs():
    told = {(stage, label): METRICS[f"{stage}_{label}_ms"] for stage in STAGES_AND_FRAME for label in PERCENTILES}
    assert all((one.stage, one.share) == (stage, PERCENTILES[label]) for (stage, label), one in told.items())
    others = [one for one in METRICS.values() if one not in told.values()]
    assert {(one.stage, one.share) for one in others} == {("", None)}


def test_the_times_of_a_stage_are_those_that_its_percentile_is_made_from(make_run):
    run = make_run(LADDER)
    assert stage_times(run, "frame").tolist() == LADDER.tolist()
    assert stage_times(run, "infer").tolist() == (LADDER - 2 * MS).tolist()


def test_only_what_comes_from_the_timed_frames_needs_steady_frames():
    assert {name for name, one in METRICS.items() if not one.frames} == {
        "import_ms", "load_ms", "first_inference_ms", "model_memory_mb", "runtime_memory_mb", "peak_memory_mb",
        "device_memory_mb", "file_size_mb",
    }  # fmt: skip


def test_a_simulated_run_gives_every_metric_a_finite_number_or_none(make_job, quick, measured):
    run = measured(make_job(plan=replace(quick, frames=3000)))
    values = {name: one.value(run) for name, one in METRICS.items()}
    assert all(math.isfinite(one) and one >= 0 for one in values.values() if one is not None)
    assert [name for name, one in values.items() if one is None] == []
