"""Every metric: exact on a run made by hand, silent where a run is too short or does not tell."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from traces import BEGIN_S, PERIOD_S, milliwatt, run_of, trace, working

from harness.case import STAGES, Arrivals
from harness.metrics import METRICS, OF_A_CAMERA, completed_times, stage_times, window_fps
from harness.telemetry import Channel, PowerRule, Telemetry
from harness.unchanged import EXACT

MS = 1_000_000
STAGES_AND_FRAME = (*STAGES, "frame", "response")
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
    "device_memory_bytes": 8_000_000_000, "pss_bytes": 120_000_000, "nvmap_bytes": 25_000_000,
    "rss_before_frames_bytes": 138_000_000,
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
    "peak_memory_mb": 185,
    "pss_mb": 120,
    "gpu_memory_mb": 25,
    "memory_growth_kb_per_frame": 5,
    "file_size_mb": 4,
    "device_memory_mb": 8000,
}


BOARD = trace({
    milliwatt(resolution=40.0): lambda at_s: working(3000, 8000)(at_s) + 2000 * (np.abs(at_s - 15) < 0.01),
    Channel("tj", "C"): lambda at_s: 40 + 0.1 * (at_s - BEGIN_S),
    Channel("oc1", "events"): lambda at_s: 1.0 * (at_s > 15),
    Channel("cpu", "%"): working(5, 70), Channel("gpu.load", "%"): working(0, 30), Channel("emc.load", "%"): 12.0,
})  # fmt: skip
MEAN_W = 8 + 2 * PERIOD_S / 19.9
SENSED = {
    "power_mean_w": MEAN_W,
    "power_peak_w": 10,
    "energy_per_frame_mj": MEAN_W * 20,
    "net_energy_per_frame_mj": (MEAN_W - 3) * 20,
    "fps_per_w": 50 / MEAN_W,
    "temperature_start_c": 40,
    "temperature_end_c": 42,
    "temperature_slope_c_per_min": 6,
    "throttled_share_percent": 100 / 401,
    "cpu_utilisation_percent": 70,
    "gpu_utilisation_percent": 30,
    "memory_controller_percent": 12,
}


@pytest.fixture
def steps(make_run):
    return make_run(STEPS, gap_ns=3 * MS, cpu_ns=STEPS // 2, marks=MARKS)


@pytest.mark.parametrize("metric", EXPECTED)
def test_a_metric_of_a_hand_made_run_is_exact(steps, metric):
    assert value(metric, steps) == pytest.approx(EXPECTED[metric], rel=1e-12)


@pytest.mark.parametrize("metric", SENSED)
def test_a_metric_of_sensors_is_exact_and_silent_without_them(make_run, metric):
    assert value(metric, run_of(BOARD)) == pytest.approx(SENSED[metric], rel=1e-9)
    assert value(metric, run_of()) is None
    assert value(metric, make_run(STEPS)) is None


def test_a_net_energy_below_the_resolution_of_its_sensor_is_no_number():
    coarse = run_of(trace({milliwatt(resolution=4000.0): working(3000, 8000)}))
    assert value("net_energy_per_frame_mj", coarse) is None
    assert value("energy_per_frame_mj", coarse) == pytest.approx(160)


@pytest.mark.parametrize(
    ("marks", "megabytes"),
    [({"nvmap_bytes": 7e6}, 7), ({"gpu_bytes": 9e6}, 9), ({"nvmap_bytes": 7e6, "gpu_bytes": 9e6}, 7), ({}, None)],
)
def test_memory_of_a_gpu_is_that_of_nvmap_or_of_nvml(make_run, marks, megabytes):
    assert value("gpu_memory_mb", make_run(STEPS, marks=marks)) == megabytes


def test_the_peak_of_a_device_whose_gpu_has_its_own_memory_is_that_of_the_process(make_run):
    marks = {name: size for name, size in MARKS.items() if name != "nvmap_bytes"}
    assert value("peak_memory_mb", make_run(STEPS, marks=marks)) == 160


TOLD = {
    "infer_mean_ms": ({"infer_mean_ns": 2_500_000}, 2.5),
    "accelerator_share_percent": ({"accelerator_share": 0.18}, 18.0),
    "build_ms": ({"build_ns": 7_000_000}, 7.0),
}


def test_every_metric_is_tried_by_hand():
    latency = {f"{stage}_{label}_ms" for stage in ("pre", "infer", "post", "frame") for label in
               ("p25", "p50", "p90", "p95", "p99", "p999", "max")}  # fmt: skip
    assert set(METRICS) == latency | set(EXPECTED) | set(SENSED) | set(TOLD) | set(EXACT) | set(OF_A_CAMERA)


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
        ("memory_growth_kb_per_frame", 100),
    ],
)  # fmt: skip
def test_a_run_below_the_fewest_frames_gives_no_number(make_run, metric, frames):
    enough, few = (make_run(np.full(n, 10 * MS), cpu_ns=np.full(n, 9 * MS), marks=MARKS) for n in (frames, frames - 1))
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
        "model_memory_mb", "runtime_memory_mb", "peak_memory_mb", "file_size_mb", "device_memory_mb", "pss_mb",
        "gpu_memory_mb", "memory_growth_kb_per_frame", *EXACT,
    }  # fmt: skip


@pytest.mark.parametrize(("metric", "mark", "value"), [(name, *one) for name, one in TOLD.items()])
def test_what_an_engine_tells_of_itself_needs_no_timed_frame(make_run, metric, mark, value):
    assert METRICS[metric].value(make_run([], marks=mark)) == pytest.approx(value)
    assert METRICS[metric].value(make_run([])) is None


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
        "device_memory_mb", "file_size_mb", "pss_mb", "gpu_memory_mb", "memory_growth_kb_per_frame", *SENSED,
        *TOLD, *EXACT,
    }  # fmt: skip


def test_energy_is_told_by_one_process_of_a_session():
    assert {name for name, one in METRICS.items() if one.once} == {
        "power_mean_w", "power_peak_w", "energy_per_frame_mj", "net_energy_per_frame_mj", "fps_per_w",
    }  # fmt: skip


def test_a_simulated_run_gives_every_metric_a_finite_number_or_none(make_job, quick, measured):
    rule = PowerRule("simulated", "board", ("VDD_SIM",), "SIMULATED")
    sensors = Telemetry({"board": {"kind": "simulated"}}, rule, window_s=10, idle_s=5)
    run = measured(make_job(plan=replace(quick, frames=3000), telemetry=sensors))
    values = {name: one.value(run) for name, one in METRICS.items()}
    assert all(math.isfinite(one) and one >= -1e-9 for one in values.values() if one is not None)
    assert {name for name, one in values.items() if one is None} == {
        "pss_mb", "gpu_memory_mb", "cpu_utilisation_percent", "gpu_utilisation_percent", "memory_controller_percent",
        "float32_share_percent", "unfused_share_percent", "batch_norms_left", *TOLD, *OF_A_CAMERA,
    }  # fmt: skip
    paced = measured(make_job(plan=replace(quick, frames=3000, arrivals=Arrivals())))
    assert all(METRICS[name].value(paced) is not None for name in OF_A_CAMERA)


# 700 results of a camera of 50 fps, 12 ms after each frame was due; number 300 was displaced by a newer one.
OF_50_FPS = {
    "response_p25_ms": 12, "response_p50_ms": 12, "response_p90_ms": 12, "response_p95_ms": 12, "response_p99_ms": 12,
    "response_max_ms": 12, "deadline_misses_percent": 100 / 701, "dropped_per_10000": 1e4 / 701,
    "age_at_output_max_ms": 12, "age_of_result_max_ms": 52, "camera_utilisation_percent": 50, "backlog_frames": 0,
    "camera_lateness_p99_ms": 0.1, "longest_gap_ms": 40, "fps_mean": 699 / 14, "fps_worst_window": 49,
}  # fmt: skip


def of_50_fps(make_run):
    index = np.delete(np.arange(701), 300)
    camera = {"index": index, "due_ns": index * 20 * MS, "lateness_ns": np.full(700, MS // 10)}
    facts = {"arrivals": asdict(Arrivals(50.0))}
    return make_run(np.full(700, 10 * MS), start_ns=camera["due_ns"] + 2 * MS, camera=camera, facts=facts)


@pytest.mark.parametrize(("metric", "expected"), OF_50_FPS.items())
def test_what_a_camera_is_told_by_hand(make_run, metric, expected):
    assert value(metric, of_50_fps(make_run)) == pytest.approx(expected)


def test_a_gate_counts_the_dropped_frame_where_it_was_and_percentiles_leave_it_out(make_run):
    run = of_50_fps(make_run)
    assert np.flatnonzero(np.isinf(stage_times(run, "response"))).tolist() == [300]
    assert len(completed_times(run, "response")) == 700
    assert value("response_p999_ms", run) is None


def test_a_camera_of_fewer_than_twenty_seconds_tells_no_fluctuation(make_run):
    assert value("fps_fluctuation_percent", of_50_fps(make_run)) is None


@pytest.mark.parametrize(("execution", "fps"), [("serial", 50), ("streams", 100)])
def test_frames_that_overlap_are_counted_by_the_time_between_their_results(make_run, execution, fps):
    facts = {"cascade": {"execution": execution, "stages": {}}}
    run = make_run(np.full(3000, 20 * MS), start_ns=np.arange(3000) * 10 * MS, facts=facts)
    assert value("fps_mean", run) == pytest.approx(fps, rel=1e-3)
    assert np.median(window_fps(run)) == pytest.approx(fps)


def test_the_tail_of_a_camera_rests_on_all_its_frames_dropped_ones_too(make_run):
    index = np.delete(np.arange(3000), np.arange(1000, 1030))
    camera = {"index": index, "due_ns": index * 20 * MS, "lateness_ns": np.zeros(len(index), np.int64)}
    facts = {"arrivals": asdict(Arrivals(50.0))}
    run = make_run(np.full(len(index), 10 * MS), start_ns=camera["due_ns"] + MS, camera=camera, facts=facts)
    assert value("frame_p999_ms", run) is None
    assert value("response_p999_ms", run) == 11
