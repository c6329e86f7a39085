"""A leak and a moment's peak of memory are found in a real worker process, however seldom memory is polled.

What only a Jetson or a full disk tells is planted.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness import footprint
from harness.footprint import Footprint
from harness.plans import plan_named

MB = 1_000_000
PLAN = replace(plan_named("standard"), frames=120, runs=1)


@pytest.fixture
def worker(make_session, make_model):
    """A session of one real process whose model really takes this memory, and its case."""

    def open_session(plan=PLAN, **behaviour):
        options = {"simulated": {"seed": 1, "real_memory": True}}
        session = make_session(make_model(only="fp32", **behaviour), plan=plan, runtimes=options)
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


def test_half_a_gigabyte_taken_and_given_back_within_the_warm_up_is_found(worker):
    long_warm_up = replace(PLAN, warmup_window=100, warmup_cap_frames=200)
    quiet, spiked = (measured(worker, plan=long_warm_up, spike_bytes=size) for size in (0, 500 * MB))
    assert spiked.value("peak_memory_mb") - quiet.value("peak_memory_mb") == pytest.approx(500, rel=0.05)
    (marks,) = (run.marks for run in spiked.runs)
    assert marks["peak_warmup_bytes"] - marks["peak_steady_bytes"] > 450 * MB
    assert max(marks, key=lambda name: marks[name] * name.startswith("peak_")) == "peak_warmup_bytes"


def told(values):
    """A sensor that tells one of these after the other."""
    left = iter(values)
    return lambda *asked: next(left)


def weighed() -> Footprint:
    found = Footprint(object())
    with found.timed_frames():
        pass
    return found


@pytest.mark.parametrize(
    ("own", "of_all", "expected"),
    [
        (None, (100 * MB, 350 * MB), 250 * MB),
        (None, (350 * MB, 100 * MB), 0),
        (40 * MB, (100 * MB, 350 * MB), 40 * MB),
        (None, (None, None), None),
        (None, (None, 350 * MB), None),
        (None, (100 * MB, None), None),
    ],
)
def test_where_only_root_sees_a_process_its_gpu_memory_is_the_rise_of_all(monkeypatch, own, of_all, expected):
    monkeypatch.setattr(footprint.process_memory, "nvmap_process_bytes", lambda pid: own)
    monkeypatch.setattr(footprint.process_memory, "nvmap_device_bytes", told(of_all))
    found = weighed()
    assert found.marks.get("nvmap_bytes") == expected
    if own is None and expected is not None:
        assert found.facts["nvmap_from"].startswith("rise of NvMapMemUsed")
    else:
        assert own is None or "nvmap_from" not in found.facts


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (900 * MB, 800 * MB, 800 * MB),
        (800 * MB, 900 * MB, 800 * MB),
        (900 * MB, None, 900 * MB),
        (None, 900 * MB, 900 * MB),
        (None, None, None),
        (900 * MB, 0, 0),
    ],
)
def test_the_least_free_disk_before_and_after_the_frames_is_told(monkeypatch, before, after, expected):
    monkeypatch.setattr(footprint, "state", lambda folder: {} if before is None else {"free_disk_bytes": before})
    monkeypatch.setattr(footprint, "free_disk_bytes", lambda folder: after)
    assert weighed().marks.get("free_disk_bytes") == expected
