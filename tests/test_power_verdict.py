"""Net power against its budget: the whole interval on one side, also where the net alone is below resolution."""

from __future__ import annotations

from dataclasses import replace

import pytest
from traces import RULE, milliwatt, run_of, trace, working

from harness.budgets import Budget
from harness.case import Case, Run
from harness.energy import Energy
from harness.measurement import Measurement
from harness.metrics import METRICS
from harness.plans import PLANS
from harness.profile import Conditions
from harness.rules import decide
from harness.telemetry import Channel, empty_trace
from harness.verdict import judge

SOURCE = "devices/board.toml"


def budget(limit: float = 5, metric: str = "net_power_w") -> Budget:
    return Budget(metric=metric, limit=limit, gate=True, source=SOURCE)


def measurement(*runs: Run, plan: str = "soak", **more) -> Measurement:
    return Measurement(case=Case("board", "eyes", "int8", "ort"), plan=PLANS[plan], runs=runs, **more)


def loaded(net_mw: float, step_mw: float = 40.0, idle_mw: float = 3000.0, **changes) -> Run:
    """Frames of 20 ms, so that net power at 30 frames a second is 0.6 of that while they run."""
    return run_of(trace({milliwatt(resolution=step_mw): working(idle_mw, idle_mw + net_mw)}), **changes)


@pytest.mark.parametrize(
    ("net_w", "uncertainty_w", "outcome"),
    [
        (4.0, 0.5, "PASS"), (4.0, 1.0, "PASS"), (4.0, 1.0001, "INCONCLUSIVE"), (5.0, 0.0, "PASS"),
        (6.0, 1.0, "INCONCLUSIVE"), (6.0001, 1.0, "FAIL"), (9.0, 0.0, "FAIL"), (-1.0, 3.0, "PASS"),
        (1.0, 1.5, "PASS"), (20.0, 10.0, "FAIL"), (4.0, float("inf"), "INCONCLUSIVE"),
    ],
)  # fmt: skip
def test_the_whole_interval_must_lie_on_one_side_of_the_limit(net_w, uncertainty_w, outcome):
    inputs = {"net_w": net_w, "uncertainty_w": uncertainty_w, "limit": 5.0}
    assert decide("power/1", inputs).outcome == outcome


@pytest.mark.parametrize(
    ("net_mw", "step_mw", "outcome", "said"),
    [
        (5000, 40, "PASS", "net 3 +- 0.025 W at 30 fps, within 5 W"),
        (1500, 400, "PASS", "net 0.9 +- 0.2 W at 30 fps, net alone below resolution, within 5 W"),
        (8000, 2000, "INCONCLUSIVE", "net 4.8 +- 0.98 W at 30 fps, net alone below resolution, not shown to be within"),
        (8500, 1000, "INCONCLUSIVE", "net 5.1 +- 0.49 W at 30 fps, not shown to be within 5 W"),
        (12_000, 4000, "FAIL", "net 7.2 +- 2 W at 30 fps, net alone below resolution, over 5 W"),
        (12_000, 40, "FAIL", "net 7.2 +- 0.041 W at 30 fps, over 5 W"),
    ],
)
def test_a_net_power_is_judged_by_its_interval(net_mw, step_mw, outcome, said):
    verdict = judge(budget(), measurement(loaded(net_mw, step_mw)))
    assert (verdict.outcome, verdict.rule, verdict.red) == (outcome, "power/1", outcome == "FAIL")
    assert verdict.sentence.startswith(said)
    assert verdict.value == pytest.approx(0.6e-3 * net_mw)
    assert decide(verdict.rule, verdict.inputs).outcome == outcome


def test_gross_and_idle_power_are_told_beside_and_a_board_may_idle_above_the_budget():
    verdict = judge(budget(), measurement(loaded(2000, idle_mw=9000)))
    assert verdict.outcome == "PASS"
    assert verdict.sentence.endswith(f"({SOURCE}); gross 11 W at 50 fps, idle 9 W (module)")


def test_a_broken_budget_says_what_to_look_at():
    assert "next: see which rail takes it" in judge(budget(), measurement(loaded(12_000))).sentence


def test_two_sessions_have_their_mean_and_the_larger_uncertainty():
    fine, coarse = loaded(2000, 40), loaded(3000, 400)
    both = measurement(fine, coarse)
    net_w, uncertainty_w = both.net_power_w
    assert net_w == pytest.approx(0.6 * 2.5)
    assert uncertainty_w == measurement(coarse).net_power_w[1] > measurement(fine).net_power_w[1]
    assert all(isinstance(one, Energy) for one in both.energies)


