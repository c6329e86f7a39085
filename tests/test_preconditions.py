"""What a profile asks of a device's state: each knob wrong before, during and after, or told by nobody."""

from __future__ import annotations

import numpy as np
import pytest
from traces import BEGIN_S, END_S, run_of, trace

from harness.preconditions import faults, passing_faults
from harness.profile import Conditions
from harness.telemetry import Channel, empty_trace

GOOD = {"power_mode": "15W", "pinned": {"cpu": True, "gpu": True}, "governors": "performance", "online_cores": [0, 1]}
WANTED = Conditions(power_mode="15W", clocks_pinned=True, governor="performance", online_cores=(0, 1))


def told(before=GOOD, after=GOOD, probe="clocks"):
    return trace({Channel("cpu0.cur", "kHz"): 1_500_000.0}, probe=probe, facts=before, facts_after=after)


def plain(*traces, wanted=None, **changes):
    return faults(run_of(*traces, rule=None, **changes), wanted or Conditions())


def test_a_device_as_the_profile_asks_has_no_fault():
    assert plain(told(), wanted=WANTED) == []


KNOBS = [
    ({"power_mode": "MAXN"}, "power_mode {} the frames: MAXN, the profile wants 15W (sudo nvpmodel -m ID)"),
    ({"pinned": {"cpu": True, "gpu": False}},
     "clocks {} the frames: gpu not pinned, the profile wants pinned (--pin-clocks)"),
    ({"pinned": {"cpu": False, "gpu": False}},
     "clocks {} the frames: cpu, gpu not pinned, the profile wants pinned (--pin-clocks)"),
    ({"governors": "schedutil"},
     "governor {} the frames: schedutil, the profile wants performance (--pin-clocks)"),
    ({"governors": {"cpu0": "performance", "cpu4": "powersave"}},
     "governor {} the frames: {{'cpu0': 'performance', 'cpu4': 'powersave'}}, the profile wants performance"
     " (--pin-clocks)"),
    ({"online_cores": [0]},
     "online_cores {} the frames: [0], the profile wants [0, 1] (nvpmodel decides on a Jetson)"),
    ({"power_mode": None}, "power_mode {} the frames: nobody told, the profile wants 15W (sudo nvpmodel -m ID)"),
    ({"pinned": {"cpu": None}}, "clocks {} the frames: nobody told, the profile wants pinned (--pin-clocks)"),
    ({"pinned": {}}, "clocks {} the frames: nobody told, the profile wants pinned (--pin-clocks)"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "sentence"), KNOBS)
def test_a_wrong_knob_is_named_with_when_it_was_so_and_what_to_do(wrong, sentence):
    bad = {**GOOD, **wrong}
    assert plain(told(before=bad), wanted=WANTED) == [sentence.format("before")]
    assert plain(told(after=bad), wanted=WANTED) == [sentence.format("after")]
    assert plain(told(bad, bad), wanted=WANTED) == [sentence.format("before"), sentence.format("after")]


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in KNOBS])
def test_a_knob_that_the_profile_does_not_name_may_be_as_it_is(wrong):
    assert plain(told({**GOOD, **wrong}, {**GOOD, **wrong})) == []


@pytest.mark.parametrize("traces", [[], [empty_trace("clocks", "permission denied")]])
def test_what_nobody_told_is_not_what_the_profile_asks(traces):
    said = plain(*traces, wanted=WANTED)
    knobs = ["power_mode", "online_cores", "governor", "clocks"]
    assert [one.partition(" ")[0] for one in said] == [knob for knob in knobs for _ in ("before", "after")]
    assert all("nobody told" in one for one in said)


def test_a_clock_that_cannot_be_read_leaves_the_others_to_tell():
    assert plain(told({"pinned": {"cpu": True, "emc": None}}, GOOD), wanted=Conditions(clocks_pinned=True)) == []


def test_the_first_sensor_that_knows_a_knob_tells_it():
    ignorant = told({"power_mode": None}, {"power_mode": None}, probe="tegrastats")
    assert plain(ignorant, told(), wanted=WANTED) == []


HEAT = Channel("tj", "C")


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({HEAT: 49.0}, None),
        ({HEAT: 50.0}, None),
        ({HEAT: lambda at_s: 45 + at_s}, None),
        ({HEAT: 50.1}, "temperature at the start: 50.1 C, at most 50 C: let it cool"),
        ({HEAT: 40.0, Channel("gpu", "C"): 71.0}, "temperature at the start: 71.0 C, at most 50 C: let it cool"),
        ({HEAT: np.nan}, "temperature at the start: nobody told, and the profile has max_start_c"),
        ({Channel("VDD_IN", "mW"): 90.0}, "temperature at the start: nobody told, and the profile has max_start_c"),
    ],
)
def test_a_device_starts_no_hotter_than_the_profile_allows(columns, sentence):
    assert plain(trace(columns), wanted=Conditions(max_start_c=50)) == ([sentence] if sentence else [])
    assert plain(trace(columns)) == []


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"swap_used_bytes": 0}, None),
        ({"swap_used_bytes": 8 * 2**20}, None),
        ({"swap_used_bytes": 9 * 2**20}, "swap: 9 MiB in use, at most 8 MiB: sudo swapoff -a"),
        ({}, "swap: nobody told, and the profile has max_swap_mib"),
    ],
)
def test_no_more_is_swapped_than_the_profile_allows(marks, sentence):
    assert plain(marks=marks, wanted=Conditions(max_swap_mib=8)) == ([sentence] if sentence else [])
    assert plain(marks=marks) == []


