"""A session against sessions of before: what fails, what is void, what is only reported."""

from __future__ import annotations

import numpy as np
import pytest
from traces import BEGIN_S, END_S, nanoseconds, trace

from harness.case import Case, Plan
from harness.comparison import Earlier, improved, judge_change, session_log, split_check
from harness.lookback import settled
from harness.measurement import Measurement
from harness.profile import Conditions
from harness.rules import Outcome, decide
from harness.telemetry import Channel

CASE = Case("host", "eyes", "int8", "onnxruntime")
PLAN = Plan(name="standard", frames=400, runs=3)
TYPICAL_MS = 5.0
TOLERANCES = {"frame_p25_ms": 5.0, "peak_memory_mb": 3.0}
NO_SWAP = Conditions(max_swap_mib=8)
PHASES = {"phases": {"frames": nanoseconds([BEGIN_S, END_S]).tolist()}}
THROTTLED = trace({Channel("oc1", "events"): lambda at_s: at_s > 15.0})


@pytest.fixture
def sessions(make_run):
    """Measured sessions of 3 processes, whose frames take `ms` each and whose peak is `mb`."""

    def make(
        *session_ms: float, mb: float = 100.0, background: float = 0.0, known_work_ns: float = 1e6, plan: Plan = PLAN,
        swap_mib: float = 0.0, throttled: bool = False, **more,
    ):  # fmt: skip
        runs = tuple(
            make_run(
                np.full(plan.frames, ms * 1e6),
                marks={
                    "peak_steady_bytes": mb * 1e6, "background_ns": background * 1e9, "capacity_ns": 1e9,
                    "known_work_before_ns": known_work_ns, "known_work_after_ns": known_work_ns,
                    "swap_used_bytes": swap_mib * 2**20,
                },
                facts=PHASES, traces=(THROTTLED,) if throttled else (),
            )
            for ms in session_ms for _ in range(plan.runs)
        )  # fmt: skip
        return Measurement(case=CASE, plan=plan, runs=runs, **more)

    return make


def earlier(spread: float = 0.01, count: int = 12, **changes) -> Earlier:
    """An accepted baseline of sessions around 5 ms and 100 MB."""
    steps = spread * np.linspace(-1.5, 1.5, count)
    logs = {"frame_p25_ms": np.log(TYPICAL_MS) + steps, "peak_memory_mb": np.log(100.0) + 0 * steps}
    return Earlier(**{"name": "accepted baseline", "logs": logs, "known_work_ns": [1e6] * count, **changes})


def judged(measurement, before=None) -> dict:
    return {one.metric: one for one in judge_change(measurement, before or earlier(), TOLERANCES)}


def test_the_same_speed_and_memory_pass(sessions):
    found = judged(sessions(5.0, 5.01))
    assert {one.outcome for one in found.values()} == {Outcome.PASS}
    assert "proven within the tolerance" in found["frame_p25_ms"].sentence
    assert "it would have seen" in found["frame_p25_ms"].sentence


def test_a_proven_loss_fails_with_estimate_interval_and_clock(sessions):
    found = judged(sessions(5.5, 5.52, 5.48))["frame_p25_ms"]
    assert found.outcome is Outcome.FAIL
    assert found.change.percent == pytest.approx(10, abs=0.5)
    assert found.change.low_percent > 0
    assert "clock: wall time" in found.sentence
    assert "5.5 ms" in found.sentence


def test_more_memory_fails_although_the_time_is_good(sessions):
    found = judged(sessions(5.0, 5.0, mb=110.0))
    assert found["peak_memory_mb"].outcome is Outcome.FAIL
    assert found["frame_p25_ms"].outcome is Outcome.PASS


def test_a_noisy_baseline_leaves_one_session_open(sessions):
    assert judged(sessions(5.1), earlier(spread=0.04))["frame_p25_ms"].outcome is Outcome.INCONCLUSIVE


def test_a_disturbed_session_is_left_out(sessions):
    calm, loud = sessions(5.0, 5.0), sessions(9.0, background=0.4)
    both = Measurement(case=CASE, plan=PLAN, runs=(*calm.runs, *loud.runs))
    found = judged(both)["frame_p25_ms"]
    assert found.outcome is Outcome.PASS
    assert found.change.count == 2


def together(*parts, **more) -> Measurement:
    return Measurement(case=CASE, plan=PLAN, runs=tuple(run for one in parts for run in one.runs), **more)


@pytest.mark.parametrize("faulty", [{"swap_mib": 9.0}, {"throttled": True}])
def test_a_session_whose_device_was_not_as_its_profile_asks_is_left_out(sessions, faulty):
    both = together(sessions(5.0), sessions(9.0, mb=110.0, **faulty), sessions(5.0), wanted=NO_SWAP)
    found = judged(both)
    assert found["frame_p25_ms"].outcome is Outcome.PASS
    assert found["frame_p25_ms"].change.count == 2
    assert found["peak_memory_mb"].change.count == 3
    assert found["peak_memory_mb"].value == pytest.approx(103.2, rel=0.001)


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        ({"swap_mib": 9.0}, "swap in use: 9 MiB, the profile allows 8 MiB"),
        ({"throttled": True}, "throttled: oc1 rose by 1 while frames ran"),
    ],
)
def test_nothing_but_sessions_with_faults_are_invalid_with_the_fault(sessions, faulty, said):
    found = judged(sessions(9.0, 9.0, mb=110.0, wanted=NO_SWAP, **faulty))
    assert found["frame_p25_ms"].outcome is Outcome.INVALID
    assert said in found["frame_p25_ms"].sentence
    assert found["frame_p25_ms"].error_class == ""
    assert found["peak_memory_mb"].outcome is Outcome.FAIL


