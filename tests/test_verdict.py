"""Numbers against budgets: each outcome, and when a number may not be judged at all."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import BEGIN_S, IDLE_S, milliwatt, nanoseconds, run_of, trace

from harness.budgets import DERIVED, Budget
from harness.case import Arrivals, Case, Plan, Run
from harness.frames import Frame
from harness.measurement import Measurement, residual_fault, steady
from harness.metrics import METRICS
from harness.parity import Parity
from harness.pipeline import NullPipeline, push, split_records
from harness.plans import PLANS
from harness.rules import Outcome
from harness.tasks import Score
from harness.telemetry import Channel
from harness.verdict import judge, judge_liveness
from harness.wording import unmeasured

MS = 1_000_000
MARKS = [
    "import_ns", "load_ns", "first_inference_ns", "file_bytes", "device_memory_bytes", "peak_load_bytes",
    "rss_after_load_bytes", "rss_steady_bytes", "pss_bytes", "nvmap_bytes",
    "infer_mean_ns", "accelerator_share", "build_ns",
]  # fmt: skip
SMALL = ["rss_before_import_bytes", "rss_after_import_bytes", "rss_before_frames_bytes"]
SURE = "(95 % sure if misses are independent)"
UNTIL = "with no further miss to pass"
ALIVE = {"outputs_finite": True, "outputs_vary": True, "outputs_repeat": True}


LOSS = Parity(
    frames=2000, loss_points=40.0, flips=900, rule="tango/1", slices={},
    inputs={"only_reference_right": 850, "only_candidate_right": 50, "frames": 2000},
)  # fmt: skip


PLACED = {
    "placement": {"NPU": 0.5, "CPU": 0.5}, "promised": "NPU", "partitions": 4, "layer_precisions": {"f32": 1.0},
    "fusion": {"convolutions": 4, "with_activation": 1, "batch_norms": 2},
}  # fmt: skip


def budget(metric: str, limit: float, gate: bool = True) -> Budget:
    return Budget(metric=metric, limit=limit, gate=gate, source="devices/board.toml")


def measurement(*runs: Run, plan: Plan = PLANS["standard"], **more) -> Measurement:
    return Measurement(case=Case("board", "eyes", "int8", "ort"), plan=plan, runs=runs, **more)


def late(frames: int, misses: int, late_ms: int = 60) -> np.ndarray:
    return np.array([late_ms] * misses + [10] * (frames - misses)) * MS


def score(value: float, frames: int = 2000) -> Score:
    return Score("accuracy", value, 50.0, None, {}, frames, frames)


# The counts at which an anytime-valid test decides a P99 at 5 % on each side.
@pytest.mark.parametrize(
    ("frames", "misses", "outcome"),
    [
        (448, 0, "INCONCLUSIVE"), (449, 0, "PASS"), (682, 1, "INCONCLUSIVE"), (683, 1, "PASS"),
        (1404, 5, "PASS"), (2174, 10, "PASS"), (3573, 20, "PASS"), (3572, 20, "INCONCLUSIVE"),
        (1000, 24, "INCONCLUSIVE"), (1000, 25, "FAIL"), (3000, 54, "INCONCLUSIVE"), (3000, 55, "FAIL"),
        (299, 299, "FAIL"), (298, 0, "INCONCLUSIVE"), (0, 0, "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_a_p99_is_judged_by_the_frames_over_the_limit(make_run, frames, misses, outcome):
    verdict = judge(budget("frame_p99_ms", 50), measurement(make_run(late(frames, misses))))
    assert verdict.outcome == outcome


@pytest.mark.parametrize(
    ("frames", "misses", "sentence"),
    [
        (900, 2, f"frame P99 10 ms, 2 of 900 frames over 50 ms: at most 0.7 % late {SURE}"),
        (660, 3, f"frame P99 10 ms, 3 of 660 frames over 50 ms: needs about 1065 frames {UNTIL} {SURE}"),
        (660, 30, f"frame P99 60 ms, 30 of 660 frames over 50 ms: at least 3.3 % late {SURE}"),
        (200, 0, "needs 299 frames, has 200"),
    ],
)
def test_a_p99_verdict_says_what_was_counted_and_what_is_missing(make_run, frames, misses, sentence):
    verdict = judge(budget("frame_p99_ms", 50), measurement(make_run(late(frames, misses))))
    assert verdict.sentence.split("; next: ")[0] == sentence


@pytest.mark.parametrize(
    ("metric", "frames", "misses", "outcome"),
    [
        ("infer_p99_ms", 900, 2, "PASS"), ("infer_p99_ms", 660, 3, "INCONCLUSIVE"), ("infer_p99_ms", 660, 30, "FAIL"),
        ("frame_p50_ms", 100, 35, "PASS"), ("frame_p50_ms", 100, 36, "INCONCLUSIVE"), ("frame_p50_ms", 100, 65, "FAIL"),
        ("frame_p95_ms", 660, 18, "PASS"), ("frame_p95_ms", 660, 19, "INCONCLUSIVE"), ("frame_p95_ms", 660, 56, "FAIL"),
        ("frame_p999_ms", 4512, 0, "PASS"), ("frame_p999_ms", 4512, 1, "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_every_percentile_of_every_stage_is_judged_by_its_own_share(make_run, metric, frames, misses, outcome):
    verdict = judge(budget(metric, 50), measurement(make_run(late(frames, misses))))
    assert verdict.outcome == outcome


def test_a_percentile_names_its_stage_its_share_and_how_many_frames_it_needs(make_run):
    verdict = judge(budget("frame_p999_ms", 50), measurement(make_run(late(2995, 1))))
    assert verdict.sentence.startswith("frame P99.9 10 ms, 1 of 2995 frames over 50 ms: needs about 6851 frames")
    assert judge(budget("infer_p50_ms", 50), measurement(make_run(late(60, 0)))).sentence.startswith("infer P50 8 ms, ")


def test_a_stage_is_judged_by_its_own_times_and_not_by_the_frames(make_run):
    measured = measurement(make_run(late(660, 600)))
    outcomes = [judge(budget(f"{stage}_p99_ms", 50), measured).outcome for stage in ("pre", "infer", "post", "frame")]
    assert outcomes == ["PASS", "FAIL", "PASS", "FAIL"]


@pytest.mark.parametrize(("more_ns", "outcome"), [(0, "PASS"), (1, "FAIL")])
def test_a_frame_exactly_at_the_limit_is_in_time_and_a_nanosecond_more_is_late(make_run, more_ns, outcome):
    verdict = judge(budget("frame_p99_ms", 60), measurement(make_run(late(660, 600) + more_ns)))
    assert verdict.outcome == outcome


def test_the_frames_of_all_runs_are_counted_together(make_run):
    three = [make_run(late(1200, misses)) for misses in (10, 5, 5)]
    verdict = judge(budget("frame_p99_ms", 50), measurement(*three))
    assert verdict.outcome == "PASS"
    assert "20 of 3600 frames" in verdict.sentence
    assert verdict.value == 10


@pytest.mark.parametrize(
    ("metric", "limit", "outcome", "sentence", "margin"),
    [
        ("frame_max_ms", 20, "PASS", "10 ms is within 20 ms (devices/board.toml)", 50),
        ("frame_max_ms", 10, "PASS", "10 ms is within 10 ms (devices/board.toml)", 0),
        ("frame_max_ms", 8, "FAIL", "10 ms is over 8 ms (devices/board.toml)", -25),
        ("frame_max_ms", 0, "FAIL", "10 ms is over 0 ms (devices/board.toml)", None),
        ("fps_mean", 80, "PASS", "100 1/s is within 80 1/s (devices/board.toml)", 25),
        ("fps_mean", 100, "PASS", "100 1/s is within 100 1/s (devices/board.toml)", 0),
        ("fps_mean", 125, "FAIL", "100 1/s is under 125 1/s (devices/board.toml)", -20),
        ("peak_memory_mb", 100, "PASS", "90 MB is within 100 MB (devices/board.toml)", 10),
        ("peak_memory_mb", 60, "FAIL", "90 MB is over 60 MB (devices/board.toml)", -50),
        ("load_ms", 10, "INCONCLUSIVE", "this device does not tell", None),
        ("frame_cpu_p99_ms", 10, "INCONCLUSIVE", "this device does not tell", None),
        ("fps_fluctuation_percent", 5, "INCONCLUSIVE", "needs 600 frames (20 windows of 30), has 300", None),
    ],
)
def test_a_number_is_held_against_its_limit(make_run, metric, limit, outcome, sentence, margin):
    run = make_run(np.full(299 if "cpu" in metric else 300, 10 * MS), marks={"peak_steady_bytes": 90e6})
    verdict = judge(budget(metric, limit), measurement(run))
    assert (verdict.outcome, verdict.sentence.split("; next: ")[0]) == (outcome, sentence)
    assert ("; next: " in verdict.sentence) == (outcome == "FAIL")
    assert verdict.margin_percent == (None if margin is None else pytest.approx(margin))
    assert (verdict.unit, verdict.limit, verdict.metric) == (budget(metric, limit).unit, limit, metric)


def sensed(run: Run) -> Run:
    """The same between two idle times, with power, heat, load and events of OC3, which alone are no fault."""
    end_s = BEGIN_S + float(run.frame_ns.sum()) / 1e9
    spans = {"idle_before": (0, IDLE_S), "frames": (BEGIN_S, end_s), "idle_after": (end_s, end_s + IDLE_S)}
    told = trace({
        milliwatt(resolution=40.0): lambda at_s: np.where((at_s > IDLE_S) & (at_s < end_s + 0.01), 8000, 3000),
        Channel("tj", "C"): lambda at_s: 40 + at_s, Channel("oc3", "events"): lambda at_s: np.floor(at_s),
        **{Channel(name, "%"): 50.0 for name in ("cpu", "gpu", "emc.load")},
    }, told_s=end_s + IDLE_S)  # fmt: skip
    sampled = run_of(told, phases=spans)
    return at_pace(replace(
        run, start_ns=run.start_ns + nanoseconds(BEGIN_S), facts={**run.facts, **sampled.facts}, traces=sampled.traces
    ))  # fmt: skip


def at_pace(run: Run) -> Run:
    """The same from a camera that is 60 ms ahead of it and has seen one frame more at its end."""
    frames = len(run.frame_ns)
    camera = {
        "index": np.append(np.arange(frames - 1), frames), "due_ns": run.start_ns - 60 * MS,
        "lateness_ns": np.full(frames, MS // 10),
    }  # fmt: skip
    return replace(run, camera=camera, facts={**run.facts, "arrivals": asdict(Arrivals(100.0))})


# Any throttle makes the run INVALID before a limit could.
@pytest.mark.parametrize("metric", sorted({*METRICS, *DERIVED} - {"throttled_share_percent"}))
def test_every_broken_limit_says_what_to_do_next_and_only_speed_blames_a_stage(make_run, metric):
    marks = dict.fromkeys(MARKS, 90e6) | dict.fromkeys(SMALL, 1.0)
    run = sensed(make_run(late(3000, 200), cpu_ns=late(3000, 200), marks=marks, facts=PLACED))
    measured = measurement(
        run, score=score(50), parent_score=score(90), parity=LOSS, engine_parity=LOSS, device_memory_mb=100.0
    )
    verdict = judge(budget(metric, 1e12 if budget(metric, 1).better == "more" else 1e-3), measured)
    assert verdict.outcome == "FAIL"
    step = verdict.sentence.partition("; next: ")[2]
    assert step
    if metric in DERIVED or not METRICS[metric].frames:
        assert "of a frame" not in step


def of_a_camera(make_run, frames, dropped=0, fps=30.0):
    """Results of 11 ms, and so many frames in a row that a newer one displaced."""
    index = np.delete(np.arange(frames), np.arange(5, 5 + dropped))
    camera = {"index": index, "due_ns": index * round(1e9 / fps), "lateness_ns": np.full(len(index), MS // 10)}
    facts = {**ALIVE, "arrivals": asdict(Arrivals(fps))}
    run = make_run(np.full(len(index), 10 * MS), start_ns=camera["due_ns"] + MS, camera=camera, facts=facts)
    return measurement(run, plan=PLANS["camera"])


@pytest.mark.parametrize(("metric", "dropped"), [("response_p99_ms", 2900), ("response_p999_ms", 30)])
def test_so_many_dropped_frames_that_few_results_are_left_break_the_gate_and_are_no_lack_of_frames(
    make_run, metric, dropped
):
    verdict = judge(budget(metric, 50), of_a_camera(make_run, 3000, dropped))
    assert verdict.outcome == "FAIL"
    assert f" 11 ms, {dropped} of 3000 frames over 50 ms or dropped: at least " in verdict.sentence


@pytest.mark.parametrize(
    ("metric", "frames", "fps", "sentence"),
    [
        ("response_p99_ms", 298, 30.0, "needs 299 frames, has 298"),
        ("fps_fluctuation_percent", 599, 30.0, "needs 600 frames (20 windows of 30), has 599"),
        ("fps_fluctuation_percent", 700, 60.0, "needs 20 whole seconds at a camera's pace"),
    ],
)
def test_a_camera_that_sent_too_few_frames_says_how_many_are_missing(make_run, metric, frames, fps, sentence):
    verdict = judge(budget(metric, 50), of_a_camera(make_run, frames, fps=fps))
    assert (verdict.outcome, verdict.sentence) == ("INCONCLUSIVE", sentence)


@pytest.mark.parametrize("gate", [True, False])
def test_a_broken_limit_is_red_only_where_it_is_a_gate(make_run, gate):
    verdict = judge(budget("frame_p50_ms", 8, gate), measurement(make_run(np.full(300, 10 * MS))))
    assert (verdict.outcome, verdict.gate, verdict.red) == ("FAIL", gate, gate)


def test_the_value_is_the_median_of_the_runs_and_none_where_one_run_is_silent(make_run):
    three = [make_run(np.full(300, ms * MS), marks={"load_ns": ms * MS}) for ms in (10, 30, 12)]
    assert measurement(*three).value("frame_p50_ms") == 12
    assert measurement(*three).value("load_ms") == 12
    assert measurement(*three, make_run(np.full(300, MS))).value("load_ms") is None
    assert measurement().value("frame_p50_ms") is None


@pytest.mark.parametrize(
    ("metric", "more", "value", "sentence"),
    [
        ("accuracy_min_percent", {"score": score(92)}, 92, None),
        ("accuracy_min_percent", {}, None, "no labels: accuracy was not measured"),
        ("accuracy_loss_points", {"score": score(92), "parent_score": score(92.5)}, 0.5, None),
        ("accuracy_loss_points", {"score": score(93), "parent_score": score(92.5)}, -0.5, None),
        ("accuracy_loss_points", {"score": score(92)}, None, "there is no parent variant to compare with"),
        ("memory_share_percent", {"device_memory_mb": 180.0}, 50, None),
        ("memory_share_percent", {}, None, "memory"),
    ],
)
def test_what_belongs_to_no_single_run_is_judged_too(make_run, metric, more, value, sentence):
    run = make_run(np.full(300, 10 * MS), marks={"peak_steady_bytes": 90e6})
    verdict = judge(budget(metric, 60), measurement(run, **more))
    assert verdict.value == value
    if sentence is not None:
        assert verdict.outcome == "INCONCLUSIVE"
        assert sentence in verdict.sentence


@pytest.mark.parametrize(
    ("loss", "outcome"), [(-1.0, "PASS"), (0.0, "PASS"), (0.99, "PASS"), (1.0, "FAIL"), (1.01, "FAIL"), (40.0, "FAIL")]
)
def test_a_variant_must_lose_fewer_points_than_its_limit(make_run, loss, outcome):
    measured = measurement(make_run([]), score=score(90 - loss), parent_score=score(90))
    assert judge(budget("accuracy_loss_points", 1.0), measured).outcome == outcome


@pytest.mark.parametrize(("limit", "outcome"), [(0, "FAIL"), (0.001, "PASS")])
def test_the_frame_rate_must_fluctuate_less_than_its_limit(make_run, limit, outcome):
    measured = measurement(make_run(np.full(600, 10 * MS)))
    assert measured.value("fps_fluctuation_percent") == 0
    assert judge(budget("fps_fluctuation_percent", limit), measured).outcome == outcome


@pytest.mark.parametrize("value", [40, 90])
@pytest.mark.parametrize(
    ("metric", "frames", "needed"),
    [
        ("accuracy_min_percent", 499, 500), ("accuracy_min_percent", 500, 0), ("accuracy_min_percent", 0, 500),
        ("accuracy_loss_points", 1999, 2000), ("accuracy_loss_points", 2000, 0), ("accuracy_loss_points", 500, 2000),
    ],
)  # fmt: skip
def test_too_few_labelled_frames_prove_neither_a_good_nor_a_bad_accuracy(make_run, metric, frames, needed, value):
    measured = measurement(make_run([]), score=score(value, frames), parent_score=score(90, frames))
    verdict = judge(budget(metric, 1.0 if "loss" in metric else 80), measured)
    if needed:
        assert verdict.outcome == "INCONCLUSIVE"
        assert verdict.sentence.endswith(f"but it needs {needed} labelled frames, has {frames}")
        assert verdict.value is not None
    else:
        assert verdict.outcome == ("PASS" if value == 90 else "FAIL")


@pytest.mark.parametrize("metric", ["frame_p50_ms", "fps_mean", "frame_p99_ms", "load_ms"])
def test_the_smoke_plan_never_judges_speed(make_run, metric):
    run = make_run(np.full(600, 10 * MS), marks={"load_ns": MS})
    verdict = judge(budget(metric, 1), measurement(run, plan=PLANS["smoke"]))
    assert verdict.outcome == "INCONCLUSIVE"
    assert verdict.sentence == "the plan smoke is functional and never judges speed"


def test_the_smoke_plan_judges_memory(make_run):
    run = make_run(np.full(40, 10 * MS), marks={"peak_steady_bytes": 90e6})
    assert judge(budget("peak_memory_mb", 60), measurement(run, plan=PLANS["smoke"])).outcome == "FAIL"


@pytest.mark.parametrize("metric", ["frame_p99_ms", "frame_p50_ms", "frame_max_ms"])
def test_a_run_that_never_became_steady_is_reported_and_not_gated(make_run, metric):
    calm, drifting = (make_run(np.full(600, 10 * MS), facts={**ALIVE, "steady": one}) for one in (True, False))
    assert judge(budget(metric, 8), measurement(calm)).outcome == "FAIL"
    verdict = judge(budget(metric, 8), measurement(calm, drifting))
    assert verdict.outcome == "INCONCLUSIVE"
    assert verdict.sentence.endswith("but the run never became steady, so it is reported and not gated")
    assert verdict.value == 10


@pytest.mark.parametrize(
    ("metric", "mark"),
    [
        ("peak_memory_mb", "peak_steady_bytes"),
        ("load_ms", "load_ns"),
        ("import_ms", "import_ns"),
        ("first_inference_ms", "first_inference_ns"),
    ],
)
def test_what_the_timed_frames_do_not_decide_is_gated_although_they_never_became_steady(make_run, metric, mark):
    unsteady = make_run(np.full(600, 10 * MS), marks={mark: 90e6}, facts={**ALIVE, "steady": False})
    contradicting = make_run(np.full(600, 10 * MS), marks={mark: 90e6}, residual_ns=MS)
    for run in (unsteady, contradicting):
        assert judge(budget(metric, 60), measurement(run)).outcome == "FAIL"
        assert judge(budget(metric, 100), measurement(run)).outcome == "PASS"


def test_a_run_is_steady_unless_it_says_otherwise(make_run):
    silent, calm, drifting = (make_run([], facts=facts) for facts in ({}, {"steady": True}, {"steady": False}))
    assert steady([silent, calm])
    assert not steady([calm, drifting])


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"outputs_finite": False}, "the outputs hold NaN or infinity;"),
        ({"outputs_vary": False}, "the outputs are the same for every frame, black, white and noise too;"),
        ({"outputs_repeat": False}, "the outputs differ when the same frame is shown again;"),
        ({"repeats_computed": False}, "the outputs come over 10 % sooner when a frame is repeated, from a cache;"),
        ({"outputs_finite": False, "outputs_vary": False}, "black, white and noise too and hold NaN or infinity;"),
    ],
)
def test_dead_outputs_fail_as_a_gate_and_say_how(make_run, facts, said):
    verdict = judge_liveness(measurement(make_run([MS * 5]), make_run([MS * 5], facts={**ALIVE, **facts})))
    assert verdict.red
    assert said in verdict.sentence
    cached = facts == {"repeats_computed": False}
    assert ("look for what keeps answers" if cached else "check weights and input") in verdict.sentence


def test_live_outputs_pass(make_run):
    assert judge_liveness(measurement(make_run([MS * 5]))).outcome == "PASS"


@pytest.mark.parametrize("vary", [True, False])
def test_a_model_that_finds_nothing_in_any_frame_is_neither_alive_nor_dead(make_run, vary):
    empty = make_run([MS * 5], facts={**ALIVE, "outputs_vary": vary, "outputs_empty": True})
    verdict = judge_liveness(measurement(make_run([MS * 5]), empty))
    assert verdict.outcome == "INCONCLUSIVE"
    assert "found nothing in any frame" in verdict.sentence


def test_a_fault_is_told_although_nothing_was_found_in_any_frame(make_run):
    facts = {**ALIVE, "outputs_finite": False, "outputs_vary": False, "outputs_empty": True}
    verdict = judge_liveness(measurement(make_run([MS * 5], facts=facts)))
    assert verdict.red
    assert "the same for every frame" not in verdict.sentence


def test_a_stateful_model_whose_outputs_do_not_repeat_is_not_asked_to(make_run):
    facts = {"outputs_finite": True, "outputs_vary": True}
    assert judge_liveness(measurement(make_run([MS * 5], facts=facts))).outcome == "PASS"


def test_outputs_that_nobody_looked_at_do_not_pass(make_run):
    assert judge_liveness(measurement()).outcome == "INCONCLUSIVE"
    assert judge_liveness(measurement(make_run([MS * 5], facts={}))).outcome == "INCONCLUSIVE"


class JumpingClock:
    """A clock of 100 ns per reading that jumps at one of the eight readings of some frames."""

    def __init__(self, reading: int, jump_ns: int, every: int) -> None:
        self._reading, self._jump_ns, self._every = reading, jump_ns, every
        self._count, self._now_ns = 0, 0

    def __call__(self) -> int:
        frame, reading = divmod(self._count, 8)
        self._count += 1
        self._now_ns += 100 + (self._jump_ns if reading == self._reading and frame % self._every == 0 else 0)
        return self._now_ns


def pushed(clock) -> Run:
    frames = [Frame(np.zeros((2, 2), np.uint8))] * 1000
    columns = split_records(push(frames, NullPipeline(), clock, lambda: 0))
    return Run(
        stages={name: columns[name] for name in ("pre", "infer", "post")}, frame_ns=columns["frame"],
        start_ns=columns["start"], cpu_ns=columns["cpu"], warmup_ns=columns["cpu"][:0],
        marks={"harness_residual_median_ns": 400.0, "harness_residual_p99_ns": 400.0}, facts=ALIVE,
    )  # fmt: skip


BETWEEN, WITHIN = [1, 3, 5, 7], [2, 4, 6]


@pytest.mark.parametrize("reading", BETWEEN)
@pytest.mark.parametrize(("every", "label"), [(1, "median"), (50, "p99")])
def test_time_lost_between_the_stages_makes_speed_invalid(reading, every, label):
    run = pushed(JumpingClock(reading, MS, every))
    assert f"{label} of the rest is" in residual_fault(run)
    verdict = judge(budget("frame_p50_ms", 1e9), measurement(run))
    assert verdict.outcome is Outcome.INVALID
    assert "the stages do not add up to the frame" in verdict.sentence


@pytest.mark.parametrize("reading", BETWEEN)
def test_a_clock_that_jumps_back_between_the_stages_makes_speed_invalid(reading):
    assert "of the rest is -" in residual_fault(pushed(JumpingClock(reading, -MS, 1)))


@pytest.mark.parametrize("reading", WITHIN)
def test_time_spent_within_a_stage_adds_up(reading):
    assert residual_fault(pushed(JumpingClock(reading, MS, 1))) == ""


@pytest.mark.parametrize("reading", BETWEEN)
def test_one_lost_moment_in_two_hundred_frames_is_no_fault(reading):
    assert residual_fault(pushed(JumpingClock(reading, MS, 200))) == ""


def test_a_fault_in_one_run_makes_all_speed_invalid_and_leaves_memory_alone(make_run):
    good = make_run(np.full(600, 10 * MS), marks={"peak_steady_bytes": 90e6})
    bad = replace(make_run(np.full(600, 10 * MS), residual_ns=MS), marks={"peak_steady_bytes": 90e6})
    measured = measurement(good, bad)
    assert [judge(budget(one, 50), measured).outcome for one in ("frame_p99_ms", "fps_mean")] == ["INVALID"] * 2
    assert judge(budget("peak_memory_mb", 100), measured).outcome == "PASS"


@pytest.mark.parametrize(("residual_ns", "fault"), [(20_000, False), (20_001, True), (-1, True), (0, False)])
def test_the_rest_may_be_as_large_as_the_harness_costs_and_its_floor(make_run, residual_ns, fault):
    assert bool(residual_fault(make_run(np.full(100, 10 * MS), residual_ns=residual_ns))) == fault


def test_a_slow_frame_may_have_a_larger_rest(make_run):
    assert residual_fault(make_run(np.full(100, 400 * MS), residual_ns=400_000)) == ""
    assert residual_fault(make_run(np.full(100, 400 * MS), residual_ns=400_001))


def test_a_rest_that_is_too_large_is_said_in_microseconds(make_run):
    run = make_run(np.full(100, 10 * MS), residual_ns=1_234_500, marks={"harness_residual_median_ns": 500})
    assert residual_fault(run) == (
        "the stages do not add up to the frame: median of the rest is 1234.5 us, "
        "the harness itself costs at most 20.5 us"
    )


@given(st.lists(st.integers(3, 10**6), min_size=1, max_size=50))
def test_a_run_without_frames_or_without_rest_has_no_fault(times):
    frame = np.array(times)
    run = Run(
        stages={"pre": frame // 3, "infer": frame - 2 * (frame // 3), "post": frame // 3}, frame_ns=frame,
        start_ns=frame, cpu_ns=frame, warmup_ns=frame, marks={}, facts={},
    )  # fmt: skip
    assert residual_fault(run) == ""
    assert residual_fault(replace(run, frame_ns=frame[:0])) == ""


@pytest.mark.parametrize(("slow", "share"), [("pre", 80), ("infer", 80), ("post", 80)])
def test_a_broken_latency_budget_names_the_stage_to_start_with(make_run, slow, share):
    frames = np.full(300, 10 * MS)
    stages = {name: frames * (share if name == slow else 10) // 100 for name in ("pre", "infer", "post")}
    verdict = judge(budget("frame_p50_ms", 8), measurement(replace(make_run(frames), stages=stages)))
    assert f"next: {slow} takes {share} % of a frame" in verdict.sentence


@pytest.mark.parametrize(
    ("metric", "frames", "said"),
    [
        ("frame_p99_ms", 298, "needs 299 frames, has 298"),
        ("frame_p99_ms", 299, "this device does not tell"),
        ("fps_fluctuation_percent", 599, "needs 600 frames (20 windows of 30), has 599"),
        ("load_ms", 0, "needs 1 frames, has 0"),
        ("accuracy_min_percent", 300, "no labels: accuracy was not measured"),
    ],
)
def test_what_has_no_value_has_a_reason(make_run, metric, frames, said):
    assert unmeasured(metric, measurement(make_run(np.full(frames, 10 * MS)))) == said
