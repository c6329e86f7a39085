"""The time axis of a run: units, totals, breaks, and what may be left out for drawing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.report.timeline import Timeline, span_ns, thinned, throttles, timeline
from harness.telemetry import Channel, Trace, empty_trace

NAN = float("nan")
MS, S = 1_000_000, 1_000_000_000


def sampled(columns, *, unit="mW", probe="board", step_ns=100 * MS, start_ns=0, time_ns=None):
    """A trace of `columns` (name -> values), a sample every `step_ns` or at `time_ns`."""
    values = np.array(list(columns.values()), float).T
    times = start_ns + np.arange(len(values)) * step_ns if time_ns is None else np.array(time_ns, np.int64)
    return Trace(probe, tuple(Channel(name, unit) for name in columns), times, values, step_ns)


def drawn(line: Timeline, quantity):
    """name -> series of one panel; empty where there is no such panel."""
    return {one.name: one for panel in line.panels if panel.quantity == quantity for one in panel.series}


@pytest.mark.parametrize(
    ("unit", "value", "quantity", "shown", "as_unit"),
    [
        ("mW", 4250.0, "power", 4.25, "W"),
        ("mW", -392.0, "power", -0.392, "W"),
        ("C", 51.5, "temperature", 51.5, "°C"),
        ("kHz", 729_600.0, "clock", 729.6, "MHz"),
        ("kHz", 1_500_000.0, "clock", 1.5, "GHz"),
        ("%", 37.0, "utilisation", 37.0, "%"),
        ("bytes", 132_000_000.0, "memory", 132.0, "MB"),
    ],
)
def test_a_reading_is_shown_in_the_unit_of_its_panel(make_run, unit, value, quantity, shown, as_unit):
    found = timeline(make_run([], traces=(sampled({"one": [value] * 3}, unit=unit),)))
    assert [(panel.quantity, panel.unit) for panel in found.panels] == [(quantity, as_unit)]
    np.testing.assert_allclose(drawn(found, quantity)["one"].values, shown)


@pytest.mark.parametrize("unit", ["state", "events"])
def test_other_units_have_no_panel(make_run, unit):
    assert timeline(make_run([], traces=(sampled({"one": [1.0, 1.0]}, unit=unit),))).panels == ()


def test_time_starts_with_the_first_event_of_any_kind(make_run):
    trace = sampled({"rail": [1000.0, 1000.0]}, start_ns=7 * S)
    run = make_run([10 * MS, 20 * MS], start_ns=np.array([8 * S, 9 * S]), traces=(trace,),
                   facts={"phases": {"idle_before": [5 * S, 6 * S]}})  # fmt: skip
    found = timeline(run)
    assert span_ns(run) == (5 * S, 9 * S + 20 * MS)
    assert found.phases == {"idle_before": (0.0, 1.0)}
    assert found.seconds == pytest.approx(4.02)
    np.testing.assert_allclose(drawn(found, "power")["rail"].seconds, [2.0, 2.1])
    np.testing.assert_allclose(drawn(found, "latency")["frame"].seconds, [3.0, 4.0])
    np.testing.assert_allclose(drawn(found, "latency")["frame"].values, [10.0, 20.0])


def test_a_run_without_anything_has_no_panels(make_run):
    found = timeline(make_run([], traces=(empty_trace("board", "no such sensor"),)))
    assert (found.panels, found.throttles, found.phases, found.seconds) == ((), {}, {}, 0.0)


def test_the_total_adds_the_rails_of_the_rule_where_all_of_them_told(make_run):
    rails = {"gpu": [1000, 2000, 3000], "cpu": [500, NAN, 700], "beside": [9000, 9000, 9000]}
    power = {"name": "own", "probe": "board", "rails": ["gpu", "cpu"], "scope": "module"}
    found = drawn(timeline(make_run([], traces=(sampled(rails),), facts={"power": power})), "power")
    assert list(found) == ["total (module)", "gpu", "cpu", "beside"]
    np.testing.assert_allclose(found["total (module)"].values, [1.5, 3.7])


@pytest.mark.parametrize(
    "rule",
    [
        {"probe": "board", "rails": ["gpu"], "scope": "module"},
        {"probe": "other", "rails": ["gpu", "cpu"], "scope": "module"},
        {"probe": "board", "rails": ["gpu", "soc"], "scope": "module"},
        None,
    ],
)
def test_a_total_that_is_one_rail_or_not_known_is_not_drawn(make_run, rule):
    run = make_run([], traces=(sampled({"gpu": [1000, 1000], "cpu": [500, 500]}),), facts={"power": rule})
    assert set(drawn(timeline(run), "power")) == {"gpu", "cpu"}


def test_an_energy_counter_is_drawn_as_the_power_between_its_changes(make_run):
    counter = {"package-0": [100, 100, 600, 600, 1600, 1600]}
    found = drawn(timeline(make_run([], traces=(sampled(counter, unit="mJ"),))), "power")["package-0"]
    np.testing.assert_allclose(found.seconds, [0.2, 0.4])
    np.testing.assert_allclose(found.values, [2.5, 5.0])


def test_a_counter_that_was_set_back_tells_no_power_there(make_run):
    found = drawn(timeline(make_run([], traces=(sampled({"psys": [900, 1000, 5, 105]}, unit="mJ"),))), "power")["psys"]
    np.testing.assert_allclose(found.values, [1.0, 1.0])
    np.testing.assert_allclose(found.seconds, [0.1, 0.3])


@pytest.mark.parametrize(
    ("readings", "shown"),
    [
        ([1000, 2000, 3000], [1, 2, 3]),
        ([1000, NAN, 3000], [1, 3]),
        ([1000, NAN, NAN, 4000], [1, 4]),
        ([1000, NAN, NAN, NAN, 5000], [1, NAN, 5]),
        ([NAN, NAN, NAN, NAN, 5000, 6000], [5, 6]),
    ],
)
def test_only_a_gap_longer_than_three_periods_breaks_the_line(make_run, readings, shown):
    found = drawn(timeline(make_run([], traces=(sampled({"rail": readings}),))), "power")["rail"]
    np.testing.assert_array_equal(found.values, shown)
    assert (np.diff(found.seconds) > 0).all()


def test_samples_that_never_came_break_the_line_too(make_run):
    trace = sampled({"rail": [1000, 2000, 3000]}, time_ns=[0, 100 * MS, 450 * MS])
    found = drawn(timeline(make_run([], traces=(trace,))), "power")["rail"]
    np.testing.assert_array_equal(found.values, [1, 2, NAN, 3])


def test_a_channel_that_told_nothing_is_no_line(make_run):
    found = timeline(make_run([], traces=(sampled({"off": [NAN, NAN], "on": [1000, 1000]}),)))
    assert list(drawn(found, "power")) == ["on"]


def test_clock_limits_are_lines_only_where_somebody_moved_them(make_run):
    clocks = {"gpu.cur": [600_000, 500_000], "gpu.min": [300_000, 600_000], "gpu.max": [600_000, 600_000]}
    found = drawn(timeline(make_run([], traces=(sampled(clocks, unit="kHz"),))), "clock")
    assert {name: one.limit for name, one in found.items()} == {"gpu.cur": False, "gpu.min": True}


def test_lines_that_would_hide_each_other_are_one(make_run):
    clocks = {"cpu0.cur": [600_000, 500_000], "cpu1.cur": [600_000, 500_000], "cpu2.cur": [600_000, 600_000]}
    found = drawn(timeline(make_run([], traces=(sampled(clocks, unit="kHz"),))), "clock")
    assert list(found) == ["cpu0.cur (+1 alike)", "cpu2.cur"]


def test_channels_of_one_name_are_told_apart_by_their_probe(make_run):
    traces = (sampled({"VDD_IN": [1000, 1000]}, probe="left"), sampled({"VDD_IN": [2000, 2000]}, probe="right"))
    assert list(drawn(timeline(make_run([], traces=traces)), "power")) == ["left/VDD_IN", "right/VDD_IN"]


def test_a_throttle_event_is_every_rise_of_its_counter(make_run):
    trace = sampled({"oc1": [3, 3, 3, 3], "oc2": [7, 8, NAN, 11], "oc3": [5, 0, 0, 2]}, unit="events", probe="throttle")
    found = timeline(make_run([], traces=(trace,)))
    assert list(found.throttles) == ["throttle/oc2", "throttle/oc3"]
    np.testing.assert_allclose(found.throttles["throttle/oc2"], [0.1, 0.3])
    assert [one.count for one in throttles(trace)] == [1.0, 3.0, 2.0]


def test_the_slowest_frame_of_a_long_run_is_drawn(make_run):
    frames = np.full(20_000, 5 * MS)
    frames[12_345] = 90 * MS
    shown = drawn(timeline(make_run(frames)), "latency")["frame"]
    assert len(shown.values) <= 2000
    assert shown.values.max() == 90.0
    assert shown.seconds[shown.values.argmax()] == pytest.approx(12_345 * 0.005)


READINGS = arrays.arrays(np.float64, st.integers(0, 3000), elements=st.sampled_from([NAN, 0.0, 1.0, 5.5, 7.0, 1e9]))


@given(READINGS, st.integers(3, 600))
def test_thinning_keeps_order_extremes_and_breaks_within_the_limit(values, limit):
    kept = thinned(values, limit)
    assert len(kept) <= max(limit, 3)
    assert (np.diff(kept) > 0).all()
    known = values[np.isfinite(values)]
    if len(known):
        assert np.nanmin(values[kept]) == known.min()
        assert np.nanmax(values[kept]) == known.max()
    assert np.isnan(values[kept]).any() == np.isnan(values).any()


@given(READINGS)
def test_few_values_are_all_kept(values):
    np.testing.assert_array_equal(thinned(values, len(values)), np.arange(len(values)))
