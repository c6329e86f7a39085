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
    found = energy(ramp)
    middle_s = END_S - found.seconds / 2
    before_s, after_s = middle_of_idle_s(0, IDLE_S, period_s), middle_of_idle_s(END_S, TOLD_S, period_s)
    assert found.mean_w == pytest.approx(2 + 0.1 * (middle_s - BEGIN_S))
    assert found.idle_w == pytest.approx(2 + 0.1 * ((before_s + after_s) / 2 - BEGIN_S))
    assert found.gross_mj == pytest.approx(found.mean_w * 1e3 * FRAME_S)
    assert found.terms_w["idle drift"] == pytest.approx(0.1 * (after_s - before_s) / 2)


def middle_of_idle_s(start_s: float, end_s: float, period_s: float) -> float:
    """Between the first and the last sample after two periods of settling."""
    first, last = math.ceil(start_s / period_s + 2 - 1e-9), math.floor(end_s / period_s + 1e-9)
    return (first + last) / 2 * period_s


@pytest.mark.parametrize("period_s", [0.07, 0.11, 0.3])
def test_the_load_beside_an_idle_time_takes_no_part_in_it(period_s):
    told = trace({milliwatt(resolution=40.0): working(3000, 8000)}, period_s=period_s, told_s=END_S + IDLE_S - 0.02)
    found = energy(told)
    assert found.idle_w == pytest.approx(3, rel=1e-12)
    assert found.terms_w["idle drift"] == pytest.approx(0, abs=1e-12)


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
    assert (found.mean_w, found.idle_w) == pytest.approx((8, 3))
    assert (found.gross_mj, found.net_mj) == pytest.approx((160, 100))
    assert found.terms_w["sampling"] == 0
    both_edges_j, idle_s = math.sqrt(2) * 0.5e-3 / math.sqrt(12), IDLE_S - 2 * period_s
    expected_w = math.hypot(both_edges_j / found.seconds, both_edges_j / idle_s)
    assert found.terms_w["quantisation"] == pytest.approx(expected_w, rel=1e-9)
    assert found.gross_u_mj == pytest.approx(2 * both_edges_j / found.seconds * 20, rel=1e-9)


def renewed_every(interval_s: float, burst_w: float):
    """A counter in mJ that stands still between its renewals; `burst_w` more for a tenth of a second."""

    def told(at_s):
        until_s = np.floor(at_s / interval_s + 1e-6) * interval_s
        return joules_until((3, 8))(until_s) + 1e3 * burst_w * np.clip(until_s - 15, 0, 0.1)

    return told


@pytest.mark.parametrize("burst_w", [0, 12])
@pytest.mark.parametrize(("period_s", "known"), [(0.02, False), (0.05, False), (0.1, True)])
def test_the_peak_of_a_counter_is_known_where_it_is_renewed_for_every_sample(period_s, known, burst_w):
    counter = Channel("VDD_IN", "mJ", resolution=0.5, interval_ms=100.0)
    found = energy(trace({counter: renewed_every(0.1, burst_w)}, period_s=period_s, told_s=TOLD_S + 1))
    assert found.peak_w == (pytest.approx(8 + burst_w) if known else None)


def test_the_peak_of_a_counter_of_which_nobody_knows_when_it_is_renewed_is_not_known():
    found = energy(trace({Channel("VDD_IN", "mJ"): renewed_every(0.1, 12)}, told_s=TOLD_S + 1))
    assert found.peak_w is None
    assert found.mean_w == pytest.approx(8 + 1.2 / found.seconds, rel=1e-3)


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


NO_IDLE = "power: there are no frames with idle time before and after them"


def every(count: int):
    return lambda at_s: (np.arange(len(at_s)) % count == 0) & (at_s > BEGIN_S)


