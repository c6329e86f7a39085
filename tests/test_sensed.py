"""Heat, throttling and utilisation while frames ran, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from traces import BEGIN_S, END_S, FRAMES_S, PERIOD_S, run_of, trace, working

from harness.surroundings import columns, start_c, temperatures, throttled_share, utilisation_percent
from harness.telemetry import Channel, empty_trace

CPU, GPU = Channel("cpu", "C"), Channel("gpu", "C")


def run(*told, **changes):
    return run_of(*told, rule=None, **changes)


def test_a_place_that_warms_steadily_has_its_start_its_end_and_its_slope():
    found = temperatures(run(trace({CPU: lambda at_s: 40 + 0.1 * (at_s - BEGIN_S)})))
    assert found.start_c == pytest.approx(40)
    assert found.end_c == pytest.approx(42)
    assert found.slope_c_per_min == pytest.approx(6)


def test_the_hottest_place_while_frames_ran_is_told():
    idle_heat = {CPU: lambda at_s: np.where(at_s < BEGIN_S - 1, 90.0, 45.0)}
    found = temperatures(run(trace(idle_heat), trace({GPU: 55.0}, probe="thermal")))
    assert (found.start_c, found.end_c, found.slope_c_per_min) == pytest.approx((55, 55, 0))


def test_what_a_place_did_not_tell_is_left_out():
    def silent(at_s):
        return np.where(at_s < BEGIN_S + 1, np.nan, 40 + 0.1 * (at_s - BEGIN_S))

    found = temperatures(run(trace({CPU: silent, GPU: np.nan})))
    assert (found.start_c, found.slope_c_per_min) == pytest.approx((40.1, 6))


@pytest.mark.parametrize(
    "told", [[], [empty_trace("thermal", "none")], [trace({Channel("a", "mW"): 1.0})], [trace({CPU: np.nan})]]
)
def test_without_a_temperature_there_is_none(told):
    assert temperatures(run(*told)) is None
    assert start_c(run(*told)) is None


def test_without_frames_nothing_was_sensed_while_they_ran():
    nothing = run(trace({CPU: 40.0, Channel("gpu.load", "%"): 50.0}), phases={})
    assert temperatures(nothing) is None
    assert utilisation_percent(nothing, "gpu") is None


@pytest.mark.parametrize("told_s", [BEGIN_S, BEGIN_S + PERIOD_S])
def test_two_readings_make_no_slope(told_s):
    assert temperatures(run(trace({CPU: lambda at_s: 40 + at_s}, told_s=told_s))).slope_c_per_min == 0


def test_the_start_is_the_hottest_first_reading_of_all_places():
    told = trace({CPU: lambda at_s: 40 + at_s, GPU: lambda at_s: np.where(at_s < 0.2, np.nan, 50.0)})
    assert start_c(run(told, trace({Channel("board", "C"): 48.0}, probe="thermal"))) == 50


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("cpu", "cpu"), ("gpu", "gpu"), ("gpu", "gpu.load"), ("gpu", "gpu0.load"), ("memory_controller", "emc.load"),
        ("memory_controller", "memory_controller"), ("memory_controller", "gpu0.memory_controller"),
    ],
)  # fmt: skip
def test_a_utilisation_is_the_mean_while_frames_ran(what, name):
    found = run(trace({Channel("cpu7", "%"): 3.0, Channel(name, "%"): working(10, 70, 20)}))
    assert utilisation_percent(found, what) == pytest.approx(70)


@pytest.mark.parametrize(
    ("channel", "value"), [(Channel("gpu", "C"), 60.0), (Channel("gpu", "%"), np.nan), (Channel("nvenc", "%"), 5.0)]
)
def test_a_utilisation_that_nobody_told_is_none(channel, value):
    assert utilisation_percent(run(trace({channel: value})), "gpu") is None


STATE, EVENTS = Channel("gpu-throttle-alert", "state"), Channel("oc2", "events")
LAST_QUARTER_S = END_S - FRAMES_S / 4


@pytest.mark.parametrize(
    ("channel", "values", "share"),
    [
        (STATE, 0.0, 0),
        (STATE, lambda at_s: at_s > LAST_QUARTER_S, 100 / 401),
        (STATE, 2.0, 1),
        (EVENTS, 7.0, 0),
        (EVENTS, lambda at_s: np.floor(np.clip(at_s - LAST_QUARTER_S, 0, None) / PERIOD_S + 0.5), 100 / 401),
        (EVENTS, lambda at_s: 5.0 * (at_s > BEGIN_S - 1), 0),
        (STATE, lambda at_s: np.where(at_s < BEGIN_S + FRAMES_S / 2, np.nan, 1.0), 1),
        (STATE, lambda at_s: np.where(np.isclose(at_s, 15), np.nan, at_s > LAST_QUARTER_S), 100 / 400),
        (EVENTS, lambda at_s: np.where(np.isclose(at_s, 15), np.nan, at_s > 15), 1 / 400),
        (EVENTS, lambda at_s: np.where(at_s < BEGIN_S, np.nan, 7.0), 0),
    ],
)
def test_the_throttled_share_is_that_of_the_samples_in_which_it_was_on_or_rose(channel, values, share):
    assert throttled_share(run(trace({channel: values}))) == pytest.approx(share)


def test_the_worst_of_all_throttles_is_the_share():
    assert throttled_share(run(trace({STATE: 0.0, EVENTS: 0.0}), trace({STATE: 1.0}, probe="nvml"))) == 1


@pytest.mark.parametrize("name", ["oc3", "soctherm.oc3"])
def test_events_of_which_only_the_rate_says_something_are_no_throttle(name):
    rising = {Channel(name, "events"): lambda at_s: at_s}
    assert throttled_share(run(trace(rising))) is None
    assert throttled_share(run(trace({**rising, EVENTS: 0.0}))) == 0
    assert throttled_share(run(trace({Channel("oc31", "events"): lambda at_s: at_s}))) == 1


@pytest.mark.parametrize("told_c", [45.0, 45.1, 1 / 3])
def test_a_temperature_that_stays_has_a_slope_of_nothing(told_c):
    assert temperatures(run(trace({CPU: told_c}))).slope_c_per_min == 0


@pytest.mark.parametrize(
    "told",
    [[], [trace({CPU: 50.0})], [trace({STATE: 0.0}, told_s=3)], [trace({STATE: np.nan})], [trace({EVENTS: np.nan})]],
)
def test_without_a_throttle_that_was_watched_there_is_no_share(told):
    assert throttled_share(run(*told)) is None


def test_every_channel_of_a_unit_is_found_over_all_sensors():
    two = run(trace({CPU: 1.0, STATE: 0.0, GPU: 2.0}), trace({CPU: 3.0}, probe="thermal"))
    assert [(told.probe, values[0]) for told, values in columns(two.traces, "C")] == [
        ("board", 1), ("board", 2), ("thermal", 3),
    ]  # fmt: skip
