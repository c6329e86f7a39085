"""What a profile asks of a device's state: each knob wrong before, during and after, or told by nobody."""

from __future__ import annotations

import numpy as np
import pytest
from traces import BEGIN_S, END_S, run_of, trace

from harness.case import Arrivals
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
    ({"power_mode": None}, "power_mode {} the frames: nobody told, the profile wants 15W (harness doctor says why)"),
    ({"pinned": {"cpu": None}},
     "clocks {} the frames: nobody told, the profile wants pinned (harness doctor says why)"),
    ({"pinned": {}}, "clocks {} the frames: nobody told, the profile wants pinned (harness doctor says why)"),
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
    assert all("nobody told" in one and "(harness doctor says why)" in one for one in said)


def test_a_clock_that_cannot_be_read_leaves_the_others_to_tell():
    assert plain(told({"pinned": {"cpu": True, "emc": None}}, GOOD), wanted=Conditions(clocks_pinned=True)) == []


def test_the_first_sensor_that_knows_a_knob_tells_it():
    ignorant = told({"power_mode": None}, {"power_mode": None}, probe="tegrastats")
    assert plain(ignorant, told(), wanted=WANTED) == []


HEAT, GPU = Channel("tj", "C"), Channel("gpu", "C")
UNTOLD = "{}: nobody told, the profile allows {} (harness doctor says why)"
TOO_HOT = "temperature: {:g} C, the profile allows 70 C: look for its fan, or take a lower power mode"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({HEAT: 49.0}, None),
        ({HEAT: 50.0}, None),
        ({HEAT: lambda at_s: 45 + at_s}, None),
        ({HEAT: 50.1}, "temperature at the start: 50.1 C, the profile allows 50 C: let it cool"),
        ({HEAT: 40.0, GPU: 71.0}, "temperature at the start: 71 C, the profile allows 50 C: let it cool"),
        ({HEAT: np.nan}, UNTOLD.format("temperature at the start", "50 C")),
        ({Channel("VDD_IN", "mW"): 90.0}, UNTOLD.format("temperature at the start", "50 C")),
    ],
)
def test_a_device_starts_no_hotter_than_the_profile_allows(columns, sentence):
    assert plain(trace(columns), wanted=Conditions(max_start_c=50)) == ([sentence] if sentence else [])
    assert plain(trace(columns)) == []


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({HEAT: 70.0}, None),
        ({HEAT: lambda at_s: np.where(at_s == 15, 70.5, 40.0)}, TOO_HOT.format(70.5)),
        ({HEAT: lambda at_s: np.where(at_s == 30, 71.0, np.nan)}, TOO_HOT.format(71)),
        ({HEAT: 40.0, GPU: 90.0}, TOO_HOT.format(90)),
        ({HEAT: np.nan}, UNTOLD.format("temperature", "70 C")),
        ({Channel("VDD_IN", "mW"): 90.0}, UNTOLD.format("temperature", "70 C")),
    ],
)
def test_a_device_is_at_no_time_hotter_than_the_profile_allows(columns, sentence):
    assert plain(trace(columns), wanted=Conditions(max_c=70)) == ([sentence] if sentence else [])
    assert plain(trace(columns)) == []


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"swap_used_bytes": 0}, None),
        ({"swap_used_bytes": 8 * 2**20}, None),
        ({"swap_used_bytes": 9 * 2**20}, "swap in use: 9 MiB, the profile allows 8 MiB: sudo swapoff -a"),
        ({}, UNTOLD.format("swap in use", "8 MiB")),
    ],
)
def test_no_more_is_swapped_than_the_profile_allows(marks, sentence):
    assert plain(marks=marks, wanted=Conditions(max_swap_mib=8)) == ([sentence] if sentence else [])
    assert plain(marks=marks) == []


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ({"background_ns": 0, "capacity_ns": 1e9}, None),
        ({"background_ns": 3e7, "capacity_ns": 1e9}, None),
        ({"background_ns": 3.5e7, "capacity_ns": 1e9}, "load of others: 3.5 %, the profile allows 3 %: stop it"),
        ({"background_ns": 0, "capacity_ns": 0}, UNTOLD.format("load of others", "3 %")),
        ({"capacity_ns": 1e9}, UNTOLD.format("load of others", "3 %")),
        ({}, UNTOLD.format("load of others", "3 %")),
    ],
)
def test_others_use_no_more_of_the_cores_than_the_profile_allows(marks, sentence):
    assert plain(marks=marks, wanted=Conditions(max_background_percent=3)) == ([sentence] if sentence else [])
    assert plain(marks=marks) == []


@pytest.mark.parametrize(
    ("free_mib", "wanted", "sentence"),
    [
        (64, Conditions(), None),
        (63, Conditions(), "free disk: 63 MiB, the profile wants 64 MiB: free some space"),
        (0, Conditions(), "free disk: 0 MiB, the profile wants 64 MiB: free some space"),
        (63, Conditions(min_free_disk_mib=0), None),
        (900, Conditions(min_free_disk_mib=1000), "free disk: 900 MiB, the profile wants 1000 MiB: free some space"),
    ],
)
def test_a_disk_that_filled_up_meanwhile_is_told(free_mib, wanted, sentence):
    assert plain(marks={"free_disk_bytes": free_mib * 2**20}, wanted=wanted) == ([sentence] if sentence else [])