def test_only_the_processes_that_were_asked_tell_energy():
    asked, silent = loaded(2000), loaded(90_000, rule=None)
    session = measurement(asked, silent, silent, plan="standard")
    assert len(session.energies) == 1
    assert session.net_power_w[0] == pytest.approx(1.2)
    assert session.value("power_mean_w") == pytest.approx(5)
    assert session.power_fault == ""


UNKNOWN = [
    (run_of(empty_trace("board", "permission denied")), "power: permission denied"),
    (run_of(trace({milliwatt(): 1.0}, ended="the sampler died (signal 9)")), "the sampler died (signal 9)"),
    (loaded(2000, rule=replace(RULE, rails=("VIN",))), "power: board has no VIN, it has VDD_IN"),
    (run_of(trace({milliwatt(): working(3000, 8000)}, silent=lambda at_s: (at_s > 15) & (at_s < 15.2))),
     "power: 396 of 398 samples came, the longest gap is 0.20 s; 95 % and at most 0.15 s are needed"),
    (run_of(trace({milliwatt(): 3000.0})), "power: VDD_IN never moved and the step of board is not known"),
    (run_of(trace({Channel("VDD_IN", "C"): 40.0})), "power: board has VDD_IN in C, and power is told in mW or mJ"),
]  # fmt: skip


@pytest.mark.parametrize("metric", ["net_power_w", *(name for name, one in METRICS.items() if one.once)])
@pytest.mark.parametrize(("run", "said"), UNKNOWN)
def test_a_power_that_was_asked_for_and_is_not_known_is_invalid_and_never_small(run, said, metric):
    for runs in ((run,), (loaded(2000), run)):
        verdict = judge(budget(1e6, metric), measurement(*runs))
        assert verdict.outcome == "INVALID"
        assert said in verdict.sentence
        assert verdict.error_class == ""
    assert measurement(run).net_power_w is None


def test_an_unknown_power_says_nothing_about_memory_and_latency():
    gaps = replace(UNKNOWN[3][0], marks={"peak_steady_bytes": 90e6})
    found = {metric: judge(budget(100, metric), measurement(gaps)).outcome
             for metric in ("frame_p99_ms", "frame_max_ms", "peak_memory_mb")}  # fmt: skip
    assert set(found.values()) == {"PASS"}


def test_where_nobody_asked_for_power_nothing_is_known_of_it():
    verdict = judge(budget(), measurement(run_of(rule=None)))
    assert verdict.outcome == "INCONCLUSIVE"
    assert verdict.sentence == "the profile names no power sensor ([power])"


def test_the_smoke_plan_judges_no_power():
    verdict = judge(budget(), measurement(loaded(12_000), plan="smoke"))
    assert (verdict.outcome, verdict.sentence) == (
        "INCONCLUSIVE", "the plan smoke is functional and never judges speed",
    )  # fmt: skip


THROTTLED = run_of(
    trace({milliwatt(resolution=40.0): working(3000, 8000), Channel("oc1", "events"): lambda at_s: at_s > 15.0})
)
FAULT = "throttled: oc1 rose by 1 while frames ran"
AGAIN = "; it was so when measured again too (INFRA: the device or its surroundings, not the model)"


@pytest.mark.parametrize("metric", ["net_power_w", "power_mean_w", "frame_p99_ms", "fps_mean"])
@pytest.mark.parametrize(("discarded", "error_class", "sentence"), [((), "", FAULT), ((1,), "INFRA", FAULT + AGAIN)])
def test_a_throttled_run_is_invalid_and_infra_where_a_second_one_was_no_better(
    metric, discarded, error_class, sentence
):
    found = measurement(THROTTLED, discarded=tuple(THROTTLED for _ in discarded))
    for limit in (1e-3, 1e6):
        verdict = judge(budget(limit, metric), found)
        assert (verdict.outcome, verdict.error_class, verdict.sentence) == ("INVALID", error_class, sentence)


def test_a_run_that_was_well_at_its_second_try_is_judged():
    verdict = judge(budget(), measurement(loaded(2000), discarded=(THROTTLED,)))
    assert (verdict.outcome, verdict.error_class) == ("PASS", "")


def test_a_session_that_throttled_once_and_is_only_set_wrongly_at_its_second_try_is_not_infra():
    wrong = measurement(loaded(2000), discarded=(THROTTLED,), wanted=Conditions(power_mode="15W"))
    for metric in ("net_power_w", "power_mean_w", "frame_p99_ms"):
        verdict = judge(budget(1e6, metric), wrong)
        assert (verdict.outcome, verdict.error_class) == ("INVALID", "")
        assert verdict.sentence.startswith("power_mode before the frames: nobody told, the profile wants 15W")
        assert "INFRA" not in verdict.sentence


