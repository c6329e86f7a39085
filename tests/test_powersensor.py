"""Samples of power and counters of energy over a window, by hand; hypothesis over any piecewise linear power."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from traces import RULE, milliwatt, nanoseconds, run_of, trace

from harness.errors import ConfigError
from harness.powersensor import PowerSensor, Window, rails_of, sensor_of, smallest_step
from harness.profile import read_profile
from harness.telemetry import Channel, empty_trace

COUNTER = Channel("package-0", "mJ")
EVENTS = (Channel("oc1", "events"), Channel("oc2", "events"))


def window(start_s: float, end_s: float) -> Window:
    start_ns, end_ns = nanoseconds([start_s, end_s]).astype(float)
    return Window(start_ns=start_ns, end_ns=end_ns)


def sensor(at_s, *columns, unit="mW", period_s=1.0, reason="", **more) -> PowerSensor:
    channels = tuple(Channel(f"rail {index}", unit, **more) for index in range(len(columns)))
    values = np.array(columns, float).T
    return PowerSensor(
        channels=channels, time_ns=nanoseconds(at_s), values=values, period_ns=round(period_s * 1e9), reason=reason
    )


ZIGZAG = sensor([0, 1, 2, 3], [1000, 3000, 2000, 4000])


@pytest.mark.parametrize(
    ("start_s", "end_s", "joules"),
    [
        (0, 3, 2 + 2.5 + 3),
        (0.5, 2.5, 1.25 + 2.5 + 1.25),
        (0.25, 0.75, 0.5 * 2),
        (1, 2, 2.5),
        (2.5, 3, 0.5 * 3.5),
        (0.9, 1.1, 0.1 * 2.9 + 0.1 * 2.95),
    ],
)
def test_power_is_a_trapezium_with_both_edges_between_their_neighbours(start_s, end_s, joules):
    assert ZIGZAG.joules(window(start_s, end_s), ZIGZAG.total) == pytest.approx(joules, rel=1e-12)
    assert ZIGZAG.mean_w(window(start_s, end_s)) == pytest.approx(joules / (end_s - start_s), rel=1e-12)


@pytest.mark.parametrize(
    ("start_s", "end_s", "joules"), [(0, 3, 60), (1, 2, 20), (0.5, 1.5, 15), (2.25, 2.75, 15), (0, 0.1, 1)]
)
def test_a_counter_is_the_difference_of_its_values_at_the_edges(start_s, end_s, joules):
    counter = sensor([0, 1, 2, 3], [7000, 17_000, 37_000, 67_000], unit="mJ")
    assert counter.counts
    assert counter.joules(window(start_s, end_s), counter.total) == pytest.approx(joules, rel=1e-12)


@pytest.mark.parametrize(
    ("interval_ms", "watts"),
    [
        (None, []), (20, [10, 20, 30]), (1000, [10, 20, 30]), (1001, []), (4000, []),
    ],
)  # fmt: skip
def test_the_power_of_a_counter_is_told_where_it_is_renewed_for_every_sample(interval_ms, watts):
    counter = sensor([0, 1, 2, 3], [7000, 17_000, 37_000, 67_000], unit="mJ", interval_ms=interval_ms)
    assert counter.watts(window(0, 3)).tolist() == watts


def test_rails_add_up_and_a_negative_one_is_subtracted():
    three = sensor([0, 1, 2], [3000, 3000, 3000], [500, 700, 900], [-392, -392, -392])
    assert three.total.tolist() == [3108, 3308, 3508]
    assert three.mean_w(window(0, 2)) == pytest.approx(3.308)
    assert three.joules(window(0, 2), three.values[:, 2]) == pytest.approx(-0.784)


def test_a_sample_in_which_one_rail_is_silent_is_left_out():
    told = trace({milliwatt("A"): lambda at_s: np.where(at_s == 1, np.nan, at_s), milliwatt("B"): 5.0}, period_s=0.5)
    both, single = rails_of(told, ("A", "B")), rails_of(told, ("B",))
    assert len(single.time_ns) - len(both.time_ns) == 1
    assert nanoseconds(1) not in both.time_ns
    assert both.channels[0].name == "A"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([], "power: nobody sampled board"),
        ([trace({milliwatt(): 1.0}, probe="other")], "power: nobody sampled board"),
        ([empty_trace("board", "no /sys/bus/i2c/drivers/ina3221")], "power: no /sys/bus/i2c/drivers/ina3221"),
        ([trace({milliwatt(): 1.0}, ended="the sampler died (signal 9)")], "power: the sampler died (signal 9)"),
        ([trace({milliwatt("VDD_SOC"): 1.0, milliwatt("NC"): 0.0})],
         "power: board has no VDD_IN, it has VDD_SOC, NC"),
        ([trace({})], "power: board has no VDD_IN, it has nothing"),
    ],
)  # fmt: skip
def test_a_sensor_that_is_not_there_is_said_in_a_sentence(told, sentence):
    assert sensor_of(run_of(*told), RULE) == sentence


@pytest.mark.parametrize(
    ("rails", "shown"),
    [
        (("A", "package-0"), "A in mW, package-0 in mJ"),
        (("tj",), "tj in C"),
        (("A", "tj"), "A in mW, tj in C"),
        (("load",), "load in %"),
        (("oc1", "oc2"), "oc1 in events, oc2 in events"),
    ],
)
def test_only_power_or_only_counters_of_energy_are_added(rails, shown):
    others = {Channel("tj", "C"): 40.0, Channel("load", "%"): 5.0, **dict.fromkeys(EVENTS, 0.0)}
    told = trace({milliwatt("A"): 1.0, COUNTER: 2.0, **others})
    sentence = f"board has {shown}, and power is told in mW or mJ"
    assert rails_of(told, rails) == sentence
    assert sensor_of(run_of(told), replace(RULE, rails=rails)) == f"power: {sentence}"


PROFILE = {"rule": "'r'", "probe": "'board'", "rails": "['A', 'B']", "scope": "'module'"}


def profile_with(folder, **changes: str):
    lines = [f"{key} = {value}" for key, value in {**PROFILE, **changes}.items()]
    text = "\n".join(["[runtimes.simulated]", "[probes.board]", "kind = 'simulated'", "[power]", *lines])
    (folder / "bench.toml").write_text(text, encoding="utf-8")
    return read_profile("bench", folder)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("rails", "[]", "power.rails = "),
        ("rails", "['']", "power.rails.0 = ''"),
        ("rails", "['A', 'B', 'A']", "each rail once, or its power counts twice"),
        ("rule", "''", "power.rule = ''"),
        ("probe", "''", "power.probe = ''"),
        ("probe", "'bord'", "no probe called 'bord', did you mean 'board'"),
        ("scope", "''", "power.scope = ''"),
        ("window_s", "9.99", "power.window_s = 9.99"),
        ("window_s", "nan", "power.window_s = nan"),
        ("idle_s", "0.99", "power.idle_s = 0.99"),
        ("idle_s", "-1", "power.idle_s = -1"),
        ("gain_percent", "-0.1", "power.gain_percent = -0.1"),
        ("beside", "['meter/power']", "'meter/power' is no channel of a probe"),
        ("beside", "['board']", "'board' is no channel of a probe"),
        ("beside", "['board/']", "'board/' is no channel of a probe"),
        ("beside", "['board/A', '/A']", "'/A' is no channel of a probe"),
        ("beside", "['']", "'' is no channel of a probe"),
    ],
)
def test_a_power_rule_that_cannot_be_followed_is_refused_with_file_and_key(tmp_path, key, value, said):
    with pytest.raises(ConfigError) as caught:
        profile_with(tmp_path, **{key: value})
    assert said in caught.value.sentence
    assert str(tmp_path / "bench.toml") in caught.value.sentence


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rails", "['A']"), ("window_s", "10"), ("idle_s", "1"), ("gain_percent", "0"), ("beside", "[]"),
        ("beside", "['board/A', 'board/gpu/x']"),
    ],
)  # fmt: skip
def test_a_power_rule_at_the_edge_is_taken(tmp_path, key, value):
    assert profile_with(tmp_path, **{key: value}).power.rule == "r"


EVERY_SECOND = np.arange(1, 101)
UNCOVERED = "power: {} of 100 samples came, the longest gap is {} s; 95 % and at most 3.00 s are needed"


@pytest.mark.parametrize(
    ("lost", "sentence"),
    [
        ([], ""),
        ([10, 20, 30, 40, 50], ""),
        ([10, 20, 30, 40, 50, 60], UNCOVERED.format(94, "2.00")),
        ([50, 51], ""),
        ([50, 51, 52], UNCOVERED.format(97, "4.00")),
        ([1, 2], ""),
        ([1, 2, 3], UNCOVERED.format(97, "3.50")),
        ([98, 99, 100], UNCOVERED.format(97, "3.50")),
        ([*range(30, 60)], UNCOVERED.format(70, "31.00")),
        (EVERY_SECOND, UNCOVERED.format(0, "100.00")),
    ],
)
def test_a_window_is_covered_by_95_percent_of_its_samples_without_a_gap_of_more_than_3_periods(lost, sentence):
    kept = np.setdiff1d(EVERY_SECOND, lost)
    assert sensor(kept, np.ones(len(kept))).fault(window(0.5, 100.5)) == sentence


def test_what_the_sensor_said_most_often_is_told_where_samples_are_missing():
    told = trace({milliwatt(): lambda at_s: np.where(at_s < 2, np.nan, 1.0)}, reasons={"EAGAIN": 30, "no number": 10})
    found = rails_of(told, ("VDD_IN",))
    assert found.fault(window(0, 4)) == (
        "power: 41 of 80 samples came, the longest gap is 2.00 s; 95 % and at most 0.15 s are needed (EAGAIN)"
    )


def test_a_window_of_nothing_is_not_covered():
    assert "shorter than the sensor takes to settle" in ZIGZAG.fault(window(2, 2))
    assert "idle_s" in ZIGZAG.fault(window(2, 1))


@pytest.mark.parametrize(
    ("resolution", "values", "step"),
    [
        (None, [400, 1200, 1160, 400], 40),
        (None, [-392, 0, 392], 392),
        (25.0, [400, 1200, 1160], 25),
        (25.0, [7, 7], 25),
        (None, [0.1 + 0.2, 0.3, 1.3], 1),
        (None, [7, 7, 7], None),
        (None, [7], None),
        (None, [], None),
    ],
)
def test_the_step_is_the_sensors_own_or_the_smallest_between_two_values(resolution, values, step):
    assert smallest_step(milliwatt(resolution=resolution), np.array(values, float)) == step


@pytest.mark.parametrize(
    ("resolutions", "columns", "steps"),
    [
        ((25.0,), [[7, 7]], [25]),
        ((None,), [[400, 440]], [40]),
        ((None, None, None), [[400, 440], [7, 7], [100, 108]], [40, 40, 8]),
        ((None, 25.0), [[7, 7], [9, 9]], [25, 25]),
        ((8.0, None), [[7, 7], [400, 440]], [8, 40]),
        ((None, None), [[7, 7], [9, 9]], None),
    ],
)
def test_a_rail_that_never_moved_has_the_largest_step_of_the_others(resolutions, columns, steps):
    channels = tuple(milliwatt(f"rail {index}", resolution=one) for index, one in enumerate(resolutions))
    found = replace(sensor([0, 1], *columns), channels=channels).steps()
    assert (None if found is None else found.tolist()) == steps


def piecewise_joules(knots_s, power_mw, start_s: float, end_s: float) -> float:
    """The exact integral: every piece cut to the window, times its mean."""
    joules = 0.0
    for (left, right), (low, high) in zip(pairwise(knots_s), pairwise(power_mw), strict=True):
        begin, end = max(left, start_s), min(right, end_s)
        if begin < end:
            slope = (high - low) / (right - left)
            joules += (end - begin) * (low + slope * ((begin + end) / 2 - left)) / 1e3
    return joules


MILLISECONDS = st.integers(1, 500)
POWERS = st.lists(st.tuples(MILLISECONDS, st.integers(-5000, 60_000)), min_size=2, max_size=40)


@given(POWERS, st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted))
def test_any_piecewise_linear_power_over_any_window_has_its_exact_energy(told, edges):
    knots_s = np.cumsum([ms for ms, _ in told]) / 1e3
    power = [mw for _, mw in told]
    start_s, end_s = (round(knots_s[0] + share * (knots_s[-1] - knots_s[0]), 9) for share in edges)
    found = sensor(knots_s, power)
    joules = found.joules(window(start_s, end_s), found.total)
    assert joules == pytest.approx(piecewise_joules(knots_s, power, start_s, end_s), rel=1e-6, abs=1e-6)


@given(POWERS, st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted), st.sampled_from(["mW", "mJ"]))
def test_the_energy_of_two_neighbouring_windows_is_that_of_both(told, edges, unit):
    knots_s = np.cumsum([ms for ms, _ in told]) / 1e3
    start_s, middle_s, end_s = (knots_s[0] + share * (knots_s[-1] - knots_s[0]) for share in edges)
    found = sensor(knots_s, [mw for _, mw in told], unit=unit)
    parts = [found.joules(window(*one), found.total) for one in ((start_s, middle_s), (middle_s, end_s))]
    assert sum(parts) == pytest.approx(found.joules(window(start_s, end_s), found.total), rel=1e-6, abs=1e-6)


def test_the_gap_and_the_expected_samples_of_a_window_are_told():
    found = sensor(np.setdiff1d(EVERY_SECOND, [50, 51]), np.ones(98))
    assert found.longest_gap_ns(window(0.5, 100.5)) == 3e9
    assert found.expected(window(0.5, 100.5)) == 100
    assert found.within(window(10, 20)).sum() == 11