def test_zero_is_a_limit_too():
    said = plain(
        trace({HEAT: 0.5}), marks={"swap_used_bytes": 2**20, "background_ns": 1e7, "capacity_ns": 1e9},
        wanted=Conditions(max_start_c=0, max_c=0, max_swap_mib=0, max_background_percent=0),
    )  # fmt: skip
    assert {one.partition(":")[0] for one in said} == {
        "temperature at the start", "temperature", "swap in use", "load of others",
    }  # fmt: skip


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
    [(BEGIN_S, False), (BEGIN_S + 0.05, True), (END_S, True), (END_S + 0.05, False)],
)
def test_what_changed_up_to_a_sample_at_the_very_first_frame_or_after_one_at_the_last_is_not_theirs(
    channel, at_s, seen
):
    assert bool(plain(trace({channel: from_on(at_s, 1, 2)}))) is seen


BETWEEN = {"frames": (6.02, 25.98)}


@pytest.mark.parametrize("channel", [OC1, LOWEST])
@pytest.mark.parametrize(("at_s", "seen"), [(6.0, False), (6.05, True), (25.95, True), (26.0, True), (26.05, False)])
def test_a_change_beside_the_frames_counts_where_one_sample_cannot_tell_it_from_one_within(channel, at_s, seen):
    assert bool(plain(trace({channel: from_on(at_s, 1, 2)}), phases=BETWEEN)) is seen


@pytest.mark.parametrize(
    ("channel", "values", "said"),
    [
        (OC1, from_on(20, 0, 4), "throttled: oc1 rose by 4 while frames ran"),
        (HIGHEST, from_on(20, 2e6, 7e5), "clocks: cpu0.max went from 2000000 to 700000 kHz while frames ran"),
        (ALERT, from_on(20, 0, 1), "throttled: cpu-throttle-alert was on while frames ran"),
        (OC1, from_on(10, 0, 4), None),
        (HIGHEST, from_on(30, 2e6, 7e5), None),
    ],
)
def test_frames_in_which_no_sample_lies_are_watched_by_those_around_them(channel, values, said):
    told = trace({channel: values}, period_s=10.0, told_s=40)
    assert plain(told, phases={"frames": (12, 18)}) == ([said] if said else [])


SILENT = "sensors: board told nothing for {} s while frames ran"


def lost(start_s: float, end_s: float):
    return lambda at_s: (at_s > start_s - 1e-6) & (at_s < end_s + 1e-6)


@pytest.mark.parametrize("channel", [OC1, OC3, ALERT, LOWEST, HIGHEST])
@pytest.mark.parametrize(
    ("silent", "told_s", "sentence"),
    [
        (lost(15, 15.05), 31, None),
        (lost(15, 15.1), 31, SILENT.format("0.20")),
        (lost(15, 20), 31, SILENT.format("5.10")),
        (lost(6, 6.1), 31, SILENT.format("0.20")),
        (lost(0, 6.1), 31, None),
        (lost(0, 6.15), 31, SILENT.format("0.20")),
        (lost(3, 5.95), 31, None),
        (lost(26.05, 29), 31, None),
        (None, 25.85, None),
        (None, 25.8, SILENT.format("0.20")),
        (lost(0, 40), 31, SILENT.format("20.00")),
    ],
)
def test_throttles_and_clock_limits_are_silent_for_no_more_than_three_periods(channel, silent, told_s, sentence):
    run = run_of(trace({channel: 0.0}, silent=silent, told_s=told_s), rule=None)
    assert faults(run, Conditions()) == passing_faults(run, Conditions()) == ([sentence] if sentence else [])


def test_a_silence_of_several_watched_channels_is_told_once_for_each_sensor():
    silent = lost(15, 16)
    one, other = (trace({OC1: 0.0, LOWEST: 0.0}, probe=probe, silent=silent) for probe in ("board", "other"))
    said = SILENT.format("1.10")
    assert plain(one, other) == [said, said.replace("board", "other")]


def test_a_silent_sensor_that_watches_nothing_is_no_fault():
    assert plain(trace({HEAT: 40.0, NOW: 2e6, Channel("VDD_IN", "mW"): 3000.0}, silent=lost(10, 20))) == []


@pytest.mark.parametrize("channel", [OC1, ALERT, LOWEST])
@pytest.mark.parametrize(
    ("from_s", "to_s", "fell"), [(20, 40, True), (26, 40, True), (26.05, 40, False), (15, 25.95, False), (0, 40, False)]
)
def test_a_watched_channel_that_was_known_and_is_not_at_the_end_fell_silent(channel, from_s, to_s, fell):
    def untold(at_s):
        return np.where(lost(from_s, to_s)(at_s), np.nan, 0.0)

    run = run_of(trace({channel: untold, HEAT: 40.0}), rule=None)
    fell = fell or (channel is ALERT and from_s == 15)  # a state is of the moment: nothing makes up for it later
    said = [f"sensors: board fell silent about {channel.name} while frames ran"] if fell else []
    assert faults(run, Conditions()) == passing_faults(run, Conditions()) == said


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


