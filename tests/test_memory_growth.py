"""A leak and a moment's peak of memory are found in a real worker process, however seldom memory is polled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.plans import plan_named

MB = 1_000_000
PLAN = replace(plan_named("standard"), frames=120, runs=1)


@pytest.fixture
def worker(make_session, make_model):
    """A session of one real process whose model really takes this memory, and its case."""

    def open_session(**behaviour):
        options = {"simulated": {"seed": 1, "real_memory": True}}
        session = make_session(make_model(only="fp32", **behaviour), plan=PLAN, runtimes=options)
        return session, next(case for case in session.cases if case.variant == "fp32")

    return open_session


def measured(worker, **behaviour):
    session, case = worker(**behaviour)
    return session.measurement(case)


def test_a_leak_of_a_megabyte_per_frame_is_found(worker):
    session, case = worker(leak_bytes=MB)
    (verdict,) = session.check(case, "memory_growth_kb_per_frame")
    assert verdict.outcome == "FAIL"
    assert verdict.value == pytest.approx(1000, rel=0.05)
    assert "look for what keeps every frame" in verdict.sentence


def test_a_model_that_keeps_nothing_has_no_leak(worker):
    session, case = worker()
    (verdict,) = session.check(case, "memory_growth_kb_per_frame")
    assert verdict.outcome == "PASS"
    assert abs(verdict.value) < 50


def test_half_a_gigabyte_taken_and_given_back_within_one_frame_is_found(worker):
    quiet, spiked = (measured(worker, spike_bytes=size) for size in (0, 500 * MB))
    assert spiked.value("peak_memory_mb") - quiet.value("peak_memory_mb") == pytest.approx(500, rel=0.05)
    assert spiked.value("runtime_memory_mb") - quiet.value("runtime_memory_mb") < 20