def from_on(at_s: float, before: float, after: float):
    return lambda times: np.where(times < at_s - 1e-6, before, after)


def within(start_s: float, end_s: float, value: float, otherwise: float = 0.0):
    return lambda times: np.where((times > start_s - 1e-6) & (times < end_s + 1e-6), value, otherwise)


MIDDLE_S = (BEGIN_S + END_S) / 2
OC1, OC2, OC3 = (Channel(f"oc{number}", "events") for number in (1, 2, 3))
ALERT = Channel("cpu-throttle-alert", "state")
LOWEST, HIGHEST, NOW = (Channel(f"cpu0.{what}", "kHz") for what in ("min", "max", "cur"))


@pytest.mark.parametrize(
    ("channel", "values", "sentence"),
    [
        (OC1, 7.0, None),
        (OC1, from_on(MIDDLE_S, 7, 9), "throttled: oc1 rose by 2 while frames ran"),
        (OC2, from_on(MIDDLE_S, 0, 1), "throttled: oc2 rose by 1 while frames ran"),
        (Channel("core_throttle", "events"), from_on(MIDDLE_S, 0, 1),
         "throttled: core_throttle rose by 1 while frames ran"),
        (OC1, from_on(3, 7, 9), None),
        (OC1, from_on(29, 7, 9), None),
        (ALERT, 0.0, None),
        (ALERT, within(MIDDLE_S, MIDDLE_S, 1), "throttled: cpu-throttle-alert was on while frames ran"),
        (ALERT, within(2, 3, 2), None),
        (LOWEST, from_on(MIDDLE_S, 2e6, 7e5), "clocks: cpu0.min went from 2000000 to 700000 kHz while frames ran"),
        (HIGHEST, within(MIDDLE_S, MIDDLE_S, 7e5, 2e6),
         "clocks: cpu0.max went from 2000000 to 700000 kHz while frames ran"),
        (LOWEST, from_on(2, 2e6, 7e5), None),
        (NOW, from_on(MIDDLE_S, 2e6, 7e5), None),
        (Channel("gpu.min", "MHz"), from_on(MIDDLE_S, 2, 1), None),
        (LOWEST, np.nan, None),
        (OC1, np.nan, None),
    ],
)  # fmt: skip
def test_what_throttles_or_moves_a_clock_while_frames_run_is_named(channel, values, sentence):
    run = run_of(trace({channel: values}), rule=None)
    assert faults(run, Conditions()) == passing_faults(run, Conditions()) == ([sentence] if sentence else [])


@pytest.mark.parametrize("channel", [OC1, LOWEST])
@pytest.mark.parametrize(
    ("at_s", "seen"),
    [(BEGIN_S - 0.05, False), (BEGIN_S, True), (END_S, True), (END_S + 0.05, True), (END_S + 0.1, False)],
)
def test_a_change_beside_the_frames_counts_where_one_sample_cannot_tell_it_from_one_within(channel, at_s, seen):
    assert bool(plain(trace({channel: from_on(at_s, 1, 2)}))) is seen


@pytest.mark.parametrize(
    ("events", "allowed", "sentence"),
    [
        (1000, None, None),
        (199, 10, None),
        (200, 10, None),
        (202, 10, "throttled: oc3 rose by 202 while frames ran"),
    ],
)
def test_oc3_counts_by_its_rate_only(events, allowed, sentence):
    for channel in (OC3, Channel("soctherm.oc3", "events")):
        said = plain(trace({channel: from_on(MIDDLE_S, 5, 5 + events)}), wanted=Conditions(max_oc3_per_s=allowed))
        assert said == ([sentence.replace("oc3", channel.name)] if sentence else [])


def test_a_counter_whose_name_only_looks_like_oc3_counts_at_once():
    assert plain(trace({Channel("oc31", "events"): from_on(MIDDLE_S, 0, 1)}))


def test_a_change_is_found_although_a_sample_is_silent_in_between():
    def silent(at_s):
        return np.where(np.abs(at_s - MIDDLE_S) < 1, np.nan, np.where(at_s < MIDDLE_S, 0, 3))

    assert plain(trace({OC1: silent})) == ["throttled: oc1 rose by 3 while frames ran"]


def test_a_sampler_that_died_is_no_clean_run():
    dead = trace({OC1: 0.0}, ended="the sampler died (signal 9)", told_s=15)
    assert plain(dead) == ["sensors: the sampler died (signal 9)"]


def test_a_state_may_come_again_and_is_not_worth_another_try():
    run = run_of(trace({HEAT: 80.0}, facts={"power_mode": "MAXN"}), rule=None)
    wanted = Conditions(power_mode="15W", max_start_c=50, max_swap_mib=0)
    assert len(faults(run, wanted)) == 4
    assert passing_faults(run, wanted) == []


def test_without_sensors_nothing_is_said_where_nothing_is_asked():
    assert plain() == plain(empty_trace("throttle", "no such file")) == []
    assert plain(trace({OC1: from_on(MIDDLE_S, 0, 1)}), phases={}) == []
