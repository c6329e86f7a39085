"""The energy of a run by hand: exact, with its uncertainty, or a sentence that says why there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from traces import BEGIN_S, END_S, FRAME_S, IDLE_S, RULE, TOLD_S, milliwatt, run_of, trace, working

from harness.energy import Energy, energy_of, power_rule
from harness.telemetry import Channel, PowerRule, empty_trace

STEADY = trace({milliwatt(resolution=40.0): working(3000, 8000)})
# The first two samples of a phase are left out, so the frames begin at the sixth.
SETTLED_S, WINDOW_S = 0.1, 19.9
FRAMES = 995
TERMS = ("quantisation", "gain", "sampling", "edges", "idle drift")


def energy(*traces, **changes) -> Energy:
    found = energy_of(run_of(*traces, **changes))
    assert isinstance(found, Energy), found
    return found


def test_a_constant_load_between_constant_idle_times():
    found = energy(STEADY)
    assert (found.frames, found.seconds) == (FRAMES, pytest.approx(WINDOW_S))
    assert (found.mean_w, found.peak_w, found.idle_w) == pytest.approx((8, 8, 3))
    assert (found.gross_mj, found.net_mj) == pytest.approx((8 * 20, 5 * 20))
    assert (found.expected, found.received, found.longest_gap_s) == (398, 399, pytest.approx(0.05))
    assert found.rail_w == {"VDD_IN": pytest.approx(8)}
    assert found.rule == RULE
    assert found.beside == {}
    assert found.resolved


@pytest.mark.parametrize("period_s", [0.05, 0.03, 0.07, 0.11])
def test_a_ramp_has_the_energy_under_it_wherever_the_samples_lie(period_s):
    ramp = trace({milliwatt(resolution=1.0): lambda at_s: 2000 + 100 * (at_s - BEGIN_S)}, period_s=period_s)
    # Idle rises too: its mean is that of the middle of both phases, which lies in the middle of the frames.
    found = energy(ramp)
    middle_s = END_S - found.seconds / 2
    assert found.mean_w == pytest.approx(2 + 0.1 * (middle_s - BEGIN_S))
    assert found.gross_mj == pytest.approx(found.mean_w * 1e3 * FRAME_S)
    assert found.terms_w["idle drift"] == pytest.approx(0.1 * (TOLD_S - IDLE_S) / 2)


def test_a_net_energy_at_the_cameras_pace_is_a_net_power():
    found = energy(STEADY)
    assert found.net_w_at(30) == pytest.approx((100 * 30 / 1e3, found.net_u_mj * 30 / 1e3))


def joules_until(power_w):
    """A counter in mJ of what a constant idle and load took since the start."""
    idle, load = power_w
    return lambda at_s: 1e3 * (idle * at_s + (load - idle) * np.clip(at_s - IDLE_S, 0, END_S - IDLE_S))


@pytest.mark.parametrize("period_s", [0.04, 0.05, 0.1])
def test_a_counter_of_energy_tells_the_same(period_s):
    counter = Channel("VDD_IN", "mJ", resolution=0.5)
    found = energy(trace({counter: joules_until((3, 8))}, period_s=period_s, told_s=TOLD_S + 1))
    assert (found.mean_w, found.peak_w, found.idle_w) == pytest.approx((8, 8, 3))
    assert (found.gross_mj, found.net_mj) == pytest.approx((160, 100))
    assert found.terms_w["sampling"] == 0
    assert found.terms_w["quantisation"] == pytest.approx(2 * 0.5e-3 / math.sqrt(12) / found.seconds, rel=1e-9)


def test_rails_are_added_and_told_apart():
    rule = replace(RULE, rails=("VDD_GPU", "VDD_CPU"))
    told = trace({
        milliwatt("VDD_GPU", resolution=1.0): working(1000, 5000), milliwatt("VDD_CPU", resolution=1.0): 1500.0,
        milliwatt("VDDQ", resolution=1.0): 400.0,
    })  # fmt: skip
    found = energy(told, rule=rule)
    assert (found.mean_w, found.idle_w, found.net_mj) == pytest.approx((6.5, 2.5, 80))
    assert found.rail_w == pytest.approx({"VDD_GPU": 5, "VDD_CPU": 1.5})


def test_a_rail_that_feeds_back_is_subtracted():
    rule = replace(RULE, rails=("VIN", "VDD_CPU"))
    told = trace({milliwatt("VIN", resolution=1.0): working(3000, 8000), milliwatt("VDD_CPU", resolution=1.0): -392.0})
    found = energy(told, rule=rule)
    assert (found.mean_w, found.net_mj) == pytest.approx((7.608, 100))
    assert found.rail_w["VDD_CPU"] == pytest.approx(-0.392)


def test_a_sample_that_is_silent_is_neither_zero_nor_a_guess():
    def silent(at_s):
        return np.where(np.isclose(at_s, 15), np.nan, working(3000, 8000)(at_s))

    found = energy(trace({milliwatt(resolution=40.0): silent}, reasons={"EAGAIN": 1}))
    assert (found.received, found.longest_gap_s) == (398, pytest.approx(0.1))
    assert found.mean_w == pytest.approx(8)


def test_other_sensors_are_told_beside():
    rule = replace(RULE, beside=("board/VIN", "meter/power", "nvml/gpu0.energy", "board/no", "absent/power"))
    told = (
        trace({milliwatt(resolution=40.0): working(3000, 8000), milliwatt("VIN"): working(4000, 10_000)}),
        trace({milliwatt("power"): 12_000.0}, probe="meter", period_s=0.5),
        trace({Channel("gpu0.energy", "mJ"): joules_until((3, 8))}, probe="nvml"),
        empty_trace("absent", "no meter at USB0"),
    )
    assert energy(*told, rule=rule).beside == pytest.approx(
        {"board/VIN": 200, "meter/power": 240, "nvml/gpu0.energy": 160}
    )


def test_a_sensor_beside_that_does_not_cover_the_frames_is_not_told():
    rule = replace(RULE, beside=("meter/power",))
    gap = trace({milliwatt("power"): 12_000.0}, probe="meter", silent=lambda at_s: (at_s > 10) & (at_s < 12))
    assert energy(STEADY, gap, rule=rule).beside == {}


def dropped(lost, **more):
    return trace({milliwatt(resolution=40.0): working(3000, 8000)}, silent=lost, **more)


def between(start_s: float, end_s: float):
    return lambda at_s: (at_s > start_s) & (at_s < end_s)


def every(count: int):
    return lambda at_s: (np.arange(len(at_s)) % count == 0) & (at_s > BEGIN_S)


@pytest.mark.parametrize(
    ("traces", "changes", "said"),
    [
        ([dropped(every(16), reasons={"timed out": 9})], {}, "power: 374 of 398 samples came (timed out)"),
        ([dropped(between(14.99, 15.11))], {}, "power: no sample for 0.20 s, at most 0.15 s is allowed"),
        ([dropped(between(2.99, 3.11))], {}, "power: no sample for 0.20 s, at most 0.15 s is allowed"),
        ([dropped(between(28.99, 31.11))], {}, "power: 58 of 98 samples came"),
        ([trace({milliwatt(): working(3000, 8000)}, ended="the sampler died (signal 9)", told_s=15)], {},
         "power: the sampler died (signal 9)"),
        ([trace({milliwatt(): 8000.0}, told_s=15)], {}, "power: 179 of 398 samples came"),
        ([empty_trace("board", "permission denied")], {}, "power: permission denied"),
        ([], {}, "power: nobody sampled board"),
        ([STEADY], {"rule": replace(RULE, rails=("VDD_IN", "VDD_SOC"))}, "power: board has no VDD_SOC, it has VDD_IN"),
        ([STEADY], {"rule": None}, "no power sensor was asked"),
        ([STEADY], {"phases": {"frames": (BEGIN_S, END_S)}}, "power: there is no idle time before and after"),
        ([STEADY], {"phases": {}}, "power: there is no idle time before and after"),
        ([STEADY], {"phases": {"frames": (BEGIN_S, END_S), "idle_before": (0, 5), "idle_after": (26, 26.05)}},
         "an idle phase is shorter than the sensor takes to settle (idle_s of the profile's [power])"),
        ([trace({milliwatt(): working(3000, 8000)}, told_s=18)], {"frames_s": 8}, "power: 7.9 s of frames, needs 10 s"),
        ([trace({milliwatt(interval_ms=300): working(3000, 8000)}, told_s=21)], {"frames_s": 12},
         "power: 10.5 s of frames, needs 15 s (window_s of the profile's [power])"),
        ([trace({milliwatt(): working(3000, 8000)}, period_s=1.0)], {}, "power: 19 samples, needs 20 (rate_hz"),
        ([trace({milliwatt(resolution=1.0): working(8000, 3000)})], {}, "power: idle took more than the frames did"),
    ],
)  # fmt: skip
def test_what_makes_an_energy_unknown_is_said(traces, changes, said):
    found = energy_of(run_of(*traces, **changes))
    assert isinstance(found, str)
    assert found.startswith(said) or said in found


def test_a_window_just_covered_has_an_energy():
    for lost, received in ((every(21), 380), (between(14.99, 15.06), 397)):
        found = energy(dropped(lost))
        assert (found.expected, found.received, found.mean_w) == (398, received, pytest.approx(8))


def test_what_an_averaging_sensor_tells_of_the_time_before_is_left_out():
    def averaged(at_s):
        return working(3000, 8000)(at_s) + 5000 * np.exp(-(at_s - END_S) / 0.1) * (at_s > END_S)

    found = energy(trace({milliwatt(interval_ms=100.0, resolution=40.0): averaged}))
    assert found.seconds == pytest.approx(19.5)
    assert found.idle_w == pytest.approx(3, abs=0.001)


ORIN = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
COARSE = {milliwatt(ORIN[0], resolution=400.0): working(2000, 3000),
          milliwatt(ORIN[1], resolution=400.0): working(400, 900),
          milliwatt(ORIN[2], resolution=100.0): 4800.0}  # fmt: skip
FINE = {milliwatt(resolution=40.0): working(4000, 5500)}


@pytest.mark.parametrize(
    ("columns", "rails", "step_w", "percent", "resolved"),
    [(COARSE, ORIN, 0.235, 31, False), (FINE, ("VDD_IN",), 0.0163, 2.2, True)],
)
def test_a_net_power_of_a_watt_and_a_half_is_not_resolved_by_coarse_rails(columns, rails, step_w, percent, resolved):
    found = energy(trace(columns), rule=replace(RULE, rails=rails))
    assert found.net_mj == pytest.approx(1.5 * 20)
    assert found.terms_w["quantisation"] == pytest.approx(step_w, rel=0.01)
    assert 100 * found.net_u_mj / found.net_mj == pytest.approx(percent, rel=0.03)
    assert found.resolved is resolved


@pytest.mark.parametrize(("net_mj", "u_mj", "resolved"), [(100, 20, True), (100, 20.01, False), (-100, 20, True)])
def test_a_net_energy_is_resolved_up_to_an_uncertainty_of_a_fifth(net_mj, u_mj, resolved):
    assert replace(energy(STEADY), net_mj=net_mj, net_u_mj=u_mj).resolved is resolved


NOISY = trace({
    milliwatt(resolution=40.0, interval_ms=100.0):
        lambda at_s: working(3000, 8000, 3400)(at_s) + np.random.default_rng(1).normal(0, 200, len(at_s)),
})  # fmt: skip


def test_every_source_of_uncertainty_is_as_large_as_its_formula_says():
    found = energy(NOISY, rule=replace(RULE, gain_percent=2.0))
    step_w = found.mean_w - found.idle_w
    assert found.terms_w["quantisation"] == pytest.approx(0.04 / math.sqrt(12) * math.sqrt(2))
    assert found.terms_w["gain"] == pytest.approx(0.02 * step_w / math.sqrt(3))
    assert found.terms_w["edges"] == pytest.approx(step_w * (0.1 + 0.05) / found.seconds)
    assert found.terms_w["idle drift"] == pytest.approx(0.2, abs=0.03)
    assert 0.2 / math.sqrt(391) < found.terms_w["sampling"] < 0.1
    squares = sum(one**2 for one in found.terms_w.values())
    assert found.net_u_mj == pytest.approx(2 * math.sqrt(squares) * 20)


def test_the_idle_power_takes_no_part_in_the_uncertainty_of_the_gross_energy():
    calm, drifting = (
        energy(trace({milliwatt(resolution=40.0): working(3000, 8000, after)}), rule=replace(RULE, gain_percent=2.0))
        for after in (3000, 5000)
    )
    expected = 2 * math.hypot(0.04 / math.sqrt(12), 0.02 * 8 / math.sqrt(3)) * 20
    assert calm.gross_u_mj == drifting.gross_u_mj == pytest.approx(expected)
    assert drifting.net_u_mj > 10 * calm.net_u_mj


def test_a_sensor_that_never_moved_resolves_nothing():
    found = energy(trace({milliwatt(): 5000.0}))
    assert found.net_mj == pytest.approx(0)
    assert not found.resolved


@pytest.mark.parametrize("beside", [(), ("meter/power",)])
def test_a_rule_comes_back_from_a_run_as_it_was(beside):
    rule = PowerRule("three rails", "ina3221", ORIN, "module", 1.5, beside)
    assert power_rule(run_of(rule=rule)) == rule
    assert power_rule(run_of(rule=None)) is None


LEVELS = st.integers(0, 20_000)
MOVING = st.builds(
    lambda idle, load, after, wave: lambda at_s: working(idle, idle + load, after)(at_s) + wave * np.sin(7 * at_s),
    LEVELS, st.integers(3000, 20_000), LEVELS, st.integers(0, 1000),
)  # fmt: skip


def board(power, resolution=40.0, unit="mW"):
    return trace({Channel("VDD_IN", unit, resolution, 20.0): power})


@settings(max_examples=50, deadline=None)
@given(MOVING, st.integers(0, 10**15))
def test_when_it_was_does_not_matter(power, later_ns):
    told = board(power)
    run = run_of(told)
    phases = {name: [start + later_ns, end + later_ns] for name, (start, end) in run.facts["phases"].items()}
    moved = replace(
        run, start_ns=run.start_ns + later_ns, facts={**run.facts, "phases": phases},
        traces=(replace(told, time_ns=told.time_ns + later_ns),),
    )  # fmt: skip
    one, other = energy_of(run), energy_of(moved)
    if isinstance(one, str):
        assert one == other
    else:
        assert (one.gross_mj, one.gross_u_mj, one.net_mj, one.net_u_mj) == pytest.approx(
            (other.gross_mj, other.gross_u_mj, other.net_mj, other.net_u_mj), rel=1e-6
        )


@settings(max_examples=50, deadline=None)
@given(MOVING, st.floats(0.01, 100))
def test_the_unit_of_power_is_the_unit_of_energy(power, factor):
    one = energy_of(run_of(board(power)))
    other = energy_of(run_of(board(lambda at_s: factor * power(at_s), 40.0 * factor)))
    if isinstance(one, str):
        assert isinstance(other, str)
    else:
        assert (other.gross_mj, other.gross_u_mj, other.net_mj, other.net_u_mj) == pytest.approx(
            tuple(factor * value for value in (one.gross_mj, one.gross_u_mj, one.net_mj, one.net_u_mj)), rel=1e-6
        )


@settings(max_examples=50, deadline=None)
@given(MOVING, st.floats(0, 10))
def test_the_uncertainty_is_at_least_twice_each_of_its_sources(power, gain_percent):
    found = energy_of(run_of(board(power), rule=replace(RULE, gain_percent=gain_percent)))
    if isinstance(found, Energy):
        per_frame = found.seconds / found.frames * 1e3
        assert set(found.terms_w) == set(TERMS)
        assert all(found.net_u_mj >= 2 * term * per_frame * (1 - 1e-9) >= 0 for term in found.terms_w.values())


def noise_mw(resemblance: float, spread_mw: float, count: int, random) -> np.ndarray:
    white = random.standard_normal(count + 200) * spread_mw * math.sqrt(1 - resemblance**2)
    return lfilter([1], [1, -resemblance], white)[200:]


def simulated_nets(resemblance: float, spread_mw: float, step_mw: float) -> tuple[np.ndarray, np.ndarray]:
    """Error and uncertainty of the net power in W of 400 runs, whose idle and load lie anywhere between two steps."""
    random = np.random.default_rng(20)
    errors, uncertainties = [], []
    for _ in range(400):
        idle, net = random.uniform(3000, 4200), random.uniform(1500, 2700)

        def told(at_s, idle=idle, net=net):
            power = working(idle, idle + net)(at_s) + noise_mw(resemblance, spread_mw, len(at_s), random)
            return np.round(power / step_mw) * step_mw

        found = energy(trace({milliwatt(resolution=step_mw): told}))
        errors.append(found.net_mj / 20 - net / 1e3)
        uncertainties.append(found.net_u_mj / 20)
    return np.array(errors), np.array(uncertainties)


@pytest.mark.parametrize(
    ("resemblance", "spread_mw", "step_mw", "widest"),
    [(0.0, 300, 40, 3), (0.6, 300, 40, 3), (0.8, 300, 40, 3), (0.0, 0, 400, 2), (0.5, 100, 400, None)],
)
def test_the_interval_of_the_net_power_holds_the_truth(resemblance, spread_mw, step_mw, widest):
    errors, uncertainties = simulated_nets(resemblance, spread_mw, step_mw)
    assert np.mean(np.abs(errors) <= uncertainties) >= 0.95
    if widest:
        assert np.median(uncertainties) < widest * np.quantile(np.abs(errors), 0.95)
