"""What cannot be seen is never green: the questions of a soak over made runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.measurement import Measurement
from harness.plans import PLANS
from harness.questions.soak import SOAK_QUESTIONS
from harness.rules import Outcome, decide
from harness.soak.simulated import Planted, simulated_soak
from tests.conftest import CASE

PASS, FAIL, INCONCLUSIVE, INVALID = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.INVALID
BUSY = {"background_ns": 9e9, "capacity_ns": 60e9}


@pytest.fixture
def asked(make_run):
    """All answers about a simulated soak; changes are those of its run."""

    def ask(planted=None, plan=PLANS["soak"], traces=lambda told: told, minutes=10.0, **changes):
        soak = simulated_soak(1, planted or Planted(), minutes=minutes)
        run = make_run(soak.latency_ns, **changes)
        run = replace(run, start_ns=soak.due_ns, traces=traces(soak.traces))
        measurement = Measurement(case=CASE, plan=plan, runs=(run,))
        return {name: question(measurement)[0] for name, question in SOAK_QUESTIONS.items()}

    return ask


def without(*probes):
    return lambda told: tuple(one for one in told if one.probe not in probes)


def cut(probe):
    """Its samples end half-way."""

    def shorten(told):
        return tuple(
            replace(one, time_ns=one.time_ns[:600], values=one.values[:600]) if one.probe == probe else one
            for one in told
        )

    return shorten


@pytest.mark.parametrize(
    ("planted", "failed"),
    [
        (Planted(), set()),
        (Planted(leak_kb=100), {"memory_leak"}),
        (Planted(slower=0.3), {"latency_drift", "throttling"}),
        (Planted(slower=0.3, sensors=False), {"latency_drift"}),
        (Planted(drift=0.15), {"latency_drift"}),
        (Planted(stall_ms=1000), {"stalls"}),
        (Planted(stall_ms=1000, stalls_at_s=(222.0,)), {"stalls"}),
    ],
)
def test_each_fault_fails_its_own_question(asked, planted, failed):
    assert {name for name, one in asked(planted).items() if one.outcome is FAIL} == failed


@pytest.mark.parametrize(
    ("traces", "question", "words"),
    [
        (without("clocks", "throttle"), "throttling", "not looked at: no sensor told clocks or throttle states"),
        (lambda told: (), "throttling", "not looked at"),
        (without("device_memory"), "memory_leak", "not judged, nobody sampled the memory of the process"),
        (cut("device_memory"), "memory_leak", "not told in every minute"),
        (lambda told: cut("clocks")(cut("throttle")(told)), "throttling", "not looked at"),
    ],
)
def test_without_its_sensor_a_question_is_not_answered(asked, traces, question, words):
    found = asked(traces=traces)[question]
    assert found.outcome is INCONCLUSIVE
    assert words in found.sentence


@pytest.mark.parametrize(("missing", "words"), [("throttle", "nobody told throttle states"), ("clocks", "told clocks"),
                                                ("thermal", "nobody told a temperature")])  # fmt: skip
def test_a_pass_says_what_nobody_could_see(asked, missing, words):
    found = asked(traces=without(missing))["throttling"]
    assert found.outcome is PASS
    assert words in found.sentence


def test_a_throttle_without_a_step_of_latency_is_a_throttle(asked):
    def throttled(told):
        return tuple(replace(one, values=np.ones_like(one.values)) if one.probe == "throttle" else one for one in told)

    found = asked(traces=throttled)["throttling"]
    assert found.outcome is FAIL
    assert "throttle/thermal at work in 100 % of its samples, first in minute 1" in found.sentence


def test_a_drift_while_the_clocks_fall_is_a_throttle(asked):
    def falling(told):
        slower = np.linspace(1, 1 / 1.3, 1200)[:, None]
        return tuple(replace(one, values=one.values * slower) if one.probe == "clocks" else one for one in told)

    found = asked(Planted(drift=0.3), traces=falling)
    assert {name for name, one in found.items() if one.outcome is FAIL} == {"latency_drift", "throttling"}
    assert "throttle by and by: median drifts from" in found["throttling"].sentence
    assert asked(Planted(drift=0.3))["throttling"].outcome is PASS


def test_what_becomes_quicker_is_told_and_passes(asked):
    found = asked(Planted(slower=-0.2))["latency_drift"]
    assert found.outcome is PASS
    assert found.sentence.startswith("neither the median nor P99 rose for good")
    assert "median fell from" in found.sentence


@pytest.mark.parametrize(("planted", "question"), [(Planted(drift=0.3), "latency_drift"),
                                                   (Planted(stall_ms=1000), "stalls")])  # fmt: skip
def test_what_other_load_may_have_done_is_no_failure_and_still_told(asked, planted, question):
    quiet, busy = asked(planted)[question], asked(planted, marks=BUSY)[question]
    assert (quiet.outcome, busy.outcome) == (FAIL, INVALID)
    assert busy.sentence.startswith(quiet.sentence)
    assert "other load took 15 % of the cores" in busy.sentence


def test_other_load_excuses_no_leak(asked):
    assert asked(Planted(leak_kb=100), marks=BUSY)["memory_leak"].outcome is FAIL


def test_a_short_plan_says_that_it_is(asked):
    for found in asked(plan=PLANS["standard"]).values():
        assert found.outcome is INCONCLUSIVE
        assert "the plan standard asks for 0 s" in found.sentence


def test_a_soak_that_was_cut_short_passes_nothing(asked):
    for found in asked(minutes=8.0).values():
        assert found.outcome is INCONCLUSIVE
        assert found.sentence.startswith("only 480 s of the 600 s of the plan were measured")


def test_a_leak_has_its_number_and_limit(asked):
    found = asked(Planted(leak_kb=100))["memory_leak"]
    assert found.value == pytest.approx(100, rel=0.05)
    assert (found.unit, found.limit, found.gate) == ("kB", 1.0, True)


def test_every_answer_can_be_decided_again(asked):
    for found in asked(Planted(drift=0.3, leak_kb=100), marks=BUSY).values():
        assert decide(found.rule, found.inputs).outcome is found.outcome


def test_a_plan_that_never_judges_speed_judges_leaks_only(asked):
    found = asked(Planted(leak_kb=100, drift=0.3), plan=replace(PLANS["soak"], judges_speed=False))
    assert (found["latency_drift"].outcome, found["memory_leak"].outcome) == (INCONCLUSIVE, FAIL)


def test_of_several_processes_the_worst_counts(make_run):
    runs = []
    for planted in (Planted(), Planted(stall_ms=1000), Planted()):
        soak = simulated_soak(1, planted)
        runs.append(replace(make_run(soak.latency_ns), start_ns=soak.due_ns, traces=soak.traces))
    (found,) = SOAK_QUESTIONS["stalls"](Measurement(case=CASE, plan=PLANS["soak"], runs=tuple(runs)))
    assert found.outcome is FAIL