@pytest.mark.parametrize(
    ("traces", "changes", "said"),
    [
        ([dropped(every(16), reasons={"timed out": 9})], {},
         "power: 374 of 398 samples came, the longest gap is 0.10 s; 95 % and at most 0.15 s are needed (timed out)"),
        ([dropped(between(14.99, 15.11))], {},
         "power: 396 of 398 samples came, the longest gap is 0.20 s; 95 % and at most 0.15 s are needed"),
        ([dropped(between(10.01, 12.99))], {},
         "power: 340 of 398 samples came, the longest gap is 3.00 s; 95 % and at most 0.15 s are needed"),
        ([dropped(between(2.99, 3.11))], {},
         "power: 96 of 98 samples came, the longest gap is 0.20 s; 95 % and at most 0.15 s are needed"),
        ([dropped(between(28.99, 31.11))], {}, "power: 58 of 98 samples came"),
        ([dropped(between(26.17, 31.11))], {}, "power: 2 of 98 samples came"),
        ([trace({milliwatt(): working(3000, 8000)}, ended="the sampler died (signal 9)", told_s=15)], {},
         "power: the sampler died (signal 9)"),
        ([trace({milliwatt(): 8000.0}, told_s=15)], {}, "power: 179 of 398 samples came"),
        ([empty_trace("board", "permission denied")], {}, "power: permission denied"),
        ([], {}, "power: nobody sampled board"),
        ([STEADY], {"rule": replace(RULE, rails=("VDD_IN", "VDD_SOC"))}, "power: board has no VDD_SOC, it has VDD_IN"),
        ([STEADY], {"rule": None}, "no power sensor was asked"),
        ([STEADY], {"phases": {"frames": (BEGIN_S, END_S)}}, NO_IDLE),
        ([STEADY], {"phases": {"frames": (BEGIN_S, END_S), "idle_before": (0, 5)}}, NO_IDLE),
        ([STEADY], {"phases": {}}, NO_IDLE),
        ([STEADY], {"frames_s": 0}, NO_IDLE),
        ([STEADY], {"phases": {"frames": (BEGIN_S, END_S), "idle_before": (0, 5), "idle_after": (26, 26.05)}},
         "power: an idle time is shorter than the sensor takes to settle (idle_s of the profile's [power])"),
        ([dropped(between(26.06, 31.11))], {}, "power: 0 of 98 samples came"),
        ([trace({milliwatt(): working(3000, 8000)}, told_s=18)], {"frames_s": 8}, "power: 8.0 s of frames, needs 10 s"),
        ([trace({milliwatt(interval_ms=200): working(3000, 8000)})], {"frames_s": 10.5},
         "power: 10.5 s of frames, needs 11 s (window_s of the profile's [power])"),
        ([trace({milliwatt(): 5000.0})], {}, "power: VDD_IN never moved and the step of board is not known"),
        ([trace({Channel("VDD_IN", "C"): working(30, 80)})], {},
         "power: board has VDD_IN in C, and power is told in mW or mJ"),
        ([trace({milliwatt(): working(3000, 8000)}, period_s=1.0)], {}, "power: 19 samples, needs 20 (rate_hz"),
        ([trace({milliwatt(resolution=1.0): working(8000, 3000)})], {}, "power: idle took more than the frames did"),
    ],
)  # fmt: skip
def test_what_makes_an_energy_unknown_is_said(traces, changes, said):
    found = energy_of(run_of(*traces, **changes))
    assert isinstance(found, str)
    assert found.startswith(said) or said in found


@pytest.mark.parametrize(
    ("interval_ms", "frames_s", "enough"),
    [(None, 9.98, False), (None, 10, True), (150, 9.98, False), (150, 10, True), (200, 10.98, False), (200, 11, True)],
)
def test_frames_last_ten_seconds_and_fifty_intervals_after_what_settling_takes(interval_ms, frames_s, enough):
    told = trace({milliwatt(interval_ms=interval_ms, resolution=40.0): 8000.0})
    assert isinstance(energy_of(run_of(told, frames_s=frames_s)), Energy) is enough


@pytest.mark.parametrize(
    "interval_ms",
    [
        100,
        200,
        300,
    ],
)
def test_the_length_that_is_told_as_needed_is_enough(interval_ms):
    told = trace({milliwatt(interval_ms=interval_ms, resolution=40.0): 8000.0})
    said = energy_of(run_of(told, frames_s=9.9))
    needed_s = float(said.partition("needs ")[2].split()[0])
    assert isinstance(energy_of(run_of(told, frames_s=needed_s)), Energy)


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


def test_a_rail_that_never_moved_resolves_no_better_than_the_others():
    rule = replace(RULE, rails=("VDD_IN", "VDD_SOC", "VDD_CPU"))
    rails = {milliwatt(resolution=40.0): working(3000, 8000), milliwatt("VDD_SOC", resolution=8.0): 400.0,
             milliwatt("VDD_CPU"): 1500.0}  # fmt: skip
    found = energy(trace(rails), rule=rule)
    assert found.mean_w == pytest.approx(9.9)
    assert found.terms_w["quantisation"] == pytest.approx(math.sqrt(2 * (0.04**2 + 0.008**2 + 0.04**2) / 12))


def test_a_sensor_that_never_moved_and_tells_its_step_is_known():
    found = energy(trace({milliwatt(resolution=40.0): 5000.0}))
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


@settings(max_examples=100, deadline=None)
@given(MOVING, st.sampled_from([None, 40.0]), st.sampled_from(["mW", "mJ"]), st.sampled_from([None, 20.0, 200.0]))
def test_no_number_of_an_energy_is_infinite(power, resolution, unit, interval_ms):
    found = energy_of(run_of(trace({Channel("VDD_IN", unit, resolution, interval_ms): power})))
    if isinstance(found, Energy):
        numbers = [one for one in vars(found).values() if isinstance(one, float)]
        assert np.isfinite([*numbers, *found.terms_w.values(), *found.rail_w.values()]).all()


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