def test_sessions_that_were_throttled_at_their_second_try_too_are_infra(sessions):
    throttled = sessions(9.0, throttled=True)
    found = judged(together(throttled, discarded=throttled.runs))["frame_p25_ms"]
    assert (found.outcome, found.error_class) == (Outcome.INVALID, "INFRA")


@pytest.mark.parametrize(
    ("parts", "done"),
    [
        ([{}], False),
        ([{"swap_mib": 9.0}], True),
        ([{"throttled": True}], True),
        ([{}, {"swap_mib": 9.0}], True),
        ([{"swap_mib": 9.0}, {}], False),
        ([{"background": 0.4}], False),
    ],
)
def test_a_device_that_is_not_as_its_profile_asks_is_not_measured_on(sessions, parts, done):
    measurement = together(*(sessions(5.1, **one) for one in parts), wanted=NO_SWAP)
    noisy = earlier(spread=0.04)
    assert settled(judge_change(measurement, noisy, TOLERANCES), measurement, [noisy]) is done


def test_a_session_that_was_disturbed_at_its_second_try_too_ends_the_measuring(sessions):
    throttled, noisy = sessions(5.1, throttled=True), earlier(spread=0.04)
    measurement = together(throttled, sessions(5.1), discarded=throttled.runs)
    assert settled(judge_change(measurement, noisy, TOLERANCES), measurement, [noisy])


def test_nothing_but_disturbed_sessions_are_invalid_never_a_fail(sessions):
    found = judged(sessions(9.0, background=0.4))["frame_p25_ms"]
    assert found.outcome is Outcome.INVALID
    assert "other load took 40 % of the cores" in found.sentence


def test_a_machine_of_another_speed_is_invalid(sessions):
    found = judged(sessions(9.0, known_work_ns=1.5e6))["frame_p25_ms"]
    assert found.outcome is Outcome.INVALID
    assert "known" in found.sentence or "fixed piece of work" in found.sentence


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_than_five_sessions_are_no_baseline(sessions, count):
    (found,) = judge_change(sessions(5.0), earlier(count=count), TOLERANCES)
    assert found.outcome is Outcome.NO_BASELINE
    assert f"holds {count} sessions and needs 5" in found.sentence


def test_a_metric_too_noisy_when_it_was_accepted_is_advice(sessions):
    found = judged(sessions(9.0, 9.0, 9.0), earlier(advice=frozenset({"frame_p25_ms"})))
    assert found["frame_p25_ms"].gate is False
    assert found["peak_memory_mb"].gate is True


def test_a_functional_plan_judges_no_speed(sessions):
    plan = Plan(name="smoke", frames=40, runs=1, judges_speed=False)
    found = judged(sessions(9.0, plan=plan))
    assert found["frame_p25_ms"].outcome is Outcome.INCONCLUSIVE
    assert "never judges speed" in found["frame_p25_ms"].sentence


def test_a_large_improvement_passes_and_is_said(sessions):
    found = judged(sessions(4.0, 4.0, 4.0))["frame_p25_ms"]
    assert found.outcome is Outcome.PASS
    assert improved(found)
    assert "nobody accepted" in found.sentence


def test_the_more_gates_the_stronger_each_proof_must_be(sessions):
    alone = judge_change(sessions(5.11), earlier(), {"frame_p25_ms": 5.0})[0]
    beside = judged(sessions(5.11))["frame_p25_ms"]
    assert beside.inputs["alpha_fail"] <= alone.inputs["alpha_fail"] / 2


def test_every_verdict_can_be_decided_again_from_its_inputs(sessions):
    for measurement in (sessions(5.0), sessions(5.5, 5.5), sessions(9.0, background=0.4)):
        for one in judged(measurement).values():
            assert decide(one.rule, one.inputs).outcome is one.outcome


def test_where_more_is_better_a_loss_is_a_rise_of_the_log(make_run):
    slow, fast = make_run(np.full(60, 2e6)), make_run(np.full(60, 1e6))
    assert session_log([slow], "fps_mean") > session_log([fast], "fps_mean")


def test_a_session_with_a_process_that_does_not_tell_has_no_value(make_run):
    assert session_log([make_run([1, 1]), make_run([])], "frame_p25_ms") is None
    assert session_log([make_run([1, 1])], "load_ms") is None


@pytest.mark.parametrize(
    ("logs", "said"),
    [
        ([0.0] * 12, "same"),
        ([0.0, 0.001] * 6, "same"),
        ([0.0] * 6 + [0.2] * 6, "moved"),
        ([0.2] * 6 + [0.0] * 6, "moved"),
        ([0.3, -0.3] * 6, "noisy"),
    ],
)
def test_the_two_halves_of_a_baseline_must_be_alike(logs, said):
    assert split_check(logs, 0.05) == said
