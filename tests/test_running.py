"""A session of fresh processes whose sensors fail: measured again, kept, and never a pass."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from harness.case import Case
from harness.energy import Energy
from harness.errors import HarnessError
from harness.profile import Conditions
from harness.remember import records, run_record
from harness.running import Runner
from harness.telemetry import PowerRule, Telemetry

FP32 = Case("simulated", "eyes", "fp32", "simulated")
RULE = PowerRule("simulated", "board", ("VDD_SIM",), "SIMULATED")
SENSORS = Telemetry({"board": {"kind": "simulated"}}, RULE, window_s=10, idle_s=5)
DIED = "the simulated sampler died"
OUTCOMES = {
    "": ("PASS", "PASS"),
    "dies": ("INVALID", "INVALID"),
    "throttled": ("INVALID", "INVALID"),
    "reclocked": ("INVALID", "INVALID"),
    "gaps": ("INVALID", "INVALID"),
}
PASSING = {
    "dies": f"sensors: {DIED}",
    "throttled": "throttled: oc1 rose by 3 while frames ran",
    "reclocked": "clocks: cpu0.min went from 2000000 to 700000 kHz while frames ran",
    "gaps": "sensors: board told nothing for ",
}
POWER = {"dies": f"power: {DIED}", "gaps": "power: "}
AGAIN = "; it was so when measured again too (INFRA: the device or its surroundings, not the model)"


def checked(session, *metrics):
    return [session.check(FP32, metric)[0] for metric in metrics]


@pytest.mark.parametrize("fault", OUTCOMES)
def test_a_sensor_that_fails_makes_what_hangs_on_it_invalid(make_session, make_model, fault):
    session = make_session(make_model(sensor_fault=fault))
    power, latency = checked(session, "net_power_w", "frame_p99_ms")
    assert (power.outcome, latency.outcome) == OUTCOMES[fault]
    assert session.check(FP32, "peak_memory_mb")[0].outcome == "PASS"
    again = fault in PASSING
    assert {power.error_class, latency.error_class} == ({"INFRA"} if again else {""})
    assert len(session.measurement(FP32).discarded) == again
    assert len(session.notes) == again
    if again:
        assert session.notes[0].startswith(f"{FP32.key}: measured again, since {PASSING[fault]}")
        assert latency.sentence.startswith(PASSING[fault])
        assert power.sentence.startswith(POWER.get(fault, PASSING[fault]))
        assert power.sentence.endswith(AGAIN)
        assert latency.sentence.endswith(AGAIN)


def test_a_sensor_with_gaps_says_how_many_samples_came_and_how_long_none_did(make_session, make_model):
    power, latency = checked(make_session(make_model(sensor_fault="gaps")), "net_power_w", "frame_p99_ms")
    assert re.match(r"power: \d+ of \d+ samples came, the longest gap is \d\.\d\d s; ", power.sentence)
    assert re.match(r"sensors: board told nothing for \d\.\d\d s while frames ran;", latency.sentence)
    assert power.value is None


def test_a_sensor_that_is_not_there_costs_the_power_and_where_nothing_else_is_asked_no_latency(
    make_session, make_model
):
    session = make_session(make_model(sensor_fault="missing"), conditions=Conditions())
    power, latency = checked(session, "net_power_w", "frame_p99_ms")
    assert (power.outcome, power.sentence) == ("INVALID", "power: the simulated sensor cannot be opened")
    assert latency.outcome == "PASS"
    assert session.notes == []


def test_what_a_missing_sensor_cannot_say_about_the_conditions_makes_speed_invalid_and_is_not_tried_again(
    make_session, make_model
):
    session = make_session(make_model(sensor_fault="missing"))
    power, latency = checked(session, "net_power_w", "frame_p99_ms")
    assert {power.outcome, latency.outcome} == {"INVALID"}
    assert power.error_class == latency.error_class == ""
    assert power.sentence == "power: the simulated sensor cannot be opened"
    assert latency.sentence.startswith("power_mode before the frames: nobody told, the profile wants SIMULATED")
    assert session.measurement(FP32).discarded == ()


@pytest.mark.parametrize(
    ("behaviour", "wanted", "sentence"),
    [
        ({}, Conditions(power_mode="15W"), "power_mode before the frames: SIMULATED, the profile wants 15W"),
        ({}, Conditions(governor="performance"), "governor before the frames: simulated, the profile wants"),
        ({}, Conditions(online_cores=(0, 1)), "online_cores before the frames: [0], the profile wants [0, 1]"),
        ({"temperature_c": 71.5}, Conditions(max_start_c=60),
         "temperature at the start: 71.5 C, the profile allows 60 C"),
        ({"background_share": 0.04}, Conditions(max_background_percent=3),
         "load of others: 4 %, the profile allows 3 %"),
    ],
)  # fmt: skip
def test_a_device_that_is_not_as_its_profile_asks_is_not_judged(make_session, make_model, behaviour, wanted, sentence):
    session = make_session(make_model(**behaviour), conditions=wanted)
    for verdict in checked(session, "net_power_w", "frame_p99_ms"):
        assert (verdict.outcome, verdict.error_class) == ("INVALID", "")
        assert verdict.sentence.startswith(sentence)
    assert session.check(FP32, "peak_memory_mb")[0].outcome == "PASS"


def test_a_device_that_became_too_hot_twice_is_no_fault_of_the_model(make_session, make_model):
    session = make_session(make_model(warming_c_per_s=2.0), conditions=Conditions(max_c=70))
    for verdict in checked(session, "net_power_w", "frame_p99_ms"):
        assert (verdict.outcome, verdict.error_class) == ("INVALID", "INFRA")
        assert verdict.sentence.startswith("temperature: ")


def test_net_power_beside_load_in_the_idle_times_is_not_judged(make_session, make_model):
    session = make_session(make_model(background_share=0.06))
    (power,) = checked(session, "net_power_w")
    assert power.outcome == "INVALID"
    assert power.sentence.startswith("other load took more than 5 % of the cores while power was measured")


@pytest.mark.parametrize(("power", "idle_s"), [(RULE, 10), (None, None)])
def test_the_load_of_others_is_told_of_both_idle_times_together(runner, make_job, quick, power, idle_s):
    one, _ = runner(quick)
    job = make_job({"background_share": 0.04}, telemetry=replace(SENSORS, power=power))
    (run,) = one.session(job).runs
    assert ("idle_background_ns" in run.marks) is ("idle_capacity_ns" in run.marks) is (power is not None)
    if power:
        assert run.marks["idle_capacity_ns"] == pytest.approx(1e9 * idle_s, rel=1e-3)
        assert run.marks["idle_background_ns"] == pytest.approx(0.04 * run.marks["idle_capacity_ns"], rel=1e-3)


def test_a_simulated_frame_takes_the_net_power_that_its_file_says(make_session, make_model):
    session = make_session(make_model(infer_mj=50.0, idle_mw=2500.0))
    (power,) = checked(session, "net_power_w")
    net_w, uncertainty_w = session.measurement(FP32).net_power_w
    assert abs(net_w - 30 * 0.05) <= uncertainty_w < 0.2 * net_w
    assert power.outcome == "PASS"
    (energy,) = session.measurement(FP32).energies
    assert energy.idle_w == pytest.approx(2.5, abs=0.02)


def test_the_history_keeps_a_disturbed_session_beside_the_one_that_replaced_it(make_session, make_model, quick):
    session = make_session(make_model(sensor_fault="throttled"), plan=replace(quick, runs=2))
    session.measurement(FP32)
    first, second = records(session, run_record(session, "pytest", "check", "", selected=False, refused={}))
    assert (first.valid, second.valid) == (False, False)
    assert (len(first.runs), len(second.runs)) == (2, 2)
    assert first.verdicts == ()


@pytest.fixture
def runner(make_session, make_model):
    """A Runner of a plan of two processes, and the notes that it makes; `progress` hears of every phase."""

    def make(plan, progress=lambda *said: None, **profile):
        notes = []
        setup = make_session(make_model(), plan=plan, **profile).setup
        return Runner(setup=setup, progress=progress, note=notes.append), notes

    return make


def test_each_session_counts_its_processes_on_and_has_the_energy_of_its_first(runner, make_job, quick):
    two, _ = runner(replace(quick, runs=2))
    job = make_job({"infer_mj": 20.0}, telemetry=SENSORS)
    for first in (0, 2):
        attempt = two.session(job, first)
        assert attempt.discarded == ()
        assert ["power" in run.facts for run in attempt.runs] == [True, False]
        assert [len(run.traces) for run in attempt.runs] == [1, 1]
    folders = {one.parent.name for one in two.setup.work.rglob("run.npz")}
    assert folders == {"run-1-of-2", "run-2-of-2", "run-3-of-4", "run-4-of-4"}


def test_a_fault_that_is_gone_at_the_second_try_leaves_good_runs_and_the_discarded_ones(
    runner, make_job, quick, tmp_path
):
    job = make_job({"sensor_fault": "throttled"}, telemetry=SENSORS)

    def cool_down(case, phase, done, total):
        if phase.endswith("measuring"):
            (tmp_path / "model.sim").write_text(json.dumps({}), encoding="utf-8")

    two, notes = runner(replace(quick, runs=1), cool_down)
    attempt = two.session(job)
    assert notes == [f"{FP32.key}: measured again, since {PASSING['throttled']}"]
    assert [max(run.traces[0].column("oc1")) for run in (*attempt.discarded, *attempt.runs)] == [3, 0]


def test_a_device_that_stays_disturbed_is_measured_twice_and_not_more(runner, make_job, quick):
    two, notes = runner(replace(quick, runs=2))
    attempt = two.session(make_job({"sensor_fault": "reclocked"}, telemetry=SENSORS))
    assert (len(attempt.runs), len(attempt.discarded), len(notes)) == (2, 2, 1)


def test_a_plan_that_judges_no_speed_measures_nothing_again(runner, make_job, quick):
    plan = replace(quick, judges_speed=False)
    smoke, notes = runner(plan)
    attempt = smoke.session(make_job({"sensor_fault": "dies"}, plan=plan, telemetry=replace(SENSORS, power=None)))
    assert (attempt.discarded, notes) == ((), [])
    assert attempt.runs[0].traces[0].ended == DIED


@pytest.mark.parametrize("power", [RULE, None])
def test_a_job_without_a_power_rule_has_no_idle_phases(runner, make_job, quick, power):
    one, _ = runner(quick)
    (run,) = one.session(make_job(telemetry=replace(SENSORS, power=power))).runs
    assert set(run.facts["phases"]) == ({"idle_before", "frames", "idle_after"} if power else {"frames"})


def test_a_nearly_full_disk_is_told_before_anything_is_measured(runner, make_job, quick):
    heard = []
    full, _ = runner(quick, lambda *said: heard.append(said), conditions=Conditions(min_free_disk_mib=1e9))
    with pytest.raises(HarnessError, match=r"MiB of disk are free, 1e\+09 MiB are wanted before anything is measured"):
        full.session(make_job())
    assert heard == []


def test_the_energy_of_a_real_session_crosses_the_wire(make_session, make_model):
    session = make_session(make_model())
    (found,) = session.measurement(FP32).energies
    assert isinstance(found, Energy)
    assert found.rule == PowerRule("simulated board input", "board", ("VDD_SIM",), "SIMULATED")
    assert found.seconds > 9.5