NO_OC3 = "oc3: nobody told, and the profile has max_oc3_per_s (harness doctor says why)"


@pytest.mark.parametrize(
    "traces",
    [
        [],
        [empty_trace("throttle", "no such file")],
        [trace({OC1: 0.0})],
        [trace({Channel("oc3", "C"): 0.0})],
        [trace({OC3: np.nan})],
    ],
)
def test_a_rate_of_oc3_that_no_sensor_tells_is_not_as_the_profile_asks(traces):
    assert plain(*traces, wanted=Conditions(max_oc3_per_s=10)) == [NO_OC3]
    assert plain(*traces) == []


def test_a_rate_of_oc3_that_no_sensor_tells_is_not_worth_another_try():
    assert passing_faults(run_of(trace({OC1: 0.0}), rule=None), Conditions(max_oc3_per_s=10)) == []


def test_one_of_two_sensors_that_tells_oc3_is_enough():
    assert plain(trace({OC1: 0.0}), trace({OC3: 5.0}, probe="soctherm"), wanted=Conditions(max_oc3_per_s=10)) == []


def test_a_counter_whose_name_only_looks_like_oc3_counts_at_once():
    assert plain(trace({Channel("oc31", "events"): from_on(MIDDLE_S, 0, 1)}))


def test_a_change_is_found_although_a_sample_is_silent_in_between():
    def silent(at_s):
        return np.where(np.abs(at_s - MIDDLE_S) < 1, np.nan, np.where(at_s < MIDDLE_S, 0, 3))

    assert plain(trace({OC1: silent})) == ["throttled: oc1 rose by 3 while frames ran"]


def test_a_sampler_that_died_is_no_clean_run():
    dead = trace({OC1: 0.0}, ended="the sampler died (signal 9)", told_s=15)
    assert plain(dead) == ["sensors: the sampler died (signal 9)", SILENT.format("11.00")]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (empty_trace("board", "the sampler was not ready in time", ended="the sampler was not ready in time"),
         ["sensors: the sampler was not ready in time"]),
        (empty_trace("board", "permission denied"), []),
    ],
)  # fmt: skip
def test_a_sampler_that_was_never_there_is_worth_another_try_and_a_sensor_is_not(told, said):
    assert plain(told) == passing_faults(run_of(told, rule=None), Conditions()) == said


def test_a_sampler_of_many_sensors_that_died_is_told_once():
    fault = "the sampler died at its start"
    assert plain(*(empty_trace(probe, fault, ended=fault) for probe in ("clocks", "throttle"))) == [f"sensors: {fault}"]


def test_a_state_may_come_again_and_is_not_worth_another_try():
    run = run_of(trace({HEAT: 80.0}, facts={"power_mode": "MAXN"}), rule=None)
    wanted = Conditions(power_mode="15W", max_start_c=50, max_swap_mib=0, max_background_percent=5)
    assert len(faults(run, wanted)) == 5
    assert passing_faults(run, wanted) == []


def test_a_device_that_became_too_hot_is_worth_another_try():
    run = run_of(trace({HEAT: 80.0}), rule=None)
    assert passing_faults(run, Conditions(max_c=70)) == faults(run, Conditions(max_c=70)) != []


def test_without_sensors_nothing_is_said_where_nothing_is_asked():
    assert plain() == plain(empty_trace("throttle", "no such file")) == []


def test_a_run_that_does_not_tell_when_its_frames_ran_is_not_clean_where_something_was_to_be_watched():
    assert plain(trace({OC1: 0.0}), phases={})[0].startswith("sensors: board told nothing for")
    assert plain(trace({HEAT: 40.0}), phases={}) == []


def at_pace(make_run, lateness_ms):
    due_ns = np.arange(300) * 20_000_000
    lateness_ns = np.full(300, round(lateness_ms * 1e6))
    camera = {"index": np.arange(300), "due_ns": due_ns, "lateness_ns": lateness_ns}
    return make_run(
        np.full(300, 10_000_000), start_ns=due_ns + lateness_ns, camera=camera,
        facts={"arrivals": vars(Arrivals(50.0))},
    )  # fmt: skip


@pytest.mark.parametrize(("lateness_ms", "late"), [(0.05, False), (0.19, False), (0.21, True), (3, True)])
def test_frames_that_come_late_themselves_are_another_experiment_and_worth_another_try(make_run, lateness_ms, late):
    found = passing_faults(at_pace(make_run, lateness_ms), Conditions())
    assert [one[:48] for one in found] == (["the frames did not come at the camera's pace: a "] if late else [])


def test_back_to_back_nobody_is_late(make_run):
    assert passing_faults(make_run(np.full(300, 10_000_000)), Conditions()) == []