@pytest.mark.parametrize(
    ("kept", "discarded", "again"),
    [
        ((THROTTLED,), (), False),
        ((THROTTLED,), (THROTTLED,), True),
        ((loaded(2000),), (THROTTLED,), False),
        ((loaded(2000), THROTTLED), (THROTTLED, loaded(2000)), True),
    ],
)
def test_a_device_was_disturbed_again_where_a_run_that_was_kept_was_too(kept, discarded, again):
    assert measurement(*kept, discarded=discarded).disturbed_again is again


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("net_power_w", "power: the sampler died (signal 9)"), ("power_peak_w", "power: the sampler died (signal 9)"),
        ("frame_p99_ms", "power_mode before the frames: nobody told"), ("fps_mean", "power_mode before the frames"),
    ],
)  # fmt: skip
def test_what_power_lacks_is_told_of_power_before_what_the_device_was_not(metric, said):
    dead = run_of(trace({milliwatt(): 1.0}, ended="the sampler died (signal 9)"))
    verdict = judge(budget(1e6, metric), measurement(dead, wanted=Conditions(power_mode="15W")))
    assert verdict.outcome == "INVALID"
    assert verdict.sentence.startswith(said)


def others(**shares: float) -> dict[str, float]:
    """Marks of these shares of the cores that others used: while frames ran, and in the idle times."""
    prefixes = {"frames": "", "idle": "idle_"}
    return {f"{prefixes[when]}{what}_ns": 1e9 * value for when, share in shares.items()
            for what, value in (("background", share), ("capacity", 1.0))}  # fmt: skip


@pytest.mark.parametrize("net_mw", [2000, 12_000])
@pytest.mark.parametrize(
    ("marks", "judged"),
    [
        ({}, True), (others(frames=0.05, idle=0.05), True), (others(idle=0.06), False), (others(frames=0.06), False),
        (others(frames=0.0, idle=0.3), False), ({"idle_background_ns": 0, "idle_capacity_ns": 0}, True),
    ],
)  # fmt: skip
def test_a_net_power_beside_other_load_is_invalid_and_neither_passes_nor_fails(net_mw, marks, judged):
    calm, loud = loaded(net_mw), loaded(net_mw, marks=marks)
    for runs in ((loud,), (calm, loud) if "capacity_ns" not in marks else (loud, loud)):
        verdict = judge(budget(), measurement(*runs))
        if judged:
            assert verdict.outcome == ("PASS" if net_mw == 2000 else "FAIL")
        else:
            assert (verdict.outcome, verdict.error_class) == ("INVALID", "")
            assert verdict.sentence.startswith("other load took more than 5 % of the cores while power was measured")


def test_load_in_idle_time_says_nothing_about_gross_power_and_latency():
    loud = loaded(2000, marks=others(idle=0.3))
    assert {judge(budget(1e6, metric), measurement(loud)).outcome for metric in ("power_mean_w", "frame_p99_ms")} == {
        "PASS"
    }


@pytest.mark.parametrize(("interval_ms", "outcome"), [(20.0, "PASS"), (100.0, "INCONCLUSIVE"), (None, "INCONCLUSIVE")])
def test_a_peak_is_judged_where_it_is_known(interval_ms, outcome):
    counter = Channel("VDD_IN", "mJ", 0.5, interval_ms)
    run = run_of(trace({counter: lambda at_s: 3000 * at_s + 2000 * (at_s - 5).clip(0, 21)}))
    assert judge(budget(5.1, "power_peak_w"), measurement(run)).outcome == outcome
    assert judge(budget(5.1, "power_mean_w"), measurement(run)).outcome == "PASS"


def test_heat_and_clocks_say_nothing_about_memory():
    run = replace(THROTTLED, marks={"peak_steady_bytes": 90e6})
    wanted = Conditions(power_mode="15W")
    assert judge(budget(100, "peak_memory_mb"), measurement(run, wanted=wanted)).outcome == "PASS"


def test_every_fault_of_all_runs_is_told_once():
    untold = "temperature at the start: nobody told, the profile allows 50 C (harness doctor says why)"
    found = measurement(loaded(2000), THROTTLED, THROTTLED, wanted=Conditions(max_start_c=50))
    assert found.condition_faults() == [untold, FAULT]
    assert found.condition_faults(found.runs[:1]) == [untold]
    assert found.condition_faults(()) == []
